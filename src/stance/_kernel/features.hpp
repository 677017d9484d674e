// Twin of `stance.features`: tokens → buckets. The comments there say what each feature is for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cues.hpp"
#include "hashing.hpp"
#include "tokens.hpp"

namespace stance {

enum Family { F_WORD, F_NAME, F_PREFIX, F_CLASS, F_PAIR, F_CONTEXT, F_REACH, F_OBJECT, F_TRIPLE, F_FORM, FAMILIES };

// What a lexicon and settings come to; it does not change, so that threads can share it.
struct Specification {
    struct Range {
        uint64_t name;
        uint32_t offset;
        int shift;
    };
    struct Class {
        uint64_t hash;
        bool frame;
        // Buckets and hashes of features that begin with the class, so that each is computed once and not in every
        // text.
        std::array<uint32_t, 4> buckets;  // Alone, outside and inside of quotation marks, after a negation.
        uint64_t pair, context, context_gap, reach_gap, object, triple;
    };

    std::array<Range, FAMILIES> ranges;
    std::vector<Class> classes;
    Cues cues;
    std::vector<std::string> marks;
    int function, first, negation;  // Numbers of these classes; -1 where there is none.
    uint32_t table = 0;             // Number of buckets.
    std::array<uint32_t, 16> forms;
    std::array<uint64_t, 10> distances;  // *near*, *middle* or *far*, by the tokens from one cue to the next.
    uint64_t name, digits, start, end, gap, inside, outside;

    Specification(const std::vector<std::string>& families, const std::vector<int>& bits,
                  const std::vector<std::string>& names, const std::vector<bool>& frames,
                  const std::vector<std::string>& marks_, const std::vector<int>& special)
        : cues(special.at(0)), marks(marks_), function(special.at(0)), first(special.at(1)), negation(special.at(2)) {
        if (families.size() != FAMILIES || bits.size() != FAMILIES || names.size() != frames.size())
            throw std::invalid_argument("the kernel knows other families of features");
        for (int n = 0; n < FAMILIES; ++n) {
            if (bits[n] < 1 || bits[n] > 26) throw std::invalid_argument("a bucket range outside of 2 to 2^26");
            ranges[n] = {hash_of(families[n]), table, 64 - bits[n]};
            table += uint32_t{1} << bits[n];
        }
        name = hash_of("<name>"), digits = hash_of("<number>"), start = hash_of("<start>"), end = hash_of("<end>");
        gap = hash_of("_");
        for (size_t n = 0; n < distances.size(); ++n) distances[n] = hash_of(n > 8 ? "far" : n > 3 ? "middle" : "near");
        inside = hash_of("inside"), outside = hash_of("outside");
        const uint64_t negated = mix(ranges[F_CLASS].name, hash_of("not"));
        for (size_t n = 0; n < names.size(); ++n) {
            Class made;
            const uint64_t hash = made.hash = hash_of(names[n]);
            made.frame = frames[n];
            const uint64_t alone = mix(ranges[F_CLASS].name, hash);
            made.buckets = {bucket(F_CLASS, alone), bucket(F_CLASS, mix(alone, outside)),
                            bucket(F_CLASS, mix(alone, inside)), bucket(F_CLASS, mix(negated, hash))};
            made.pair = mix(ranges[F_PAIR].name, hash);
            made.context = mix(ranges[F_CONTEXT].name, hash);
            made.context_gap = mix(made.context, gap);
            made.reach_gap = mix(mix(ranges[F_REACH].name, hash), gap);
            made.object = mix(ranges[F_OBJECT].name, hash);
            made.triple = mix(ranges[F_TRIPLE].name, hash);
            classes.push_back(made);
        }
        const char* const forms_[] = {"headline", "question", "quotation", "all-quoted", "opens-quoted", "no-stop"};
        for (int n = 0; n < 6; ++n) forms[n] = bucket(F_FORM, mix(ranges[F_FORM].name, hash_of(forms_[n])));
        for (int n = 0; n < 10; ++n)
            forms[6 + n] = bucket(F_FORM, mix(ranges[F_FORM].name, hash_of("length-" + std::to_string(n))));
    }

    uint32_t bucket(Family family, uint64_t value) const {
        const Range& range = ranges[family];
        return range.offset + static_cast<uint32_t>((value * WORD_FACTOR) >> range.shift);
    }
};

// Turns one text after the other into buckets; each thread has its own, as its memory is used again.
class Featuriser {
  public:
    Featuriser(const Specification& specification, const Characters& characters)
        : s_(specification), characters_(characters), tokeniser_(characters, specification.marks) {}

    // Forgets the buckets of all texts so far.
    void clear() { end_ = buckets_.data(); }

    // Adds the buckets of all features of a text, some more than once; false where the text is UTF-8 in name only.
    bool run(const View& text) {
        if (!tokeniser_.split(text)) return false;
        beginning_ = size();
        most_ = MANY;
        count_ = tokens().size();
        if (!count_) return true;
        headline_ = is_headline();
        find_events();
        mask();
        word_ngrams();
        name_ngrams();
        class_features();
        pairs();
        around_cues();
        triples();
        forms();
        return true;
    }

    const uint32_t* begin() const { return buckets_.data(); }
    size_t size() const { return static_cast<size_t>(end_ - buckets_.data()); }

  private:
    static constexpr size_t MANY = 1 << 18;

    struct Symbol {
        uint64_t hash;
        uint64_t prefix;   // Hash of its beginning.
        uint64_t reach;    // Hash of its beginning and a gap in the family `reach`.
        bool is_long;      // Five code points or more, and no mask.
        bool longer;       // More than five.
        bool is_function;  // A function word.
    };
    struct Event {
        uint16_t category, first, last, unused;

        // Made in one piece, so that it is written in one.
        static Event at(uint64_t category, uint64_t first) { return at(category, first, first); }
        static Event at(uint64_t category, uint64_t first, uint64_t last) {
            return {static_cast<uint16_t>(category), static_cast<uint16_t>(first), static_cast<uint16_t>(last), 0};
        }
    };
    struct Events {
        const Event *first, *last;
        const Event* begin() const { return first; }
        const Event* end() const { return last; }
    };
    Events events() const { return {events_.data(), events_.data() + event_count_}; }
    Events cues() const { return {cues_.data(), cues_.data() + cue_count_}; }
    const Tokeniser& tokens() const { return tokeniser_; }

    // Each list by its own size: lists that grow together may not be in step.
    template <class Item>
    static void grow(std::vector<Item>& list, size_t needed) {
        if (list.size() < needed) list.resize(2 * needed);
    }

    // Where `most` more buckets can be written, those that are written and then left out included; `wrote` has to be
    // told where they end.
    uint32_t* room(size_t most) {
        const size_t used = size();
        if (buckets_.size() - used < most) {
            buckets_.resize(2 * (used + most));
            end_ = buckets_.data() + used;
        }
        return end_;
    }
    void wrote(uint32_t* end) { end_ = end; }

    // Drops what a text has more than once where it has so much: a text of cues only, each of many classes, makes
    // millions of the same few.
    void thin() {
        if (size() - beginning_ <= most_) return;
        uint32_t* const first = buckets_.data() + beginning_;
        std::sort(first, end_);
        end_ = std::unique(first, end_);
        most_ = std::max(MANY, 2 * (size() - beginning_));
    }

    bool is_headline() const {
        size_t words = 0, capitals = 0;
        for (const Token& token : tokens()) {
            const size_t counts = (token.kind == WORD) & (token.length >= 4);
            words += counts;
            capitals += counts & (token.spelled != PLAIN);
        }
        return words >= 4 && 4 * capitals >= 3 * words;
    }

    // Loops and branches here are laid out so that what cannot be foretold, such as whether a word is a cue and for how
    // many classes, takes no branch: a wrong guess of the processor costs more than computing a feature for nothing.
    void find_events() {
        const Token* const all = tokens().begin();
        const Cues& lexicon = s_.cues;
        const size_t count = count_;
        grow(words_, count + 1);
        grow(function_, count);
        grow(events_, Cues::INLINE * count);
        kept_.assign(count, 0);
        uint32_t* const words = words_.data();
        uint16_t *const kept = kept_.data(), *const function = function_.data();
        const bool masks = !headline_;
        for (size_t n = 0; n < count; ++n) lexicon.prefetch(all[n].hash);
        // A number, a mark and punctuation cannot be words of the lexicon.
        for (size_t n = 0; n < count; ++n) words[n] = lexicon.find(all[n].hash, all[n].text, all[n].size);
        words[count] = 0;
        size_t size = 0;
        for (size_t first = 0; first < count; ++first) {
            const Token& token = all[first];
            const Cues::Word& word = lexicon.word(words[first]);
            function[first] = word.is_function;
            if ((token.mark >= 0) | (word.count > Cues::INLINE) | ((token.spelled == CAPITALS) & masks)) {
                size = add_events(first, word, size);
            } else {
                Event* const next = events_.data() + size;
                for (uint32_t n = 0; n < Cues::INLINE; ++n) next[n] = Event::at(word.classes[n], first);
                size += word.count;
                kept[first] |= (word.count > 0) | word.is_function;
            }
            if (lexicon.may_follow(word.phrase, words[first + 1])) size = add_phrases(first, word.phrase, size);
        }
        event_count_ = size;
        grow(cues_, size);
        grow(cues_before_, size);
        Event *const events = events_.data(), *const cues = cues_.data();
        uint32_t* const before = cues_before_.data();
        uint32_t found = 0;
        for (size_t n = 0; n < size; ++n) {
            const Event event = events[n];
            cues[found] = event;
            found += !s_.classes[event.category].frame;
            before[n] = found;
        }
        cue_count_ = found;
    }

    // The same for the rarer kinds of words: marks, acronyms (US is not us), words of many classes.
    size_t add_events(size_t first, const Cues::Word& word, size_t size) {
        const Token& token = tokens().begin()[first];
        const bool barred = token.spelled == CAPITALS && !headline_;
        reserve(size, first, word.count + 1u);
        const auto add = [&](size_t category) {
            events_[size++] = Event::at(category, first);
            kept_[first] = 1;
        };
        if (token.mark >= 0) add(s_.classes.size() - s_.marks.size() + static_cast<size_t>(token.mark));
        if (word.is_function && !barred) kept_[first] = 1;
        for (uint32_t n = 0; n < word.count; ++n) {
            const uint16_t category = s_.cues.classes(word.first)[n];
            if (!barred || category != s_.first) add(category);
        }
        return size;
    }

    size_t add_phrases(size_t first, uint32_t phrase, size_t size) {
        for (size_t last = first + 1; last < count_ && last < first + MAX_PHRASE; ++last) {
            phrase = s_.cues.step(phrase, words_[last]);
            if (!phrase) break;
            const Cues::Phrase& found = s_.cues.phrase(phrase);
            reserve(size, first, found.classes.count);
            for (uint32_t n = 0; n < found.classes.count; ++n)
                events_[size++] = Event::at(s_.cues.classes(found.classes.first)[n], first, last);
            if (found.is_entry)
                for (size_t n = first; n <= last; ++n) kept_[n] = 1;
        }
        return size;
    }

    // Sees to it that `most` events fit in, and those of the tokens behind `first` as well.
    void reserve(size_t size, size_t first, size_t most) {
        grow(events_, size + most + Cues::INLINE * (count_ - first));
    }

    void mask() {
        const Token* const all = tokens().begin();
        grow(symbols_, count_ + 1);
        grow(place_, count_);
        grow(hidden_, count_);
        grow(spelled_, count_);
        const uint64_t reach = s_.ranges[F_REACH].name, gap = s_.gap, name = s_.name, digits = s_.digits;
        const uint16_t *const kept = kept_.data(), *const function = function_.data();
        uint16_t* const hidden = hidden_.data();
        uint64_t* const spelled = spelled_.data();
        uint32_t* const place = place_.data();
        const bool masks = !headline_;
        Symbol *next = symbols_.data(), *const first = next;
        uint32_t mask_before = 0;
        for (size_t n = 0, count = count_; n < count; ++n) {
            const Token& token = all[n];
            const bool is_word = token.kind == WORD;
            const uint8_t byte = token.text[0];
            const bool shown = (token.kind != PUNCTUATION) | (byte == '"') | (byte == '?') | (byte == ':');
            // 1 for <name>, 2 for <number>.
            uint32_t masked = (token.kind == NUMBER) * 2u | (is_word & (token.spelled != PLAIN) & masks & !kept[n]);
            if (token.mark >= 0)
                masked = token.hash == name ? 1 : token.hash == digits ? 2 : 0;  // A mark may be <name>.
            const bool plain = is_word & (token.mark < 0) & (masked == 0);
            const uint64_t prefix = prefix_hash(token);
            next->hash = masked == 0 ? token.hash : masked == 1 ? name : digits;
            next->prefix = prefix;
            next->reach = mix(mix(reach, prefix), gap);
            next->is_long = plain & (token.length >= PREFIX);
            next->longer = plain & (token.length > PREFIX);
            next->is_function = plain & (function[n] != 0);
            // A mask that goes on from the token before belongs to the same symbol.
            next += shown & ((masked == 0) | (masked != mask_before));
            place[n] = static_cast<uint32_t>(next - first) - 1;
            hidden[n] = masked != 0;
            mask_before = shown ? masked : 0;
            spelled[n] = token.hash;
            if ((token.spelled == CAPITALS) & masks) spelled[n] = upper_hash(token);
        }
        symbol_count_ = static_cast<size_t>(next - symbols_.data());
    }

    void word_ngrams() {
        const size_t size = symbol_count_;
        if (!size) return;
        const uint64_t family = s_.ranges[F_WORD].name, prefix = s_.ranges[F_PREFIX].name;
        uint32_t* out = room(4 * size + 2);
        const auto hash = [&](size_t n) { return n < size ? symbols_[n].hash : s_.end; };
        const uint64_t opened = mix(mix(family, s_.start), hash(0));
        *out++ = s_.bucket(F_WORD, opened);
        *out++ = s_.bucket(F_WORD, mix(opened, hash(1)));
        for (size_t n = 0; n < size; ++n) {
            const uint64_t one = mix(family, hash(n)), two = mix(one, hash(n + 1));
            *out++ = s_.bucket(F_WORD, one);
            *out++ = s_.bucket(F_WORD, two);
            *out = s_.bucket(F_WORD, mix(two, hash(n + 2)));
            out += n + 1 < size;
            *out = s_.bucket(F_PREFIX, mix(prefix, symbols_[n].prefix));
            out += symbols_[n].longer;
        }
        wrote(out);
    }

    void name_ngrams() {
        const uint64_t family = s_.ranges[F_NAME].name;
        uint32_t* out = room(2 * count_);
        for (size_t n = 0; n < count_; ++n) {
            *out = s_.bucket(F_NAME, mix(family, spelled_[n]));
            out += hidden_[n];
            if (!n) continue;
            *out = s_.bucket(F_NAME, mix(mix(family, spelled_[n - 1]), spelled_[n]));
            out += hidden_[n] | hidden_[n - 1];
        }
        wrote(out);
    }

    // Hash of an acronym in capitals.
    uint64_t upper_hash(const Token& token) {
        upper_.clear();
        for (const uint8_t *at = token.text, *end = at + token.size; at < end;) {
            if (*at < 0x80) {
                upper_.push_back(static_cast<char>(*at >= 'a' && *at <= 'z' ? *at - 0x20 : *at));
                ++at;
                continue;
            }
            const uint8_t* const from = at;
            uint32_t code = 0;
            if (!take_utf8(at, end, code)) ++at;
            const std::string* const upper = characters_.upper(code);
            if (upper)
                upper_ += *upper;
            else
                upper_.append(reinterpret_cast<const char*>(from), static_cast<size_t>(at - from));
        }
        return hash_of(upper_);
    }

    void class_features() {
        // A negation counts for the three tokens behind it.
        negated_.assign(count_, 0);
        for (const Event& event : events())
            if (static_cast<int>(event.category) == s_.negation)
                for (size_t n = event.last + 1u; n <= event.last + 3u && n < count_; ++n) negated_[n] = 1;
        uint32_t* out = room(3 * event_count_);
        for (const Event& event : events()) {
            const auto& buckets = s_.classes[event.category].buckets;
            *out++ = buckets[0];
            *out++ = buckets[1 + tokens().begin()[event.first].quoted];
            *out = buckets[3];
            out += negated_[event.first] & (static_cast<int>(event.category) != s_.negation);
        }
        wrote(out);
    }

    void pairs() {
        const Token* const all = tokens().begin();
        const uint64_t sides[] = {s_.outside, s_.inside};
        for (size_t n = 0; n < event_count_; ++n) {
            const Event& left = events_[n];
            const auto& class_ = s_.classes[left.category];
            // Frames make no pairs with one another.
            const Event* right = class_.frame ? cues_.data() + cues_before_[n] : events_.data() + n + 1;
            const Event* const end = class_.frame ? cues_.data() + cue_count_ : events_.data() + event_count_;
            uint32_t* out = room(2 * static_cast<size_t>(end - right));
            const uint64_t side = sides[all[left.first].quoted];
            for (; right < end; ++right) {
                const int gap = right->first - left.last;
                if (gap > 64) break;
                const uint64_t both = mix(class_.pair, s_.classes[right->category].hash);
                *out = s_.bucket(F_PAIR, mix(both, s_.distances[static_cast<size_t>(std::clamp(gap, 0, 9))]));
                out += gap > 0;
                *out = s_.bucket(F_PAIR, mix(mix(both, side), sides[all[right->first].quoted]));
                out += (gap > 0) & (gap <= 8);
            }
            wrote(out);
            thin();
        }
    }

    // The families context, reach and object: what stands around the cues.
    void around_cues() {
        const uint64_t family = s_.ranges[F_CONTEXT].name;
        const Symbol* const symbols = symbols_.data();
        const size_t size = symbol_count_;
        // A bucket that is not kept is written all the same, behind the 18 that may be.
        uint32_t* out = room(18 * cue_count_ + 1);
        for (const Event& event : cues()) {
            const auto& class_ = s_.classes[event.category];
            const size_t left = place_[event.first], right = place_[event.last];
            *out++ = s_.bucket(F_CONTEXT, mix(mix(family, left ? symbols[left - 1].hash : s_.start), class_.hash));
            *out++ = s_.bucket(F_CONTEXT, mix(class_.context, right + 1 < size ? symbols[right + 1].hash : s_.end));
            if (left > 1)
                *out++ = s_.bucket(F_CONTEXT, mix(mix(mix(family, symbols[left - 2].hash), s_.gap), class_.hash));
            for (size_t n = right + 2; n < size && n < right + 4; ++n)
                *out++ = s_.bucket(F_CONTEXT, mix(class_.context_gap, symbols[n].hash));
            for (size_t n = left > 6 ? left - 6 : 0; n < left; ++n) {
                *out = s_.bucket(F_REACH, mix(symbols[n].reach, class_.hash));
                out += symbols[n].is_long;
            }
            bool missing = true;
            for (size_t n = right + 1; n < size && n < right + 7; ++n) {
                *out = s_.bucket(F_REACH, mix(class_.reach_gap, symbols[n].prefix));
                out += symbols[n].is_long;
                *out = s_.bucket(F_OBJECT, mix(class_.object, symbols[n].hash));
                out += missing & !symbols[n].is_function;
                missing &= symbols[n].is_function;
            }
        }
        wrote(out);
    }

    void triples() {
        uint32_t* out = room(cue_count_);
        for (size_t n = 0; n + 2 < cue_count_; ++n) {
            const Event &one = cues_[n], &two = cues_[n + 1], &three = cues_[n + 2];
            const uint64_t both = mix(s_.classes[one.category].triple, s_.classes[two.category].hash);
            *out = s_.bucket(F_TRIPLE, mix(both, s_.classes[three.category].hash));
            out += three.first - one.last <= 12;
        }
        wrote(out);
    }

    void forms() {
        const Token& last = tokens().begin()[count_ - 1];
        size_t quoted = 0;
        for (const Token& token : tokens()) quoted += token.quoted;
        const uint8_t closing = last.kind == PUNCTUATION ? last.text[0] : 'a';
        const bool holds[] = {headline_,
                              closing == '?',
                              quoted > 0,
                              quoted == count_,
                              tokens().begin()[0].quoted,
                              !std::strchr(".!?\"')", closing)};
        uint32_t* out = room(7);
        for (size_t n = 0; n < 6; ++n)
            if (holds[n]) *out++ = s_.forms[n];
        *out++ = s_.forms[6 + std::min<size_t>(count_ / 6, 9)];
        wrote(out);
    }

    const Specification& s_;
    const Characters& characters_;
    Tokeniser tokeniser_;
    size_t count_ = 0;
    bool headline_ = false;
    std::vector<Event> events_, cues_;
    std::vector<uint32_t> cues_before_;  // How many cues there are up to and with an event.
    size_t event_count_ = 0, cue_count_ = 0;
    std::vector<Symbol> symbols_;
    size_t symbol_count_ = 0;
    std::vector<uint32_t> words_, place_;
    std::vector<uint64_t> spelled_;
    // Numbers of two bytes: what is written to single bytes might be anything, and everything would be read again.
    std::vector<uint16_t> kept_, function_, hidden_, negated_;
    std::string upper_;
    std::vector<uint32_t> buckets_;
    uint32_t* end_ = nullptr;
    size_t beginning_ = 0, most_ = MANY;  // Where the buckets of this text begin, and how many are too many.
};

}  // namespace stance

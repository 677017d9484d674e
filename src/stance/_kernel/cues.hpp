// The cue classes of a lexicon, ready to be looked up by the hash of a word.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hashing.hpp"

namespace stance {

constexpr uint32_t MAX_PHRASE = 4;

class Cues {
  public:
    // Class numbers of an entry, without the class of function words.
    struct Run {
        uint32_t first = 0, count = 0;
    };
    // The beginning of a phrase, or a whole one.
    struct Phrase {
        Run classes;
        bool is_entry = false;
    };
    static constexpr uint32_t INLINE = 4;  // So many class numbers lie in the word itself.
    struct alignas(32) Word {
        uint64_t hash = 0;
        uint32_t text = 0;    // Where its letters lie.
        uint32_t phrase = 0;  // What phrases that begin with it go on from; 0 where there are none.
        uint32_t first = 0;   // Where its class numbers lie, where there are more.
        uint16_t size = 0;
        uint8_t count = 0;  // Of class numbers.
        bool is_function = false;
        std::array<uint16_t, INLINE> classes{};
    };

    // Numbers 0 are no word and no phrase.
    explicit Cues(int function)
        : words_(1), phrases_(1), classes_of_words_(1), classes_of_phrases_(1), function_(function) {
        numbers_.reserve(1 << 15);
        following_.reserve(1 << 15);
    }

    // Adds the words and phrases of a class, one a line; classes have to come in ascending order.
    void add(std::string_view lines, uint16_t category) {
        for (size_t start = 0; start < lines.size();) {
            const size_t end = std::min(lines.find('\n', start), lines.size());
            add_entry(lines.substr(start, end - start), category);
            start = end + 1;
        }
    }

    // Has to be called once, after the last `add`.
    void finish() {
        slots_.assign(slots_for(words_.size()), {});
        for (uint32_t number = 1; number < words_.size(); ++number) {
            size_t at = words_[number].hash & (slots_.size() - 1);
            while (slots_[at].word) at = (at + 1) & (slots_.size() - 1);
            slots_[at] = {tag_of(words_[number].hash), number};
        }
        steps_.assign(slots_for(following_.size()), {});
        for (const auto& [key, phrase] : following_) {
            size_t at = place_of(key) & (steps_.size() - 1);
            while (steps_[at].phrase) at = (at + 1) & (steps_.size() - 1);
            steps_[at] = {key, phrase};
            const size_t bit = place_of(key) % BITS;
            known_[bit / 64] |= uint64_t{1} << (bit % 64);
        }
        for (uint32_t number = 1; number < words_.size(); ++number) {
            Word& word = words_[number];
            const Run run = put(classes_of_words_[number]);
            if (run.count > UINT8_MAX) throw std::invalid_argument("a word of more than 255 classes");
            word.first = run.first;
            word.count = static_cast<uint8_t>(run.count);
            std::copy_n(classes_.begin() + run.first, std::min(run.count, INLINE), word.classes.begin());
            word.is_function = run.count < classes_of_words_[number].size();
        }
        for (uint32_t number = 1; number < phrases_.size(); ++number) {
            phrases_[number].classes = put(classes_of_phrases_[number]);
            phrases_[number].is_entry = !classes_of_phrases_[number].empty();
        }
        numbers_.clear();
        following_.clear();
        classes_of_words_.clear();
        classes_of_phrases_.clear();
    }

    void prefetch(uint64_t hash) const { stance::prefetch(&slots_[hash & (slots_.size() - 1)]); }

    // The number of a word of the lexicon; 0 for all others.
    uint32_t find(uint64_t hash, const uint8_t* text, size_t size) const {
        const size_t last = slots_.size() - 1;
        for (size_t at = hash & last; slots_[at].word; at = (at + 1) & last) {
            if (slots_[at].tag != tag_of(hash)) continue;
            const Word& found = words_[slots_[at].word];
            // Two long words may share a hash, where somebody has made them so; two short ones of a length cannot.
            if (found.hash == hash && found.size == size &&
                (size <= 8 || std::memcmp(spelled_.data() + found.text, text, size) == 0))
                return slots_[at].word;
        }
        return 0;
    }

    const Word& word(uint32_t number) const { return words_[number]; }
    const Phrase& phrase(uint32_t number) const { return phrases_[number]; }
    const uint16_t* classes(uint32_t first) const { return classes_.data() + first; }
    // Whether a word may make a phrase longer; mostly no, and then it does not.
    bool may_follow(uint32_t phrase, uint32_t number) const {
        const size_t bit = place_of(key_of(phrase, number)) % BITS;
        return known_[bit / 64] >> (bit % 64) & 1;
    }
    // The phrase that is one word longer; 0 where there is none.
    uint32_t step(uint32_t phrase, uint32_t number) const {
        if (!may_follow(phrase, number)) return 0;
        const uint64_t key = key_of(phrase, number);
        const size_t last = steps_.size() - 1;
        for (size_t at = place_of(key) & last; steps_[at].phrase; at = (at + 1) & last)
            if (steps_[at].key == key) return steps_[at].phrase;
        return 0;
    }

  private:
    struct Slot {
        uint32_t tag = 0, word = 0;
    };
    struct Step {
        uint64_t key = 0;
        uint32_t phrase = 0;
    };

    // Sixteen kilobytes, which stay close to the processor; the table of steps does not.
    static constexpr size_t BITS = 1 << 17;

    static uint64_t key_of(uint32_t phrase, uint32_t number) { return uint64_t{phrase} << 32 | number; }
    static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
    static size_t place_of(uint64_t key) { return static_cast<size_t>((key * WORD_FACTOR) >> 32); }
    static size_t slots_for(size_t entries) {
        size_t slots = 64;
        while (slots < 2 * entries) slots *= 2;
        return slots;
    }

    void add_entry(std::string_view entry, uint16_t category) {
        size_t blank = std::min(entry.find(' '), entry.size());
        const uint32_t first = number_of(entry.substr(0, blank));
        if (blank == entry.size()) return add_once(classes_of_words_[first], category);
        if (!words_[first].phrase) words_[first].phrase = new_phrase();
        uint32_t phrase = words_[first].phrase;
        while (blank < entry.size()) {
            const size_t start = blank + 1;
            blank = std::min(entry.find(' ', start), entry.size());
            uint32_t& next = following_[key_of(phrase, number_of(entry.substr(start, blank - start)))];
            if (!next) next = new_phrase();
            phrase = next;
        }
        add_once(classes_of_phrases_[phrase], category);
    }

    static void add_once(std::vector<uint16_t>& classes, uint16_t category) {
        if (classes.empty() || classes.back() != category) classes.push_back(category);
    }

    uint32_t number_of(std::string_view spelled) {
        const auto [found, is_new] = numbers_.try_emplace(std::string(spelled), static_cast<uint32_t>(words_.size()));
        if (is_new) {
            Word word;
            word.hash = hash_of(spelled);
            word.text = static_cast<uint32_t>(spelled_.size());
            if (spelled.size() > UINT16_MAX) throw std::invalid_argument("a word of more than 65,535 letters");
            word.size = static_cast<uint16_t>(spelled.size());
            words_.push_back(word);
            classes_of_words_.emplace_back();
            spelled_.append(spelled);
        }
        return found->second;
    }

    uint32_t new_phrase() {
        phrases_.emplace_back();
        classes_of_phrases_.emplace_back();
        return static_cast<uint32_t>(phrases_.size() - 1);
    }

    Run put(const std::vector<uint16_t>& classes) {
        Run run{static_cast<uint32_t>(classes_.size()), 0};
        for (const uint16_t category : classes)
            if (category != function_) classes_.push_back(category);
        run.count = static_cast<uint32_t>(classes_.size()) - run.first;
        return run;
    }

    std::vector<Word> words_;
    std::vector<Phrase> phrases_;
    std::vector<uint16_t> classes_;
    std::vector<Slot> slots_;
    std::vector<Step> steps_;
    std::vector<uint64_t> known_ = std::vector<uint64_t>(BITS / 64, 0);  // Which steps there may be.
    std::string spelled_;
    std::unordered_map<std::string, uint32_t> numbers_;
    std::unordered_map<uint64_t, uint32_t> following_;
    std::vector<std::vector<uint16_t>> classes_of_words_, classes_of_phrases_;
    int function_;
};

}  // namespace stance

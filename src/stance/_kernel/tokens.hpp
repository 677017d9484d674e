// Twin of `stance.tokens.tokenise`: folded bytes → tokens. The regular expression there is the specification.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "folding.hpp"
#include "hashing.hpp"

namespace stance {

constexpr size_t PREFIX = 5;  // Code points of a word's beginning.

enum Kind : uint8_t { WORD, NUMBER, PUNCTUATION };
enum Case : uint8_t { PLAIN, CAPITALISED, CAPITALS };

struct Token {
    uint64_t hash;
    const uint8_t* text;  // Folded, followed by `PADDING` readable bytes.
    uint16_t size;        // Bytes.
    uint16_t length;      // Code points.
    uint16_t start, end;  // Bytes of the folded text.
    int16_t mark;         // Number of the mark that the span stands for; -1 for all other tokens.
    Kind kind;
    Case spelled;
    bool quoted;
};
static_assert(4 * LONGEST <= UINT16_MAX);

inline size_t count_code_points(const uint8_t* bytes, size_t size) {
    size_t count = 0;
    for (size_t n = 0; n < size; ++n) count += (bytes[n] & 0xC0) != 0x80;
    return count;
}

// Hash of the first `PREFIX` code points.
inline uint64_t prefix_hash(const Token& token) {
    if (token.size == token.length) return hash_short(token.text, std::min<size_t>(token.size, PREFIX));
    size_t size = 0;
    for (size_t points = 0; size < token.size; ++size) {
        points += (token.text[size] & 0xC0) != 0x80;
        if (points > PREFIX) break;
    }
    return hash_word(token.text, size);
}

// Splits one text after the other; its memory is used again. The tokens stand until the next text.
class Tokeniser {
  public:
    Tokeniser(const Characters& characters, const std::vector<std::string>& marks) : folding_(characters, marks) {
        for (const auto& mark : marks) {
            parts_.push_back("<" + mark + ">");
            parts_.back().append(PADDING, '\0');
        }
    }

    // False where the text is UTF-8 in name only.
    bool split(const View& text) {
        count_ = 0;
        chunk_ = used_ = 0;
        if (!folding_.fold(text)) return false;
        // Each token has a byte of its own, but for the two of a contraction, which has at least three.
        if (tokens_.size() < folding_.size + folding_.spans.size() + 1)
            tokens_.resize(2 * (folding_.size + folding_.spans.size() + 1));
        tokenise();
        if (folding_.has_quotes) mark_quotes();
        if (!folding_.spans.empty()) add_spans();
        return true;
    }

    const Token* begin() const { return tokens_.data(); }
    const Token* end() const { return tokens_.data() + count_; }
    size_t size() const { return count_; }

  private:
    bool is_letter(size_t place) const { return folding_.letters.has(place); }
    bool is_plain_letter(size_t place) const { return folding_.bytes[place] >= 'a' && folding_.bytes[place] <= 'z'; }

    void tokenise() {
        const Folding& text = folding_;
        const uint8_t* const bytes = text.bytes.data();
        // From here on there are only closing marks and blanks; a stop before them closes the sentence.
        size_t tail = text.size;
        while (tail && is_in("\"') ", bytes[tail - 1])) --tail;
        for (size_t at = text.visible.next(0); at < text.size; at = text.visible.next(at)) {
            if (is_letter(at)) {
                size_t end = text.letters.next<true>(at);
                if (bytes[end] == '.' && end == at + 1 && is_plain_letter(at)) {
                    const size_t initials = initials_end(at, tail);
                    if (initials) {
                        add_initials(at, initials);
                        at = initials;
                        continue;
                    }
                }
                bool odd = text.has_specials && text.specials.any(at, end);
                while (bytes[end] == '\'' && is_letter(end + 1)) {
                    end = text.letters.next<true>(end + 1);
                    odd = true;
                }
                if (odd)
                    add_odd_word(at, end);
                else
                    add_word(at, end);
                at = end;
            } else if (text.digits.has(at)) {
                size_t end = text.digits.next<true>(at);
                while ((bytes[end] == '.' || bytes[end] == ',' || bytes[end] == ':') && text.digits.has(end + 1))
                    end = text.digits.next<true>(end + 1);
                add(bytes + at, end - at, end - at, at, end, NUMBER, PLAIN);
                at = end;
            } else {
                add(hash_short(bytes + at, 1), bytes + at, 1, 1, at, at + 1, PUNCTUATION, PLAIN);
                ++at;
            }
        }
    }

    // Where the initials that begin at `at` end; 0 where there are none.
    size_t initials_end(size_t at, size_t tail) const {
        size_t end = at + 1;
        while (folding_.bytes[end] == '.' && is_plain_letter(end + 1) && !is_letter(end + 2)) end += 2;
        if (end == at + 1) return 0;
        return folding_.bytes[end] == '.' && end + 1 < tail ? end + 1 : end;
    }

    void add(const uint8_t* text, size_t size, size_t length, size_t start, size_t end, Kind kind, Case spelled) {
        add(hash_word(text, size), text, size, length, start, end, kind, spelled);
    }
    void add(uint64_t hash, const uint8_t* text, size_t size, size_t length, size_t start, size_t end, Kind kind,
             Case spelled) {
        tokens_[count_++] = {hash,
                             text,
                             static_cast<uint16_t>(size),
                             static_cast<uint16_t>(length),
                             static_cast<uint16_t>(start),
                             static_cast<uint16_t>(end),
                             -1,
                             kind,
                             spelled,
                             false};
    }

    // A word of a to z.
    void add_word(size_t start, size_t end) {
        const uint8_t* text = folding_.bytes.data() + start;
        const size_t size = end - start;
        Case spelled = folding_.capitals.has(start) ? CAPITALISED : PLAIN;
        // The byte behind a word is no capital letter of it, so that a single capital is none of these.
        if (spelled && folding_.capitals.has(start + 1) && size > 1 && folding_.capitals.all(start, end))
            spelled = CAPITALS;
        const uint64_t hash = hash_word(text, size);
        if (hash == cannot_ && size == 6) {
            add(text, 3, 3, start, end, WORD, spelled);
            add(text + 3, 3, 3, start, end, WORD, spelled);
            return;
        }
        add(hash, text, size, size, start, end, WORD, spelled);
    }

    void add_initials(size_t start, size_t end) {
        uint8_t* text = take(end - start);
        size_t size = 0;
        for (size_t n = start; n < end; ++n)
            if (folding_.bytes[n] != '.') text[size++] = folding_.bytes[n];
        add(text, size, size, start, end, WORD, folding_.capitals.has(start) ? CAPITALS : PLAIN);
    }

    // A word with apostrophes, accents of their own, or letters beyond ASCII.
    void add_odd_word(size_t start, size_t end) {
        const Case spelled = case_of(start, end);
        uint8_t* word = take(end - start);
        size_t size = 0;
        for (size_t n = start; n < end; ++n)
            if (folding_.bytes[n] != MARK) word[size++] = folding_.bytes[n];
        const std::string_view text(reinterpret_cast<const char*>(word), size);
        const auto piece = [&](std::string_view part, bool with_apostrophes) {
            uint8_t* copy = take(part.size());
            size_t count = 0;
            for (const char each : part)
                if (with_apostrophes || each != '\'') copy[count++] = static_cast<uint8_t>(each);
            if (count) add(copy, count, count_code_points(copy, count), start, end, WORD, spelled);
        };
        const auto pieces = [&](std::string_view first, std::string_view second) {
            piece(first, true);
            piece(second, true);
        };
        if (text == "cannot") return pieces("can", "not");
        const size_t cut = text.rfind('\'');
        if (cut == std::string_view::npos) return piece(text, true);
        static constexpr std::string_view WHOLE[][3] = {{"won't", "will", "not"},
                                                        {"can't", "can", "not"},
                                                        {"shan't", "shall", "not"},
                                                        {"ain't", "is", "not"},
                                                        {"let's", "let", "us"}};
        for (const auto& [contraction, first, second] : WHOLE)
            if (text == contraction) return pieces(first, second);
        if (size >= 3 && text.substr(size - 3) == "n't") return pieces(text.substr(0, size - 3), "not");
        const std::string_view base = text.substr(0, cut), suffix = text.substr(cut + 1);
        if (suffix == "s") {
            for (const std::string_view each : {"he", "she", "it", "that", "there", "what", "who", "here", "where"})
                if (base == each) return pieces(base, "is");
            return piece(base, false);
        }
        static constexpr std::string_view SUFFIXES[][2] = {
            {"re", "are"}, {"ve", "have"}, {"ll", "will"}, {"m", "am"}, {"d", "would"}};
        for (const auto& [ending, full] : SUFFIXES)
            if (suffix == ending) return piece(base, false), piece(full, true);
        piece(text, false);
    }

    Case case_of(size_t start, size_t end) const {
        const uint8_t* const bytes = folding_.bytes.data();
        if (end - start >= 2 && bytes[end - 2] == '\'' && bytes[end - 1] == 's') end -= 2;
        size_t letters = 0, capitals = 0;
        bool first = false;
        for (size_t n = start; n < end; ++n) {
            if ((bytes[n] & 0xC0) == 0x80 || bytes[n] == MARK) continue;
            const bool capital = folding_.capitals.has(n);
            if (!letters) first = capital;
            ++letters;
            capitals += capital;
        }
        if (!first) return PLAIN;
        return letters > 1 && capitals == letters ? CAPITALS : CAPITALISED;
    }

    // Bytes that stay where they are until the next text, with their padding.
    uint8_t* take(size_t size) {
        constexpr size_t CHUNK = 1 << 16;
        static_assert(CHUNK >= 4 * LONGEST + PADDING);
        if (chunk_ < chunks_.size() && used_ + size + PADDING > CHUNK) {
            ++chunk_;
            used_ = 0;
        }
        if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique<uint8_t[]>(CHUNK));
        uint8_t* bytes = chunks_[chunk_].get() + used_;
        used_ += size + PADDING;
        return bytes;
    }

    void mark_quotes() {
        enum : uint8_t { NOTHING, OPENS, CLOSES };
        const uint8_t* const bytes = folding_.bytes.data();
        doubles_.assign(count_, NOTHING);
        singles_.assign(count_, NOTHING);
        bool single_open = false, in_double = false, met_double = false;
        for (size_t n = 0; n < count_; ++n) {
            const Token& token = tokens_[n];
            if (token.kind != PUNCTUATION || !is_in("\"'", token.text[0])) continue;
            const uint8_t before = token.start ? bytes[token.start - 1] : ' ';
            const uint8_t after = bytes[token.end];
            const bool opens = is_in(" ([_-\"'\x01", before) && !is_in(" .,;:!?)", after);
            if (token.text[0] == '"') {
                doubles_[n] = opens ? OPENS : CLOSES;
                if (!met_double) in_double = !opens;
                met_double = true;
            } else if (opens && !single_open && !is_in("0123456789", after)) {
                singles_[n] = OPENS;
                single_open = true;
            } else if (single_open && !opens && before != ' ') {
                singles_[n] = CLOSES;
                single_open = false;
            }
        }
        bool in_single = false;
        for (size_t n = 0; n < count_; ++n) {
            const bool was_inside = in_double || in_single;
            if (doubles_[n]) in_double = doubles_[n] == OPENS;
            if (singles_[n]) in_single = singles_[n] == OPENS;
            tokens_[n].quoted = in_double || in_single || (was_inside && tokens_[n].kind == PUNCTUATION);
        }
    }

    static bool is_in(const char* set, uint8_t byte) { return byte && std::strchr(set, byte) != nullptr; }

    void add_spans() {
        for (const Span& span : folding_.spans) {
            const std::string& part = parts_[static_cast<size_t>(span.mark)];
            const size_t size = part.size() - PADDING;
            add(reinterpret_cast<const uint8_t*>(part.data()), size, size, span.start, span.start + 1, WORD, PLAIN);
            tokens_[count_ - 1].mark = span.mark;
        }
        std::stable_sort(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(count_),
                         [](const Token& left, const Token& right) { return left.start < right.start; });
    }

    const uint64_t cannot_ = hash_of("cannot");
    Folding folding_;
    std::vector<std::string> parts_;
    std::vector<Token> tokens_;
    size_t count_ = 0;
    std::vector<std::unique_ptr<uint8_t[]>> chunks_;
    size_t chunk_ = 0, used_ = 0;
    std::vector<uint8_t> doubles_, singles_;
};

}  // namespace stance

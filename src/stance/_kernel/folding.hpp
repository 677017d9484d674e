// Text → folded bytes: lower case, no accents, ASCII punctuation, as `stance.tokens.fold` makes it, in UTF-8.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hashing.hpp"

#if defined(__SSE2__) && !defined(STANCE_PORTABLE)
#include <emmintrin.h>
#define STANCE_SSE2 1
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace stance {

constexpr size_t LONGEST = 8192;  // Code points of a text that count.
constexpr uint8_t MARK = 0x01;    // What accents fold to: it joins its word and is dropped from its spelling.

// One text, wherever it lies: UTF-8 bytes, or the code units of a Python string.
enum class Form : uint8_t { utf8 = 0, one = 1, two = 2, four = 4 };
struct View {
    const void* data;
    size_t length;  // In units of its form.
    Form form;
};

enum Class : uint8_t { LETTER = 1, DIGIT = 2, VISIBLE = 4, CAPITAL = 8, SPECIAL = 16, QUOTE = 32 };

inline uint8_t class_of(uint32_t folded) {
    if (folded >= 0x80 || folded == MARK) return LETTER | SPECIAL | VISIBLE;
    if (folded >= 'a' && folded <= 'z') return LETTER | VISIBLE;
    if (folded >= '0' && folded <= '9') return DIGIT | VISIBLE;
    if (folded == '"' || folded == '\'') return QUOTE | VISIBLE;
    return folded == ' ' ? 0 : VISIBLE;
}

// How ASCII folds; `Characters` makes sure that the committed table says the same.
inline uint8_t fold_ascii(uint8_t code) {
    if (code >= 'A' && code <= 'Z') return code | 0x20;
    if (code < 0x20 || code == 0x7F) return ' ';
    return code == '`' ? '\'' : code;
}

// The committed table of characters, and the capitals that Python makes of folded letters.
class Characters {
  public:
    explicit Characters(std::vector<uint32_t> table) : table_(std::move(table)) {
        for (uint32_t code = 0; code < 128; ++code)
            if (fold(code) != fold_ascii(static_cast<uint8_t>(code)) ||
                is_capital(code) != (code >= 'A' && code <= 'Z'))
                throw std::invalid_argument("the character table folds ASCII otherwise");
    }

    uint32_t fold(uint32_t code) const { return code < table_.size() ? table_[code] & 0x1FFFFF : code; }
    bool is_capital(uint32_t code) const { return code < table_.size() && (table_[code] & (1u << 24)); }

    // The folded letters, beyond ASCII, that a capital can become.
    std::vector<uint32_t> from_capitals() const {
        std::vector<uint32_t> found;
        for (uint32_t code = 128; code < table_.size(); ++code)
            if (is_capital(code) && fold(code) >= 128) found.push_back(fold(code));
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        return found;
    }
    void set_upper(uint32_t folded, std::string upper) { upper_[folded] = std::move(upper); }
    const std::string* upper(uint32_t folded) const {
        const auto found = upper_.find(folded);
        return found == upper_.end() ? nullptr : &found->second;
    }

  private:
    std::vector<uint32_t> table_;
    std::unordered_map<uint32_t, std::string> upper_;
};

// Writes a code point as UTF-8 and returns how many bytes that took.
inline size_t put_utf8(uint8_t* out, uint32_t code) {
    if (code < 0x80) {
        out[0] = static_cast<uint8_t>(code);
        return 1;
    }
    const size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t n = more; n; --n, code >>= 6) out[n] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    constexpr uint8_t LEAD[] = {0, 0xC0, 0xE0, 0xF0};
    out[0] = static_cast<uint8_t>(LEAD[more] | code);
    return more + 1;
}

// Reads a code point of UTF-8 and moves on; false where the bytes are not valid (RFC 3629).
inline bool take_utf8(const uint8_t*& at, const uint8_t* end, uint32_t& code) {
    const uint8_t first = *at;
    if (first < 0x80) {
        code = first;
        ++at;
        return true;
    }
    const size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || static_cast<size_t>(end - at) <= more) return false;
    code = first & (0x3Fu >> more);
    for (size_t n = 1; n <= more; ++n) {
        if ((at[n] & 0xC0) != 0x80) return false;
        code = code << 6 | (at[n] & 0x3F);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000)) return false;
    at += more + 1;
    return true;
}

inline bool is_utf8(const uint8_t* at, const uint8_t* end) {
    for (uint32_t code; at < end;) {
        for (uint64_t eight; end - at >= 8; at += 8) {
            std::memcpy(&eight, at, 8);
            if (eight & 0x8080808080808080u) break;
        }
        if (at < end && !take_utf8(at, end, code)) return false;
    }
    return true;
}

inline int lowest_bit(uint64_t bits) {
#if defined(_MSC_VER)
    unsigned long place;
    _BitScanForward64(&place, bits);
    return static_cast<int>(place);
#else
    return __builtin_ctzll(bits);
#endif
}

// A set of byte places of one text, 64 to a block.
class Places {
  public:
    void resize(size_t blocks) { bits_.resize(blocks); }
    uint64_t& operator[](size_t block) { return bits_[block]; }
    bool has(size_t place) const { return bits_[place >> 6] >> (place & 63) & 1; }
    void put(size_t place, bool is_in) {
        const uint64_t bit = uint64_t{1} << (place & 63);
        bits_[place >> 6] = is_in ? bits_[place >> 6] | bit : bits_[place >> 6] & ~bit;
    }
    // First place from `from` on that is in the set (or, inverted, that is not); there has to be one.
    template <bool inverted = false>
    size_t next(size_t from) const {
        const uint64_t flip = inverted ? ~uint64_t{0} : 0;
        size_t block = from >> 6;
        uint64_t bits = (bits_[block] ^ flip) & ~uint64_t{0} << (from & 63);
        while (!bits) bits = bits_[++block] ^ flip;
        return (block << 6) + static_cast<size_t>(lowest_bit(bits));
    }
    // Whether all (or any) of the places from `from` up to `end`, which is greater, are in the set.
    bool all(size_t from, size_t end) const { return next<true>(from) >= end; }
    bool any(size_t from, size_t end) const {
        for (size_t block = from >> 6; block <= (end - 1) >> 6; ++block) {
            uint64_t bits = bits_[block];
            if (block == from >> 6) bits &= ~uint64_t{0} << (from & 63);
            if (block == (end - 1) >> 6) bits &= ~uint64_t{0} >> (63 - ((end - 1) & 63));
            if (bits) return true;
        }
        return false;
    }

  private:
    std::vector<uint64_t> bits_;
};

struct Span {
    int16_t mark;
    size_t start;  // Byte of the folded text.
};

// One folded text; its memory is used again for the next one.
class Folding {
  public:
    std::vector<uint8_t> bytes;  // Followed by a blank, a visible byte, and `PADDING` more.
    size_t size = 0;
    Places letters, digits, visible, capitals, specials;
    bool has_quotes = false, has_specials = false;
    std::vector<Span> spans;

    Folding(const Characters& characters, std::vector<std::string> marks)
        : characters_(characters), marks_(std::move(marks)) {}

    // False where the text is UTF-8 in name only, be it behind what counts.
    bool fold(const View& text) {
        // A folded code point takes four bytes at most.
        const size_t room = (4 * std::min(text.length, LONGEST) + 2 + PADDING + 63) & ~size_t{63};
        if (bytes.size() < room) {
            bytes.resize(room);
            raw_.resize(room);
            for (Places* each : {&letters, &digits, &visible, &capitals, &specials}) each->resize(room / 64);
        }
        size = 0;
        patches_.clear();
        spans.clear();
        const size_t count = std::min(text.length, LONGEST);
        switch (text.form) {
            case Form::utf8:
                if (!spell_utf8(static_cast<const uint8_t*>(text.data), text.length)) return false;
                break;
            case Form::one:
                spell(static_cast<const uint8_t*>(text.data), count);
                break;
            case Form::two:
                spell(static_cast<const uint16_t*>(text.data), count);
                break;
            case Form::four:
                spell(static_cast<const uint32_t*>(text.data), count);
                break;
        }
        // A search for the end of a word stops at the blank, one for the next token at the visible byte.
        raw_[size] = ' ';
        raw_[size + 1] = '.';
        std::memset(raw_.data() + size + 2, ' ', PADDING);
        bool quotes = false;
        uint64_t special = 0;
        for (size_t block = 0; block <= (size + 1) / 64; ++block) {
            quotes |= fold_block(block);
            special |= specials[block];
        }
        for (const Patch& patch : patches_) {
            bytes[patch.place] = patch.folded;
            letters.put(patch.place, patch.kind & LETTER);
            digits.put(patch.place, patch.kind & DIGIT);
            visible.put(patch.place, patch.kind & VISIBLE);
            capitals.put(patch.place, patch.kind & CAPITAL);
            specials.put(patch.place, patch.kind & SPECIAL);
            quotes |= (patch.kind & QUOTE) != 0;
            special |= patch.kind & SPECIAL;
        }
        has_quotes = quotes;
        has_specials = special != 0;
        return true;
    }

  private:
    // A byte that does not fold like the ASCII byte that stands for it.
    struct Patch {
        uint32_t place;
        uint8_t folded, kind;
    };

    void put(uint32_t code) {
        const uint32_t folded = characters_.fold(code);
        const bool capital = characters_.is_capital(code);
        if (capital || (folded < 0x80 && (folded == MARK || fold_ascii(static_cast<uint8_t>(folded)) != folded))) {
            const uint8_t kind = static_cast<uint8_t>(class_of(folded) | (capital ? CAPITAL : 0));
            uint8_t first[4];
            put_utf8(first, folded);
            patches_.push_back({static_cast<uint32_t>(size), first[0], kind});
        }
        size += put_utf8(raw_.data() + size, folded);
    }

    template <class Unit>
    void spell(const Unit* units, size_t count) {
        if (!marks_.empty()) return spell_marked(units, count);
        for (size_t n = 0; n < count;) {
            n += copy_ascii(units + n, count - n);
            for (; n < count && units[n] >= 0x80; ++n) put(units[n]);
        }
    }

    // Takes over ASCII up to the first other character and returns how much that was.
    size_t copy_ascii(const uint8_t* units, size_t count) {
        size_t done = 0;
        for (; done + 8 <= count; done += 8) {
            uint64_t eight;
            std::memcpy(&eight, units + done, 8);
            if (eight & 0x8080808080808080u) break;
            std::memcpy(raw_.data() + size + done, &eight, 8);
        }
        for (; done < count && units[done] < 0x80; ++done) raw_[size + done] = units[done];
        size += done;
        return done;
    }
    template <class Unit>
    size_t copy_ascii(const Unit* units, size_t count) {
        size_t done = 0;
        for (; done + 8 <= count; done += 8) {
            Unit all = 0;
            for (int n = 0; n < 8; ++n) all |= units[done + n];
            if (all >= 0x80) break;
            for (int n = 0; n < 8; ++n) raw_[size + done + n] = static_cast<uint8_t>(units[done + n]);
        }
        for (; done < count && units[done] < 0x80; ++done) raw_[size + done] = static_cast<uint8_t>(units[done]);
        size += done;
        return done;
    }

    bool spell_utf8(const uint8_t* at, size_t length) {
        const uint8_t* const end = at + length;
        if (!marks_.empty()) {
            code_points_.clear();
            while (at < end && code_points_.size() < LONGEST) {
                code_points_.push_back(0);
                if (!take_utf8(at, end, code_points_.back())) return false;
            }
            spell_marked(code_points_.data(), code_points_.size());
            return is_utf8(at, end);
        }
        for (size_t count = 0; at < end && count < LONGEST;) {
            const size_t ascii = copy_ascii(at, std::min(static_cast<size_t>(end - at), LONGEST - count));
            at += ascii;
            count += ascii;
            for (; at < end && count < LONGEST && *at >= 0x80; ++count) {
                uint32_t code;
                if (!take_utf8(at, end, code)) return false;
                put(code);
            }
        }
        return is_utf8(at, end);
    }

    // Text with tags: a span that a mark opens and closes is as many blanks as it has characters, and one word.
    template <class Unit>
    void spell_marked(const Unit* units, size_t count) {
        // A mark that is not closed behind one place is not closed behind a later one either.
        std::vector<bool> closed(marks_.size(), true);
        for (size_t n = 0; n < count;) {
            size_t end = 0;
            for (size_t mark = 0; units[n] == '<' && mark < marks_.size() && !end; ++mark) {
                if (!closed[mark] || !stands(units, count, n, "<" + marks_[mark] + ">")) continue;
                const std::string close = "</" + marks_[mark] + ">";
                size_t at = n + close.size() - 1;
                while (at < count && !stands(units, count, at, close)) ++at;
                closed[mark] = at < count;
                if (!closed[mark]) continue;
                end = at + close.size();
                spans.push_back({static_cast<int16_t>(mark), size});
            }
            if (!end) put_any(units[n++]);
            for (; n < end; ++n) raw_[size++] = ' ';
        }
    }

    void put_any(uint32_t code) {
        if (code < 0x80)
            raw_[size++] = static_cast<uint8_t>(code);
        else
            put(code);
    }

    template <class Unit>
    static bool stands(const Unit* units, size_t count, size_t at, const std::string& wanted) {
        if (count - at < wanted.size()) return false;
        for (size_t n = 0; n < wanted.size(); ++n)
            if (units[at + n] != static_cast<uint8_t>(wanted[n])) return false;
        return true;
    }

    // Folds 64 bytes and says of which kind each is, as bits, so that the end of a word is found without a loop.
    bool fold_block(size_t block) {
        const uint8_t* in = raw_.data() + 64 * block;
        uint8_t* out = bytes.data() + 64 * block;
        uint64_t letter = 0, digit = 0, seen = 0, capital = 0, special = 0, quotes = 0;
#if defined(STANCE_SSE2)
        const auto all = [](char value) { return _mm_set1_epi8(value); };
        const auto bits = [](__m128i yes) {
            return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(yes)));
        };
        for (int part = 0; part < 64; part += 16) {
            const __m128i given = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + part));
            const __m128i beyond = _mm_cmplt_epi8(given, all(0));  // 0x80 and more are negative.
            const __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(given, all('@')), _mm_cmplt_epi8(given, all('[')));
            const __m128i control = _mm_or_si128(_mm_andnot_si128(beyond, _mm_cmplt_epi8(given, all(' '))),
                                                 _mm_cmpeq_epi8(given, all(0x7F)));
            const __m128i grave = _mm_cmpeq_epi8(given, all('`'));
            __m128i folded = _mm_or_si128(given, _mm_and_si128(upper, all(0x20)));
            folded = _mm_or_si128(_mm_andnot_si128(control, folded), _mm_and_si128(control, all(' ')));
            folded = _mm_or_si128(_mm_andnot_si128(grave, folded), _mm_and_si128(grave, all('\'')));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out + part), folded);
            const __m128i lower = _mm_and_si128(_mm_cmpgt_epi8(folded, all('`')), _mm_cmplt_epi8(folded, all('{')));
            const __m128i figure = _mm_and_si128(_mm_cmpgt_epi8(folded, all('/')), _mm_cmplt_epi8(folded, all(':')));
            letter |= bits(_mm_or_si128(lower, beyond)) << part;
            digit |= bits(figure) << part;
            seen |= (bits(_mm_cmpeq_epi8(folded, all(' '))) ^ 0xFFFF) << part;
            capital |= bits(upper) << part;
            special |= bits(beyond) << part;
            quotes |= bits(_mm_or_si128(_mm_cmpeq_epi8(folded, all('"')), _mm_cmpeq_epi8(folded, all('\''))));
        }
#else
        uint8_t kinds[64];
        for (int n = 0; n < 64; ++n) {
            const uint8_t given = in[n];
            const bool beyond = given >= 0x80, upper = given >= 'A' && given <= 'Z';
            uint8_t folded = static_cast<uint8_t>(given | (upper ? 0x20 : 0));
            folded = given < 0x20 || given == 0x7F ? ' ' : folded;
            folded = given == '`' ? '\'' : folded;
            out[n] = folded;
            const bool lower = folded >= 'a' && folded <= 'z', figure = folded >= '0' && folded <= '9';
            kinds[n] = static_cast<uint8_t>((lower || beyond ? LETTER : 0) | (figure ? DIGIT : 0) |
                                            (folded != ' ' ? VISIBLE : 0) | (upper ? CAPITAL : 0) |
                                            (beyond ? SPECIAL : 0) | (folded == '"' || folded == '\'' ? QUOTE : 0));
        }
        // The lowest bit of each of eight bytes, side by side.
        const auto bits = [](uint64_t eight) { return ((eight & 0x0101010101010101u) * 0x0102040810204080u) >> 56; };
        for (int part = 0; part < 64; part += 8) {
            const uint64_t eight = load_little_endian(kinds + part);
            letter |= bits(eight) << part;
            digit |= bits(eight >> 1) << part;
            seen |= bits(eight >> 2) << part;
            capital |= bits(eight >> 3) << part;
            special |= bits(eight >> 4) << part;
            quotes |= bits(eight >> 5);
        }
#endif
        letters[block] = letter;
        digits[block] = digit;
        visible[block] = seen;
        capitals[block] = capital;
        specials[block] = special;
        return quotes != 0;
    }

    const Characters& characters_;
    const std::vector<std::string> marks_;
    std::vector<uint8_t> raw_;
    std::vector<Patch> patches_;
    std::vector<uint32_t> code_points_;
};

}  // namespace stance

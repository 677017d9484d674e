// Rows as JSON lines: what Python's json module writes of the same values, byte by byte.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "folding.hpp"

namespace stance {

class Lines {
  public:
    Lines() : bytes_(1 << 12) {}

    const char* data() const { return bytes_.data(); }
    size_t size() const { return size_; }

    // Makes room for so many more bytes; whatever is put afterwards has to fit in.
    void reserve(size_t count) {
        if (bytes_.size() - size_ < count) bytes_.resize(2 * (size_ + count));
    }

    void put(std::string_view text) {
        std::memcpy(bytes_.data() + size_, text.data(), text.size());
        size_ += text.size();
    }

    void put_number(int64_t number) {
        char digits[24];
        char* at = digits + sizeof digits;
        const bool negative = number < 0;
        uint64_t left = negative ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
        do *--at = static_cast<char>('0' + left % 10);
        while (left /= 10);
        if (negative) *--at = '-';
        put({at, static_cast<size_t>(digits + sizeof digits - at)});
    }

    // A probability, rounded to six decimals, in the shortest spelling that gives it back; null where there is none.
    void put_probability(double value) {
        if (std::isnan(value)) return put("null");
        const int millionths = nearest(value);
        if (millionths <= 0) return put("0.0");
        if (millionths >= 1'000'000) return put("1.0");
        if (millionths >= 100) {
            char digits[] = "0.000000";
            int left = millionths;
            for (int n = 7; n > 1; --n, left /= 10) digits[n] = static_cast<char>('0' + left % 10);
            size_t length = 8;
            while (digits[length - 1] == '0') --length;
            return put({digits, length});
        }
        // Below 0.0001 Python goes over to powers of ten: 1.2e-05.
        const int tens = millionths / 10, ones = millionths % 10;
        put_byte(static_cast<char>('0' + (tens ? tens : ones)));
        if (tens && ones) {
            put_byte('.');
            put_byte(static_cast<char>('0' + ones));
        }
        put(tens ? "e-05" : "e-06");
    }

    // A string in quotation marks, up to `LONGEST_UNIT` bytes for each of its units; lone surrogates, which no file can
    // hold, become U+FFFD.
    static constexpr size_t LONGEST_UNIT = 6;
    template <class Unit>
    void put_string(const Unit* units, size_t count) {
        put_byte('"');
        for (size_t n = 0; n < count;) {
            n += put_plain(units + n, count - n);
            if (n < count) put_odd(units[n++]);
        }
        put_byte('"');
    }

  private:
    static int nearest(double value) {
        const double scaled = value * 1e6, below = std::floor(scaled), rest = scaled - below;
        // So close to the middle that the multiplication may have moved it to the other side.
        if (std::fabs(rest - 0.5) < 1e-6) {
            char digits[32];
            std::snprintf(digits, sizeof digits, "%.6f", value);
            int found = 0;
            for (const char* at = digits; *at; ++at)
                if (*at >= '0' && *at <= '9') found = 10 * found + (*at - '0');
            return found;
        }
        return static_cast<int>(below) + (rest > 0.5);
    }

    void put_byte(char byte) { bytes_[size_++] = byte; }

    static bool is_plain(uint32_t code) { return code >= 0x20 && code != '"' && code != '\\' && code < 0x80; }

    // Takes over what needs no escape and returns how much that was.
    template <class Unit>
    size_t put_plain(const Unit* units, size_t count) {
        char* const out = bytes_.data() + size_;
        size_t n = 0;
        if constexpr (sizeof(Unit) == 1) {
            // Eight at once. Of each byte the highest bit tells whether there is something to escape, or more than
            // ASCII.
            constexpr uint64_t ONES = 0x0101010101010101u, HIGH = 0x8080808080808080u;
            for (uint64_t eight; n + 8 <= count; n += 8) {
                std::memcpy(&eight, units + n, 8);
                const uint64_t quote = eight ^ ONES * '"', slash = eight ^ ONES * '\\';
                if ((eight | (eight - ONES * 0x20) | (quote - ONES) | (slash - ONES)) & HIGH) break;
                std::memcpy(out + n, &eight, 8);
            }
        }
        for (; n < count && is_plain(units[n]); ++n) out[n] = static_cast<char>(units[n]);
        size_ += n;
        return n;
    }

    void put_odd(uint32_t code) {
        if (code >= 0x80) {
            uint8_t utf8[4];
            const size_t width = put_utf8(utf8, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
            return put({reinterpret_cast<const char*>(utf8), width});
        }
        put_byte('\\');
        switch (code) {
            case '"':
            case '\\':
                put_byte(static_cast<char>(code));
                break;
            case '\n':
                put_byte('n');
                break;
            case '\r':
                put_byte('r');
                break;
            case '\t':
                put_byte('t');
                break;
            case '\b':
                put_byte('b');
                break;
            case '\f':
                put_byte('f');
                break;
            default: {
                char digits[8];
                std::snprintf(digits, sizeof digits, "u%04x", code);
                put(digits);
            }
        }
    }

    std::vector<char> bytes_;
    size_t size_ = 0;
};

}  // namespace stance

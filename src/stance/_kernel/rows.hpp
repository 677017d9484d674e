// Rows as JSON lines: what Python's json module writes of the same values, byte by byte.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "folding.hpp"

namespace stance {

class Lines {
  public:
    std::string bytes;

    void put(std::string_view text) { bytes.append(text); }

    void put_number(int64_t number) {
        char digits[24];
        char* at = digits + sizeof digits;
        const bool negative = number < 0;
        uint64_t left = negative ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
        do *--at = static_cast<char>('0' + left % 10);
        while (left /= 10);
        if (negative) *--at = '-';
        bytes.append(at, static_cast<size_t>(digits + sizeof digits - at));
    }

    // A probability, rounded to six decimals, in the shortest spelling that gives it back.
    void put_probability(double value) {
        char digits[16];
        int millionths = nearest(value);
        if (millionths <= 0) return put("0.0");
        if (millionths >= 1'000'000) return put("1.0");
        if (millionths >= 100) {
            std::snprintf(digits, sizeof digits, "0.%06d", millionths);
            size_t length = 8;
            while (digits[length - 1] == '0') --length;
            return put({digits, length});
        }
        // Below 0.0001 Python goes over to powers of ten: 1.2e-05.
        const int power = millionths < 10 ? 6 : 5;
        const int tens = millionths / 10, ones = millionths % 10;
        bytes.push_back(static_cast<char>('0' + (power == 6 ? ones : tens)));
        if (power == 5 && ones) {
            bytes.push_back('.');
            bytes.push_back(static_cast<char>('0' + ones));
        }
        put(power == 6 ? "e-06" : "e-05");
    }

    // A string in quotation marks; lone surrogates, which no file can hold, become U+FFFD.
    template <class Unit>
    void put_string(const Unit* units, size_t count) {
        bytes.push_back('"');
        size_t plain = 0;
        for (size_t n = 0; n < count; ++n) {
            if (is_plain(units[n])) continue;
            put_plain(units + plain, n - plain);
            plain = n + 1;
            put_odd(units[n]);
        }
        put_plain(units + plain, count - plain);
        bytes.push_back('"');
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

    static bool is_plain(uint32_t code) { return code >= 0x20 && code != '"' && code != '\\' && code < 0x80; }

    void put_plain(const uint8_t* units, size_t count) { bytes.append(reinterpret_cast<const char*>(units), count); }
    template <class Unit>
    void put_plain(const Unit* units, size_t count) {
        const size_t had = bytes.size();
        bytes.resize(had + count);
        for (size_t n = 0; n < count; ++n) bytes[had + n] = static_cast<char>(units[n]);
    }

    void put_odd(uint32_t code) {
        if (code >= 0x80) {
            uint8_t utf8[4];
            const size_t width = put_utf8(utf8, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
            bytes.append(reinterpret_cast<const char*>(utf8), width);
            return;
        }
        bytes.push_back('\\');
        switch (code) {
            case '"':
            case '\\':
                bytes.push_back(static_cast<char>(code));
                break;
            case '\n':
                bytes.push_back('n');
                break;
            case '\r':
                bytes.push_back('r');
                break;
            case '\t':
                bytes.push_back('t');
                break;
            case '\b':
                bytes.push_back('b');
                break;
            case '\f':
                bytes.push_back('f');
                break;
            default: {
                char digits[8];
                std::snprintf(digits, sizeof digits, "u%04x", code);
                put(digits);
            }
        }
    }
};

}  // namespace stance

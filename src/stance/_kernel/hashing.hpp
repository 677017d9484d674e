// The hashes that `stance.features` specifies: of words, of features, and the bucket of a feature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace stance {

constexpr uint64_t SEED = 0x243F6A8885A308D3u;
constexpr uint64_t WORD_FACTOR = 0x9E3779B97F4A7C15u;
constexpr uint64_t PART_FACTOR = 0xD6E8FEB86659FD93u;
// Whatever is hashed has to be followed by so many readable bytes.
constexpr size_t PADDING = 8;

#if defined(__GNUC__)
#define STANCE_INLINE inline __attribute__((always_inline))
#else
#define STANCE_INLINE inline
#endif

// Always inline: a compiler may take a function that only fetches for one that does nothing.
STANCE_INLINE void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
}

inline uint64_t load_little_endian(const uint8_t* bytes) {
    uint64_t value;
    std::memcpy(&value, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

inline uint64_t hash_step(uint64_t value, uint64_t eight) {
    value = (value ^ eight) * WORD_FACTOR;
    return value ^ (value >> 32);
}

// The first `count` of eight bytes, 1 to 8.
inline uint64_t first_bytes(uint64_t eight, size_t count) { return eight & ~uint64_t{0} >> (64 - 8 * count); }

// Hash of up to eight bytes, and at least one, of which eight can be read.
inline uint64_t hash_short(const uint8_t* bytes, size_t length) {
    return hash_step(SEED ^ length, first_bytes(load_little_endian(bytes), length));
}

// Hash of `length` bytes of folded UTF-8; up to seven bytes behind them are read and do not count.
inline uint64_t hash_word(const uint8_t* bytes, size_t length) {
    uint64_t value = SEED ^ length;
    for (; length > 8; bytes += 8, length -= 8) value = hash_step(value, load_little_endian(bytes));
    return length ? hash_step(value, first_bytes(load_little_endian(bytes), length)) : value;
}

inline uint64_t hash_of(std::string_view word) {
    std::string padded(word);
    padded.append(PADDING, '\0');
    return hash_word(reinterpret_cast<const uint8_t*>(padded.data()), word.size());
}

// A feature's hash so far, and its next part.
inline uint64_t mix(uint64_t value, uint64_t part) {
    value = (value ^ part) * PART_FACTOR;
    return value ^ (value >> 29);
}

}  // namespace stance

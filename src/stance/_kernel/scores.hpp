// Texts → rows of buckets, or scores: the buckets of a text, each once, and the sums of their weights.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

#include "features.hpp"

namespace stance {

// The number of bits that are set, with the processor's own instruction or, where a processor may lack it, without.
template <bool instruction>
STANCE_INLINE uint32_t count_bits(uint64_t bits) {
#if defined(__GNUC__)
    if (instruction) return static_cast<uint32_t>(__builtin_popcountll(bits));
#endif
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return static_cast<uint32_t>(bits * 0x0101010101010101u >> 56);
}

#if defined(__GNUC__) && defined(__x86_64__) && !defined(STANCE_PORTABLE)
#define STANCE_POPCNT __attribute__((target("popcnt")))
inline bool has_popcnt() { return __builtin_cpu_supports("popcnt"); }
#else
#define STANCE_POPCNT
inline bool has_popcnt() {
#if defined(__aarch64__) && !defined(STANCE_PORTABLE)
    return true;
#else
    return false;
#endif
}
#endif

// The different buckets of one text after the other, in little memory.
class Distinct {
  public:
    // What the next text of `most` buckets needs; by value, so that it can stay in registers.
    struct Text {
        uint64_t* slots;
        uint64_t number;
        size_t last;
        int shift;

        // True the first time.
        STANCE_INLINE bool add(uint32_t bucket) {
            const uint64_t mark = number | bucket;
            size_t at = static_cast<uint32_t>(bucket * 0x9E3779B1u) >> shift;
            uint64_t there = slots[at];
            // Another bucket of this text is seldom in the way, so this one branch is foretold; whether it is the same
            // bucket could not be.
            while ((there ^ mark) - 1 < UINT32_MAX) {
                at = (at + 1) & last;
                there = slots[at];
            }
            slots[at] = mark;
            return there != mark;
        }
    };

    Text start(size_t most) {
        // What earlier texts left in the slots is empty, as its numbers are lower.
        ++texts_;
        if (slots_.size() < 4 * most || texts_ >> 31) {
            size_t slots = slots_.size();
            for (; slots < 4 * most; slots *= 2) --shift_;
            slots_.assign(slots, 0);
            texts_ = 1;
        }
        // The bit between keeps a bucket 0 of this text apart from nothing.
        return {slots_.data(), texts_ << 33 | uint64_t{1} << 32, slots_.size() - 1, shift_};
    }

  private:
    std::vector<uint64_t> slots_ = std::vector<uint64_t>(1024, 0);
    int shift_ = 22;
    uint64_t texts_ = 0;
};

// The rows of a table of weights that are not zero, side by side: a small part of the table, so that they stay close to
// the processor.
class Weights {
  public:
    static constexpr size_t WIDTH = 4;  // Rows are padded to a multiple of it.

    Weights(const int32_t* buckets, const float* values, size_t used, size_t table, size_t labels)
        : labels_(labels),
          stride_((labels + WIDTH - 1) / WIDTH * WIDTH),
          blocks_(table / 64 + 1),
          rows_(stride_ * (used + 1)),  // Numbered from 1.
          fast_(has_popcnt()) {
        if (rows_.size() > UINT32_MAX) throw std::invalid_argument("the table of weights is too large");
        for (size_t n = 0; n < used; ++n) {
            const size_t bucket = static_cast<size_t>(buckets[n]);
            if (bucket >= table || (n && buckets[n] <= buckets[n - 1]))
                throw std::invalid_argument("the buckets of the weights are not in order, or outside of the table");
            blocks_[bucket / 64].used |= uint64_t{1} << (bucket & 63);
            std::copy_n(values + n * labels, labels, rows_.begin() + static_cast<std::ptrdiff_t>((n + 1) * stride_));
        }
        uint32_t first = 0;
        for (Block& block : blocks_) {
            block.first = first;
            first += count_bits<false>(block.used);
        }
    }

    size_t labels() const { return labels_; }

    // Has the memory of buckets fetched that are soon asked for.
    void prefetch_all(const uint32_t* bucket, const uint32_t* end) const {
        for (; bucket < end; ++bucket) prefetch(&blocks_[*bucket >> 6]);
    }

    // Writes the rows of the different buckets of a text that have one and returns their number.
    size_t find(const uint32_t* bucket, const uint32_t* end, Distinct& distinct, uint32_t* rows,
                size_t& different) const {
        const Distinct::Text text = distinct.start(static_cast<size_t>(end - bucket));
        return fast_ ? find_fast(bucket, end, text, rows, different)
                     : find_rows<false>(bucket, end, text, rows, different);
    }

    // Intercepts plus the sums of rows by the root of the number of different buckets.
    void sum(const uint32_t* rows, size_t count, size_t different, const double* intercepts, double* scores) const {
        const double scale = 1.0 / std::sqrt(static_cast<double>(std::max<size_t>(different, 1)));
        for (size_t label = 0; label < labels_; label += WIDTH) {
            double sums[WIDTH] = {};
            sum(rows, count, label, sums);
            for (size_t n = 0; n < WIDTH && label + n < labels_; ++n)
                scores[label + n] = intercepts[label + n] + sums[n] * scale;
        }
    }

  private:
    struct Block {
        uint64_t used = 0;
        uint32_t first = 0;
    };

    STANCE_POPCNT size_t find_fast(const uint32_t* bucket, const uint32_t* end, Distinct::Text text, uint32_t* rows,
                                   size_t& different) const {
        return find_rows<true>(bucket, end, text, rows, different);
    }

    // Without a branch, as whether a bucket is new and has a row cannot be foretold.
    template <bool instruction>
    STANCE_INLINE size_t find_rows(const uint32_t* bucket, const uint32_t* end, Distinct::Text text, uint32_t* rows,
                                   size_t& different) const {
        const Block* const blocks = blocks_.data();
        const float* const weights = rows_.data();
        const uint32_t stride = static_cast<uint32_t>(stride_);
        size_t count = 0, found = 0;
        for (; bucket < end; ++bucket) {
            const uint32_t number = *bucket;
            const size_t is_new = text.add(number);
            const Block block = blocks[number >> 6];
            // The bits of the buckets before this one, and its own as the highest.
            const uint64_t up_to = block.used << (63 - (number & 63));
            const uint32_t row = (block.first + count_bits<instruction>(up_to)) * stride;
            prefetch(weights + row);
            rows[count] = row;
            found += is_new;
            count += is_new & up_to >> 63;
        }
        different = found;
        return count;
    }

    void sum(const uint32_t* rows, size_t count, size_t label, double* sums) const {
        const float* const weights = rows_.data() + label;
#if defined(__GNUC__)
        // Two sums, so that one addition need not wait for the one before.
        typedef float Four __attribute__((vector_size(16)));
        typedef double Doubles __attribute__((vector_size(32)));
        Doubles even = {}, odd = {};
        Four one, other;
        size_t n = 0;
        for (; n + 1 < count; n += 2) {
            std::memcpy(&one, weights + rows[n], sizeof one);
            std::memcpy(&other, weights + rows[n + 1], sizeof other);
            even += __builtin_convertvector(one, Doubles);
            odd += __builtin_convertvector(other, Doubles);
        }
        if (n < count) {
            std::memcpy(&one, weights + rows[n], sizeof one);
            even += __builtin_convertvector(one, Doubles);
        }
        even += odd;
        std::memcpy(sums, &even, sizeof even);
#else
        for (size_t n = 0; n < count; ++n)
            for (size_t each = 0; each < WIDTH; ++each) sums[each] += static_cast<double>(weights[rows[n] + each]);
#endif
    }

    size_t labels_, stride_;
    std::vector<Block> blocks_;
    std::vector<float> rows_;
    bool fast_;
};

// Scores → probabilities, as `stance.model.calibrated` has it.
struct Calibration {
    std::vector<double> intercepts, slopes, offsets;  // One for each label.
    bool exclusive;

    void apply(const double* scores, double* probabilities) const {
        const size_t labels = slopes.size();
        double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
        for (size_t n = 0; n < labels; ++n) {
            probabilities[n] = scores[n] * slopes[n] + offsets[n];
            most = std::max(most, probabilities[n]);
        }
        for (size_t n = 0; n < labels; ++n) {
            const double logit = probabilities[n];
            probabilities[n] =
                exclusive ? std::exp(logit - most) : 1.0 / (1.0 + std::exp(-std::clamp(logit, -500.0, 500.0)));
            sum += probabilities[n];
        }
        for (size_t n = 0; exclusive && n < labels; ++n) probabilities[n] /= sum;
    }
};

// What one thread needs for its own.
class Worker {
  public:
    Worker(const Specification& specification, const Characters& characters) : featuriser_(specification, characters) {}

    // Puts the buckets of texts, each once and sorted, one text after the other, and says where each ends; returns the
    // number of the first text that is no UTF-8, or -1.
    int64_t rows(const View* texts, int64_t count, std::vector<int32_t>& indices, int64_t* ends) {
        for (int64_t n = 0; n < count; ++n) {
            featuriser_.clear();
            if (!featuriser_.run(texts[n])) return n;
            const auto had = static_cast<std::ptrdiff_t>(indices.size());
            indices.insert(indices.end(), featuriser_.begin(), featuriser_.begin() + featuriser_.size());
            std::sort(indices.begin() + had, indices.end());
            indices.erase(std::unique(indices.begin() + had, indices.end()), indices.end());
            ends[n] = static_cast<int64_t>(indices.size());
        }
        return -1;
    }

    // Scores and probabilities of texts, row by row, and how many different buckets each has; returns the number of the
    // first text that is no UTF-8, or -1.
    int64_t scores(const View* texts, int64_t count, const Weights& weights, const Calibration& calibration,
                   double* scores, double* probabilities, int32_t* sizes) {
        const int64_t labels = static_cast<int64_t>(weights.labels());
        for (int64_t done = 0; done < count;) {
            const size_t some = featurise(texts + done, static_cast<size_t>(std::min(TOGETHER, count - done)), weights);
            if (!some) return done;
            sum(some, weights, calibration.intercepts.data(), scores + done * labels, sizes + done);
            for (int64_t n = done; n < done + static_cast<int64_t>(some); ++n)
                calibration.apply(scores + n * labels, probabilities + n * labels);
            done += static_cast<int64_t>(some);
        }
        return -1;
    }

  private:
    // Some texts go through each step together: what a step asks of the memory is there when the next one needs it.
    static constexpr int64_t TOGETHER = 16;
    static constexpr size_t MANY = 1 << 16;  // So many buckets are never far exceeded.

    // Finds the buckets of the first texts; returns how many texts that were, 0 where the first is no UTF-8.
    size_t featurise(const View* texts, size_t count, const Weights& weights) {
        featuriser_.clear();
        size_t n = 0;
        for (; n < count && featuriser_.size() < MANY; ++n) {
            if (!featuriser_.run(texts[n])) break;
            ends_[n + 1] = featuriser_.size();
            weights.prefetch_all(featuriser_.begin() + ends_[n], featuriser_.begin() + ends_[n + 1]);
        }
        return n;
    }

    void sum(size_t count, const Weights& weights, const double* intercepts, double* scores, int32_t* sizes) {
        if (rows_.size() < ends_[count] + 1) rows_.resize(ends_[count] + 1);
        const uint32_t* const buckets = featuriser_.begin();
        std::array<size_t, TOGETHER> found{};
        for (size_t n = 0; n < count; ++n) {
            size_t different = 0;
            found[n] =
                weights.find(buckets + ends_[n], buckets + ends_[n + 1], distinct_, rows_.data() + ends_[n], different);
            sizes[n] = static_cast<int32_t>(different);
        }
        for (size_t n = 0; n < count; ++n)
            weights.sum(rows_.data() + ends_[n], found[n], static_cast<size_t>(sizes[n]), intercepts,
                        scores + n * weights.labels());
    }

    std::array<size_t, TOGETHER + 1>
        ends_{};  // Where the buckets of each text end; the first entry is their beginning.
    Featuriser featuriser_;
    Distinct distinct_;
    std::vector<uint32_t> rows_;
};

}  // namespace stance

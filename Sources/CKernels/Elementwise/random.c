#pragma clang fp contract(off)
#include "CKernelsTensor.h"
#include "elementary.h"
#include "philox.h"

RONDO_CLONES void rondo_random_uniform(float *y, size_t count, uint64_t key,
                                       const uint32_t counter[3], float low, float high) {
    uint32_t random[64];
    // low + 2^-24 k (high - low) may round up to high; the largest float below it replaces that.
    float below = high;
    if (high > low) {
        uint32_t bits = bits_of_float(high);
        below = high == 0 ? -1e-45f : float_from_bits(high > 0 ? bits - 1 : bits + 1);
    }
    for (size_t start = 0; start < count; start += 64) {
        philox_block(random, (uint32_t)(start / 64), counter, key);
        size_t length = count - start < 64 ? count - start : 64;
        for (size_t i = 0; i < length; i++) {
            float unit = (float)(random[i] >> 8) * 5.9604644775390625e-8f;
            float value = low + unit * (high - low);
            y[start + i] = value > below ? below : value;
        }
    }
}

// Box and Muller (1958): elements i and 32 + i of a block are one pair.
RONDO_CLONES void rondo_random_normal(float *y, size_t count, uint64_t key,
                                      const uint32_t counter[3], float mean, float deviation) {
    uint32_t random[64];
    float normal[64];
    for (size_t start = 0; start < count; start += 64) {
        philox_block(random, (uint32_t)(start / 64), counter, key);
        for (size_t i = 0; i < 32; i++) {
            float unit = ((float)random[i] + 1.0f) * 2.3283064365386963e-10f;
            unit = unit > 1.0f ? 1.0f : unit;
            float radius = __builtin_elementwise_sqrt(-2.0f * natural_logarithm(unit));
            float angle = (float)random[32 + i] * 1.4629180792671596e-9f; // 2 pi 2^-32
            normal[i] = radius * cosine(angle);
            normal[32 + i] = radius * sine(angle);
        }
        size_t length = count - start < 64 ? count - start : 64;
        for (size_t i = 0; i < length; i++) y[start + i] = mean + deviation * normal[i];
    }
}

RONDO_CLONES void rondo_random_bernoulli(float *y, size_t count, uint64_t key,
                                         const uint32_t counter[3], uint64_t threshold) {
    uint32_t random[64];
    for (size_t start = 0; start < count; start += 64) {
        philox_block(random, (uint32_t)(start / 64), counter, key);
        size_t length = count - start < 64 ? count - start : 64;
        for (size_t i = 0; i < length; i++) y[start + i] = random[i] < threshold ? 1.0f : 0.0f;
    }
}

void rondo_random_categorical(int32_t *y, const float *weights, size_t rows, size_t columns,
                              uint64_t key, const uint32_t counter[3]) {
    uint32_t random[64];
    for (size_t r = 0; r < rows; r++) {
        if (r % 64 == 0) philox_block(random, (uint32_t)(r / 64), counter, key);
        const float *row = weights + r * columns;
        double total = 0;
        for (size_t c = 0; c < columns; c++) total += row[c];
        double wanted = (double)random[r % 64] * 2.3283064365386963e-10 * total;
        double sum = 0;
        size_t drawn = 0;
        // Weights of zero are never drawn: the sum must pass `wanted` at a weight above zero.
        for (size_t c = 0; c < columns; c++) {
            if (row[c] > 0) drawn = c;
            sum += row[c];
            if (sum > wanted) break;
        }
        y[r] = (int32_t)drawn;
    }
}

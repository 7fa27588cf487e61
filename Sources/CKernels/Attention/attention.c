#include "CKernels.h"
#include "elementary.h"
#include "philox.h"
#include <string.h>

// Functions that pass vectors are inlined, so that no calling convention matters.
#pragma clang diagnostic ignored "-Wpsabi"

// Rows are worked on in groups of sixteen floats up to the last key that they see. The rest of the
// last group counts as `hidden`: its exponentials are zero, whatever lies there. Largest values and
// sums are kept in sixteen lanes and folded in a fixed order.

static const float hidden = -3.0e38f;
static const float hiddenBelow = -1.0e30f; // -infinity from a bias is hidden, too

RONDO_INLINE int64_t visible_keys(const rondo_attention_tile *tile, int64_t row) {
    int64_t count = tile->validKeys;
    if (tile->causal && tile->firstVisible + row < count) count = tile->firstVisible + row;
    return count < 0 ? 0 : count;
}

RONDO_INLINE int64_t whole_groups(int64_t count) { return (count + 15) & ~(int64_t)15; }

RONDO_INLINE float folded_sum(float lanes[16]) {
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

RONDO_INLINE float folded_largest(rondo_sixteen lanes) {
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lanes[j] = lanes[j + width] > lanes[j] ? lanes[j + width] : lanes[j];
    return lanes[0];
}

RONDO_INLINE rondo_sixteen *group(float *row) { return (rondo_sixteen *)row; }

// The lanes from `count` on become `other`.
RONDO_INLINE void hide_lanes(rondo_sixteen *lanes, int64_t count, float other) {
    const rondo_sixteen_indices index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    *lanes = index < (int32_t)(count < 16 ? count : 16) ? *lanes : (rondo_sixteen)other;
}

RONDO_INLINE rondo_sixteen bias_lanes(const float *bias, int64_t count) {
    if (count >= 16) return *(const rondo_sixteen *)bias;
    float lanes[16] = {0};
    for (int l = 0; l < 16; l++)
        if (l < count) lanes[l] = bias[l];
    return *(const rondo_sixteen *)lanes;
}

// Scales a row, hides the rest of its last group, and returns its largest score, or zero if no key
// is visible.
RONDO_INLINE float scaled_row(float *row, int64_t visible, const float *bias, float scale) {
    rondo_sixteen largest = hidden;
    for (int64_t j = 0; j < visible; j += 16) {
        rondo_sixteen scores = *group(row + j) * scale;
        if (bias) scores += bias_lanes(bias + j, visible - j);
        hide_lanes(&scores, visible - j, hidden);
        *group(row + j) = scores;
        largest = scores > largest ? scores : largest;
    }
    const float value = folded_largest(largest);
    return value < hiddenBelow ? 0 : value;
}

// Scores are at most the largest, so only the lower bound matters; from there on it is zero.
RONDO_INLINE float shifted_exponential(float x, float largest) {
    float shifted = x - largest;
    float e = exponential(shifted);
    return shifted < -87.3f ? 0 : e;
}

RONDO_CLONES void rondo_attention_softmax(float *scores, float *statistics,
                                          const rondo_attention_tile *tile) {
    for (int64_t r = 0; r < tile->rows; r++) {
        float *row = scores + r * tile->stride;
        const int64_t visible = visible_keys(tile, r), padded = whole_groups(visible);
        const float largest = scaled_row(
            row, visible, tile->bias ? tile->bias + r * tile->biasStride : 0, tile->scale);
        float sums[16] = {0};
        for (int64_t j = 0; j < padded; j += 16) {
            for (int l = 0; l < 16; l++) {
                float e = shifted_exponential(row[j + l], largest);
                row[j + l] = e;
                sums[l] += e;
            }
        }
        float sum = folded_sum(sums);
        float inverse = sum == 0 ? 0 : 1.0f / sum;
        for (int64_t j = 0; j < padded; j += 16) *group(row + j) *= inverse;
        for (int64_t j = padded; j < tile->stride; j += 16) *group(row + j) = 0;
        statistics[2 * r] = largest;
        statistics[2 * r + 1] = inverse;
    }
}

RONDO_CLONES void rondo_attention_probabilities(float *scores, const float *statistics,
                                                const rondo_attention_tile *tile) {
    for (int64_t r = 0; r < tile->rows; r++) {
        float *row = scores + r * tile->stride;
        const int64_t visible = visible_keys(tile, r), padded = whole_groups(visible);
        scaled_row(row, visible, tile->bias ? tile->bias + r * tile->biasStride : 0, tile->scale);
        float largest = statistics[2 * r], inverse = statistics[2 * r + 1];
        for (int64_t j = 0; j < padded; j += 16)
            for (int l = 0; l < 16; l++)
                row[j + l] = shifted_exponential(row[j + l], largest) * inverse;
        for (int64_t j = padded; j < tile->stride; j += 16) *group(row + j) = 0;
    }
}

RONDO_INLINE void drop_row(float *y, const float *x, int64_t count, int64_t row,
                           const rondo_attention_tile *tile) {
    uint32_t random[64];
    for (int64_t start = 0; start < count; start += 64) {
        uint32_t block = tile->firstBlock + (uint32_t)row * tile->blocksPerRow;
        philox_block(random, block + (uint32_t)(start / 64), tile->counter, tile->key);
        int64_t length = count - start < 64 ? count - start : 64;
        for (int64_t i = 0; i < length; i++)
            y[start + i] = random[i] < tile->threshold ? 0 : x[start + i] * tile->keepScale;
    }
}

RONDO_CLONES void rondo_attention_dropout(float *y, const float *probabilities,
                                          const rondo_attention_tile *tile) {
    for (int64_t r = 0; r < tile->rows; r++) {
        int64_t padded = whole_groups(visible_keys(tile, r));
        float *out = y + r * tile->stride;
        drop_row(out, probabilities + r * tile->stride, padded, r, tile);
        for (int64_t j = padded; j < tile->stride; j++) out[j] = 0;
    }
}

// dS = P * (dP - sum over the row of P * dP) * scale
RONDO_CLONES void rondo_attention_gradient(float *gradients, const float *probabilities,
                                           const rondo_attention_tile *tile) {
    for (int64_t r = 0; r < tile->rows; r++) {
        float *row = gradients + r * tile->stride;
        const float *p = probabilities + r * tile->stride;
        int64_t visible = visible_keys(tile, r), padded = whole_groups(visible);
        if (tile->threshold) drop_row(row, row, visible, r, tile);
        rondo_sixteen sums = 0;
        for (int64_t j = 0; j < padded; j += 16) {
            rondo_sixteen lanes = *group(row + j);
            hide_lanes(&lanes, visible - j, 0);
            *group(row + j) = lanes;
            sums += lanes * *(const rondo_sixteen *)(p + j);
        }
        const float delta = folded_sum((float *)&sums), scale = tile->scale;
        for (int64_t j = 0; j < padded; j += 16)
            *group(row + j) =
                *(const rondo_sixteen *)(p + j) * (*group(row + j) - delta) * scale;
        for (int64_t j = padded; j < tile->stride; j += 16) *group(row + j) = 0;
    }
}

RONDO_CLONES void rondo_additive_scores(float *scores, const float *queries, const float *keys,
                                        const float *weight, const rondo_additive_tile *tile) {
    const int64_t width = tile->width, whole = width & ~(int64_t)15;
    for (int64_t i = 0; i < tile->rows; i++) {
        const float *q = queries + i * tile->queryStride;
        for (int64_t j = 0; j < tile->columns; j++) {
            const float *k = keys + j * tile->keyStride;
            float lanes[16] = {0};
            for (int64_t a = 0; a < whole; a += 16)
                for (int l = 0; l < 16; l++)
                    lanes[l] += weight[a + l] * hyperbolic_tangent(q[a + l] + k[a + l]);
            for (int64_t a = whole; a < width; a++)
                lanes[a - whole] += weight[a] * hyperbolic_tangent(q[a] + k[a]);
            scores[i * tile->stride + j] = folded_sum(lanes);
        }
    }
}

RONDO_CLONES void rondo_additive_scores_gradient(float *dqueries, float *dkeys, float *dweight,
                                                 const float *dscores, const float *queries,
                                                 const float *keys, const float *weight,
                                                 const rondo_additive_tile *tile) {
    for (int64_t i = 0; i < tile->rows; i++) {
        const float *q = queries + i * tile->queryStride;
        float *restrict dq = dqueries + i * tile->queryStride;
        for (int64_t j = 0; j < tile->columns; j++) {
            const float *k = keys + j * tile->keyStride;
            float *restrict dk = dkeys + j * tile->keyStride;
            float g = dscores[i * tile->stride + j];
            for (int64_t a = 0; a < tile->width; a++) {
                float t = hyperbolic_tangent(q[a] + k[a]);
                float slope = g * weight[a] * (1.0f - t * t);
                dq[a] += slope;
                dk[a] += slope;
                dweight[a] += g * t;
            }
        }
    }
}

RONDO_CLONES void rondo_add_positions(float *y, const float *x, const float *table, size_t samples,
                                      size_t length, size_t width) {
    for (size_t n = 0; n < samples; n++) {
        const float *in = x + n * length * width;
        float *out = y + n * length * width;
        for (size_t i = 0; i < length * width; i++) out[i] = in[i] + table[i];
    }
}

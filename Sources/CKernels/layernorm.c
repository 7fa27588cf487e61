#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

// Sums along a row run in sixteen lanes that are folded in a fixed order; sums over rows in blocks of 64
// rows, the blocks in order. sqrtf is correctly rounded everywhere, so no result depends on the
// processor.

RONDO_INLINE float fold(float lanes[16]) {
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

RONDO_INLINE float row_sum(const float *x, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += x[i + j];
    for (size_t i = whole; i < count; i++) lanes[i - whole] += x[i];
    return fold(lanes);
}

RONDO_INLINE float square(float value) { return value * value; }

RONDO_INLINE float centered_square_sum(const float *x, float mean, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += square(x[i + j] - mean);
    for (size_t i = whole; i < count; i++) lanes[i - whole] += square(x[i] - mean);
    return fold(lanes);
}

RONDO_CLONES void rondo_layer_norm(float *y, float *mean, float *inverseDeviation, const float *x,
                                   const float *weight, const float *bias, float epsilon,
                                   size_t rows, size_t columns) {
    const float inverseCount = 1.0f / (float)columns;
    for (size_t r = 0; r < rows; r++) {
        const float *restrict in = x + r * columns;
        float *restrict out = y + r * columns;
        float m = row_sum(in, columns) * inverseCount;
        float variance = centered_square_sum(in, m, columns) * inverseCount;
        float scale = 1.0f / sqrtf(variance + epsilon);
        mean[r] = m;
        inverseDeviation[r] = scale;
        if (weight && bias) {
            for (size_t c = 0; c < columns; c++)
                out[c] = (in[c] - m) * scale * weight[c] + bias[c];
        } else if (weight) {
            for (size_t c = 0; c < columns; c++) out[c] = (in[c] - m) * scale * weight[c];
        } else {
            for (size_t c = 0; c < columns; c++) out[c] = (in[c] - m) * scale;
        }
    }
}

// With d = dy * weight and xhat = (x - mean) * scale: dx = scale * (d - mean(d) - xhat * mean(d * xhat)).
RONDO_INLINE void row_gradient(float *restrict out, const float *restrict dy,
                               const float *restrict in, const float *restrict weight, float m,
                               float scale, size_t columns) {
    float plain[16] = {0}, scaled[16] = {0};
    size_t whole = columns & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) {
            float d = weight ? dy[i + j] * weight[i + j] : dy[i + j];
            plain[j] += d;
            scaled[j] += d * (in[i + j] - m);
        }
    for (size_t i = whole; i < columns; i++) {
        float d = weight ? dy[i] * weight[i] : dy[i];
        plain[i - whole] += d;
        scaled[i - whole] += d * (in[i] - m);
    }
    float inverseCount = 1.0f / (float)columns;
    float shift = fold(plain) * inverseCount;
    float slope = fold(scaled) * inverseCount * scale * scale;
    for (size_t c = 0; c < columns; c++) {
        float d = weight ? dy[c] * weight[c] : dy[c];
        out[c] = scale * (d - shift - (in[c] - m) * slope);
    }
}

RONDO_CLONES void rondo_layer_norm_gradient(float *dx, const float *dy, const float *x,
                                            const float *mean, const float *inverseDeviation,
                                            const float *weight, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        size_t offset = r * columns;
        if (weight)
            row_gradient(dx + offset, dy + offset, x + offset, weight, mean[r],
                         inverseDeviation[r], columns);
        else
            row_gradient(dx + offset, dy + offset, x + offset, NULL, mean[r], inverseDeviation[r],
                         columns);
    }
}

RONDO_CLONES void rondo_layer_norm_sums(float *dweight, float *dbias, const float *dy,
                                        const float *x, const float *mean,
                                        const float *inverseDeviation, size_t rows,
                                        size_t columns) {
    memset(dweight, 0, columns * sizeof(float));
    memset(dbias, 0, columns * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows;
        for (size_t start = 0; start < columns; start += 64) {
            size_t length = columns - start < 64 ? columns - start : 64;
            float plain[64] = {0}, scaled[64] = {0};
            for (size_t r = rowStart; r < rowEnd; r++) {
                const float *d = dy + r * columns + start, *in = x + r * columns + start;
                float m = mean[r], scale = inverseDeviation[r];
                for (size_t c = 0; c < length; c++) {
                    plain[c] += d[c];
                    scaled[c] += d[c] * ((in[c] - m) * scale);
                }
            }
            for (size_t c = 0; c < length; c++) {
                dbias[start + c] += plain[c];
                dweight[start + c] += scaled[c];
            }
        }
    }
}

// The variance of a group is the mean over its channels of variance + (mean - group's mean)^2, exactly.
void rondo_group_statistics(float *mean, float *variance, float epsilon, size_t channels,
                            size_t groups) {
    size_t width = channels / groups;
    float inverseWidth = 1.0f / (float)width;
    for (size_t first = 0; first < channels; first += width) {
        float m = row_sum(mean + first, width) * inverseWidth;
        float v = (row_sum(variance + first, width) +
                   centered_square_sum(mean + first, m, width)) *
                  inverseWidth;
        float scale = 1.0f / sqrtf(v + epsilon);
        for (size_t c = first; c < first + width; c++) {
            mean[c] = m;
            variance[c] = scale;
        }
    }
}

RONDO_CLONES void rondo_group_norm(float *y, const float *x, const float *mean,
                                   const float *inverseDeviation, const float *weight,
                                   const float *bias, size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        const float *restrict in = x + r * channels;
        float *restrict out = y + r * channels;
        for (size_t c = 0; c < channels; c++)
            out[c] = (in[c] - mean[c]) * (inverseDeviation[c] * weight[c]) + bias[c];
    }
}

RONDO_CLONES void rondo_group_norm_gradient(float *dx, const float *dy, const float *x,
                                            const float *mean, const float *inverseDeviation,
                                            const float *weight, const float *dySum,
                                            const float *dyScaled, size_t rows, size_t channels,
                                            size_t groups) {
    size_t width = channels / groups;
    float inverseCount = 1.0f / (float)(rows * width);
    for (size_t first = 0; first < channels; first += width) {
        float shift = 0, slope = 0;
        for (size_t c = first; c < first + width; c++) {
            shift += weight[c] * dySum[c];
            slope += weight[c] * dyScaled[c];
        }
        float scale = inverseDeviation[first], m = mean[first];
        shift *= inverseCount;
        slope *= inverseCount * scale;
        for (size_t r = 0; r < rows; r++) {
            const float *restrict in = x + r * channels + first;
            const float *restrict d = dy + r * channels + first;
            const float *restrict w = weight + first;
            float *restrict out = dx + r * channels + first;
            for (size_t c = 0; c < width; c++)
                out[c] = scale * (d[c] * w[c] - shift - (in[c] - m) * slope);
        }
    }
}

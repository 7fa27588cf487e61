#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

// Functions that pass vectors are inlined, so that no calling convention matters.
#pragma clang diagnostic ignored "-Wpsabi"

// Sums along a row run in sixteen lanes that are folded in a fixed order; sums over rows in blocks
// of 16 rows, the blocks in order. sqrtf is correctly rounded everywhere, so no result depends on
// the processor.

RONDO_INLINE float fold(rondo_sixteen lanes) {
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

// The first `count` of sixteen floats; the other lanes are zero.
RONDO_INLINE rondo_sixteen load(const float *p, size_t count) {
    if (count >= 16) return *(const rondo_sixteen *)p;
    float lanes[16] = {0};
    for (size_t j = 0; j < 16; j++)
        if (j < count) lanes[j] = p[j];
    return *(const rondo_sixteen *)lanes;
}

RONDO_INLINE float row_sum(const float *x, size_t count) {
    rondo_sixteen lanes = 0;
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16) lanes += load(x + i, 16);
    if (whole < count) lanes += load(x + whole, count - whole);
    return fold(lanes);
}

RONDO_INLINE float centered_square_sum(const float *x, float mean, size_t count) {
    rondo_sixteen lanes = 0;
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16) {
        const rondo_sixteen centered = load(x + i, 16) - mean;
        lanes += centered * centered;
    }
    if (whole < count) {
        float rest[16] = {0};
        for (size_t j = 0; j < 16; j++)
            if (j < count - whole) rest[j] = (x[whole + j] - mean) * (x[whole + j] - mean);
        lanes += load(rest, 16);
    }
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

// With d = dy * weight and xhat = (x - mean) * scale: dx = scale * (d - mean(d) - xhat * mean(d *
// xhat)), which is scale * (d - shift - (x - mean) * slope).
typedef struct {
    float mean, scale, shift, slope;
} row_gradient;

enum { strip_vectors = 4 }; // whose sums stay in registers

RONDO_INLINE row_gradient gradient_of_row(const float *dy, const float *x, const float *weight,
                                          float mean, float scale, size_t columns) {
    rondo_sixteen plain = 0, scaled = 0;
    size_t whole = columns & ~(size_t)15;
    for (size_t c = 0; c < whole; c += 16) {
        rondo_sixteen d = load(dy + c, 16);
        if (weight) d *= load(weight + c, 16);
        plain += d;
        scaled += d * (load(x + c, 16) - mean);
    }
    if (whole < columns) {
        // The lanes beyond the row are zero in d.
        rondo_sixteen d = load(dy + whole, columns - whole);
        if (weight) d *= load(weight + whole, columns - whole);
        plain += d;
        scaled += d * (load(x + whole, columns - whole) - mean);
    }
    const float inverseCount = 1.0f / (float)columns;
    return (row_gradient){mean, scale, fold(plain) * inverseCount,
                          fold(scaled) * inverseCount * scale * scale};
}

// Some columns of a block of rows: adds to the sums, then computes dx, which may be dy.
RONDO_INLINE void gradient_of_columns(const size_t vectors, float *dx, float *dweight, float *dbias,
                                      const float *dy, const float *x, const float *weight,
                                      const row_gradient *gradients, size_t rows,
                                      size_t columns) {
    rondo_sixteen factor[strip_vectors], plain[strip_vectors], scaled[strip_vectors];
    for (size_t v = 0; v < vectors; v++) {
        factor[v] = weight ? load(weight + 16 * v, 16) : (rondo_sixteen)1.0f;
        plain[v] = scaled[v] = 0;
    }
    for (size_t r = 0; r < rows; r++) {
        const row_gradient g = gradients[r];
        for (size_t v = 0; v < vectors; v++) {
            const size_t i = r * columns + 16 * v;
            const rondo_sixteen d = load(dy + i, 16), centered = load(x + i, 16) - g.mean;
            plain[v] += d;
            scaled[v] += d * (centered * g.scale);
            if (dx)
                *(rondo_sixteen *)(dx + i) =
                    g.scale * (d * factor[v] - g.shift - centered * g.slope);
        }
    }
    for (size_t v = 0; dweight && v < vectors; v++) {
        *(rondo_sixteen *)(dweight + 16 * v) += scaled[v];
        *(rondo_sixteen *)(dbias + 16 * v) += plain[v];
    }
}

// The same for the columns that fill no vector.
RONDO_INLINE void gradient_of_rest(size_t count, float *dx, float *dweight, float *dbias,
                                   const float *dy, const float *x, const float *weight,
                                   const row_gradient *gradients, size_t rows, size_t columns) {
    float plain[16] = {0}, scaled[16] = {0};
    for (size_t r = 0; r < rows; r++) {
        const row_gradient g = gradients[r];
        for (size_t j = 0; j < count; j++) {
            const size_t i = r * columns + j;
            const float d = dy[i], centered = x[i] - g.mean;
            plain[j] += d;
            scaled[j] += d * (centered * g.scale);
            if (dx)
                dx[i] = g.scale * (d * (weight ? weight[j] : 1.0f) - g.shift - centered * g.slope);
        }
    }
    for (size_t j = 0; dweight && j < count; j++) {
        dweight[j] += scaled[j];
        dbias[j] += plain[j];
    }
}

// A block of 16 rows stays in the L1 cache between its two passes: a row's sums must be known
// before its dx.
RONDO_CLONES void rondo_layer_norm_gradient(float *dx, float *dweight, float *dbias,
                                            const float *dy, const float *x, const float *mean,
                                            const float *inverseDeviation, const float *weight,
                                            size_t rows, size_t columns) {
    if (dweight) {
        memset(dweight, 0, columns * sizeof(float));
        memset(dbias, 0, columns * sizeof(float));
    }
    for (size_t first = 0; first < rows; first += 16) {
        const size_t count = rows - first < 16 ? rows - first : 16, offset = first * columns;
        row_gradient gradients[16];
        for (size_t r = 0; r < count; r++)
            gradients[r] =
                gradient_of_row(dy + offset + r * columns, x + offset + r * columns, weight,
                                mean[first + r], inverseDeviation[first + r], columns);
        for (size_t c = 0; c < columns;) {
            float *out = dx ? dx + offset + c : NULL;
            float *dw = dweight ? dweight + c : NULL, *db = dweight ? dbias + c : NULL;
            const float *w = weight ? weight + c : NULL, *d = dy + offset + c;
            const float *in = x + offset + c;
            const size_t left = columns - c;
            if (left >= 16 * strip_vectors) {
                gradient_of_columns(strip_vectors, out, dw, db, d, in, w, gradients, count,
                                    columns);
                c += 16 * strip_vectors;
            } else if (left >= 16) {
                gradient_of_columns(1, out, dw, db, d, in, w, gradients, count, columns);
                c += 16;
            } else {
                gradient_of_rest(left, out, dw, db, d, in, w, gradients, count, columns);
                c = columns;
            }
        }
    }
}

// The variance of a group is the mean over its channels of variance + (mean - group's mean)^2,
// exactly.
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

#pragma clang fp contract(off)
#include "CKernelsTensor.h"
#include "elementary.h"

// Sixteen lanes over blocks of 1024, folded in a fixed order; blocks are added up in order. The
// error grows with the number of blocks and not with that of elements.
RONDO_INLINE float line_sum(const float *x, size_t count) {
    float total = 0;
    for (size_t start = 0; start < count; start += 1024) {
        size_t length = count - start < 1024 ? count - start : 1024;
        float lanes[16] = {0};
        size_t whole = length & ~(size_t)15;
        for (size_t i = 0; i < whole; i += 16)
            for (size_t j = 0; j < 16; j++) lanes[j] += x[start + i + j];
        for (size_t i = whole; i < length; i++) lanes[i - whole] += x[start + i];
        for (size_t width = 8; width > 0; width /= 2)
            for (size_t j = 0; j < width; j++) lanes[j] += lanes[j + width];
        total += lanes[0];
    }
    return total;
}

RONDO_CLONES void rondo_reduce_sum(float *y, const float *x, size_t outer, size_t length,
                                   size_t inner) {
    for (size_t o = 0; o < outer; o++) {
        const float *in = x + o * length * inner;
        float *out = y + o * inner;
        if (inner == 1) {
            out[0] = line_sum(in, length);
            continue;
        }
        memset(out, 0, inner * sizeof(float));
        for (size_t rowStart = 0; rowStart < length; rowStart += 64) {
            size_t rowEnd = rowStart + 64 < length ? rowStart + 64 : length;
            for (size_t start = 0; start < inner; start += 64) {
                size_t width = inner - start < 64 ? inner - start : 64;
                float partial[64] = {0};
                for (size_t r = rowStart; r < rowEnd; r++)
                    for (size_t c = 0; c < width; c++) partial[c] += in[r * inner + start + c];
                for (size_t c = 0; c < width; c++) out[start + c] += partial[c];
            }
        }
    }
}

// A NaN wins and stays: nothing compares greater than it. One line is reduced in sixteen lanes.
#define EXTREME(name, relation)                                                                    \
    RONDO_INLINE float further_##name(float best, float v) {                                       \
        return ((v relation best) | (v != v)) ? v : best;                                          \
    }                                                                                              \
    RONDO_INLINE float line_##name(const float *x, size_t count) {                                 \
        float lanes[16];                                                                           \
        for (size_t j = 0; j < 16; j++) lanes[j] = x[0];                                           \
        size_t whole = count & ~(size_t)15;                                                        \
        for (size_t i = 0; i < whole; i += 16)                                                     \
            for (size_t j = 0; j < 16; j++) lanes[j] = further_##name(lanes[j], x[i + j]);         \
        for (size_t i = whole; i < count; i++) lanes[0] = further_##name(lanes[0], x[i]);          \
        for (size_t j = 1; j < 16; j++) lanes[0] = further_##name(lanes[0], lanes[j]);             \
        return lanes[0];                                                                           \
    }                                                                                              \
    RONDO_CLONES void rondo_reduce_##name(float *y, const float *x, size_t outer, size_t length,   \
                                          size_t inner) {                                          \
        for (size_t o = 0; o < outer; o++) {                                                       \
            const float *in = x + o * length * inner;                                              \
            float *out = y + o * inner;                                                            \
            if (inner == 1) {                                                                      \
                out[0] = line_##name(in, length);                                                  \
                continue;                                                                          \
            }                                                                                      \
            for (size_t c = 0; c < inner; c++) out[c] = in[c];                                     \
            for (size_t l = 1; l < length; l++)                                                    \
                for (size_t c = 0; c < inner; c++)                                                 \
                    out[c] = further_##name(out[c], in[l * inner + c]);                            \
        }                                                                                          \
    }                                                                                              \
    void rondo_arg_##name(int32_t *y, const float *x, size_t outer, size_t length,                 \
                          size_t inner) {                                                          \
        for (size_t o = 0; o < outer; o++)                                                         \
            for (size_t c = 0; c < inner; c++) {                                                   \
                const float *in = x + o * length * inner + c;                                      \
                size_t best = 0;                                                                   \
                for (size_t l = 1; l < length; l++) {                                              \
                    float v = in[l * inner], top = in[best * inner];                               \
                    if (v relation top || (v != v && top == top)) best = l;                        \
                }                                                                                  \
                y[o * inner + c] = (int32_t)best;                                                  \
            }                                                                                      \
    }
EXTREME(maximum, >)
EXTREME(minimum, <)

RONDO_CLONES void rondo_cumulative_sum(float *y, const float *x, size_t outer, size_t length,
                                       size_t inner, bool reverse, bool exclusive) {
    for (size_t o = 0; o < outer; o++)
        for (size_t step = 0; step < length; step++) {
            size_t here = o * length + (reverse ? length - 1 - step : step);
            size_t before = reverse ? here + 1 : here - 1;
            float *out = y + here * inner;
            const float *in = x + here * inner;
            if (step == 0) {
                for (size_t c = 0; c < inner; c++) out[c] = exclusive ? 0 : in[c];
                continue;
            }
            const float *last = y + before * inner;
            const float *added = exclusive ? x + before * inner : in;
            for (size_t c = 0; c < inner; c++) out[c] = last[c] + added[c];
        }
}

RONDO_INLINE float largest_of(const float *x, size_t count) {
    float lanes[16];
    for (size_t j = 0; j < 16; j++) lanes[j] = x[0];
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    for (size_t i = whole; i < count; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
    for (size_t j = 1; j < 16; j++) lanes[0] = lanes[j] > lanes[0] ? lanes[j] : lanes[0];
    return lanes[0];
}

RONDO_CLONES void rondo_softmax(float *y, const float *x, size_t rows, size_t columns) {
    if (columns == 0) return;
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * columns;
        float *out = y + r * columns;
        float largest = largest_of(in, columns);
        for (size_t c = 0; c < columns; c++) out[c] = exponential_full(in[c] - largest);
        float inverse = 1.0f / line_sum(out, columns);
        for (size_t c = 0; c < columns; c++) out[c] *= inverse;
    }
}

// The products go through a small block so that they are summed in the order of line_sum's lanes.
RONDO_INLINE float product_sum(const float *a, const float *b, size_t count) {
    float products[1024];
    float total = 0;
    for (size_t start = 0; start < count; start += 1024) {
        size_t length = count - start < 1024 ? count - start : 1024;
        for (size_t i = 0; i < length; i++) products[i] = a[start + i] * b[start + i];
        total += line_sum(products, length);
    }
    return total;
}

RONDO_CLONES void rondo_softmax_gradient(float *dx, const float *dy, const float *y, size_t rows,
                                         size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *upstream = dy + r * columns, *result = y + r * columns;
        float *out = dx + r * columns;
        float sum = product_sum(upstream, result, columns);
        for (size_t c = 0; c < columns; c++) out[c] = result[c] * (upstream[c] - sum);
    }
}

RONDO_CLONES void rondo_log_softmax(float *y, const float *x, size_t rows, size_t columns) {
    if (columns == 0) return;
    float block[1024];
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * columns;
        float *out = y + r * columns;
        float largest = largest_of(in, columns);
        float sum = 0;
        for (size_t start = 0; start < columns; start += 1024) {
            size_t length = columns - start < 1024 ? columns - start : 1024;
            for (size_t i = 0; i < length; i++)
                block[i] = exponential_full(in[start + i] - largest);
            sum += line_sum(block, length);
        }
        float logarithm = natural_logarithm(sum);
        for (size_t c = 0; c < columns; c++) out[c] = in[c] - largest - logarithm;
    }
}

RONDO_CLONES void rondo_log_softmax_gradient(float *dx, const float *dy, const float *y,
                                             size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *upstream = dy + r * columns, *result = y + r * columns;
        float *out = dx + r * columns;
        float sum = line_sum(upstream, columns);
        for (size_t c = 0; c < columns; c++)
            out[c] = upstream[c] - exponential_full(result[c]) * sum;
    }
}

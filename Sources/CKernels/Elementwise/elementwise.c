#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include "philox.h"
#include <string.h>

RONDO_CLONES void rondo_add(float *destination, const float *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] += source[i];
}

RONDO_CLONES void rondo_sum(float *destination, const float *a, const float *b, size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) destination[i] = a[i] + b[i];
}

RONDO_CLONES void rondo_multiply(float *destination, const float *a, const float *b, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = a[i] * b[i];
}

RONDO_CLONES void rondo_scale(float *values, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) values[i] *= factor;
}

RONDO_CLONES void rondo_multiply_add(float *destination, const float *source, float factor,
                                     size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] += source[i] * factor;
}

// NaN stays NaN: a diverged run must show it, not hide it behind zeros.
RONDO_CLONES void rondo_relu(float *y, const float *x, size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

RONDO_CLONES void rondo_relu_gradient(float *dx, const float *dy, const float *y, size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) {
        float upstream = dy[i]; // read in any case, so that the choice needs no branch
        dx[i] = y[i] > 0 ? upstream : 0;
    }
}

RONDO_CLONES void rondo_exp(float *y, const float *x, size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) y[i] = exponential(x[i]);
}

RONDO_CLONES void rondo_tanh(float *y, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = hyperbolic_tangent(x[i]);
}

RONDO_CLONES void rondo_tanh_gradient(float *dx, const float *dy, const float *y, size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

RONDO_CLONES void rondo_sigmoid(float *y, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = logistic(x[i]);
}

RONDO_CLONES void rondo_sigmoid_gradient(float *dx, const float *dy, const float *y,
                                         size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) dx[i] = dy[i] * y[i] * (1.0f - y[i]);
}

RONDO_CLONES void rondo_dropout(float *y, const float *x, size_t count, uint64_t key,
                                const uint32_t counter[3], uint32_t threshold, float scale) {
    uint32_t random[64];
    for (size_t start = 0; start < count; start += 64) {
        philox_block(random, (uint32_t)(start / 64), counter, key);
        size_t length = count - start < 64 ? count - start : 64;
        for (size_t i = 0; i < length; i++)
            y[start + i] = random[i] < threshold ? 0 : x[start + i] * scale;
    }
}

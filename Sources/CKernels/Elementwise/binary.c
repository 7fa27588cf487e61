#pragma clang fp contract(off)
#include "CKernelsTensor.h"
#include "elementary.h"

// One line of each operation: strides of 1 or 0. `p` is the element of a, `q` that of b.
#define LINE(name, expression)                                                                     \
    RONDO_CLONES void rondo_line_##name(float *y, const float *a, const float *b, size_t count,    \
                                        int64_t aStride, int64_t bStride) {                        \
        if (aStride && bStride)                                                                    \
            for (size_t i = 0; i < count; i++) {                                                   \
                float p = a[i], q = b[i];                                                          \
                y[i] = expression;                                                                 \
            }                                                                                      \
        else if (aStride) {                                                                        \
            float q = b[0];                                                                        \
            for (size_t i = 0; i < count; i++) {                                                   \
                float p = a[i];                                                                    \
                y[i] = expression;                                                                 \
            }                                                                                      \
        } else if (bStride) {                                                                      \
            float p = a[0];                                                                        \
            for (size_t i = 0; i < count; i++) {                                                   \
                float q = b[i];                                                                    \
                y[i] = expression;                                                                 \
            }                                                                                      \
        } else {                                                                                   \
            float p = a[0], q = b[0];                                                              \
            float value = expression;                                                              \
            for (size_t i = 0; i < count; i++) y[i] = value;                                       \
        }                                                                                          \
    }

// NaN of either operand is kept.
RONDO_INLINE float larger(float p, float q) {
    float value = p > q ? p : q;
    value = p == p ? value : p;
    return q == q ? value : q;
}
RONDO_INLINE float smaller(float p, float q) {
    float value = p < q ? p : q;
    value = p == p ? value : p;
    return q == q ? value : q;
}
RONDO_INLINE float exponent_slope(float p, float q) {
    float slope = power_of(p, q) * natural_logarithm(p);
    return p == 0 ? 0.0f : slope;
}

LINE(add, p + q)
LINE(subtract, p - q)
LINE(multiply, p *q)
LINE(divide, p / q)
LINE(maximum, larger(p, q))
LINE(minimum, smaller(p, q))
LINE(power, power_of(p, q))
LINE(equal, p == q ? 1.0f : 0.0f)
LINE(not_equal, p != q ? 1.0f : 0.0f)
LINE(less, p < q ? 1.0f : 0.0f)
LINE(less_or_equal, p <= q ? 1.0f : 0.0f)
LINE(greater, p > q ? 1.0f : 0.0f)
LINE(greater_or_equal, p >= q ? 1.0f : 0.0f)
LINE(and, ((p != 0) & (q != 0)) ? 1.0f : 0.0f)
LINE(or, ((p != 0) | (q != 0)) ? 1.0f : 0.0f)
LINE(xor, ((p != 0) ^ (q != 0)) ? 1.0f : 0.0f)
LINE(maximum_share, p > q ? 1.0f : (p == q ? 0.5f : 0.0f))
LINE(minimum_share, p < q ? 1.0f : (p == q ? 0.5f : 0.0f))
LINE(power_base_slope, q == 0 ? 0.0f : q *power_of(p, q - 1.0f))
LINE(power_exponent_slope, exponent_slope(p, q))
LINE(divide_or_zero, q == 0 ? 0.0f : p / q)
LINE(keep_where_zero, q == 0 ? p : 0.0f)
LINE(keep_where_not_zero, q == 0 ? 0.0f : p)

typedef void (*line_function)(float *, const float *, const float *, size_t, int64_t, int64_t);

static const line_function lines[] = {
    rondo_line_add, rondo_line_subtract, rondo_line_multiply, rondo_line_divide,
    rondo_line_maximum, rondo_line_minimum, rondo_line_power,
    rondo_line_equal, rondo_line_not_equal, rondo_line_less, rondo_line_less_or_equal,
    rondo_line_greater, rondo_line_greater_or_equal,
    rondo_line_and, rondo_line_or, rondo_line_xor,
    rondo_line_maximum_share, rondo_line_minimum_share,
    rondo_line_power_base_slope, rondo_line_power_exponent_slope,
    rondo_line_divide_or_zero, rondo_line_keep_where_zero, rondo_line_keep_where_not_zero,
};

static void walk(line_function line, float **y, const float *a, const float *b, size_t rank,
                 const int64_t *sizes, const int64_t *aStrides, const int64_t *bStrides) {
    if (rank == 1) {
        line(*y, a, b, (size_t)sizes[0], aStrides[0], bStrides[0]);
        *y += sizes[0];
        return;
    }
    for (int64_t i = 0; i < sizes[0]; i++)
        walk(line, y, a + i * aStrides[0], b + i * bStrides[0], rank - 1, sizes + 1, aStrides + 1,
             bStrides + 1);
}

void rondo_binary(rondo_binary_operation operation, float *y, const float *a, const float *b,
                  size_t rank, const int64_t *sizes, const int64_t *aStrides,
                  const int64_t *bStrides) {
    for (size_t i = 0; i < rank; i++)
        if (sizes[i] == 0) return;
    if (rank == 0) {
        lines[operation](y, a, b, 1, 0, 0);
        return;
    }
    walk(lines[operation], &y, a, b, rank, sizes, aStrides, bStrides);
}

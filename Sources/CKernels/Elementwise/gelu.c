#include "CKernels.h"
#include "elementary.h"

// gelu(x) = x Phi(x) (Hendrycks and Gimpel 2016); the derivative is Phi(x) + x phi(x).
//
// The loop is bound by its arithmetic, and most of that is polynomials: with fused multiply-adds it
// takes 0.57 of the time. `fuses` is a property of the arithmetic level, as for the products, not
// of the vectors' width: both widths give the same bits.

RONDO_INLINE float multiply_add(const bool fuses, float a, float b, float c) {
    return fuses ? __builtin_elementwise_fma(a, b, c) : a * b + c;
}

// exp(x) for x <= 0, in the steps of exponential(); zero where that is held at its bound.
RONDO_INLINE float exponential_of_negative(const bool fuses, float x) {
    const float lowest = -87.3f, magic = 12582912.0f;
    float clamped = x < lowest ? lowest : x;
    float shifted = multiply_add(fuses, clamped, 1.44269504088896341f, magic);
    float n = shifted - magic;
    float r = multiply_add(fuses, n, -0.693359375f, clamped);
    r = multiply_add(fuses, n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = multiply_add(fuses, p, r, 1.3981999507e-3f);
    p = multiply_add(fuses, p, r, 8.3334519073e-3f);
    p = multiply_add(fuses, p, r, 4.1665795894e-2f);
    p = multiply_add(fuses, p, r, 1.6666665459e-1f);
    p = multiply_add(fuses, p, r, 5.0000001201e-1f);
    p = multiply_add(fuses, p, r * r, r) + 1.0f;
    float scale = float_from_bits((bits_of_float(shifted) << 23) + 0x3f800000u);
    return x < lowest ? 0 : p * scale;
}

// With t = |x| and e = exp(-t^2 / 2), Phi(-t) is e times half the scaled complementary error
// function at t / sqrt(2). A polynomial in 1 / (1 + 0.3 t), fitted to its relative error over [0,
// 14.5], is within 6e-8 of that, so both the value and the slope come from one exponential.
RONDO_INLINE float gelu_of_erf(const bool fuses, float x, float *slope) {
    float e = exponential_of_negative(fuses, -0.5f * x * x);
    float u = 1.0f / multiply_add(fuses, 0.3f, magnitude_of(x), 1.0f);
    float p = 3.84075704e-2f;
    p = multiply_add(fuses, p, u, -1.69308290e-1f);
    p = multiply_add(fuses, p, u, 2.28953409e-1f);
    p = multiply_add(fuses, p, u, -7.68414255e-2f);
    p = multiply_add(fuses, p, u, 1.42766419e-1f);
    p = multiply_add(fuses, p, u, 9.45854092e-2f);
    p = multiply_add(fuses, p, u, 1.21945371e-1f);
    p = multiply_add(fuses, p, u, 1.19484193e-1f);
    p = multiply_add(fuses, p, u, 7.37313232e-6f);
    float tail = e * p;
    float phi = x < 0 ? tail : 1.0f - tail;
    *slope = multiply_add(fuses, x, 0.39894228040143268f * e, phi);
    return x * phi;
}

RONDO_INLINE float gelu_of_tanh(float x, float *slope) {
    const float root = 0.79788456080286536f, cubic = 0.044715f;
    float square = x * x;
    float t = hyperbolic_tangent(root * (x + cubic * (x * square)));
    float inner = root * (1.0f + 3.0f * cubic * square);
    *slope = 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * inner;
    return 0.5f * x * (1.0f + t);
}

#define GELU_ROWS(VALUE, STORE)                                                                  \
    for (size_t r = 0; r < rows; r++) {                                                          \
        float *in = x + r * columns, *out = y + r * columns;                                     \
        RONDO_IN_PLACE for (size_t c = 0; c < columns; c++) {                                    \
            float sum = in[c] + bias[c], slope, value = VALUE;                                   \
            out[c] = value;                                                                      \
            STORE;                                                                               \
        }                                                                                        \
    }

RONDO_INLINE void erf_rows(const bool fuses, float *y, float *x, const float *bias, bool slopes,
                           size_t rows, size_t columns) {
    if (slopes) {
        GELU_ROWS(gelu_of_erf(fuses, sum, &slope), in[c] = slope)
    } else {
        GELU_ROWS(gelu_of_erf(fuses, sum, &slope), (void)slope)
    }
}

RONDO_CLONES static void erf_plain(float *y, float *x, const float *bias, bool slopes, size_t rows,
                                   size_t columns) {
    erf_rows(false, y, x, bias, slopes, rows, columns);
}

RONDO_CLONES static void tanh_plain(float *y, float *x, const float *bias, bool slopes,
                                    size_t rows, size_t columns) {
    if (slopes) {
        GELU_ROWS(gelu_of_tanh(sum, &slope), in[c] = slope)
    } else {
        GELU_ROWS(gelu_of_tanh(sum, &slope), (void)slope)
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void erf_8(float *y, float *x, const float *bias,
                                                      bool slopes, size_t rows, size_t columns) {
    erf_rows(true, y, x, bias, slopes, rows, columns);
}

__attribute__((target("arch=x86-64-v4"))) static void erf_16(float *y, float *x, const float *bias,
                                                             bool slopes, size_t rows,
                                                             size_t columns) {
    erf_rows(true, y, x, bias, slopes, rows, columns);
}
#endif

void rondo_bias_gelu(int64_t width, float *y, float *x, const float *bias, rondo_gelu_form form,
                     bool slopes, size_t rows, size_t columns) {
    if (form == rondo_gelu_form_tanh) {
        tanh_plain(y, x, bias, slopes, rows, columns);
        return;
    }
#if defined(__x86_64__)
    if (width == 16) {
        erf_16(y, x, bias, slopes, rows, columns);
        return;
    }
    if (width == 8) {
        erf_8(y, x, bias, slopes, rows, columns);
        return;
    }
#else
    (void)width; // 0 on these processors
#endif
    erf_plain(y, x, bias, slopes, rows, columns);
}

#pragma clang fp contract(off)
#include "CKernelsTensor.h"
#include "elementary.h"

// `v` is the element of x, `r` that of y.
#define FUNCTION(name, expression)                                                                 \
    RONDO_CLONES void rondo_##name(float *y, const float *x, size_t count) {                       \
        for (size_t i = 0; i < count; i++) {                                                       \
            float v = x[i];                                                                        \
            y[i] = expression;                                                                     \
        }                                                                                          \
    }
#define DERIVATIVE(name, expression)                                                               \
    RONDO_CLONES void rondo_##name##_gradient(float *dx, const float *dy, const float *x,          \
                                              size_t count) {                                      \
        for (size_t i = 0; i < count; i++) {                                                       \
            float v = x[i];                                                                        \
            dx[i] = dy[i] * (expression);                                                          \
        }                                                                                          \
    }
#define DERIVATIVE_OF_RESULT(name, expression)                                                     \
    RONDO_CLONES void rondo_##name##_gradient(float *dx, const float *dy, const float *y,          \
                                              size_t count) {                                      \
        for (size_t i = 0; i < count; i++) {                                                       \
            float r = y[i];                                                                        \
            dx[i] = dy[i] * (expression);                                                          \
        }                                                                                          \
    }
#define FUNCTION_WITH(name, parameter, expression)                                                 \
    RONDO_CLONES void rondo_##name(float *y, const float *x, size_t count, float parameter) {      \
        for (size_t i = 0; i < count; i++) {                                                       \
            float v = x[i];                                                                        \
            y[i] = expression;                                                                     \
        }                                                                                          \
    }
#define DERIVATIVE_WITH(name, parameter, expression)                                               \
    RONDO_CLONES void rondo_##name##_gradient(float *dx, const float *dy, const float *x,          \
                                              size_t count, float parameter) {                     \
        for (size_t i = 0; i < count; i++) {                                                       \
            float v = x[i];                                                                        \
            dx[i] = dy[i] * (expression);                                                          \
        }                                                                                          \
    }

FUNCTION(negate, -v)
FUNCTION(absolute, magnitude_of(v))
DERIVATIVE(absolute, v > 0 ? 1.0f : (v < 0 ? -1.0f : 0.0f))
FUNCTION(exponential, exponential_full(v))
FUNCTION(logarithm, natural_logarithm(v))
DERIVATIVE(logarithm, 1.0f / v)
FUNCTION(square_root, __builtin_elementwise_sqrt(v))
DERIVATIVE_OF_RESULT(square_root, 0.5f / r)
FUNCTION(reciprocal_square_root, 1.0f / __builtin_elementwise_sqrt(v))
DERIVATIVE_OF_RESULT(reciprocal_square_root, -0.5f * r * r * r)
FUNCTION(reciprocal, 1.0f / v)
DERIVATIVE_OF_RESULT(reciprocal, -(r * r))
FUNCTION(square, v *v)
DERIVATIVE(square, 2.0f * v)
FUNCTION(sine, sine(v))
DERIVATIVE(sine, cosine(v))
FUNCTION(cosine, cosine(v))
DERIVATIVE(cosine, -sine(v))
FUNCTION(error_function, error_function(v))
DERIVATIVE(error_function, 1.12837916709551257f * exponential_full(-(v * v)))

// sqrt(2 / pi) (x + 0.044715 x^3) and its derivative (Hendrycks and Gimpel 2016)
RONDO_INLINE float gelu_argument(float v) {
    return 0.79788456080286536f * (v + 0.044715f * v * v * v);
}
RONDO_INLINE float gelu_tanh_slope(float v) {
    float t = hyperbolic_tangent(gelu_argument(v));
    float inner = 0.79788456080286536f * (1.0f + 0.134145f * v * v);
    return 0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * inner;
}
FUNCTION(gelu_tanh, 0.5f * v * (1.0f + hyperbolic_tangent(gelu_argument(v))))
DERIVATIVE(gelu_tanh, gelu_tanh_slope(v))

RONDO_INLINE float normal_distribution(float v) {
    return 0.5f * (1.0f + error_function(v * 0.70710678118654752f));
}
FUNCTION(gelu_erf, v *normal_distribution(v))
DERIVATIVE(gelu_erf, normal_distribution(v) +
                         v * 0.39894228040143268f * exponential_full(-0.5f * v * v))

RONDO_INLINE float silu_slope(float v) {
    float s = logistic_full(v);
    return s * (1.0f + v * (1.0f - s));
}
FUNCTION(silu, v *logistic_full(v))
DERIVATIVE(silu, silu_slope(v))

// ln(1 + exp(x)), without overflow: max(x, 0) + ln(1 + exp(-|x|))
RONDO_INLINE float softplus_of(float v) {
    float positive = v < 0 ? 0.0f : v;
    return positive + logarithm_of_one_plus(exponential_full(-magnitude_of(v)));
}
FUNCTION(softplus, softplus_of(v))
DERIVATIVE(softplus, logistic_full(v))
FUNCTION(log_sigmoid, -softplus_of(-v))
DERIVATIVE(log_sigmoid, logistic_full(-v))

FUNCTION_WITH(leaky_relu, slope, v < 0 ? v *slope : v)
DERIVATIVE_WITH(leaky_relu, slope, v > 0 ? 1.0f : slope)
FUNCTION_WITH(elu, alpha, v < 0 ? alpha *exponential_minus_one(v) : v)
DERIVATIVE_WITH(elu, alpha, v > 0 ? 1.0f : alpha *exponential_full(v))
FUNCTION_WITH(power_scalar, exponent, power_of(v, exponent))
DERIVATIVE_WITH(power_scalar, exponent, exponent *power_of(v, exponent - 1.0f))
FUNCTION_WITH(add_scalar, value, v + value)
FUNCTION_WITH(multiply_scalar, value, v *value)
FUNCTION(logical_not, v == 0 ? 1.0f : 0.0f)
FUNCTION(finite_or_zero, magnitude_of(v) == __builtin_inff() ? 0.0f : v)

RONDO_CLONES void rondo_clip(float *y, const float *x, size_t count, float low, float high) {
    for (size_t i = 0; i < count; i++) {
        float v = x[i] < low ? low : x[i];
        y[i] = v > high ? high : v;
    }
}

RONDO_CLONES void rondo_clip_gradient(float *dx, const float *dy, const float *x, size_t count,
                                      float low, float high) {
    for (size_t i = 0; i < count; i++) {
        float inside = ((x[i] >= low) & (x[i] <= high)) ? 1.0f : 0.0f;
        dx[i] = dy[i] * inside;
    }
}

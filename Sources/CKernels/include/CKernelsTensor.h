// Loops of the general tensor operations: elementwise functions, broadcasting, reductions, strided
// copies, indexing and random numbers. The conventions are those of CKernels.h.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// unary.c: y may be x, dx may be dy. Gradients multiply dy by the derivative at x, or, where the
// comment says "of y", by the derivative as a function of the result.
void rondo_negate(float *y, const float *x, size_t count);
void rondo_absolute(float *y, const float *x, size_t count);
void rondo_absolute_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_exponential(float *y, const float *x, size_t count); // reaches 0 and infinity
void rondo_logarithm(float *y, const float *x, size_t count);
void rondo_logarithm_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_square_root(float *y, const float *x, size_t count);
void rondo_square_root_gradient(float *dx, const float *dy, const float *y, size_t count); // of y
void rondo_reciprocal_square_root(float *y, const float *x, size_t count);
void rondo_reciprocal_square_root_gradient(float *dx, const float *dy, const float *y,
                                           size_t count); // of y
void rondo_reciprocal(float *y, const float *x, size_t count);
void rondo_reciprocal_gradient(float *dx, const float *dy, const float *y, size_t count); // of y
void rondo_square(float *y, const float *x, size_t count);
void rondo_square_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_gelu_tanh(float *y, const float *x, size_t count);
void rondo_gelu_tanh_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_gelu_erf(float *y, const float *x, size_t count);
void rondo_gelu_erf_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_silu(float *y, const float *x, size_t count);
void rondo_silu_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_softplus(float *y, const float *x, size_t count);
void rondo_softplus_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_log_sigmoid(float *y, const float *x, size_t count);
void rondo_log_sigmoid_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_sine(float *y, const float *x, size_t count);
void rondo_sine_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_cosine(float *y, const float *x, size_t count);
void rondo_cosine_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_error_function(float *y, const float *x, size_t count);
void rondo_error_function_gradient(float *dx, const float *dy, const float *x, size_t count);
void rondo_leaky_relu(float *y, const float *x, size_t count, float slope);
void rondo_leaky_relu_gradient(float *dx, const float *dy, const float *x, size_t count,
                               float slope);
void rondo_elu(float *y, const float *x, size_t count, float alpha);
void rondo_elu_gradient(float *dx, const float *dy, const float *x, size_t count, float alpha);
void rondo_clip(float *y, const float *x, size_t count, float low, float high);
void rondo_clip_gradient(float *dx, const float *dy, const float *x, size_t count, float low,
                         float high);
void rondo_power_scalar(float *y, const float *x, size_t count, float exponent);
void rondo_power_scalar_gradient(float *dx, const float *dy, const float *x, size_t count,
                                 float exponent);
void rondo_add_scalar(float *y, const float *x, size_t count, float value);
void rondo_multiply_scalar(float *y, const float *x, size_t count, float value);
void rondo_logical_not(float *y, const float *x, size_t count);
/// y = isinf(x) ? 0 : x
void rondo_finite_or_zero(float *y, const float *x, size_t count);

// binary.c
typedef enum {
    rondo_binary_add, rondo_binary_subtract, rondo_binary_multiply, rondo_binary_divide,
    rondo_binary_maximum, rondo_binary_minimum, rondo_binary_power,
    rondo_binary_equal, rondo_binary_not_equal, rondo_binary_less, rondo_binary_less_or_equal,
    rondo_binary_greater, rondo_binary_greater_or_equal,
    rondo_binary_and, rondo_binary_or, rondo_binary_xor,
    /// The share of a in the gradient of maximum and minimum: 1, 0, or 1/2 of equals.
    rondo_binary_maximum_share, rondo_binary_minimum_share,
    /// b a^(b - 1) and a^b ln a, the slopes of power.
    rondo_binary_power_base_slope, rondo_binary_power_exponent_slope,
    /// b != 0 ? a / b : 0, and b == 0 ? a : 0
    rondo_binary_divide_or_zero, rondo_binary_keep_where_zero, rondo_binary_keep_where_not_zero
} rondo_binary_operation;
/// y[i] = a op b over a dense y of these sizes; strides in elements, 0 where an operand is
/// repeated. The innermost strides are 0 or 1. y may be a or b where that one has the strides of y.
void rondo_binary(rondo_binary_operation operation, float *y, const float *a, const float *b,
                  size_t rank, const int64_t *sizes, const int64_t *aStrides,
                  const int64_t *bStrides);

// reductions.c: x is outer x length x inner, y is outer x inner
/// Sums in blocks of an order that does not depend on the processor.
void rondo_reduce_sum(float *y, const float *x, size_t outer, size_t length, size_t inner);
void rondo_reduce_maximum(float *y, const float *x, size_t outer, size_t length, size_t inner);
void rondo_reduce_minimum(float *y, const float *x, size_t outer, size_t length, size_t inner);
/// The first of equals; NaN counts as the largest (and as the smallest).
void rondo_arg_maximum(int32_t *y, const float *x, size_t outer, size_t length, size_t inner);
void rondo_arg_minimum(int32_t *y, const float *x, size_t outer, size_t length, size_t inner);
/// y[l] = sum of x up to l; from the end if `reverse`; without x[l] itself if `exclusive`.
void rondo_cumulative_sum(float *y, const float *x, size_t outer, size_t length, size_t inner,
                          bool reverse, bool exclusive);
/// Rows of `columns`; y may be x, dx may be dy.
void rondo_softmax(float *y, const float *x, size_t rows, size_t columns);
void rondo_softmax_gradient(float *dx, const float *dy, const float *y, size_t rows,
                            size_t columns);
void rondo_log_softmax(float *y, const float *x, size_t rows, size_t columns);
void rondo_log_softmax_gradient(float *dx, const float *dy, const float *y, size_t rows,
                                size_t columns);

// indexing.c
/// destination[i . destinationStrides] = source[i . sourceStrides] for all i below `sizes`.
void rondo_strided_copy(float *destination, const float *source, size_t rank,
                        const int64_t *sizes, const int64_t *destinationStrides,
                        const int64_t *sourceStrides);
/// y[o][i] = x[o][indices[i]], of `inner` floats each; x has `length` of them per o.
void rondo_select_rows(float *y, const float *x, const int32_t *indices, size_t indexCount,
                       size_t outer, size_t length, size_t inner);
/// The adjoint: x[o][indices[i]] += y[o][i], in the order of i.
void rondo_add_rows(float *x, const float *y, const int32_t *indices, size_t indexCount,
                    size_t outer, size_t length, size_t inner);
/// y[o][l][i] = x[o][indices[o][l][i]][i]
void rondo_gather(float *y, const float *x, const int32_t *indices, size_t outer,
                  size_t indexLength, size_t length, size_t inner);
/// The adjoint: x[o][indices[o][l][i]][i] += y[o][l][i]
void rondo_scatter_add(float *x, const float *y, const int32_t *indices, size_t outer,
                       size_t indexLength, size_t length, size_t inner);
/// Whether all are in 0 ..< bound.
bool rondo_indices_are_below(const int32_t *indices, size_t count, int32_t bound);

// random.c: element i is a pure function of key, counter and i
void rondo_random_uniform(float *y, size_t count, uint64_t key, const uint32_t counter[3],
                          float low, float high);
void rondo_random_normal(float *y, size_t count, uint64_t key, const uint32_t counter[3],
                         float mean, float deviation);
/// 1 where the element's 32 random bits are below the threshold, otherwise 0.
void rondo_random_bernoulli(float *y, size_t count, uint64_t key, const uint32_t counter[3],
                            uint64_t threshold);
/// One column of each row, drawn with the weights (not negative, not all zero) of the row.
void rondo_random_categorical(int32_t *y, const float *weights, size_t rows, size_t columns,
                              uint64_t key, const uint32_t counter[3]);

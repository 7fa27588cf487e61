// Loops over plain float memory, for the Swift target Kernels.
//
// Why C: clang's `target_clones` gives each loop an SSE2, an AVX2 and an AVX-512 body that the
// loader chooses between at run time, with no build flag; the same loops in Swift stay at SSE2.
//
// Equal bits on every processor: a*b+c is never contracted into a fused multiply-add and no sum is
// reordered by the compiler (`#pragma clang fp contract(off)`, no fast-math). Every sum has an
// order written in the source, so that the width of the vectors does not change a result.
// Replicated state (optimizer, ring addition, batch statistics) depends on this. Functions with a
// `width` (products, GELU) have fused multiply-adds written out and give equal bits for both widths
// of vectors.
//
// Layouts: images are N x H x W x C (rows of C channels), matrices row-major. Pointers of one call
// do not overlap unless the comment says so. Sizes are not checked here; the Swift side does it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "CKernelsAttention.h"
#include "CKernelsProduct.h"
#include "CKernelsSequence.h"
#include "CKernelsTensor.h"

// elementwise.c
void rondo_add(float *destination, const float *source, size_t count); // destination += source
/// destination = a + b; may alias a or b.
void rondo_sum(float *destination, const float *a, const float *b, size_t count);
void rondo_multiply(float *destination, const float *a, const float *b, size_t count);
void rondo_scale(float *values, float factor, size_t count);
void rondo_multiply_add(float *destination, const float *source, float factor, size_t count);
void rondo_relu(float *y, const float *x, size_t count); // y may be x
void rondo_relu_gradient(float *dx, const float *dy, const float *y, size_t count); // dx may be dy
void rondo_tanh(float *y, const float *x, size_t count);
void rondo_tanh_gradient(float *dx, const float *dy, const float *y, size_t count);
void rondo_sigmoid(float *y, const float *x, size_t count);
void rondo_sigmoid_gradient(float *dx, const float *dy, const float *y, size_t count);
void rondo_exp(float *y, const float *x, size_t count);
/// y = x * mask / (1 - p); the mask is a pure function of key and counter, so backward repeats it.
/// `threshold` = p * 2^32: an element is dropped when its 32 random bits are below it.
void rondo_dropout(float *y, const float *x, size_t count, uint64_t key, const uint32_t counter[3],
                   uint32_t threshold, float scale);

// bfloat16.c: the upper half of a float, rounded to nearest, ties to even
void rondo_round_to_bfloat16(uint16_t *destination, const float *source, size_t count);
void rondo_widen_bfloat16(float *destination, const uint16_t *source, size_t count); // exact
/// destination = round(a + b); may alias a or b.
void rondo_sum_bfloat16(uint16_t *destination, const uint16_t *a, const uint16_t *b, size_t count);

// rows.c: matrices of `rows` x `columns`
void rondo_add_row(float *matrix, const float *row, size_t rows, size_t columns); // + bias
/// sums[c] = (accumulate ? sums[c] : 0) + sum over rows, in blocks of 64 rows.
void rondo_column_sums(float *sums, const float *matrix, size_t rows, size_t columns,
                       bool accumulate);
/// Softmax of each row into `probabilities`, cross-entropy of each row into `losses`; returns how
/// many rows have their largest logit at the label (the first of equals). A row with a negative
/// label is skipped: its loss is 0, its probabilities are not set.
size_t rondo_softmax_cross_entropy(float *probabilities, float *losses, const float *logits,
                                   const int32_t *labels, size_t rows, size_t columns);
/// dlogits = (probabilities - onehot(label)) * scale; may be in place.
void rondo_softmax_cross_entropy_gradient(float *dlogits, const float *probabilities,
                                          const int32_t *labels, float scale, size_t rows,
                                          size_t columns);
void rondo_softmax_rows(float *y, const float *x, size_t rows, size_t columns); // y may be x

// batchnorm.c: `rows` x `channels`
void rondo_batch_statistics(float *mean, float *variance, const float *x, size_t rows,
                            size_t channels); // biased variance, two passes
/// y = x * scale[c] + shift[c], then + added where that is not NULL, then the ReLU where it clips.
void rondo_normalize_rows(float *y, const float *x, const float *scale, const float *shift,
                          const float *added, bool clips, size_t rows, size_t channels);
/// dyScaled[c] = sum dy * (x - mean) * inverseDeviation, dySum[c] = sum dy
void rondo_batch_norm_sums(float *dySum, float *dyScaled, const float *dy, const float *x,
                           const float *mean, const float *inverseDeviation, size_t rows,
                           size_t channels);
/// The same with masked = y > 0 ? dy : 0 in the place of dy; masked may be dy.
void rondo_batch_norm_masked_sums(float *dySum, float *dyScaled, float *masked, const float *dy,
                                  const float *y, const float *x, const float *mean,
                                  const float *inverseDeviation, size_t rows, size_t channels);
/// dx = a[c] * dy + b[c] * x + d[c]; dx may be dy.
void rondo_batch_norm_gradient(float *dx, const float *dy, const float *x, const float *a,
                               const float *b, const float *d, size_t rows, size_t channels);

// convolution.c
typedef struct {
    int64_t height, width, channels;       // of one image
    int64_t groupOffset, groupChannels;    // the channels that are read or written
    int64_t kernelHeight, kernelWidth;
    int64_t strideHeight, strideWidth;
    int64_t paddingTop, paddingLeft;
    int64_t outputHeight, outputWidth;
} rondo_window;
/// Row (oh, ow) of `columns` holds the kernelHeight x kernelWidth x groupChannels inputs that the
/// output reads, zeros outside; one image, output rows [firstRow, lastRow).
void rondo_image_to_columns(float *columns, const float *image, const rondo_window *window,
                            int64_t firstRow, int64_t lastRow);
/// The adjoint: adds each row of `columns` to the image it was taken from.
void rondo_columns_to_image(float *image, const float *columns, const rondo_window *window);
/// taps[i] = index of the largest input of the window, 0 ... kernelHeight * kernelWidth - 1. With
/// `clips` the ReLU of that, and the tap 255, which no window may have, where it is clipped.
void rondo_max_pool(float *y, uint8_t *taps, const float *image, const rondo_window *window,
                    bool clips);
void rondo_max_pool_gradient(float *dimage, const float *dy, const uint8_t *taps,
                             const rondo_window *window); // sets all of dimage
/// Divides by the whole window, padding included (PyTorch's count_include_pad).
void rondo_average_pool(float *y, const float *image, const rondo_window *window);
void rondo_average_pool_gradient(float *dimage, const float *dy, const rondo_window *window);
/// destination[c][r] = source[r][c]
void rondo_transpose(float *destination, const float *source, size_t rows, size_t columns);

// optimizers.c: one pass over flat buffers; gradients are multiplied by `gradientScale` first
void rondo_sgd(float *values, const float *gradients, float *momenta, size_t count,
               float learningRate, float momentum, float weightDecay, float gradientScale,
               bool nesterov);
/// biasCorrection1 = 1 - beta1^t, biasCorrection2 = 1 - beta2^t (in double, then rounded)
typedef struct {
    float learningRate, beta1, beta2, epsilon, weightDecay, gradientScale;
    float biasCorrection1, biasCorrection2;
    bool decoupledDecay; // AdamW (Loshchilov and Hutter 2017) instead of L2 in the gradient
} rondo_adam_settings;
void rondo_adam(float *values, const float *gradients, float *firstMoments, float *secondMoments,
                size_t count, const rondo_adam_settings *settings);
/// momenta and means may be NULL: no momentum, not centred.
typedef struct {
    float learningRate, alpha, epsilon, momentum, weightDecay, gradientScale;
} rondo_rmsprop_settings;
void rondo_rmsprop(float *values, const float *gradients, float *squares, float *momenta,
                   float *means, size_t count, const rondo_rmsprop_settings *settings);
void rondo_adagrad(float *values, const float *gradients, float *squares, size_t count,
                   float learningRate, float epsilon, float weightDecay, float gradientScale);
void rondo_adadelta(float *values, const float *gradients, float *squares, float *changes,
                    size_t count, float learningRate, float rho, float epsilon, float weightDecay,
                    float gradientScale);
/// The sum of the squares, in blocks of an order that does not depend on the processor.
double rondo_square_sum(const float *values, size_t count);
/// Clamps to -limit ... limit.
void rondo_limit(float *values, float limit, size_t count);
/// average += rest * (values - average)
void rondo_moving_average(float *average, const float *values, float rest, size_t count);
/// running = (1 - momentum) * running + momentum * (sum * scale)
void rondo_running_average(float *running, const float *sums, float scale, float momentum,
                           size_t count);

// processor.c
/// The widest OpenBLAS core type that this processor can run: "SkylakeX", "Haswell", "Nehalem", or
/// "generic" on a processor family that has no such ladder.
const char *rondo_processor_level(void);
/// Whether AVX-512 instructions take it as long as two of AVX2 (AMD's Zen 4).
bool rondo_processor_halves_avx512(void);

// memory.c
/// From now on blocks of `threshold` bytes or more go straight back to the system when freed.
/// Without it glibc raises its own threshold after the first large free and keeps such blocks.
void rondo_return_large_blocks(size_t threshold);

// Builds on rondo_window.
#include "CKernelsConvolution.h"

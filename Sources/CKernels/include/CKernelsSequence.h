// Loops of recurrent layers, layer norm and their like; the rules of CKernels.h hold.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// recurrent.c: one time step of `rows` sequences with `units` hidden units each.
//
// `hidden`, `previousHidden` and `dy` have `stateStride` floats from row to row, because the
// directions of a bidirectional layer share a row; cells, carries and gates are dense. A sequence
// that is not longer than `step` is at rest: its state is copied, its gates have no gradient.
typedef struct {
    int64_t rows, units, stateStride;
    int64_t step;
    const int32_t *lengths; // of the sequences; NULL: none is shorter than the batch
} rondo_recurrent_step;

/// hidden = tanh or relu of (hidden + bias).
void rondo_rnn_step(float *hidden, const float *previousHidden, const float *bias, bool relu,
                    const rondo_recurrent_step *step);
/// dgates = (dy + carry) * derivative; then carry is 0, or as it was for a sequence at rest.
void rondo_rnn_step_gradient(float *dgates, float *carry, const float *dy, const float *hidden,
                             bool relu, const rondo_recurrent_step *step); // dy may be NULL
/// gates [rows][i f g o][units]: products without bias on entry, activated afterwards;
/// `squashedCell` is tanh(cell).
void rondo_lstm_step(float *gates, float *cell, float *squashedCell, float *hidden,
                     const float *previousCell, const float *previousHidden, const float *bias,
                     const rondo_recurrent_step *step);
/// dgates: gradients of the products, from the activated gates, whose place they may take;
/// `cellCarry` becomes the gradient of the previous cell.
void rondo_lstm_step_gradient(float *dgates, const float *gates, float *carry, float *cellCarry,
                              const float *dy, const float *squashedCell,
                              const float *previousCell, const rondo_recurrent_step *step);
/// gates [rows][r z n m][units]: the input's products for r, z and n on entry; r, z, n and
/// m = products[2] + bias[3] afterwards, where `products` [rows][r z m][units] come from the state.
void rondo_gru_step(float *gates, float *hidden, const float *products,
                    const float *previousHidden, const float *bias,
                    const rondo_recurrent_step *step);
/// The same as for the LSTM; carry becomes (dy + carry) * z, to which the caller adds the products.
void rondo_gru_step_gradient(float *dgates, const float *gates, float *carry, const float *dy,
                             const float *previousHidden, const rondo_recurrent_step *step);

// recurrent_packed.c: products of all steps of a sequence, by fused multiply-adds in an order that
// is the same for every vector width. A weight is packed once; the rows of a step are put into
// blocks of 16 columns once, for all products that read them. `width` is 8 or 16 floats, at most
// rondo_fused_width().
/// Floats of a packed weight [k, columns].
int64_t rondo_packed_count(int64_t k, int64_t columns);
/// Packs weight[k][columns], or its transpose weight[columns][k].
void rondo_pack_weight_rows(float *packed, const float *weight, int64_t k, int64_t columns);
void rondo_pack_weight_columns(float *packed, const float *weight, int64_t k, int64_t columns);
/// Columns of rows in blocks: a multiple of 16.
int64_t rondo_blocked_columns(int64_t columns);
/// Blocks a[rows][columns], with zeros up to rondo_blocked_columns; adds the sums over the rows to
/// `sums`, which has as many floats, unless it is NULL.
void rondo_block_rows(float *blocked, float *sums, const float *a, int64_t aStride, int64_t rows,
                      int64_t columns);
/// c[rows][columns] = (accumulate ? c : 0) + blocked[rows][k] * packed, one chain per element.
void rondo_packed_product(int64_t width, float *c, int64_t cStride, bool accumulate,
                          const float *blocked, int64_t rows, int64_t k, const float *packed,
                          int64_t columns);
/// What the steps of a sequence left in blocks: step t at first[t * stride].
typedef struct {
    const float *first;
    int64_t stride, columns;
} rondo_blocked_steps;
/// c[a's columns][b's columns] = (accumulate ? c : 0) + the sum of a^T b over at least one step.
void rondo_blocked_outer(int64_t width, float *c, int64_t cStride, bool accumulate,
                         rondo_blocked_steps a, rondo_blocked_steps b, int64_t rows,
                         int64_t steps);

/// destination[b][a][...] = source[a][b][...] with `width` floats inside.
void rondo_swap_leading(float *destination, const float *source, size_t a, size_t b, size_t width);
/// y = x + gate * (h - x), where gate = logistic(logits) is stored.
void rondo_highway(float *y, float *gate, const float *logits, const float *h, const float *x,
                   size_t count);
/// dx = dy * (1 - gate), dh = dy * gate, dlogits = dy * (h - x) * gate * (1 - gate).
void rondo_highway_gradient(float *dx, float *dh, float *dlogits, const float *dy,
                            const float *gate, const float *h, const float *x, size_t count);

// layernorm.c: `rows` x `columns`; weight or bias NULL: one or zero
void rondo_layer_norm(float *y, float *mean, float *inverseDeviation, const float *x,
                      const float *weight, const float *bias, float epsilon, size_t rows,
                      size_t columns);
/// dweight[c] = sum over rows of dy * (x - mean[r]) * inverseDeviation[r], dbias[c] = sum of dy, in
/// blocks of 16 rows. dx, which may be dy, or both sums may be NULL: not wanted.
void rondo_layer_norm_gradient(float *dx, float *dweight, float *dbias, const float *dy,
                               const float *x, const float *mean, const float *inverseDeviation,
                               const float *weight, size_t rows, size_t columns);
/// Statistics per channel become those of its group, in place: mean and 1 / sqrt(variance +
/// epsilon).
void rondo_group_statistics(float *mean, float *variance, float epsilon, size_t channels,
                            size_t groups);
/// y = (x - mean[c]) * inverseDeviation[c] * weight[c] + bias[c]
void rondo_group_norm(float *y, const float *x, const float *mean, const float *inverseDeviation,
                      const float *weight, const float *bias, size_t rows, size_t channels);
/// dx from this image's channel sums of dy and of dy * xhat.
void rondo_group_norm_gradient(float *dx, const float *dy, const float *x, const float *mean,
                               const float *inverseDeviation, const float *weight,
                               const float *dySum, const float *dyScaled, size_t rows,
                               size_t channels, size_t groups);

/// y[i] = table[tokens[i]], rows of `width`, yStride apart in y.
void rondo_gather_rows(float *y, size_t yStride, const float *table, const int32_t *tokens,
                       size_t count, size_t width);
/// table[tokens[i]] += dy[i] for i in order; `skipped` is left out (-1: none).
void rondo_scatter_add_rows(float *table, const float *dy, size_t dyStride, const int32_t *tokens,
                            size_t count, size_t width, int32_t skipped);

// Loops of attention, of the layers around it, and of the losses; the rules of CKernels.h hold.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// attention.c: a tile is the scores of some queries of one (sample, head) against all its keys.
//
// Row r sees the keys below min(validKeys, firstVisible + r), or below validKeys if not causal; the
// probabilities of the others are zero. A row that sees none is all zeros.
typedef struct {
    int64_t rows, columns;  // queries, keys
    int64_t stride;         // floats from row to row of scores: a multiple of 16, at least columns
    int64_t validKeys;      // keys from here on are padding
    int64_t firstVisible;   // keys that row 0 sees under the causal mask
    bool causal;
    float scale;            // of the products
    const float *bias;      // added to the scaled products, -infinity to mask; NULL: none
    int64_t biasStride;
    // Dropout of the probabilities: row r takes its numbers from the blocks of 64 from
    // firstBlock + r * blocksPerRow on. threshold 0: none.
    uint64_t key;
    uint32_t counter[3], threshold, firstBlock, blocksPerRow;
    float keepScale;
} rondo_attention_tile;
/// scores, products on entry, become probabilities; statistics[r] = {largest, 1 / sum of exp}.
void rondo_attention_softmax(float *scores, float *statistics, const rondo_attention_tile *tile);
/// The same probabilities once more, from products and statistics.
void rondo_attention_probabilities(float *scores, const float *statistics,
                                   const rondo_attention_tile *tile);
/// y = probabilities with dropout; may be in place.
void rondo_attention_dropout(float *y, const float *probabilities,
                             const rondo_attention_tile *tile);
/// gradients, of the probabilities after dropout on entry, become those of the products.
void rondo_attention_gradient(float *gradients, const float *probabilities,
                              const rondo_attention_tile *tile);

/// scores[i][j] = sum over a of weight[a] * tanh(queries[i][a] + keys[j][a])
typedef struct {
    int64_t rows, columns, stride, width; // scores; a < width
    int64_t queryStride, keyStride;
} rondo_additive_tile;
void rondo_additive_scores(float *scores, const float *queries, const float *keys,
                           const float *weight, const rondo_additive_tile *tile);
/// Adds to all three gradients; dqueries and dkeys are strided as queries and keys.
void rondo_additive_scores_gradient(float *dqueries, float *dkeys, float *dweight,
                                    const float *dscores, const float *queries, const float *keys,
                                    const float *weight, const rondo_additive_tile *tile);

/// y[n][t] = x[n][t] + table[t], rows of `width`; y may be x.
void rondo_add_positions(float *y, const float *x, const float *table, size_t samples,
                         size_t length, size_t width);

// gelu.c
typedef enum { rondo_gelu_form_erf, rondo_gelu_form_tanh } rondo_gelu_form;
/// y = gelu(x + bias); x becomes the derivative there, or is left as it was if `slopes` is false.
/// Without slopes y may be x. `width` is that of fused multiply-adds, 8 or 16 floats for the same
/// bits, or 0.
void rondo_bias_gelu(int64_t width, float *y, float *x, const float *bias, rondo_gelu_form form,
                     bool slopes, size_t rows, size_t columns);

// losses.c: losses[r] is the loss of row r times its weight; derivatives are those of the sum. Row
// weights, class weights and derivatives may be NULL: ones, ones, not wanted.
typedef struct {
    const int32_t *labels;     // a row whose label is `ignored` counts nothing
    int32_t ignored;
    const float *rowWeights, *classWeights;
    float smoothing;           // share of the target that is spread over all classes
} rondo_class_targets;
/// weights[r] = what row r adds to the divisor of the mean. Returns how many rows have their
/// largest logit at the label.
size_t rondo_cross_entropy(float *losses, float *weights, float *derivatives, const float *logits,
                           const rondo_class_targets *targets, size_t rows, size_t columns);
/// Targets are rows of probabilities.
void rondo_soft_cross_entropy(float *losses, float *derivatives, const float *logits,
                              const float *targets, const float *rowWeights,
                              const float *classWeights, size_t rows, size_t columns);
/// The same as rondo_cross_entropy from log-probabilities, without smoothing.
void rondo_negative_log_likelihood(float *losses, float *weights, float *derivatives,
                                   const float *logProbabilities,
                                   const rondo_class_targets *targets, size_t rows,
                                   size_t columns);
typedef enum {
    rondo_loss_squared, rondo_loss_absolute,
    rondo_loss_huber,                // parameter: where the parabola ends
    rondo_loss_logistic,             // parameters: [columns], weights of the positives, or NULL
    rondo_loss_divergence,           // t (log t - x)
    rondo_loss_divergence_of_logs,   // exp(t) (t - x)
} rondo_loss_kind;
void rondo_pointwise_loss(rondo_loss_kind kind, float *losses, float *derivatives, const float *x,
                          const float *targets, float parameter, const float *parameters,
                          const float *rowWeights, size_t rows, size_t columns);
/// Kullback-Leibler divergence of normal distributions from the standard one.
void rondo_gaussian_divergence(float *losses, float *dmeans, float *dlogVariances,
                               const float *means, const float *logVariances,
                               const float *rowWeights, size_t rows, size_t columns);
/// 1 - cosine of rows with sign 1, max(0, cosine - margin) of rows with sign -1.
void rondo_cosine_loss(float *losses, float *da, float *db, const float *a, const float *b,
                       const int32_t *signs, float margin, const float *rowWeights, size_t rows,
                       size_t columns);
/// -log sigmoid(center . positive) - sum over negatives of log sigmoid(-center . negative)
void rondo_negative_sampling(float *losses, float *dcenters, float *dpositives, float *dnegatives,
                             const float *centers, const float *positives, const float *negatives,
                             const float *rowWeights, size_t rows, size_t negativeCount,
                             size_t columns);
/// Connectionist temporal classification of one sequence.
typedef struct {
    const int32_t *labels;
    int64_t labelCount, steps, classes;
    int64_t rowStride; // floats from time step to time step of logits and derivatives
    int32_t blank;
    float weight;
    bool zeroInfinity; // an impossible alignment costs nothing instead of infinity
} rondo_alignment;
/// Floats of workspace that rondo_ctc needs.
size_t rondo_ctc_workspace(const rondo_alignment *alignment);
/// The loss; derivatives of the logits, NULL if not wanted.
float rondo_ctc(float *derivatives, const float *logits, float *workspace,
                const rondo_alignment *alignment);

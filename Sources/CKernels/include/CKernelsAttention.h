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

typedef enum { rondo_gelu_form_erf, rondo_gelu_form_tanh } rondo_gelu_form;
/// y = gelu(x + bias); x becomes the derivative there, or is left as it was if `slopes` is false.
/// Without slopes y may be x.
void rondo_bias_gelu(float *y, float *x, const float *bias, rondo_gelu_form form, bool slopes,
                     size_t rows, size_t columns);
/// y[n][t] = x[n][t] + table[t], rows of `width`; y may be x.
void rondo_add_positions(float *y, const float *x, const float *table, size_t samples,
                         size_t length, size_t width);

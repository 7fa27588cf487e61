#pragma once
#include <stdint.h>

// thin_product.c: products of which a dimension is small, by fused multiply-adds.

/// Which part of a product matters under a causal mask, where query i sees the keys below visible +
/// i.
typedef enum {
    rondo_edge_none,
    rondo_edge_columns, // rows are queries, columns keys: what is not seen may be left as it was
    rondo_edge_steps,   // rows are queries, steps keys: a is zero where nothing is seen
    rondo_edge_rows,    // rows are keys, steps queries: a is zero where nothing is seen
} rondo_edge;

/// c[rows][columns] = start + a[rows][inner] * b[inner][columns].
typedef struct {
    int64_t rows, columns, inner;
    const float *a; // element (row, s) at [row * aRow + s * aStep]; one of the two is 1
    int64_t aRow, aStep;
    const float *b; // element (s, column) at [s * bStep + column * bColumn]; one of the two is 1
    int64_t bStep, bColumn;
    float *c;
    int64_t cRow;
    const float *start; // NULL: zeros; c itself to add to it; a bias with startRow 0
    int64_t startRow;
    rondo_edge edge;
    int64_t visible;
} rondo_product;
/// `width` is 8 or 16 floats, at most rondo_fused_width(); the bits are the same for both.
void rondo_thin_product(int64_t width, const rondo_product *product);

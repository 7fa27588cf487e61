// Private to this target: what the fused convolution kernels of both vector widths share.
//
// Blocked layout: a matrix is stored in blocks of 16 columns, element (row, column) at
// [column / 16][row][column % 16]. Rows are one cache line (one AVX-512 vector, two AVX2 vectors)
// apart, so that the products read them at constant offsets, and transforms write them with whole
// vectors.
#pragma once
#include "CKernelsConvolution.h"

enum {
    rondo_lanes = 16,
    /// Rows of the largest tile of a product, and a multiple of those of every width: blocked
    /// matrices have room for a multiple of this many rows.
    rondo_row_step = 12
};

static inline int64_t rondo_blocks(int64_t columns) {
    return (columns + rondo_lanes - 1) / rondo_lanes;
}

static inline int64_t rondo_padded_rows(int64_t rows) {
    return (rows + rondo_row_step - 1) / rondo_row_step * rondo_row_step;
}

/// How a Winograd pass is cut up; a function of the shapes only. Counts are in floats.
typedef struct {
    int64_t tilesDown, tilesAcross, tiles;
    int64_t blockTiles;                             // tiles that are transformed together
    int64_t planes;                                 // one product each
    int64_t inputPlane, outputPlane, weightPlane;   // distance of the planes
} rondo_winograd_plan;

/// How a pass over columns is cut up.
typedef struct {
    int64_t length;       // of one row: taps times channels
    int64_t blockRows;    // output positions of one image that are taken together
    int64_t blockStride;  // floats of 16 columns of the block
    int64_t paddedHeight, paddedWidth;
    int64_t paddedCount;  // 0 when the image is read in place
    int64_t pieceLimit;
} rondo_columns_plan;

/// Up to 16 neighbouring columns of a row: where they come from, relative to the window's first
/// input, and where they go, relative to the row in the block.
typedef struct {
    int64_t source, destination, count;
} rondo_piece;

rondo_winograd_plan rondo_plan_winograd(const rondo_convolution *c, int64_t down, int64_t across);
rondo_columns_plan rondo_plan_columns(const rondo_convolution *c);
/// Returns how many pieces there are.
int64_t rondo_cut_pieces(rondo_piece *pieces, const rondo_convolution *c,
                         const rondo_columns_plan *plan);

/// packed: blocked [taps * inputs, outputs]. Reversed: the weight of the convolution whose input
/// gradient this is, so the roles of inputs and outputs change and the taps run backward.
void rondo_pack_weight(float *packed, const float *weight, const rondo_convolution *c,
                       bool reversed);
void rondo_unpack_weight(float *weight, const float *packed, const rondo_convolution *c,
                         bool accumulate);
/// Writes the inner part of a padded image, whose border stays, and reads it back.
void rondo_fill_padded(float *padded, const float *image, const rondo_convolution *c,
                       const rondo_columns_plan *plan);
void rondo_read_padded(float *image, const float *padded, const rondo_convolution *c,
                       const rondo_columns_plan *plan);

#define RONDO_FUSED_DECLARATIONS(WIDTH)                                                           \
    void rondo_winograd_forward_##WIDTH(float *, const float *, const float *, bool,              \
                                        const float *, const rondo_convolution *, rondo_tile,     \
                                        float *);                                                 \
    void rondo_winograd_weight_gradient_##WIDTH(float *, bool, const float *, const float *,      \
                                                const rondo_convolution *, rondo_tile, float *);  \
    void rondo_columns_forward_##WIDTH(float *, const float *, const float *, bool,               \
                                       const float *, const rondo_convolution *, float *);        \
    void rondo_columns_weight_gradient_##WIDTH(float *, bool, const float *, const float *,       \
                                               const rondo_convolution *, float *);               \
    void rondo_columns_input_gradient_##WIDTH(float *, const float *, const float *,              \
                                              const rondo_convolution *, float *);
RONDO_FUSED_DECLARATIONS(8)
RONDO_FUSED_DECLARATIONS(16)

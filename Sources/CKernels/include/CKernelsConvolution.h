// Convolutions by own kernels; the rules of CKernels.h hold but for one: here sums are chains of
// fused multiply-adds, written out as such, one chain in one order for each sum, the same for every
// vector width, so that AVX2 and AVX-512 give the same bits.
#pragma once
#include "CKernels.h"

// fused.c: no groups. `width` is 8 or 16 floats, at most rondo_fused_width(). Weights are PyTorch's
// [outputs, inputs, kernelHeight, kernelWidth]. `reversed`: `c` is the convolution of dy that gives
// dx (stride 1), `weight` that of the forward pass. bias: [outputs] or NULL. scratch: 64-byte
// aligned.
typedef struct {
    rondo_window window; // all channels
    int64_t images, outputs;
} rondo_convolution;
/// Floats of the widest vectors that the processor runs these kernels with: 16, 8, or 0 for not at
/// all.
int64_t rondo_fused_width(void);
/// Outputs of one tile: 2 x 2, 2 x 4 or 4 x 4.
typedef struct {
    int64_t down, across;
} rondo_tile;
/// 3x3 kernels with stride 1 by F(down x across, 3x3).
int64_t rondo_winograd_scratch(const rondo_convolution *c, rondo_tile tile);
void rondo_winograd_forward(int64_t width, float *y, const float *x, const float *weight,
                            bool reversed, const float *bias, const rondo_convolution *c,
                            rondo_tile tile, float *scratch);
void rondo_winograd_weight_gradient(int64_t width, float *gradient, bool accumulate,
                                    const float *x, const float *dy, const rondo_convolution *c,
                                    rondo_tile tile, float *scratch);
/// Any kernel and stride, over columns that are built block by block.
int64_t rondo_columns_scratch(const rondo_convolution *c);
int64_t rondo_columns_input_gradient_scratch(const rondo_convolution *c);
void rondo_columns_forward(int64_t width, float *y, const float *x, const float *weight,
                           bool reversed, const float *bias, const rondo_convolution *c,
                           float *scratch);
void rondo_columns_weight_gradient(int64_t width, float *gradient, bool accumulate,
                                   const float *x, const float *dy, const rondo_convolution *c,
                                   float *scratch);
void rondo_columns_input_gradient(int64_t width, float *dx, const float *dy, const float *weight,
                                  const rondo_convolution *c, float *scratch);

// Private to this target: what the two widths of the products of recurrent steps share.
#pragma once
#include "CKernels.h"
#include "product_block.h"
#include <stdbool.h>
#include <stdint.h>

// A packed weight [k, columns] lies in blocks of 16 columns, element (row, column) at
// [column / 16][row][column % 16]; the rows of a step likewise.

void rondo_packed_product_8(float *c, int64_t cStride, bool accumulate, const float *a,
                            int64_t rows, int64_t k, const float *packed, int64_t columns);
void rondo_packed_product_16(float *c, int64_t cStride, bool accumulate, const float *a,
                             int64_t rows, int64_t k, const float *packed, int64_t columns);
void rondo_blocked_outer_8(float *c, int64_t cStride, bool accumulate, rondo_blocked_steps a,
                           rondo_blocked_steps b, int64_t rows, int64_t steps);
void rondo_blocked_outer_16(float *c, int64_t cStride, bool accumulate, rondo_blocked_steps a,
                            rondo_blocked_steps b, int64_t rows, int64_t steps);

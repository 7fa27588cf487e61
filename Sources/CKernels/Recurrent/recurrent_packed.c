#include "CKernels.h"
#include "clones.h"
#include "recurrent_packed.h"

int64_t rondo_packed_count(int64_t k, int64_t columns) {
    return (columns + rondo_product_lanes - 1) / rondo_product_lanes * rondo_product_lanes * k;
}

RONDO_CLONES void rondo_pack_weight_rows(float *packed, const float *weight, int64_t k,
                                         int64_t columns) {
    for (int64_t first = 0; first < columns; first += rondo_product_lanes)
        for (int64_t row = 0; row < k; row++, packed += rondo_product_lanes)
            for (int64_t j = 0; j < rondo_product_lanes; j++)
                packed[j] = first + j < columns ? weight[row * columns + first + j] : 0;
}

// Sixteen by sixteen, so that both sides are read and written by cache lines.
RONDO_CLONES void rondo_pack_weight_columns(float *packed, const float *weight, int64_t k,
                                            int64_t columns) {
    for (int64_t first = 0; first < columns; first += rondo_product_lanes) {
        for (int64_t top = 0; top < k; top += rondo_product_lanes) {
            int64_t bottom = top + rondo_product_lanes < k ? top + rondo_product_lanes : k;
            for (int64_t j = 0; j < rondo_product_lanes; j++) {
                const bool inside = first + j < columns;
                const float *line = weight + (inside ? first + j : 0) * k;
                for (int64_t row = top; row < bottom; row++)
                    packed[row * rondo_product_lanes + j] = inside ? line[row] : 0;
            }
        }
        packed += k * rondo_product_lanes;
    }
}

int64_t rondo_blocked_columns(int64_t columns) {
    return (columns + rondo_product_lanes - 1) / rondo_product_lanes * rondo_product_lanes;
}

RONDO_CLONES void rondo_block_rows(float *blocked, float *sums, const float *a, int64_t aStride,
                                   int64_t rows, int64_t columns) {
    for (int64_t first = 0; first < columns; first += rondo_product_lanes) {
        const int64_t length =
            columns - first < rondo_product_lanes ? columns - first : rondo_product_lanes;
        rondo_sixteen sum = 0;
        for (int64_t row = 0; row < rows; row++, blocked += rondo_product_lanes) {
            const float *from = a + row * aStride + first;
            rondo_sixteen values = 0;
            if (length == rondo_product_lanes)
                values = *(const rondo_sixteen *)from;
            else
                for (int64_t j = 0; j < length; j++) values[j] = from[j];
            *(rondo_sixteen *)blocked = values;
            sum += values;
        }
        if (sums) *(rondo_sixteen *)(sums + first) += sum;
    }
}

void rondo_packed_product(int64_t width, float *c, int64_t cStride, bool accumulate,
                          const float *blocked, int64_t rows, int64_t k, const float *packed,
                          int64_t columns) {
#if defined(__x86_64__)
    if (width == 16)
        rondo_packed_product_16(c, cStride, accumulate, blocked, rows, k, packed, columns);
    else
        rondo_packed_product_8(c, cStride, accumulate, blocked, rows, k, packed, columns);
#else
    (void)width; // 0 on these processors: never called
#endif
}

void rondo_blocked_outer(int64_t width, float *c, int64_t cStride, bool accumulate,
                         rondo_blocked_steps a, rondo_blocked_steps b, int64_t rows,
                         int64_t steps) {
#if defined(__x86_64__)
    if (width == 16)
        rondo_blocked_outer_16(c, cStride, accumulate, a, b, rows, steps);
    else
        rondo_blocked_outer_8(c, cStride, accumulate, a, b, rows, steps);
#else
    (void)width;
#endif
}

// Included once per vector width (PRODUCT_WIDTH floats): c (+)= a * packed, for the product of a
// recurrent step, whose weight is packed once for all steps of a sequence.
//
// Every element is one chain of fused multiply-adds over k = 0, 1, ... that starts from c or zero.
// How many rows and columns a tile keeps in registers changes nothing in that chain, so both widths
// give the same bits.
#include "product_vectors.h"

RONDO_INLINE void tile(const int rows, const int blocks, float *c, int64_t cStride,
                       bool accumulate, const float *a, int64_t aBlock, int64_t k, const float *b,
                       int64_t bBlock) {
    const int vectors = blocks * vectors_per_block;
    vector sums[largest_rows][largest_blocks * vectors_per_block];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            sums[r][v] = accumulate ? load(c + r * cStride + v * PRODUCT_WIDTH) : (vector)(0.0f);
    while (k > 0) {
        const int64_t steps = k < rondo_product_lanes ? k : rondo_product_lanes;
        _Pragma("clang loop unroll_count(4)") for (int64_t s = 0; s < steps; s++) {
            vector right[largest_blocks * vectors_per_block];
            UNROLL for (int v = 0; v < vectors; v++)
                right[v] = load(b + v / vectors_per_block * bBlock +
                                v % vectors_per_block * PRODUCT_WIDTH);
            UNROLL for (int r = 0; r < rows; r++) {
                const vector left = (vector)(a[r * rondo_product_lanes + s]);
                UNROLL for (int v = 0; v < vectors; v++)
                    sums[r][v] = __builtin_elementwise_fma(left, right[v], sums[r][v]);
            }
            b += rondo_product_lanes;
        }
        a += aBlock;
        k -= steps;
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            store(c + r * cStride + v * PRODUCT_WIDTH, sums[r][v]);
}

#define TILE(ROWS, BLOCKS)                                                                        \
    static __attribute__((noinline)) void tile_##ROWS##_##BLOCKS(                                 \
        float *c, int64_t cStride, bool accumulate, const float *a, int64_t aBlock, int64_t k,    \
        const float *b, int64_t bBlock) {                                                         \
        tile(ROWS, BLOCKS, c, cStride, accumulate, a, aBlock, k, b, bBlock);                      \
    }
typedef void (*tile_function)(float *, int64_t, bool, const float *, int64_t, int64_t,
                              const float *, int64_t);
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
#if PRODUCT_WIDTH == 16
TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
#endif

static const tile_function tiles[largest_blocks][largest_rows] = {
#if PRODUCT_WIDTH == 16
    {tile_1_1, tile_2_1, tile_3_1, tile_4_1, tile_5_1, tile_6_1, tile_7_1, tile_8_1, tile_9_1,
     tile_10_1, tile_11_1, tile_12_1},
    {tile_1_2, tile_2_2, tile_3_2, tile_4_2, tile_5_2, tile_6_2, tile_7_2, tile_8_2, tile_9_2,
     tile_10_2, tile_11_2, tile_12_2},
#else
    {tile_1_1, tile_2_1, tile_3_1, tile_4_1, tile_5_1, tile_6_1},
#endif
};

// a: blocked. The rows are cut into equal parts that fit the registers.
void PRODUCT(float *c, int64_t cStride, bool accumulate, const float *a, int64_t rows, int64_t k,
             const float *packed, int64_t columns) {
    const int64_t aBlock = rows * rondo_product_lanes, bBlock = k * rondo_product_lanes;
    const int64_t whole = columns / rondo_product_lanes;
    const int64_t parts = (rows + largest_rows - 1) / largest_rows;
    for (int64_t block = 0; block * rondo_product_lanes < columns;) {
        const int64_t count = block + largest_blocks <= whole ? largest_blocks : 1;
        const float *b = packed + block * bBlock;
        int64_t remaining = parts;
        for (int64_t row = 0; row < rows; remaining--) {
            const int64_t height = (rows - row + remaining - 1) / remaining;
            const float *left = a + row * rondo_product_lanes;
            float *out = c + row * cStride + block * rondo_product_lanes;
            const tile_function function = tiles[count - 1][height - 1];
            if (block < whole) {
                function(out, cStride, accumulate, left, aBlock, k, b, bBlock);
            } else {
                // Fewer than 16 columns are left: they are taken from a whole tile.
                float edge[largest_rows * rondo_product_lanes] = {0};
                const int64_t width = columns - block * rondo_product_lanes;
                for (int64_t i = 0; accumulate && i < height; i++)
                    for (int64_t j = 0; j < width; j++)
                        edge[i * rondo_product_lanes + j] = out[i * cStride + j];
                function(edge, rondo_product_lanes, true, left, aBlock, k, b, bBlock);
                for (int64_t i = 0; i < height; i++)
                    for (int64_t j = 0; j < width; j++)
                        out[i * cStride + j] = edge[i * rondo_product_lanes + j];
            }
            row += height;
        }
        block += count;
    }
}

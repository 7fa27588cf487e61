// Included once per vector width after recurrent_product.h: c (+)= a^T b over many steps, the
// gradient of a recurrent layer's weight. Both sides lie as the steps' products read them, in
// blocks, so nothing is copied.
//
// Every element is one chain of fused multiply-adds per chunk of steps, and the chunks are added in
// order. Chunks depend on the shapes alone, so both widths give the same bits.
enum {
    // Rows of a chunk: 16 columns of both sides are 24 KiB. From 96 to 512 it makes no difference
    // (Zen 4).
    chunk_rows = 192,
#if PRODUCT_WIDTH == 16
    outer_height = 16, // 16 sums of 32 registers
#else
    outer_height = 6, // 12 sums of 16 registers; 6 + 5 + 5 rows are a block
#endif
};

// rows of c from `first` on of a block of 16, over `steps` steps of `rows` rows.
RONDO_INLINE void outer_tile(const int height, float *c, int64_t cStride, bool accumulate,
                             const float *a, int64_t aStep, const float *b, int64_t bStep,
                             int64_t rows, int64_t steps) {
    vector sums[outer_height][vectors_per_block];
    UNROLL for (int r = 0; r < height; r++) {
        __builtin_prefetch(c + r * cStride, 1);
        UNROLL for (int v = 0; v < vectors_per_block; v++) sums[r][v] = (vector)(0.0f);
    }
    for (int64_t step = 0; step < steps; step++, a += aStep, b += bStep) {
        _Pragma("clang loop unroll_count(2)") for (int64_t row = 0; row < rows; row++) {
            const float *left = a + row * rondo_product_lanes;
            vector right[vectors_per_block];
            UNROLL for (int v = 0; v < vectors_per_block; v++)
                right[v] = load(b + row * rondo_product_lanes + v * PRODUCT_WIDTH);
            UNROLL for (int r = 0; r < height; r++)
                UNROLL for (int v = 0; v < vectors_per_block; v++)
                    sums[r][v] =
                        __builtin_elementwise_fma((vector)(left[r]), right[v], sums[r][v]);
        }
    }
    UNROLL for (int r = 0; r < height; r++)
        UNROLL for (int v = 0; v < vectors_per_block; v++) {
            float *out = c + r * cStride + v * PRODUCT_WIDTH;
            store(out, accumulate ? load(out) + sums[r][v] : sums[r][v]);
        }
}

// 16 x 16 of c.
static __attribute__((noinline)) void outer_block(float *c, int64_t cStride, bool accumulate,
                                                  const float *a, int64_t aStep, const float *b,
                                                  int64_t bStep, int64_t rows, int64_t steps) {
#if PRODUCT_WIDTH == 16
    outer_tile(16, c, cStride, accumulate, a, aStep, b, bStep, rows, steps);
#else
    outer_tile(6, c, cStride, accumulate, a, aStep, b, bStep, rows, steps);
    outer_tile(5, c + 6 * cStride, cStride, accumulate, a + 6, aStep, b, bStep, rows, steps);
    outer_tile(5, c + 11 * cStride, cStride, accumulate, a + 11, aStep, b, bStep, rows, steps);
#endif
}

void OUTER(float *c, int64_t cStride, bool accumulate, rondo_blocked_steps a,
           rondo_blocked_steps b, int64_t rows, int64_t steps) {
    const int64_t lanes = rondo_product_lanes;
    const int64_t chunk = rows < chunk_rows ? chunk_rows / (rows > 0 ? rows : 1) : 1;
    for (int64_t first = 0; first < steps; first += chunk) {
        const int64_t length = steps - first < chunk ? steps - first : chunk;
        const bool adds = accumulate || first > 0;
        for (int64_t i = 0; i < a.columns; i += lanes) {
            const float *left = a.first + first * a.stride + i * rows;
            const int64_t height = a.columns - i < lanes ? a.columns - i : lanes;
            for (int64_t j = 0; j < b.columns; j += lanes) {
                const float *right = b.first + first * b.stride + j * rows;
                const int64_t width = b.columns - j < lanes ? b.columns - j : lanes;
                float *out = c + i * cStride + j;
                if (height == lanes && width == lanes) {
                    outer_block(out, cStride, adds, left, a.stride, right, b.stride, rows, length);
                    continue;
                }
                // Fewer than 16 rows or columns are left: they are taken from a whole block.
                float edge[rondo_product_lanes * rondo_product_lanes];
                outer_block(edge, lanes, false, left, a.stride, right, b.stride, rows, length);
                for (int64_t r = 0; r < height; r++)
                    for (int64_t k = 0; k < width; k++) {
                        const float sum = edge[r * lanes + k];
                        out[r * cStride + k] = adds ? out[r * cStride + k] + sum : sum;
                    }
            }
        }
    }
}

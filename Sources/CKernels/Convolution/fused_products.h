// Included once per vector width (FUSED_WIDTH floats): products of blocked matrices.
//
// Every element of a product is one chain of fused multiply-adds over k = 0, 1, ... that starts
// from zero. How many rows and columns a tile keeps in registers changes nothing in that chain, so
// both widths give the same bits. The tile loops must be unrolled completely, or the sums live in
// memory.
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vector __attribute__((ext_vector_type(FUSED_WIDTH)));
typedef float loose_vector __attribute__((ext_vector_type(FUSED_WIDTH), aligned(4)));

enum {
    vectors_per_block = rondo_lanes / FUSED_WIDTH,
#if FUSED_WIDTH == 16
    tile_rows = 12,         // 24 sums of 32 registers
    tile_blocks = 2,
    largest_column_rows = 8 // 16 sums
#else
    tile_rows = 6,          // 12 sums of 16 registers
    tile_blocks = 1,
    largest_column_rows = 6
#endif
};

RONDO_INLINE vector load(const float *p) { return *(const loose_vector *)p; }
RONDO_INLINE void store(float *p, vector v) { *(loose_vector *)p = v; }
RONDO_INLINE vector splat(float value) { return (vector)(value); }
RONDO_INLINE vector fused(vector a, vector b, vector c) {
    return __builtin_elementwise_fma(a, b, c);
}

// The first `count` lanes; the others are zero.
RONDO_INLINE vector load_part(const float *p, int64_t count) {
    float lanes[FUSED_WIDTH] = {0};
    for (int64_t i = 0; i < FUSED_WIDTH; i++)
        if (i < count) lanes[i] = p[i];
    return load(lanes);
}

RONDO_INLINE void store_part(float *p, vector v, int64_t count) {
    float lanes[FUSED_WIDTH];
    store(lanes, v);
    for (int64_t i = 0; i < FUSED_WIDTH; i++)
        if (i < count) p[i] = lanes[i];
}

// Offset of vector `v` of a tile in a blocked matrix whose blocks are `block` floats apart.
RONDO_INLINE int64_t vector_offset(int v, int64_t block) {
    return v / vectors_per_block * block + v % vectors_per_block * FUSED_WIDTH;
}

// c[rows, blocks of 16] = a[rows, k] * b[k, ...] + bias
RONDO_INLINE void row_tile(const int rows, const int blocks, float *c, int64_t cRow,
                           int64_t cBlock, const float *bias, const float *a, int64_t aBlock,
                           int64_t k, const float *b, int64_t bBlock) {
    const int vectors = blocks * vectors_per_block;
    vector sums[tile_rows][tile_blocks * vectors_per_block];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = splat(0);
    while (k > 0) {
        const int64_t steps = k < rondo_lanes ? k : rondo_lanes;
        _Pragma("clang loop unroll_count(4)") for (int64_t s = 0; s < steps; s++) {
            vector right[tile_blocks * vectors_per_block];
            UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + vector_offset(v, bBlock));
            UNROLL for (int r = 0; r < rows; r++) {
                const vector left = splat(a[r * rondo_lanes + s]);
                UNROLL for (int v = 0; v < vectors; v++)
                    sums[r][v] = fused(left, right[v], sums[r][v]);
            }
            b += rondo_lanes;
        }
        a += aBlock;
        k -= steps;
    }
    if (bias) {
        UNROLL for (int v = 0; v < vectors; v++) {
            const vector shift = load(bias + v * FUSED_WIDTH);
            UNROLL for (int r = 0; r < rows; r++) sums[r][v] += shift;
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            store(c + r * cRow + vector_offset(v, cBlock), sums[r][v]);
}

static __attribute__((noinline)) void row_tile_one(float *c, int64_t cRow, int64_t cBlock,
                                                   const float *bias, const float *a,
                                                   int64_t aBlock, int64_t k, const float *b,
                                                   int64_t bBlock) {
    row_tile(tile_rows, 1, c, cRow, cBlock, bias, a, aBlock, k, b, bBlock);
}

static __attribute__((noinline)) void row_tile_many(float *c, int64_t cRow, int64_t cBlock,
                                                    const float *bias, const float *a,
                                                    int64_t aBlock, int64_t k, const float *b,
                                                    int64_t bBlock) {
    row_tile(tile_rows, tile_blocks, c, cRow, cBlock, bias, a, aBlock, k, b, bBlock);
}

// Blocked c[rows, columns] = blocked a[rows, k] * blocked b[k, columns]. All have room for padded
// rows and whole blocks, which are computed too.
RONDO_INLINE void product_to_blocks(float *c, int64_t cBlock, const float *a, int64_t aBlock,
                                    int64_t rows, int64_t k, const float *b, int64_t columns) {
    const int64_t bBlock = k * rondo_lanes, blocks = rondo_blocks(columns);
    int64_t block = 0;
    for (; block + tile_blocks <= blocks; block += tile_blocks)
        for (int64_t r = 0; r < rows; r += tile_rows)
            row_tile_many(c + block * cBlock + r * rondo_lanes, rondo_lanes, cBlock, NULL,
                          a + r * rondo_lanes, aBlock, k, b + block * bBlock, bBlock);
    for (; block < blocks; block++)
        for (int64_t r = 0; r < rows; r += tile_rows)
            row_tile_one(c + block * cBlock + r * rondo_lanes, rondo_lanes, cBlock, NULL,
                         a + r * rondo_lanes, aBlock, k, b + block * bBlock, bBlock);
}

// The same into a row-major c[rows, columns] without room beyond its edges.
RONDO_INLINE void product_to_rows(float *c, const float *bias, const float *a, int64_t aBlock,
                                  int64_t rows, int64_t k, const float *b, int64_t columns) {
    const int64_t bBlock = k * rondo_lanes, whole = columns / rondo_lanes;
    const int64_t blocks = rondo_blocks(columns);
    for (int64_t block = 0; block < blocks;) {
        const int64_t count = block + tile_blocks <= whole ? tile_blocks : 1;
        const int64_t column = block * rondo_lanes;
        const float *right = b + block * bBlock;
        for (int64_t r = 0; r < rows; r += tile_rows) {
            float *out = c + r * columns + column;
            const float *left = a + r * rondo_lanes;
            const float *shift = bias ? bias + column : NULL;
            if (block < whole && r + tile_rows <= rows) {
                if (count == tile_blocks)
                    row_tile_many(out, columns, rondo_lanes, shift, left, aBlock, k, right, bBlock);
                else
                    row_tile_one(out, columns, rondo_lanes, shift, left, aBlock, k, right, bBlock);
                continue;
            }
            float edge[tile_rows * tile_blocks * rondo_lanes];
            const int64_t width = count * rondo_lanes;
            if (count == tile_blocks)
                row_tile_many(edge, width, rondo_lanes, NULL, left, aBlock, k, right, bBlock);
            else
                row_tile_one(edge, width, rondo_lanes, NULL, left, aBlock, k, right, bBlock);
            const int64_t lastRow = rows - r < tile_rows ? rows - r : tile_rows;
            const int64_t lastColumn = columns - column < width ? columns - column : width;
            for (int64_t i = 0; i < lastRow; i++)
                for (int64_t j = 0; j < lastColumn; j++)
                    out[i * columns + j] = edge[i * width + j] + (shift ? shift[j] : 0);
        }
        block += count;
    }
}

// c[rows, blocks of 16] += a[k, rows]^T * b[k, ...]
RONDO_INLINE void column_tile(const int rows, const int blocks, float *c, int64_t cBlock,
                              const float *a, int64_t k, const float *b, int64_t bRow,
                              int64_t bBlock) {
    const int vectors = blocks * vectors_per_block;
    vector sums[rondo_lanes][tile_blocks * vectors_per_block];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = splat(0);
    _Pragma("clang loop unroll_count(2)") for (int64_t s = 0; s < k; s++) {
        vector right[tile_blocks * vectors_per_block];
        UNROLL for (int v = 0; v < vectors; v++) right[v] = load(b + vector_offset(v, bBlock));
        UNROLL for (int r = 0; r < rows; r++) {
            const vector left = splat(a[r]);
            UNROLL for (int v = 0; v < vectors; v++)
                sums[r][v] = fused(left, right[v], sums[r][v]);
        }
        a += rondo_lanes;
        b += bRow;
    }
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) {
            float *out = c + r * rondo_lanes + vector_offset(v, cBlock);
            store(out, load(out) + sums[r][v]);
        }
    }
}

#define COLUMN_TILE(ROWS, BLOCKS)                                                                 \
    static __attribute__((noinline)) void column_tile_##ROWS##_##BLOCKS(                          \
        float *c, int64_t cBlock, const float *a, int64_t k, const float *b, int64_t bRow,        \
        int64_t bBlock) {                                                                         \
        column_tile(ROWS, BLOCKS, c, cBlock, a, k, b, bRow, bBlock);                              \
    }
typedef void (*column_tile_function)(float *, int64_t, const float *, int64_t, const float *,
                                     int64_t, int64_t);
COLUMN_TILE(1, 1)
COLUMN_TILE(2, 1)
COLUMN_TILE(3, 1)
COLUMN_TILE(4, 1)
COLUMN_TILE(5, 1)
COLUMN_TILE(6, 1)
#if FUSED_WIDTH == 16
COLUMN_TILE(7, 1)
COLUMN_TILE(8, 1)
COLUMN_TILE(16, 1)
COLUMN_TILE(1, 2)
COLUMN_TILE(2, 2)
COLUMN_TILE(3, 2)
COLUMN_TILE(4, 2)
COLUMN_TILE(5, 2)
COLUMN_TILE(6, 2)
COLUMN_TILE(7, 2)
COLUMN_TILE(8, 2)
#endif

static const column_tile_function column_tiles_one[] = {
    column_tile_1_1, column_tile_2_1, column_tile_3_1, column_tile_4_1, column_tile_5_1,
    column_tile_6_1,
#if FUSED_WIDTH == 16
    column_tile_7_1, column_tile_8_1,
#endif
};
#if FUSED_WIDTH == 16
static const column_tile_function column_tiles_many[] = {
    column_tile_1_2, column_tile_2_2, column_tile_3_2, column_tile_4_2,
    column_tile_5_2, column_tile_6_2, column_tile_7_2, column_tile_8_2,
};
#else
#define column_tiles_many column_tiles_one
#endif

// Blocked c[rows, whole blocks] += (blocked a[k, rows])^T * b[k, ...], b blocked (bRow 16) or
// row-major (bBlock 16). The rows of a block of a are cut into equal parts that fit the registers.
RONDO_INLINE void product_of_columns(float *c, const float *a, int64_t aBlock, int64_t rows,
                                     int64_t k, const float *b, int64_t bRow, int64_t bBlock,
                                     int64_t blocks) {
    const int64_t cBlock = rows * rondo_lanes;
    for (int64_t block = 0; block < blocks;) {
        const int64_t count = block + tile_blocks <= blocks ? tile_blocks : 1;
        const float *right = b + block * bBlock;
        for (int64_t first = 0; first < rows; first += rondo_lanes) {
            const int64_t height = rows - first < rondo_lanes ? rows - first : rondo_lanes;
            const float *left = a + first / rondo_lanes * aBlock;
            float *out = c + block * cBlock + first * rondo_lanes;
#if FUSED_WIDTH == 16
            if (count == 1 && height == rondo_lanes) {
                column_tile_16_1(out, cBlock, left, k, right, bRow, bBlock);
                continue;
            }
#endif
            int64_t parts = (height + largest_column_rows - 1) / largest_column_rows;
            for (int64_t row = 0; row < height; parts--) {
                const int64_t part = (height - row + parts - 1) / parts;
                const column_tile_function *tiles =
                    count == tile_blocks ? column_tiles_many : column_tiles_one;
                tiles[part - 1](out + row * rondo_lanes, cBlock, left + row, k, right, bRow,
                                bBlock);
                row += part;
            }
        }
        block += count;
    }
}

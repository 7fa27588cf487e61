// Included once per vector width (PRODUCT_WIDTH floats): products of which a dimension is small.
//
// A BLAS packs both operands and clears the result before it adds to it, which does not pay for
// such a product. Here the left side is read where it lies, 32 columns of the right side are packed
// at a time, and the sums go from registers to memory. Every element is one chain of fused
// multiply-adds over s = 0, 1, ... that begins at `start`: neither the tile an element lies in nor
// the depth of a panel changes anything in that chain, so both widths give the same bits.
#include "product_vectors.h"

typedef struct {
    const float *a;
    int64_t aStride; // from row to row, or from step to step where the left side lies transposed
    const float *b;  // packed blocks, which are bBlock floats apart
    int64_t bBlock;
    int64_t depth;
    const float *start;
    int64_t startRow;
    float *c;
    int64_t cRow;
} tile_place;

RONDO_INLINE void tile(const int rows, const int blocks, const bool transposed,
                       const tile_place *place) {
    const int vectors = blocks * vectors_per_block;
    const int64_t aStride = place->aStride, depth = place->depth;
    const int64_t bBlock = place->bBlock;
    const float *a = place->a, *b = place->b, *start = place->start;
    // The result is written last: by then its lines are here, and the next tile's rows. Reads of
    // the twelve rows at once are more streams than the processor follows by itself.
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int block = 0; block < blocks; block++)
            __builtin_prefetch(place->c + r * place->cRow + block * rondo_product_lanes, 1);
    if (!transposed)
        UNROLL for (int r = 0; r < rows; r++)
            for (int64_t s = 0; s < depth; s += 64)
                __builtin_prefetch(a + (rows + r) * aStride + s, 0, 2);
    vector sums[largest_rows][largest_blocks * vectors_per_block];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            sums[r][v] = start ? load(start + r * place->startRow + v * PRODUCT_WIDTH)
                               : (vector)(0.0f);
    _Pragma("clang loop unroll_count(2)") for (int64_t s = 0; s < depth; s++) {
        vector right[largest_blocks * vectors_per_block];
        UNROLL for (int v = 0; v < vectors; v++)
            right[v] = load(b + v / vectors_per_block * bBlock +
                            v % vectors_per_block * PRODUCT_WIDTH);
        UNROLL for (int r = 0; r < rows; r++) {
            const vector left = (vector)(transposed ? a[r] : a[r * aStride]);
            UNROLL for (int v = 0; v < vectors; v++)
                sums[r][v] = __builtin_elementwise_fma(left, right[v], sums[r][v]);
        }
        // 88 and 105 GFLOP/s with a stride of 2 KB; with more steps per vector it costs more than
        // it gains.
        if (transposed && PRODUCT_WIDTH == 16) __builtin_prefetch(a + 16 * aStride + rows - 1);
        a += transposed ? aStride : 1;
        b += rondo_product_lanes;
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            store(place->c + r * place->cRow + v * PRODUCT_WIDTH, sums[r][v]);
}

#define TILE(ROWS, BLOCKS)                                                                        \
    static __attribute__((noinline)) void straight_##ROWS##_##BLOCKS(const tile_place *place) {   \
        tile(ROWS, BLOCKS, false, place);                                                         \
    }                                                                                             \
    static __attribute__((noinline)) void transposed_##ROWS##_##BLOCKS(const tile_place *place) { \
        tile(ROWS, BLOCKS, true, place);                                                          \
    }
typedef void (*tile_function)(const tile_place *place);
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
#if PRODUCT_WIDTH == 16
TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
#define TILES(KIND, BLOCKS)                                                                       \
    {KIND##_1_##BLOCKS, KIND##_2_##BLOCKS, KIND##_3_##BLOCKS,  KIND##_4_##BLOCKS,                 \
     KIND##_5_##BLOCKS, KIND##_6_##BLOCKS, KIND##_7_##BLOCKS,  KIND##_8_##BLOCKS,                 \
     KIND##_9_##BLOCKS, KIND##_10_##BLOCKS, KIND##_11_##BLOCKS, KIND##_12_##BLOCKS}
static const tile_function tiles[2][largest_blocks][largest_rows] = {
    {TILES(straight, 1), TILES(straight, 2)}, {TILES(transposed, 1), TILES(transposed, 2)}};
#else
#define TILES(KIND)                                                                               \
    {KIND##_1_1, KIND##_2_1, KIND##_3_1, KIND##_4_1, KIND##_5_1, KIND##_6_1}
static const tile_function tiles[2][largest_blocks][largest_rows] = {
    {TILES(straight)}, {TILES(transposed)}};
#endif

// MARK: Packing

typedef float sixteen __attribute__((ext_vector_type(16), aligned(4)));

// Four columns of four rows each, lane by lane: the first half of a transposition in each group of
// four.
RONDO_INLINE void transpose_fours(sixteen rows[4]) {
    sixteen low01 = __builtin_shufflevector(rows[0], rows[1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9,
                                            25, 12, 28, 13, 29);
    sixteen high01 = __builtin_shufflevector(rows[0], rows[1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26,
                                             11, 27, 14, 30, 15, 31);
    sixteen low23 = __builtin_shufflevector(rows[2], rows[3], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9,
                                            25, 12, 28, 13, 29);
    sixteen high23 = __builtin_shufflevector(rows[2], rows[3], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26,
                                             11, 27, 14, 30, 15, 31);
    rows[0] = __builtin_shufflevector(low01, low23, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                                      13, 28, 29);
    rows[1] = __builtin_shufflevector(low01, low23, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14,
                                      15, 30, 31);
    rows[2] = __builtin_shufflevector(high01, high23, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12,
                                      13, 28, 29);
    rows[3] = __builtin_shufflevector(high01, high23, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27,
                                      14, 15, 30, 31);
}

// to[s][j] = from[j * stride + s], sixteen by sixteen.
RONDO_INLINE void transpose_block(float *to, const float *from, int64_t stride) {
    sixteen r[16];
    UNROLL for (int i = 0; i < 16; i++) r[i] = *(const sixteen *)(from + i * stride);
    UNROLL for (int i = 0; i < 16; i += 4) transpose_fours(r + i);
    // Now lane group g of r[4 i + q] is column 4 g + q of rows 4 i ... 4 i + 3.
    UNROLL for (int q = 0; q < 4; q++) {
        sixteen top01 = __builtin_shufflevector(r[q], r[4 + q], 0, 1, 2, 3, 16, 17, 18, 19, 4, 5,
                                                6, 7, 20, 21, 22, 23);
        sixteen top23 = __builtin_shufflevector(r[q], r[4 + q], 8, 9, 10, 11, 24, 25, 26, 27, 12,
                                                13, 14, 15, 28, 29, 30, 31);
        sixteen end01 = __builtin_shufflevector(r[8 + q], r[12 + q], 0, 1, 2, 3, 16, 17, 18, 19, 4,
                                                5, 6, 7, 20, 21, 22, 23);
        sixteen end23 = __builtin_shufflevector(r[8 + q], r[12 + q], 8, 9, 10, 11, 24, 25, 26, 27,
                                                12, 13, 14, 15, 28, 29, 30, 31);
        *(sixteen *)(to + 16 * q) = __builtin_shufflevector(
            top01, end01, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        *(sixteen *)(to + 16 * (4 + q)) = __builtin_shufflevector(
            top01, end01, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        *(sixteen *)(to + 16 * (8 + q)) = __builtin_shufflevector(
            top23, end23, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        *(sixteen *)(to + 16 * (12 + q)) = __builtin_shufflevector(
            top23, end23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
}

// Blocks of sixteen columns, each [depth][16]; the last one is filled up with zeros.
static void pack_panel(float *packed, const rondo_product *p, int64_t step, int64_t depth,
                       int64_t column, int64_t columns) {
    for (int64_t first = 0; first < columns; first += rondo_product_lanes) {
        const int64_t left = columns - first;
        const int64_t width = left < rondo_product_lanes ? left : rondo_product_lanes;
        const float *from = p->b + step * p->bStep + (column + first) * p->bColumn;
        int64_t s = 0;
        if (width == rondo_product_lanes && p->bColumn == 1) {
            for (; s < depth; s++)
                *(sixteen *)(packed + s * 16) = *(const sixteen *)(from + s * p->bStep);
        } else if (width == rondo_product_lanes) {
            for (; s + 16 <= depth; s += 16)
                transpose_block(packed + s * 16, from + s, p->bColumn);
        }
        for (; s < depth; s++)
            for (int64_t j = 0; j < rondo_product_lanes; j++)
                packed[s * 16 + j] = j < width ? from[s * p->bStep + j * p->bColumn] : 0;
        packed += depth * rondo_product_lanes;
    }
}

// MARK: The product

// Fewer than sixteen columns are left: they are taken from a whole tile beside the matrix.
static void edge_tile(tile_function function, tile_place place, int64_t rows, int64_t columns) {
    float edge[largest_rows * rondo_product_lanes] = {0};
    for (int64_t i = 0; place.start && i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            edge[i * rondo_product_lanes + j] = place.start[i * place.startRow + j];
    float *c = place.c;
    place.start = place.c = edge;
    place.startRow = rondo_product_lanes;
    const int64_t cRow = place.cRow;
    place.cRow = rondo_product_lanes;
    function(&place);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) c[i * cRow + j] = edge[i * rondo_product_lanes + j];
}

// The blocks of columns, and the steps, of a panel that some rows need.
typedef struct {
    int64_t blocks, from, to;
} panel_part;

RONDO_INLINE int64_t within(int64_t value, int64_t limit) {
    return value < 0 ? 0 : value > limit ? limit : value;
}

// Skipped steps would add zeros, so no edge changes a sum.
static panel_part part_of_panel(const rondo_product *p, int64_t row, int64_t rows, int64_t step,
                                int64_t depth, int64_t column, int64_t blocks) {
    panel_part part = {blocks, 0, depth};
    const int64_t seenByLast = p->visible + row + rows - 1;
    if (p->edge == rondo_edge_columns)
        part.blocks = within(
            (seenByLast - column + rondo_product_lanes - 1) / rondo_product_lanes, blocks);
    else if (p->edge == rondo_edge_steps)
        part.to = within(seenByLast - step, depth);
    else if (p->edge == rondo_edge_rows)
        part.from = within(row - p->visible + 1 - step, depth);
    return part;
}

// The rows are cut into equal parts that fit the registers.
static void block_of_columns(const rondo_product *p, int64_t step, int64_t depth, const float *b,
                             int64_t column, int64_t blocks) {
    const bool transposed = p->aStep != 1;
    const bool isFirst = step == 0;
    const int64_t width = p->columns - column;
    int64_t parts = (p->rows + largest_rows - 1) / largest_rows;
    for (int64_t row = 0, rows; row < p->rows; row += rows, parts--) {
        rows = (p->rows - row + parts - 1) / parts;
        const panel_part part = part_of_panel(p, row, rows, step, depth, column, blocks);
        if (part.blocks == 0 || (part.from == part.to && !isFirst)) continue;
        float *c = p->c + row * p->cRow + column;
        const float *start = p->start ? p->start + row * p->startRow + column : NULL;
        const tile_place place = {
            .a = p->a + row * p->aRow + (step + part.from) * p->aStep,
            .aStride = transposed ? p->aStep : p->aRow,
            .b = b + part.from * rondo_product_lanes,
            .bBlock = depth * rondo_product_lanes,
            .depth = part.to - part.from,
            .start = isFirst ? start : c,
            .startRow = isFirst ? p->startRow : p->cRow,
            .c = c,
            .cRow = p->cRow,
        };
        const tile_function function = tiles[transposed][part.blocks - 1][rows - 1];
        if (width >= part.blocks * rondo_product_lanes)
            function(&place);
        else
            edge_tile(function, place, rows, width);
    }
}

void PRODUCT(const rondo_product *p) {
    float panel[rondo_panel_depth * rondo_panel_columns] __attribute__((aligned(64)));
    const int64_t panels = (p->inner + rondo_panel_depth - 1) / rondo_panel_depth;
    const int64_t part = (p->inner + panels - 1) / panels;
    const int64_t largest = (part + 15) / 16 * 16; // whole blocks to transpose
    for (int64_t step = 0; step < p->inner; step += largest) {
        const int64_t depth = p->inner - step < largest ? p->inner - step : largest;
        for (int64_t column = 0; column < p->columns; column += rondo_panel_columns) {
            const int64_t left = p->columns - column;
            const int64_t columns = left < rondo_panel_columns ? left : rondo_panel_columns;
            pack_panel(panel, p, step, depth, column, columns);
            for (int64_t first = 0; first < columns;) {
                const int64_t whole = (columns - first) / rondo_product_lanes;
                const int64_t blocks = whole >= largest_blocks ? largest_blocks : 1;
                block_of_columns(p, step, depth, panel + first * depth, column + first, blocks);
                first += blocks * rondo_product_lanes;
            }
        }
    }
}

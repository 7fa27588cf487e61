// Included once per vector width: Winograd convolution of 3x3 kernels with stride 1 (Winograd 1980;
// Lavin and Gray 2016), F(2x2, 3x3), F(2x4, 3x3) and F(4x4, 3x3).
//
//   y  = A^T [ (G g G^T) . (B^T d B) ] A       one product [tiles, C] * [C, O] per plane
//   dg = G^T [ sum over tiles of (B^T d B) . (A dy A^T) ] G     the adjoint, d is transformed again
//
// Tiles run through the image row by row and are taken in blocks that stay in the L2 cache. The
// transforms go along rows of tiles: neighbouring tiles share two columns, which are transformed
// once. Every order is fixed by the shapes; the sums over tiles are chains of one block, added up
// block by block.
//
// For tiles of 4 the interpolation points decide how large the errors are (Barabasz et al. 2020).
// Instead of Lavin and Gray's 0, +-1, +-2 they are 0, +-p and +-q here: on normal numbers the
// largest errors of F(4x4) are a quarter of theirs, and its typical ones a half. Numbers and their
// products up to p^2 q^2 are exact.
#define POINT_P 0.75f
#define POINT_Q 1.5f
#define SQUARE_P (POINT_P * POINT_P)
#define SQUARE_Q (POINT_Q * POINT_Q)
// The products of a point's distances from the others: 0, +-p, +-q.
#define DISTANCES_0 (SQUARE_P * SQUARE_Q)
#define DISTANCES_P (2 * SQUARE_P * (SQUARE_P - SQUARE_Q))
#define DISTANCES_Q (2 * SQUARE_Q * (SQUARE_Q - SQUARE_P))

// B^T d
RONDO_INLINE void transform_input(const int tile, vector *out, const vector *d) {
    if (tile == 2) {
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[1] - d[3];
        return;
    }
    const vector evenP = fused(splat(-SQUARE_Q), d[2], d[4]);
    const vector oddP = fused(splat(-SQUARE_Q), d[1], d[3]);
    const vector evenQ = fused(splat(-SQUARE_P), d[2], d[4]);
    const vector oddQ = fused(splat(-SQUARE_P), d[1], d[3]);
    const vector sum = splat(-SQUARE_P - SQUARE_Q), product = splat(SQUARE_P * SQUARE_Q);
    out[0] = fused(product, d[0], fused(sum, d[2], d[4]));
    out[1] = fused(splat(POINT_P), oddP, evenP);
    out[2] = fused(splat(-POINT_P), oddP, evenP);
    out[3] = fused(splat(POINT_Q), oddQ, evenQ);
    out[4] = fused(splat(-POINT_Q), oddQ, evenQ);
    out[5] = fused(product, d[1], fused(sum, d[3], d[5]));
}

// A^T m
RONDO_INLINE void transform_output(const int tile, vector *out, const vector *m) {
    if (tile == 2) {
        out[0] = m[0] + m[1] + m[2];
        out[1] = m[1] - m[2] - m[3];
        return;
    }
    const vector s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    out[0] = m[0] + s + t;
    out[1] = fused(splat(POINT_Q), e, splat(POINT_P) * d);
    out[2] = fused(splat(SQUARE_Q), t, splat(SQUARE_P) * s);
    out[3] = fused(splat(SQUARE_Q * POINT_Q), e, fused(splat(SQUARE_P * POINT_P), d, m[5]));
}

// A dy
RONDO_INLINE void transform_gradient(const int tile, vector *out, const vector *y) {
    if (tile == 2) {
        out[0] = y[0];
        out[1] = y[0] + y[1];
        out[2] = y[0] - y[1];
        out[3] = -y[1];
        return;
    }
    const vector evenP = fused(splat(SQUARE_P), y[2], y[0]);
    const vector oddP = fused(splat(SQUARE_P * POINT_P), y[3], splat(POINT_P) * y[1]);
    const vector evenQ = fused(splat(SQUARE_Q), y[2], y[0]);
    const vector oddQ = fused(splat(SQUARE_Q * POINT_Q), y[3], splat(POINT_Q) * y[1]);
    out[0] = y[0];
    out[1] = evenP + oddP;
    out[2] = evenP - oddP;
    out[3] = evenQ + oddQ;
    out[4] = evenQ - oddQ;
    out[5] = y[3];
}

// G g
RONDO_INLINE void transform_weight(const int tile, vector *out, const vector *g) {
    if (tile == 2) {
        const vector a = splat(0.5f) * (g[0] + g[2]), b = splat(0.5f) * g[1];
        out[0] = g[0];
        out[1] = a + b;
        out[2] = a - b;
        out[3] = g[2];
        return;
    }
    const vector evenP = splat(1 / DISTANCES_P) * fused(splat(SQUARE_P), g[2], g[0]);
    const vector oddP = splat(POINT_P / DISTANCES_P) * g[1];
    const vector evenQ = splat(1 / DISTANCES_Q) * fused(splat(SQUARE_Q), g[2], g[0]);
    const vector oddQ = splat(POINT_Q / DISTANCES_Q) * g[1];
    out[0] = splat(1 / DISTANCES_0) * g[0];
    out[1] = evenP + oddP;
    out[2] = evenP - oddP;
    out[3] = evenQ + oddQ;
    out[4] = evenQ - oddQ;
    out[5] = g[2];
}

// G^T u
RONDO_INLINE void transform_weight_gradient(const int tile, vector *out, const vector *u) {
    if (tile == 2) {
        const vector half = splat(0.5f) * (u[1] + u[2]);
        out[0] = u[0] + half;
        out[1] = splat(0.5f) * (u[1] - u[2]);
        out[2] = half + u[3];
        return;
    }
    const vector s = u[1] + u[2], t = u[3] + u[4];
    out[0] = fused(splat(1 / DISTANCES_0), u[0],
                   fused(splat(1 / DISTANCES_Q), t, splat(1 / DISTANCES_P) * s));
    out[1] = fused(splat(POINT_P / DISTANCES_P), u[1] - u[2],
                   splat(POINT_Q / DISTANCES_Q) * (u[3] - u[4]));
    out[2] = fused(splat(SQUARE_P / DISTANCES_P), s,
                   fused(splat(SQUARE_Q / DISTANCES_Q), t, u[5]));
}

// Neighbouring tiles of one row of tiles, and where they lie in the block.
typedef struct {
    int64_t image, tileRow, tileColumn, count, position;
} tile_run;

RONDO_INLINE tile_run next_run(const rondo_winograd_plan *plan, int64_t first, int64_t count,
                               int64_t position) {
    const int64_t perImage = plan->tilesDown * plan->tilesAcross;
    const int64_t index = first + position, inImage = index % perImage;
    tile_run run = {index / perImage, inImage / plan->tilesAcross, inImage % plan->tilesAcross,
                    count - position, position};
    if (run.count > plan->tilesAcross - run.tileColumn)
        run.count = plan->tilesAcross - run.tileColumn;
    return run;
}

// The rows of an image that a run of tiles reads or writes. A row outside the image is a pointer to
// zeros with an offset that is masked away.
typedef struct {
    const float *row[6];
    int64_t mask[6];
    int64_t left, width, channels;
} image_rows;

RONDO_INLINE image_rows rows_of_run(const int count, const float *images, const float *zeros,
                                    const tile_run *run, int64_t top, int64_t left,
                                    int64_t height, int64_t width, int64_t channels) {
    image_rows rows = {.left = left, .width = width, .channels = channels};
    UNROLL for (int i = 0; i < count; i++) {
        const bool inside = top + i >= 0 && top + i < height;
        rows.row[i] =
            inside ? images + (run->image * height + top + i) * width * channels : zeros;
        rows.mask[i] = inside ? -1 : 0;
    }
    return rows;
}

RONDO_INLINE void load_column(const int count, const bool part, vector *d,
                              const image_rows *rows, int64_t column, int64_t channel) {
    if (column < 0 || column >= rows->width) {
        UNROLL for (int i = 0; i < count; i++) d[i] = splat(0);
        return;
    }
    const int64_t offset = column * rows->channels;
    UNROLL for (int i = 0; i < count; i++) {
        const float *p = rows->row[i] + (offset & rows->mask[i]) + channel;
        d[i] = part ? load_part(p, rows->channels - channel) : load(p);
    }
}

RONDO_INLINE void input_channels(const int down, const int across, const bool part,
                                 float *planes, int64_t plane, const image_rows *rows,
                                 const tile_run *run, int64_t channel) {
    const int high = down + 2, wide = across + 2;
    vector window[6][6], column[6], line[6], result[6]; // window[column][row], transformed downward
    UNROLL for (int j = 0; j < 2; j++) {
        load_column(high, part, column, rows, rows->left + j, channel);
        transform_input(down, window[j], column);
    }
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        UNROLL for (int j = 2; j < wide; j++) {
            load_column(high, part, column, rows, rows->left + n * across + j, channel);
            transform_input(down, window[j], column);
        }
        UNROLL for (int i = 0; i < high; i++) {
            UNROLL for (int j = 0; j < wide; j++) line[j] = window[j][i];
            transform_input(across, result, line);
            UNROLL for (int j = 0; j < wide; j++)
                store(planes + (i * wide + j) * plane, result[j]);
        }
        UNROLL for (int j = 0; j < 2; j++)
            UNROLL for (int i = 0; i < high; i++) window[j][i] = window[j + across][i];
    }
}

// planes[(down + 2) * (across + 2)][blocked count tiles x C] = B^T d B
RONDO_INLINE void transform_inputs(const int down, const int across, float *planes, const float *x,
                                   const float *zeros, const rondo_convolution *c,
                                   const rondo_winograd_plan *plan, int64_t first,
                                   int64_t count) {
    const rondo_window *w = &c->window;
    for (int64_t position = 0; position < count;) {
        const tile_run run = next_run(plan, first, count, position);
        const image_rows rows = rows_of_run(
            down + 2, x, zeros, &run, run.tileRow * down - w->paddingTop,
            run.tileColumn * across - w->paddingLeft, w->height, w->width, w->channels);
        for (int64_t channel = 0; channel < w->channels; channel += FUSED_WIDTH) {
            float *out = planes + channel / rondo_lanes * plan->blockTiles * rondo_lanes +
                         run.position * rondo_lanes + channel % rondo_lanes;
            if (channel + FUSED_WIDTH <= w->channels)
                input_channels(down, across, false, out, plan->inputPlane, &rows, &run, channel);
            else
                input_channels(down, across, true, out, plan->inputPlane, &rows, &run, channel);
        }
        position += run.count;
    }
}

RONDO_INLINE void gradient_channels(const int down, const int across, const bool part,
                                    float *planes, int64_t plane, const image_rows *rows,
                                    const tile_run *run, int64_t channel) {
    const int high = down + 2, wide = across + 2;
    vector half[4][6], column[4], line[4], result[6];
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        UNROLL for (int j = 0; j < across; j++) {
            load_column(down, part, column, rows, rows->left + n * across + j, channel);
            transform_gradient(down, half[j], column);
        }
        UNROLL for (int i = 0; i < high; i++) {
            UNROLL for (int j = 0; j < across; j++) line[j] = half[j][i];
            transform_gradient(across, result, line);
            UNROLL for (int j = 0; j < wide; j++)
                store(planes + (i * wide + j) * plane, result[j]);
        }
    }
}

// planes[(down + 2) * (across + 2)][blocked count tiles x O] = A dy A^T
RONDO_INLINE void transform_gradients(const int down, const int across, float *planes,
                                      const float *dy, const float *zeros,
                                      const rondo_convolution *c,
                                      const rondo_winograd_plan *plan, int64_t first,
                                      int64_t count) {
    const rondo_window *w = &c->window;
    for (int64_t position = 0; position < count;) {
        const tile_run run = next_run(plan, first, count, position);
        const image_rows rows =
            rows_of_run(down, dy, zeros, &run, run.tileRow * down, run.tileColumn * across,
                        w->outputHeight, w->outputWidth, c->outputs);
        for (int64_t channel = 0; channel < c->outputs; channel += FUSED_WIDTH) {
            float *out = planes + channel / rondo_lanes * plan->blockTiles * rondo_lanes +
                         run.position * rondo_lanes + channel % rondo_lanes;
            if (channel + FUSED_WIDTH <= c->outputs)
                gradient_channels(down, across, false, out, plan->outputPlane, &rows, &run,
                                  channel);
            else
                gradient_channels(down, across, true, out, plan->outputPlane, &rows, &run,
                                  channel);
        }
        position += run.count;
    }
}

RONDO_INLINE void output_channels(const int down, const int across, const bool part, float *y,
                                  vector shift, const float *planes, int64_t plane,
                                  const rondo_convolution *c, const tile_run *run,
                                  int64_t channel) {
    const int high = down + 2, wide = across + 2;
    const rondo_window *w = &c->window;
    const int64_t top = run->tileRow * down, left = run->tileColumn * across;
    float *corner = y + ((run->image * w->outputHeight + top) * w->outputWidth + left) * c->outputs +
                    channel;
    const int64_t height = w->outputHeight - top;
    vector half[6][4], column[6], line[6], result[4];
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        const int64_t width = w->outputWidth - left - n * across;
        UNROLL for (int j = 0; j < wide; j++) {
            UNROLL for (int i = 0; i < high; i++)
                column[i] = load(planes + (i * wide + j) * plane);
            transform_output(down, half[j], column);
        }
        UNROLL for (int i = 0; i < down; i++) {
            UNROLL for (int j = 0; j < wide; j++) line[j] = half[j][i];
            transform_output(across, result, line);
            if (i >= height) continue;
            UNROLL for (int j = 0; j < across; j++) {
                if (j >= width) continue;
                float *out = corner + (i * w->outputWidth + n * across + j) * c->outputs;
                if (part)
                    store_part(out, result[j] + shift, c->outputs - channel);
                else
                    store(out, result[j] + shift);
            }
        }
    }
}

// y = A^T planes A + bias
RONDO_INLINE void transform_outputs(const int down, const int across, float *y, const float *bias,
                                    const float *planes, const rondo_convolution *c,
                                    const rondo_winograd_plan *plan, int64_t first,
                                    int64_t count) {
    for (int64_t position = 0; position < count;) {
        const tile_run run = next_run(plan, first, count, position);
        for (int64_t channel = 0; channel < c->outputs; channel += FUSED_WIDTH) {
            const float *in = planes + channel / rondo_lanes * plan->blockTiles * rondo_lanes +
                              run.position * rondo_lanes + channel % rondo_lanes;
            const int64_t rest = c->outputs - channel;
            const vector shift = bias ? load_part(bias + channel, rest) : splat(0);
            if (rest >= FUSED_WIDTH)
                output_channels(down, across, false, y, shift, in, plan->outputPlane, c, &run,
                                channel);
            else
                output_channels(down, across, true, y, shift, in, plan->outputPlane, c, &run,
                                channel);
        }
        position += run.count;
    }
}

// planes[(down + 2) * (across + 2)][blocked C x O] = G g G^T of the packed weight, blocked [9 C, O]
RONDO_INLINE void transform_weights(const int down, const int across, float *planes,
                                    const float *packed, const rondo_convolution *c,
                                    const rondo_winograd_plan *plan) {
    const int high = down + 2, wide = across + 2;
    const int64_t inputs = c->window.channels, line = inputs * rondo_lanes;
    for (int64_t block = 0; block < rondo_blocks(c->outputs); block++) {
        for (int64_t i = 0; i < line; i += FUSED_WIDTH) {
            const float *in = packed + block * 9 * line + i;
            float *out = planes + block * line + i;
            vector g[3], half[3][6], row[3], result[6];
            UNROLL for (int q = 0; q < 3; q++) {
                UNROLL for (int p = 0; p < 3; p++) g[p] = load(in + (p * 3 + q) * line);
                transform_weight(down, half[q], g);
            }
            UNROLL for (int p = 0; p < high; p++) {
                UNROLL for (int q = 0; q < 3; q++) row[q] = half[q][p];
                transform_weight(across, result, row);
                UNROLL for (int q = 0; q < wide; q++)
                    store(out + (p * wide + q) * plan->weightPlane, result[q]);
            }
        }
    }
}

RONDO_INLINE void transform_weight_gradients(const int down, const int across, float *packed,
                                             const float *planes, const rondo_convolution *c,
                                             const rondo_winograd_plan *plan) {
    const int high = down + 2, wide = across + 2;
    const int64_t inputs = c->window.channels, line = inputs * rondo_lanes;
    for (int64_t block = 0; block < rondo_blocks(c->outputs); block++) {
        for (int64_t i = 0; i < line; i += FUSED_WIDTH) {
            const float *in = planes + block * line + i;
            float *out = packed + block * 9 * line + i;
            vector u[6], half[6][3], row[6], result[3];
            UNROLL for (int q = 0; q < wide; q++) {
                UNROLL for (int p = 0; p < high; p++)
                    u[p] = load(in + (p * wide + q) * plan->weightPlane);
                transform_weight_gradient(down, half[q], u);
            }
            UNROLL for (int p = 0; p < 3; p++) {
                UNROLL for (int q = 0; q < wide; q++) row[q] = half[q][p];
                transform_weight_gradient(across, result, row);
                UNROLL for (int q = 0; q < 3; q++) store(out + (p * 3 + q) * line, result[q]);
            }
        }
    }
}

RONDO_INLINE void winograd_forward(const int down, const int across, float *y, const float *x,
                                   const float *weight, bool reversed, const float *bias,
                                   const rondo_convolution *c, float *scratch) {
    const rondo_winograd_plan plan = rondo_plan_winograd(c, down, across);
    const int64_t inputs = c->window.channels, planeCount = plan.planes;
    const int64_t block = plan.blockTiles * rondo_lanes;
    float *zeros = scratch;
    float *weights = zeros + rondo_blocks(inputs) * rondo_lanes;
    float *inputPlanes = weights + planeCount * plan.weightPlane;
    float *outputPlanes = inputPlanes + planeCount * plan.inputPlane;
    memset(zeros, 0, (size_t)inputs * sizeof(float));
    rondo_pack_weight(inputPlanes, weight, c, reversed);
    transform_weights(down, across, weights, inputPlanes, c, &plan);
    for (int64_t first = 0; first < plan.tiles; first += plan.blockTiles) {
        int64_t count = plan.tiles - first;
        if (count > plan.blockTiles) count = plan.blockTiles;
        transform_inputs(down, across, inputPlanes, x, zeros, c, &plan, first, count);
        for (int64_t p = 0; p < planeCount; p++)
            product_to_blocks(outputPlanes + p * plan.outputPlane, block,
                              inputPlanes + p * plan.inputPlane, block, count, inputs,
                              weights + p * plan.weightPlane, c->outputs);
        transform_outputs(down, across, y, bias, outputPlanes, c, &plan, first, count);
    }
}

RONDO_INLINE void winograd_weight_gradient(const int down, const int across, float *gradient,
                                           bool accumulate, const float *x, const float *dy,
                                           const rondo_convolution *c, float *scratch) {
    const rondo_winograd_plan plan = rondo_plan_winograd(c, down, across);
    const int64_t inputs = c->window.channels, planeCount = plan.planes;
    const int64_t block = plan.blockTiles * rondo_lanes;
    const int64_t widest = inputs > c->outputs ? inputs : c->outputs;
    float *zeros = scratch;
    float *weights = zeros + rondo_blocks(widest) * rondo_lanes;
    float *inputPlanes = weights + planeCount * plan.weightPlane;
    float *outputPlanes = inputPlanes + planeCount * plan.inputPlane;
    memset(zeros, 0, (size_t)widest * sizeof(float));
    memset(weights, 0, (size_t)(planeCount * plan.weightPlane) * sizeof(float));
    for (int64_t first = 0; first < plan.tiles; first += plan.blockTiles) {
        int64_t count = plan.tiles - first;
        if (count > plan.blockTiles) count = plan.blockTiles;
        transform_inputs(down, across, inputPlanes, x, zeros, c, &plan, first, count);
        transform_gradients(down, across, outputPlanes, dy, zeros, c, &plan, first, count);
        for (int64_t p = 0; p < planeCount; p++)
            product_of_columns(weights + p * plan.weightPlane, inputPlanes + p * plan.inputPlane,
                               block, inputs, count, outputPlanes + p * plan.outputPlane,
                               rondo_lanes, block, rondo_blocks(c->outputs));
    }
    transform_weight_gradients(down, across, inputPlanes, weights, c, &plan);
    rondo_unpack_weight(gradient, inputPlanes, c, accumulate);
}

void FUSED(rondo_winograd_forward)(float *y, const float *x, const float *weight, bool reversed,
                                   const float *bias, const rondo_convolution *c,
                                   rondo_tile tile, float *scratch) {
    if (tile.down == 4)
        winograd_forward(4, 4, y, x, weight, reversed, bias, c, scratch);
    else if (tile.across == 4)
        winograd_forward(2, 4, y, x, weight, reversed, bias, c, scratch);
    else
        winograd_forward(2, 2, y, x, weight, reversed, bias, c, scratch);
}

void FUSED(rondo_winograd_weight_gradient)(float *gradient, bool accumulate, const float *x,
                                           const float *dy, const rondo_convolution *c,
                                           rondo_tile tile, float *scratch) {
    if (tile.down == 4)
        winograd_weight_gradient(4, 4, gradient, accumulate, x, dy, c, scratch);
    else if (tile.across == 4)
        winograd_weight_gradient(2, 4, gradient, accumulate, x, dy, c, scratch);
    else
        winograd_weight_gradient(2, 2, gradient, accumulate, x, dy, c, scratch);
}

// Included once per vector width: Winograd convolution of 3x3 kernels with stride 1 (Winograd 1980; Lavin and
// Gray 2016), F(2x2, 3x3) and F(4x4, 3x3).
//
//   y  = A^T [ (G g G^T) . (B^T d B) ] A       edge * edge products of [tiles, C] * [C, O]
//   dg = G^T [ sum over tiles of (B^T d B) . (A dy A^T) ] G       the adjoint, with d transformed again
//
// Tiles run through the image row by row and are taken in blocks that stay in the L2 cache. The transforms go
// along rows of tiles: neighbouring tiles share two columns, which are transformed once. Every
// order is fixed by the shapes; the sums over tiles are chains of one block, added up block by block.

// B^T d
RONDO_INLINE void transform_input(const int tile, vector *out, const vector *d) {
    if (tile == 2) {
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[1] - d[3];
        return;
    }
    const vector p = fused(splat(-4), d[2], d[4]), q = fused(splat(-4), d[1], d[3]);
    const vector r = d[4] - d[2], s = d[3] - d[1], t = s + s;
    out[0] = fused(splat(4), d[0], fused(splat(-5), d[2], d[4]));
    out[1] = p + q;
    out[2] = p - q;
    out[3] = r + t;
    out[4] = r - t;
    out[5] = fused(splat(4), d[1], fused(splat(-5), d[3], d[5]));
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
    out[1] = fused(splat(2), e, d);
    out[2] = fused(splat(4), t, s);
    out[3] = fused(splat(8), e, d) + m[5];
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
    const vector a = y[0] + y[2], b = y[1] + y[3];
    const vector c = fused(splat(4), y[2], y[0]);
    const vector d = fused(splat(8), y[3], y[1] + y[1]);
    out[0] = y[0];
    out[1] = a + b;
    out[2] = a - b;
    out[3] = c + d;
    out[4] = c - d;
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
    const vector a = splat(-1.0f / 6) * (g[0] + g[2]), b = splat(1.0f / 6) * g[1];
    const vector c = fused(splat(1.0f / 24), g[0], splat(1.0f / 6) * g[2]);
    const vector d = splat(1.0f / 12) * g[1];
    out[0] = splat(0.25f) * g[0];
    out[1] = a - b;
    out[2] = a + b;
    out[3] = c + d;
    out[4] = c - d;
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
    out[0] = fused(splat(0.25f), u[0],
                   fused(splat(1.0f / 24), t, splat(-1.0f / 6) * s));
    out[1] = fused(splat(1.0f / 6), u[2] - u[1], splat(1.0f / 12) * (u[3] - u[4]));
    out[2] = fused(splat(1.0f / 6), t - s, u[5]);
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

RONDO_INLINE void input_channels(const int tile, const bool part, float *planes, int64_t plane,
                                 const image_rows *rows, const tile_run *run, int64_t channel) {
    const int edge = tile + 2;
    vector window[6][6], column[6], line[6]; // window[column][row], transformed downward
    UNROLL for (int j = 0; j < 2; j++) {
        load_column(edge, part, column, rows, rows->left + j, channel);
        transform_input(tile, window[j], column);
    }
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        UNROLL for (int j = 2; j < edge; j++) {
            load_column(edge, part, column, rows, rows->left + n * tile + j, channel);
            transform_input(tile, window[j], column);
        }
        UNROLL for (int i = 0; i < edge; i++) {
            UNROLL for (int j = 0; j < edge; j++) line[j] = window[j][i];
            transform_input(tile, column, line);
            UNROLL for (int j = 0; j < edge; j++)
                store(planes + (i * edge + j) * plane, column[j]);
        }
        UNROLL for (int j = 0; j < 2; j++)
            UNROLL for (int i = 0; i < edge; i++) window[j][i] = window[j + tile][i];
    }
}

// planes[edge * edge][blocked count tiles x C] = B^T d B
RONDO_INLINE void transform_inputs(const int tile, float *planes, const float *x,
                                   const float *zeros, const rondo_convolution *c,
                                   const rondo_winograd_plan *plan, int64_t first,
                                   int64_t count) {
    const rondo_window *w = &c->window;
    for (int64_t position = 0; position < count;) {
        const tile_run run = next_run(plan, first, count, position);
        const image_rows rows = rows_of_run(
            tile + 2, x, zeros, &run, run.tileRow * tile - w->paddingTop,
            run.tileColumn * tile - w->paddingLeft, w->height, w->width, w->channels);
        for (int64_t channel = 0; channel < w->channels; channel += FUSED_WIDTH) {
            float *out = planes + channel / rondo_lanes * plan->blockTiles * rondo_lanes +
                         run.position * rondo_lanes + channel % rondo_lanes;
            if (channel + FUSED_WIDTH <= w->channels)
                input_channels(tile, false, out, plan->inputPlane, &rows, &run, channel);
            else
                input_channels(tile, true, out, plan->inputPlane, &rows, &run, channel);
        }
        position += run.count;
    }
}

RONDO_INLINE void gradient_channels(const int tile, const bool part, float *planes,
                                    int64_t plane, const image_rows *rows, const tile_run *run,
                                    int64_t channel) {
    const int edge = tile + 2;
    vector half[4][6], column[4], line[4], result[6];
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        UNROLL for (int j = 0; j < tile; j++) {
            load_column(tile, part, column, rows, rows->left + n * tile + j, channel);
            transform_gradient(tile, half[j], column);
        }
        UNROLL for (int i = 0; i < edge; i++) {
            UNROLL for (int j = 0; j < tile; j++) line[j] = half[j][i];
            transform_gradient(tile, result, line);
            UNROLL for (int j = 0; j < edge; j++)
                store(planes + (i * edge + j) * plane, result[j]);
        }
    }
}

// planes[edge * edge][blocked count tiles x O] = A dy A^T
RONDO_INLINE void transform_gradients(const int tile, float *planes, const float *dy,
                                      const float *zeros, const rondo_convolution *c,
                                      const rondo_winograd_plan *plan, int64_t first,
                                      int64_t count) {
    const rondo_window *w = &c->window;
    for (int64_t position = 0; position < count;) {
        const tile_run run = next_run(plan, first, count, position);
        const image_rows rows =
            rows_of_run(tile, dy, zeros, &run, run.tileRow * tile, run.tileColumn * tile,
                        w->outputHeight, w->outputWidth, c->outputs);
        for (int64_t channel = 0; channel < c->outputs; channel += FUSED_WIDTH) {
            float *out = planes + channel / rondo_lanes * plan->blockTiles * rondo_lanes +
                         run.position * rondo_lanes + channel % rondo_lanes;
            if (channel + FUSED_WIDTH <= c->outputs)
                gradient_channels(tile, false, out, plan->outputPlane, &rows, &run, channel);
            else
                gradient_channels(tile, true, out, plan->outputPlane, &rows, &run, channel);
        }
        position += run.count;
    }
}

RONDO_INLINE void output_channels(const int tile, const bool part, float *y, vector shift,
                                  const float *planes, int64_t plane, const rondo_convolution *c,
                                  const tile_run *run, int64_t channel) {
    const int edge = tile + 2;
    const rondo_window *w = &c->window;
    const int64_t top = run->tileRow * tile, left = run->tileColumn * tile;
    float *corner = y + ((run->image * w->outputHeight + top) * w->outputWidth + left) * c->outputs +
                    channel;
    const int64_t height = w->outputHeight - top;
    vector half[6][4], column[6], line[6], result[4];
    for (int64_t n = 0; n < run->count; n++, planes += rondo_lanes) {
        const int64_t width = w->outputWidth - left - n * tile;
        UNROLL for (int j = 0; j < edge; j++) {
            UNROLL for (int i = 0; i < edge; i++)
                column[i] = load(planes + (i * edge + j) * plane);
            transform_output(tile, half[j], column);
        }
        UNROLL for (int i = 0; i < tile; i++) {
            UNROLL for (int j = 0; j < edge; j++) line[j] = half[j][i];
            transform_output(tile, result, line);
            if (i >= height) continue;
            UNROLL for (int j = 0; j < tile; j++) {
                if (j >= width) continue;
                float *out = corner + (i * w->outputWidth + n * tile + j) * c->outputs;
                if (part)
                    store_part(out, result[j] + shift, c->outputs - channel);
                else
                    store(out, result[j] + shift);
            }
        }
    }
}

// y = A^T planes A + bias
RONDO_INLINE void transform_outputs(const int tile, float *y, const float *bias,
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
                output_channels(tile, false, y, shift, in, plan->outputPlane, c, &run, channel);
            else
                output_channels(tile, true, y, shift, in, plan->outputPlane, c, &run, channel);
        }
        position += run.count;
    }
}

// planes[edge * edge][blocked C x O] = G g G^T of the packed weight, blocked [9 C, O]
RONDO_INLINE void transform_weights(const int tile, float *planes, const float *packed,
                                    const rondo_convolution *c,
                                    const rondo_winograd_plan *plan) {
    const int edge = tile + 2;
    const int64_t inputs = c->window.channels, line = inputs * rondo_lanes;
    for (int64_t block = 0; block < rondo_blocks(c->outputs); block++) {
        for (int64_t i = 0; i < line; i += FUSED_WIDTH) {
            const float *in = packed + block * 9 * line + i;
            float *out = planes + block * line + i;
            vector g[3], half[3][6], row[3], result[6];
            UNROLL for (int q = 0; q < 3; q++) {
                UNROLL for (int p = 0; p < 3; p++) g[p] = load(in + (p * 3 + q) * line);
                transform_weight(tile, half[q], g);
            }
            UNROLL for (int p = 0; p < edge; p++) {
                UNROLL for (int q = 0; q < 3; q++) row[q] = half[q][p];
                transform_weight(tile, result, row);
                UNROLL for (int q = 0; q < edge; q++)
                    store(out + (p * edge + q) * plan->weightPlane, result[q]);
            }
        }
    }
}

RONDO_INLINE void transform_weight_gradients(const int tile, float *packed, const float *planes,
                                             const rondo_convolution *c,
                                             const rondo_winograd_plan *plan) {
    const int edge = tile + 2;
    const int64_t inputs = c->window.channels, line = inputs * rondo_lanes;
    for (int64_t block = 0; block < rondo_blocks(c->outputs); block++) {
        for (int64_t i = 0; i < line; i += FUSED_WIDTH) {
            const float *in = planes + block * line + i;
            float *out = packed + block * 9 * line + i;
            vector u[6], half[6][3], row[6], result[3];
            UNROLL for (int q = 0; q < edge; q++) {
                UNROLL for (int p = 0; p < edge; p++)
                    u[p] = load(in + (p * edge + q) * plan->weightPlane);
                transform_weight_gradient(tile, half[q], u);
            }
            UNROLL for (int p = 0; p < 3; p++) {
                UNROLL for (int q = 0; q < edge; q++) row[q] = half[q][p];
                transform_weight_gradient(tile, result, row);
                UNROLL for (int q = 0; q < 3; q++) store(out + (p * 3 + q) * line, result[q]);
            }
        }
    }
}

RONDO_INLINE void winograd_forward(const int tile, float *y, const float *x,
                                   const float *weight, bool reversed, const float *bias,
                                   const rondo_convolution *c, float *scratch) {
    const rondo_winograd_plan plan = rondo_plan_winograd(c, tile);
    const int64_t inputs = c->window.channels, planeCount = plan.edge * plan.edge;
    const int64_t block = plan.blockTiles * rondo_lanes;
    float *zeros = scratch;
    float *weights = zeros + rondo_blocks(inputs) * rondo_lanes;
    float *inputPlanes = weights + planeCount * plan.weightPlane;
    float *outputPlanes = inputPlanes + planeCount * plan.inputPlane;
    memset(zeros, 0, (size_t)inputs * sizeof(float));
    rondo_pack_weight(inputPlanes, weight, c, reversed);
    transform_weights(tile, weights, inputPlanes, c, &plan);
    for (int64_t first = 0; first < plan.tiles; first += plan.blockTiles) {
        int64_t count = plan.tiles - first;
        if (count > plan.blockTiles) count = plan.blockTiles;
        transform_inputs(tile, inputPlanes, x, zeros, c, &plan, first, count);
        for (int64_t p = 0; p < planeCount; p++)
            product_to_blocks(outputPlanes + p * plan.outputPlane, block,
                              inputPlanes + p * plan.inputPlane, block, count, inputs,
                              weights + p * plan.weightPlane, c->outputs);
        transform_outputs(tile, y, bias, outputPlanes, c, &plan, first, count);
    }
}

RONDO_INLINE void winograd_weight_gradient(const int tile, float *gradient, bool accumulate,
                                           const float *x, const float *dy,
                                           const rondo_convolution *c, float *scratch) {
    const rondo_winograd_plan plan = rondo_plan_winograd(c, tile);
    const int64_t inputs = c->window.channels, planeCount = plan.edge * plan.edge;
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
        transform_inputs(tile, inputPlanes, x, zeros, c, &plan, first, count);
        transform_gradients(tile, outputPlanes, dy, zeros, c, &plan, first, count);
        for (int64_t p = 0; p < planeCount; p++)
            product_of_columns(weights + p * plan.weightPlane, inputPlanes + p * plan.inputPlane,
                               block, inputs, count, outputPlanes + p * plan.outputPlane,
                               rondo_lanes, block, rondo_blocks(c->outputs));
    }
    transform_weight_gradients(tile, inputPlanes, weights, c, &plan);
    rondo_unpack_weight(gradient, inputPlanes, c, accumulate);
}

void FUSED(rondo_winograd_forward)(float *y, const float *x, const float *weight, bool reversed,
                                   const float *bias, const rondo_convolution *c, int64_t tile,
                                   float *scratch) {
    if (tile == 4)
        winograd_forward(4, y, x, weight, reversed, bias, c, scratch);
    else
        winograd_forward(2, y, x, weight, reversed, bias, c, scratch);
}

void FUSED(rondo_winograd_weight_gradient)(float *gradient, bool accumulate, const float *x,
                                           const float *dy, const rondo_convolution *c,
                                           int64_t tile, float *scratch) {
    if (tile == 4)
        winograd_weight_gradient(4, gradient, accumulate, x, dy, c, scratch);
    else
        winograd_weight_gradient(2, gradient, accumulate, x, dy, c, scratch);
}

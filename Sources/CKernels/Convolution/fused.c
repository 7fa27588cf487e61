// Convolutions by Rondo's own products: how they are cut up, how weights are packed, and the choice
// of the width.
#include "fused.h"
#include "clones.h"
#include <string.h>

int64_t rondo_fused_width(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd"))
        return 16;
    return fused ? 8 : 0;
#else
    return 0;
#endif
}

static int64_t largest(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t smallest(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t taps_of(const rondo_convolution *c) {
    return c->window.kernelHeight * c->window.kernelWidth;
}

static int64_t packed_count(const rondo_convolution *c) {
    return rondo_blocks(c->outputs) * rondo_lanes * taps_of(c) * c->window.channels;
}

// MARK: Plans

rondo_winograd_plan rondo_plan_winograd(const rondo_convolution *c, int64_t down, int64_t across) {
    const int64_t inputs = rondo_blocks(c->window.channels) * rondo_lanes;
    const int64_t outputs = rondo_blocks(c->outputs) * rondo_lanes;
    rondo_winograd_plan plan = {.planes = (down + 2) * (across + 2)};
    plan.tilesDown = (c->window.outputHeight + down - 1) / down;
    plan.tilesAcross = (c->window.outputWidth + across - 1) / across;
    plan.tiles = c->images * plan.tilesDown * plan.tilesAcross;
    // Both sides of the products in about 256 KiB, at least as many tiles as make the products
    // efficient.
    const int64_t fitting = 64 * 1024 / (plan.planes * (inputs + outputs));
    const int64_t wanted = smallest(largest(fitting, 24), 96) / rondo_row_step * rondo_row_step;
    plan.blockTiles = smallest(wanted, rondo_padded_rows(plan.tiles));
    // Planes a power of two apart would fall on the same lines of the L1 cache.
    plan.inputPlane = plan.blockTiles * inputs + rondo_lanes;
    plan.outputPlane = plan.blockTiles * outputs + rondo_lanes;
    plan.weightPlane = c->window.channels * outputs + rondo_lanes;
    return plan;
}

int64_t rondo_winograd_scratch(const rondo_convolution *c, rondo_tile tile) {
    const rondo_winograd_plan plan = rondo_plan_winograd(c, tile.down, tile.across);
    const int64_t zeros = rondo_blocks(largest(c->window.channels, c->outputs)) * rondo_lanes;
    return zeros + plan.planes * plan.weightPlane +
           largest(plan.planes * (plan.inputPlane + plan.outputPlane), packed_count(c));
}

rondo_columns_plan rondo_plan_columns(const rondo_convolution *c) {
    const rondo_window *w = &c->window;
    rondo_columns_plan plan = {.length = taps_of(c) * w->channels};
    const int64_t positions = w->outputHeight * w->outputWidth;
    const int64_t fitting = 24 * 1024 / plan.length / rondo_row_step * rondo_row_step;
    plan.blockRows =
        smallest(smallest(largest(fitting, 48), 384), rondo_padded_rows(positions));
    plan.blockStride = plan.blockRows * rondo_lanes + rondo_lanes;
    plan.paddedHeight = (w->outputHeight - 1) * w->strideHeight + w->kernelHeight;
    plan.paddedWidth = (w->outputWidth - 1) * w->strideWidth + w->kernelWidth;
    if (plan.paddedHeight < w->height + w->paddingTop)
        plan.paddedHeight = w->height + w->paddingTop;
    if (plan.paddedWidth < w->width + w->paddingLeft) plan.paddedWidth = w->width + w->paddingLeft;
    const bool inPlace = w->channels % rondo_lanes == 0 && plan.paddedHeight == w->height &&
                         plan.paddedWidth == w->width;
    // A vector that starts at the last input reads 15 floats beyond it.
    plan.paddedCount =
        inPlace ? 0
                : (plan.paddedHeight * plan.paddedWidth * w->channels / rondo_lanes + 2) * rondo_lanes;
    // A cut at every 16th column and at every start of a run of neighbours.
    plan.pieceLimit = rondo_blocks(plan.length) + taps_of(c);
    plan.pieceLimit = (plan.pieceLimit + 7) / 8 * 8;
    return plan;
}

int64_t rondo_columns_scratch(const rondo_convolution *c) {
    const rondo_columns_plan plan = rondo_plan_columns(c);
    return plan.pieceLimit * (int64_t)(sizeof(rondo_piece) / sizeof(float)) + plan.paddedCount +
           rondo_blocks(plan.length) * plan.blockStride + packed_count(c) +
           plan.blockRows * rondo_lanes;
}

int64_t rondo_columns_input_gradient_scratch(const rondo_convolution *c) {
    const rondo_columns_plan plan = rondo_plan_columns(c);
    return rondo_columns_scratch(c) +
           rondo_blocks(plan.length) * rondo_lanes * c->outputs +
           plan.blockRows * rondo_lanes * rondo_blocks(c->outputs);
}

int64_t rondo_cut_pieces(rondo_piece *pieces, const rondo_convolution *c,
                         const rondo_columns_plan *plan) {
    const rondo_window *w = &c->window;
    const int64_t run = w->kernelWidth * w->channels;
    int64_t count = 0;
    for (int64_t kh = 0; kh < w->kernelHeight; kh++) {
        for (int64_t i = 0; i < run; count++) {
            const int64_t k = kh * run + i, lane = k % rondo_lanes;
            const int64_t length = smallest(rondo_lanes - lane, run - i);
            pieces[count] = (rondo_piece){
                .source = kh * plan->paddedWidth * w->channels + i,
                .destination = k / rondo_lanes * plan->blockStride + lane,
                .count = length,
            };
            i += length;
        }
    }
    return count;
}

// MARK: Layouts

// Where the weights of a convolution lie in PyTorch's order [a, b, taps]: a are its outputs, or
// reversed its inputs.
typedef struct {
    int64_t taps, inputs, outputs;
    int64_t inputStep, outputStep;
} weight_layout;

static weight_layout layout_of(const rondo_convolution *c, bool reversed) {
    weight_layout w = {taps_of(c), c->window.channels, c->outputs, 0, 0};
    w.inputStep = reversed ? w.outputs * w.taps : w.taps;
    w.outputStep = reversed ? w.taps : w.inputs * w.taps;
    return w;
}

RONDO_INLINE void pack_row(float *row, const float *from, int64_t step, const int64_t count) {
    for (int64_t lane = 0; lane < count; lane++) row[lane] = from[lane * step];
    for (int64_t lane = count; lane < rondo_lanes; lane++) row[lane] = 0;
}

RONDO_INLINE void unpack_row(float *to, const float *row, int64_t step, const int64_t count,
                             bool accumulate) {
    for (int64_t lane = 0; lane < count; lane++)
        to[lane * step] = accumulate ? to[lane * step] + row[lane] : row[lane];
}

void rondo_pack_weight(float *packed, const float *weight, const rondo_convolution *c,
                       bool reversed) {
    const weight_layout w = layout_of(c, reversed);
    for (int64_t o = 0; o < w.outputs; o += rondo_lanes, packed += w.taps * w.inputs * rondo_lanes)
        for (int64_t i = 0; i < w.inputs; i++)
            for (int64_t tap = 0; tap < w.taps; tap++) {
                const int64_t place = reversed ? w.taps - 1 - tap : tap;
                float *row = packed + (place * w.inputs + i) * rondo_lanes;
                const float *from = weight + o * w.outputStep + i * w.inputStep + tap;
                if (o + rondo_lanes <= w.outputs)
                    pack_row(row, from, w.outputStep, rondo_lanes);
                else
                    pack_row(row, from, w.outputStep, w.outputs - o);
            }
}

void rondo_unpack_weight(float *weight, const float *packed, const rondo_convolution *c,
                         bool accumulate) {
    const weight_layout w = layout_of(c, false);
    for (int64_t o = 0; o < w.outputs; o += rondo_lanes, packed += w.taps * w.inputs * rondo_lanes)
        for (int64_t i = 0; i < w.inputs; i++)
            for (int64_t tap = 0; tap < w.taps; tap++) {
                const float *row = packed + (tap * w.inputs + i) * rondo_lanes;
                float *to = weight + o * w.outputStep + i * w.inputStep + tap;
                if (o + rondo_lanes <= w.outputs)
                    unpack_row(to, row, w.outputStep, rondo_lanes, accumulate);
                else
                    unpack_row(to, row, w.outputStep, w.outputs - o, accumulate);
            }
}

void rondo_fill_padded(float *padded, const float *image, const rondo_convolution *c,
                       const rondo_columns_plan *plan) {
    const rondo_window *w = &c->window;
    const int64_t line = w->width * w->channels;
    padded += (w->paddingTop * plan->paddedWidth + w->paddingLeft) * w->channels;
    for (int64_t h = 0; h < w->height; h++)
        memcpy(padded + h * plan->paddedWidth * w->channels, image + h * line,
               (size_t)line * sizeof(float));
}

void rondo_read_padded(float *image, const float *padded, const rondo_convolution *c,
                       const rondo_columns_plan *plan) {
    const rondo_window *w = &c->window;
    const int64_t line = w->width * w->channels;
    padded += (w->paddingTop * plan->paddedWidth + w->paddingLeft) * w->channels;
    for (int64_t h = 0; h < w->height; h++)
        memcpy(image + h * line, padded + h * plan->paddedWidth * w->channels,
               (size_t)line * sizeof(float));
}

// MARK: The choice of the width

#if defined(__x86_64__)
#define RONDO_DISPATCH(NAME, ...)                                                                 \
    if (width == 16)                                                                              \
        NAME##_16(__VA_ARGS__);                                                                   \
    else                                                                                          \
        NAME##_8(__VA_ARGS__)
#else
// rondo_fused_width() is 0 here, so these are never called.
#define RONDO_DISPATCH(NAME, ...) (void)width
#endif

void rondo_winograd_forward(int64_t width, float *y, const float *x, const float *weight,
                            bool reversed, const float *bias, const rondo_convolution *c,
                            rondo_tile tile, float *scratch) {
    RONDO_DISPATCH(rondo_winograd_forward, y, x, weight, reversed, bias, c, tile, scratch);
}

void rondo_winograd_weight_gradient(int64_t width, float *gradient, bool accumulate,
                                    const float *x, const float *dy, const rondo_convolution *c,
                                    rondo_tile tile, float *scratch) {
    RONDO_DISPATCH(rondo_winograd_weight_gradient, gradient, accumulate, x, dy, c, tile, scratch);
}

void rondo_columns_forward(int64_t width, float *y, const float *x, const float *weight,
                           bool reversed, const float *bias, const rondo_convolution *c,
                           float *scratch) {
    RONDO_DISPATCH(rondo_columns_forward, y, x, weight, reversed, bias, c, scratch);
}

void rondo_columns_weight_gradient(int64_t width, float *gradient, bool accumulate,
                                   const float *x, const float *dy, const rondo_convolution *c,
                                   float *scratch) {
    RONDO_DISPATCH(rondo_columns_weight_gradient, gradient, accumulate, x, dy, c, scratch);
}

void rondo_columns_input_gradient(int64_t width, float *dx, const float *dy, const float *weight,
                                  const rondo_convolution *c, float *scratch) {
    RONDO_DISPATCH(rondo_columns_input_gradient, dx, dy, weight, c, scratch);
}

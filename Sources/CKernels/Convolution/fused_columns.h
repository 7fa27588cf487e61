// Included once per vector width: convolution of any kernel and stride as products over columns,
// for few input channels, for strides and for kernels that Winograd's transforms do not serve.
//
// The columns of a block of output positions are laid out in the L2 cache in the blocked layout
// that the products read. Images are copied into a frame of zeros first, so that every window lies
// inside: the pieces of a row are then the same for every position, and whole vectors are copied
// even where a piece is shorter. The surplus lands in the next row, which is written later.

typedef struct {
    rondo_columns_plan plan;
    const rondo_convolution *convolution;
    rondo_piece *pieces;
    int64_t pieceCount;
    float *frame; // one image in its frame of zeros
    float *block;
    float *rest;  // what follows in the scratch memory
} columns_pass;

RONDO_INLINE columns_pass begin_columns(const rondo_convolution *c, float *scratch) {
    columns_pass pass = {.plan = rondo_plan_columns(c), .convolution = c};
    pass.pieces = (rondo_piece *)scratch;
    pass.pieceCount = rondo_cut_pieces(pass.pieces, c, &pass.plan);
    scratch += pass.plan.pieceLimit * (int64_t)(sizeof(rondo_piece) / sizeof(float));
    pass.frame = scratch;
    memset(pass.frame, 0, (size_t)pass.plan.paddedCount * sizeof(float));
    pass.block = pass.frame + pass.plan.paddedCount;
    pass.rest = pass.block + rondo_blocks(pass.plan.length) * pass.plan.blockStride;
    return pass;
}

// The first input of the window of an output position, in an image that may have a frame.
RONDO_INLINE int64_t window_offset(const columns_pass *pass, int64_t position) {
    const rondo_window *w = &pass->convolution->window;
    const int64_t row = position / w->outputWidth, column = position % w->outputWidth;
    return (row * w->strideHeight * pass->plan.paddedWidth + column * w->strideWidth) * w->channels;
}

RONDO_INLINE void build_columns(const columns_pass *pass, const float *image, int64_t first,
                                int64_t count) {
    const rondo_window *w = &pass->convolution->window;
    const int64_t step = w->strideWidth * w->channels;
    for (int64_t r = 0; r < count;) {
        const float *in = image + window_offset(pass, first + r);
        int64_t run = w->outputWidth - (first + r) % w->outputWidth;
        if (run > count - r) run = count - r;
        for (const int64_t end = r + run; r < end; r++, in += step) {
            float *out = pass->block + r * rondo_lanes;
            for (int64_t p = 0; p < pass->pieceCount; p++)
                memcpy(out + pass->pieces[p].destination, in + pass->pieces[p].source,
                       rondo_lanes * sizeof(float));
        }
    }
}

RONDO_INLINE const float *framed(const columns_pass *pass, const float *x, int64_t image) {
    const rondo_window *w = &pass->convolution->window;
    const float *source = x + image * w->height * w->width * w->channels;
    if (pass->plan.paddedCount == 0) return source;
    rondo_fill_padded(pass->frame, source, pass->convolution, &pass->plan);
    return pass->frame;
}

void FUSED(rondo_columns_forward)(float *y, const float *x, const float *weight, bool reversed,
                                  const float *bias, const rondo_convolution *c,
                                  float *scratch) {
    const columns_pass pass = begin_columns(c, scratch);
    const int64_t positions = c->window.outputHeight * c->window.outputWidth;
    float *packed = pass.rest;
    rondo_pack_weight(packed, weight, c, reversed);
    for (int64_t image = 0; image < c->images; image++) {
        const float *in = framed(&pass, x, image);
        for (int64_t first = 0; first < positions; first += pass.plan.blockRows) {
            int64_t count = positions - first;
            if (count > pass.plan.blockRows) count = pass.plan.blockRows;
            build_columns(&pass, in, first, count);
            product_to_rows(y + (image * positions + first) * c->outputs, bias, pass.block,
                            pass.plan.blockStride, count, pass.plan.length, packed, c->outputs);
        }
    }
}

void FUSED(rondo_columns_weight_gradient)(float *gradient, bool accumulate, const float *x,
                                          const float *dy, const rondo_convolution *c,
                                          float *scratch) {
    const columns_pass pass = begin_columns(c, scratch);
    const int64_t positions = c->window.outputHeight * c->window.outputWidth;
    const int64_t outputs = c->outputs, length = pass.plan.length;
    const int64_t whole = outputs / rondo_lanes, tail = outputs % rondo_lanes;
    const int64_t blockFloats = length * rondo_lanes;
    float *packed = pass.rest;
    float *tailBlock = packed + rondo_blocks(outputs) * blockFloats;
    memset(packed, 0, (size_t)(rondo_blocks(outputs) * blockFloats) * sizeof(float));
    if (tail > 0)
        memset(tailBlock, 0, (size_t)(pass.plan.blockRows * rondo_lanes) * sizeof(float));
    for (int64_t image = 0; image < c->images; image++) {
        const float *in = framed(&pass, x, image);
        for (int64_t first = 0; first < positions; first += pass.plan.blockRows) {
            int64_t count = positions - first;
            if (count > pass.plan.blockRows) count = pass.plan.blockRows;
            const float *upstream = dy + (image * positions + first) * outputs;
            build_columns(&pass, in, first, count);
            product_of_columns(packed, pass.block, pass.plan.blockStride, length, count, upstream,
                               outputs, rondo_lanes, whole);
            if (tail == 0) continue;
            for (int64_t r = 0; r < count; r++)
                for (int64_t o = 0; o < tail; o++)
                    tailBlock[r * rondo_lanes + o] = upstream[r * outputs + whole * rondo_lanes + o];
            product_of_columns(packed + whole * blockFloats, pass.block, pass.plan.blockStride,
                               length, count, tailBlock, rondo_lanes, 0, 1);
        }
    }
    rondo_unpack_weight(gradient, packed, c, accumulate);
}

// Adds the rows of the block to the windows that they belong to.
RONDO_INLINE void add_columns(const columns_pass *pass, float *image, int64_t first,
                              int64_t count) {
    for (int64_t r = 0; r < count; r++) {
        float *out = image + window_offset(pass, first + r);
        const float *in = pass->block + r * rondo_lanes;
        for (int64_t p = 0; p < pass->pieceCount; p++) {
            const rondo_piece piece = pass->pieces[p];
            float *to = out + piece.source;
            const float *from = in + piece.destination;
            if (piece.count == rondo_lanes) {
                UNROLL for (int v = 0; v < rondo_lanes; v += FUSED_WIDTH)
                    store(to + v, load(to + v) + load(from + v));
            } else {
                for (int64_t i = 0; i < piece.count; i++) to[i] += from[i];
            }
        }
    }
}

void FUSED(rondo_columns_input_gradient)(float *dx, const float *dy, const float *weight,
                                         const rondo_convolution *c, float *scratch) {
    const columns_pass pass = begin_columns(c, scratch);
    const rondo_window *w = &c->window;
    const int64_t positions = w->outputHeight * w->outputWidth, outputs = c->outputs;
    const int64_t imageFloats = w->height * w->width * w->channels;
    const int64_t length = pass.plan.length, stride = pass.plan.blockStride;
    const int64_t outputBlocks = rondo_blocks(outputs), lengthBlocks = rondo_blocks(length);
    // The weight turned around: blocked [O, length] from blocked [length, O].
    float *turned = pass.rest;
    float *packed = turned + lengthBlocks * outputs * rondo_lanes;
    float *upstream = packed + outputBlocks * length * rondo_lanes;
    rondo_pack_weight(packed, weight, c, false);
    memset(turned, 0, (size_t)(lengthBlocks * outputs * rondo_lanes) * sizeof(float));
    for (int64_t k = 0; k < length; k++)
        for (int64_t o = 0; o < outputs; o++)
            turned[(k / rondo_lanes * outputs + o) * rondo_lanes + k % rondo_lanes] =
                packed[(o / rondo_lanes * length + k) * rondo_lanes + o % rondo_lanes];
    for (int64_t image = 0; image < c->images; image++) {
        float *out = dx + image * imageFloats;
        float *sums = pass.plan.paddedCount == 0 ? out : pass.frame;
        const int64_t sumCount = pass.plan.paddedCount == 0 ? imageFloats : pass.plan.paddedCount;
        memset(sums, 0, (size_t)sumCount * sizeof(float));
        for (int64_t first = 0; first < positions; first += pass.plan.blockRows) {
            int64_t count = positions - first;
            if (count > pass.plan.blockRows) count = pass.plan.blockRows;
            const float *in = dy + (image * positions + first) * outputs;
            for (int64_t r = 0; r < count; r++, in += outputs) {
                for (int64_t o = 0; o < outputs; o += rondo_lanes) {
                    float *to = upstream + o * pass.plan.blockRows + r * rondo_lanes;
                    if (o + rondo_lanes <= outputs)
                        memcpy(to, in + o, rondo_lanes * sizeof(float));
                    else
                        for (int64_t i = 0; i < outputs - o; i++) to[i] = in[o + i];
                }
            }
            product_to_blocks(pass.block, stride, upstream, pass.plan.blockRows * rondo_lanes,
                              count, outputs, turned, length);
            add_columns(&pass, sums, first, count);
        }
        if (pass.plan.paddedCount != 0) rondo_read_padded(out, sums, c, &pass.plan);
    }
}

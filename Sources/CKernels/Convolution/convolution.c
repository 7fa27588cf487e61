#include "CKernels.h"
#include "clones.h"
#include <string.h>

// In N x H x W x C the taps of one kernel row are neighbours in memory, so a row of columns is
// kernelHeight copies of (at most) kernelWidth * channels floats. The copy is a plain loop: the
// pieces are short (9 to 768 floats here) and a call of memcpy per piece costs as much as the copy.
RONDO_INLINE void copy_floats(float *destination, const float *source, int64_t count) {
    for (int64_t i = 0; i < count; i++) destination[i] = source[i];
}

RONDO_INLINE void zero_floats(float *destination, int64_t count) {
    for (int64_t i = 0; i < count; i++) destination[i] = 0;
}

RONDO_CLONES void rondo_image_to_columns(float *columns, const float *image, const rondo_window *w,
                                         int64_t firstRow, int64_t lastRow) {
    const int64_t group = w->groupChannels, rowLength = w->kernelWidth * group;
    const bool whole = group == w->channels;
    for (int64_t oh = firstRow; oh < lastRow; oh++) {
        int64_t top = oh * w->strideHeight - w->paddingTop;
        for (int64_t ow = 0; ow < w->outputWidth; ow++) {
            int64_t left = ow * w->strideWidth - w->paddingLeft;
            int64_t from = left < 0 ? -left : 0;
            int64_t to = left + w->kernelWidth > w->width ? w->width - left : w->kernelWidth;
            if (to < from) to = from = 0;
            for (int64_t kh = 0; kh < w->kernelHeight; kh++, columns += rowLength) {
                int64_t ih = top + kh;
                if (ih < 0 || ih >= w->height) {
                    zero_floats(columns, rowLength);
                    continue;
                }
                const float *source = image + (ih * w->width + left + from) * w->channels +
                                      w->groupOffset;
                if (from > 0) zero_floats(columns, from * group);
                if (whole) {
                    copy_floats(columns + from * group, source, (to - from) * group);
                } else {
                    for (int64_t kw = from; kw < to; kw++, source += w->channels)
                        copy_floats(columns + kw * group, source, group);
                }
                if (to < w->kernelWidth)
                    zero_floats(columns + to * group, (w->kernelWidth - to) * group);
            }
        }
    }
}

RONDO_CLONES void rondo_columns_to_image(float *image, const float *columns,
                                         const rondo_window *w) {
    const int64_t group = w->groupChannels;
    for (int64_t oh = 0; oh < w->outputHeight; oh++) {
        for (int64_t ow = 0; ow < w->outputWidth; ow++) {
            for (int64_t kh = 0; kh < w->kernelHeight; kh++) {
                int64_t ih = oh * w->strideHeight - w->paddingTop + kh;
                for (int64_t kw = 0; kw < w->kernelWidth; kw++, columns += group) {
                    int64_t iw = ow * w->strideWidth - w->paddingLeft + kw;
                    if (ih < 0 || ih >= w->height || iw < 0 || iw >= w->width) continue;
                    float *out = image + (ih * w->width + iw) * w->channels + w->groupOffset;
                    for (int64_t c = 0; c < group; c++) out[c] += columns[c];
                }
            }
        }
    }
}

// The part of window (oh, ow) that lies inside the image, as tap ranges.
typedef struct {
    int64_t firstTapRow, lastTapRow, firstTapColumn, lastTapColumn, top, left;
} rondo_taps;

RONDO_INLINE rondo_taps taps_inside(const rondo_window *w, int64_t oh, int64_t ow) {
    rondo_taps t;
    t.top = oh * w->strideHeight - w->paddingTop;
    t.left = ow * w->strideWidth - w->paddingLeft;
    t.firstTapRow = t.top < 0 ? -t.top : 0;
    t.firstTapColumn = t.left < 0 ? -t.left : 0;
    t.lastTapRow = t.top + w->kernelHeight > w->height ? w->height - t.top : w->kernelHeight;
    t.lastTapColumn = t.left + w->kernelWidth > w->width ? w->width - t.left : w->kernelWidth;
    return t;
}

typedef uint8_t rondo_sixteen_bytes __attribute__((ext_vector_type(16), aligned(1)));

// The tap of a window whose largest input the ReLU clips: no input gets its gradient.
enum { clipped_tap = 255 };

// One window: the largest of its taps, channel by channel. A NaN wins and stays, as in PyTorch.
RONDO_INLINE void pool_window(float *y, uint8_t *taps, const float *corner, const rondo_taps t,
                              const rondo_window *w, const int64_t kernelWidth, bool clips) {
    const int64_t channels = w->channels;
    const int64_t first = (t.firstTapRow * w->width + t.firstTapColumn) * channels;
    const int32_t firstTap = (int32_t)(t.firstTapRow * kernelWidth + t.firstTapColumn);
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        rondo_sixteen best = *(const rondo_sixteen *)(corner + first + c);
        rondo_sixteen_indices tap = firstTap;
        for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
            for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                rondo_sixteen in =
                    *(const rondo_sixteen *)(corner + (kh * w->width + kw) * channels + c);
                rondo_sixteen_indices larger = (in > best) | (in != in);
                rondo_sixteen_indices here = (int32_t)(kh * kernelWidth + kw);
                best = larger ? in : best;
                tap = larger ? here : tap;
            }
        }
        if (clips) {
            tap = best > 0 ? tap : (rondo_sixteen_indices)clipped_tap;
            best = best < 0 ? (rondo_sixteen)0 : best;
        }
        *(rondo_sixteen *)(y + c) = best;
        *(rondo_sixteen_bytes *)(taps + c) = __builtin_convertvector(tap, rondo_sixteen_bytes);
    }
    for (; c < channels; c++) {
        float best = corner[first + c];
        int32_t tap = firstTap;
        for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
            for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                float in = corner[(kh * w->width + kw) * channels + c];
                if (!(in > best || in != in)) continue;
                best = in;
                tap = (int32_t)(kh * kernelWidth + kw);
            }
        }
        if (clips && !(best > 0)) tap = clipped_tap;
        y[c] = clips && best < 0 ? 0 : best;
        taps[c] = (uint8_t)tap;
    }
}

// Whether the windows are 2 x 2 without padding: all of them inside, and short loops of known
// length.
RONDO_INLINE bool has_pairs(const rondo_window *w) {
    return w->kernelHeight == 2 && w->kernelWidth == 2 && w->paddingTop == 0 &&
           w->paddingLeft == 0;
}

RONDO_CLONES void rondo_max_pool(float *y, uint8_t *taps, const float *image,
                                 const rondo_window *w, bool clips) {
    const int64_t channels = w->channels;
    const bool pairs = has_pairs(w);
    for (int64_t oh = 0; oh < w->outputHeight; oh++) {
        for (int64_t ow = 0; ow < w->outputWidth; ow++, y += channels, taps += channels) {
            if (pairs) {
                const int64_t top = oh * w->strideHeight, left = ow * w->strideWidth;
                const rondo_taps t = {0, 2, 0, 2, top, left};
                pool_window(y, taps, image + (top * w->width + left) * channels, t, w, 2, clips);
                continue;
            }
            const rondo_taps t = taps_inside(w, oh, ow);
            pool_window(y, taps, image + (t.top * w->width + t.left) * channels, t, w,
                        w->kernelWidth, clips);
        }
    }
}

// Hands the gradient of one window to the inputs that won it; the others get zero, or nothing.
RONDO_INLINE void spread_window(float *corner, const float *dy, const uint8_t *taps,
                                const rondo_taps t, const rondo_window *w,
                                const int64_t kernelWidth, bool once) {
    const int64_t channels = w->channels;
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        const rondo_sixteen upstream = *(const rondo_sixteen *)(dy + c);
        const rondo_sixteen_indices winner = __builtin_convertvector(
            *(const rondo_sixteen_bytes *)(taps + c), rondo_sixteen_indices);
        for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
            for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                float *out = corner + (kh * w->width + kw) * channels + c;
                const rondo_sixteen_indices here = (int32_t)(kh * kernelWidth + kw);
                const rondo_sixteen share = winner == here ? upstream : (rondo_sixteen)0;
                *(rondo_sixteen *)out = once ? share : *(const rondo_sixteen *)out + share;
            }
        }
    }
    for (; c < channels; c++) {
        for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
            for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                float *out = corner + (kh * w->width + kw) * channels + c;
                const float share = taps[c] == (uint8_t)(kh * kernelWidth + kw) ? dy[c] : 0;
                *out = once ? share : *out + share;
            }
        }
    }
}

RONDO_CLONES void rondo_max_pool_gradient(float *dimage, const float *dy, const uint8_t *taps,
                                          const rondo_window *w) {
    const int64_t channels = w->channels;
    // Windows side by side write each input once; those that overlap or leave gaps add to zeros.
    const bool once = w->kernelHeight == w->strideHeight && w->kernelWidth == w->strideWidth &&
                      w->paddingTop == 0 && w->paddingLeft == 0 &&
                      w->outputHeight * w->strideHeight == w->height &&
                      w->outputWidth * w->strideWidth == w->width;
    const bool pairs = once && has_pairs(w);
    if (!once) memset(dimage, 0, (size_t)(w->height * w->width * channels) * sizeof(float));
    for (int64_t oh = 0; oh < w->outputHeight; oh++) {
        for (int64_t ow = 0; ow < w->outputWidth; ow++, dy += channels, taps += channels) {
            if (pairs) {
                const int64_t top = oh * 2, left = ow * 2;
                const rondo_taps t = {0, 2, 0, 2, top, left};
                spread_window(dimage + (top * w->width + left) * channels, dy, taps, t, w, 2, true);
                continue;
            }
            const rondo_taps t = taps_inside(w, oh, ow);
            spread_window(dimage + (t.top * w->width + t.left) * channels, dy, taps, t, w,
                          w->kernelWidth, once);
        }
    }
}

RONDO_CLONES void rondo_average_pool(float *y, const float *image, const rondo_window *w) {
    const int64_t channels = w->channels;
    const float inverse = 1.0f / (float)(w->kernelHeight * w->kernelWidth);
    for (int64_t oh = 0; oh < w->outputHeight; oh++) {
        for (int64_t ow = 0; ow < w->outputWidth; ow++, y += channels) {
            rondo_taps t = taps_inside(w, oh, ow);
            for (int64_t c = 0; c < channels; c++) y[c] = 0;
            for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
                for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                    const float *in = image + ((t.top + kh) * w->width + t.left + kw) * channels;
                    for (int64_t c = 0; c < channels; c++) y[c] += in[c];
                }
            }
            for (int64_t c = 0; c < channels; c++) y[c] *= inverse;
        }
    }
}

RONDO_CLONES void rondo_average_pool_gradient(float *dimage, const float *dy,
                                              const rondo_window *w) {
    const int64_t channels = w->channels;
    const float inverse = 1.0f / (float)(w->kernelHeight * w->kernelWidth);
    for (int64_t oh = 0; oh < w->outputHeight; oh++) {
        for (int64_t ow = 0; ow < w->outputWidth; ow++, dy += channels) {
            rondo_taps t = taps_inside(w, oh, ow);
            for (int64_t kh = t.firstTapRow; kh < t.lastTapRow; kh++) {
                for (int64_t kw = t.firstTapColumn; kw < t.lastTapColumn; kw++) {
                    float *out = dimage + ((t.top + kh) * w->width + t.left + kw) * channels;
                    for (int64_t c = 0; c < channels; c++) out[c] += dy[c] * inverse;
                }
            }
        }
    }
}

RONDO_CLONES void rondo_transpose(float *destination, const float *source, size_t rows,
                                  size_t columns) {
    for (size_t rowStart = 0; rowStart < rows; rowStart += 16)
        for (size_t c = 0; c < columns; c++)
            for (size_t r = rowStart; r < rows && r < rowStart + 16; r++)
                destination[c * rows + r] = source[r * columns + c];
}

#include "CKernels.h"
#include "clones.h"
#include <string.h>

// Sums per channel are taken in blocks of 64 rows and 64 channels, the blocks added in order: an
// order that does not depend on the width of the vectors and loses fewer bits than one long sum.

// Sixteen channels at a time in registers; the channels that are left over in memory.
RONDO_CLONES static void centered_square_sums(float *sums, const float *x, const float *mean,
                                              size_t rows, size_t channels) {
    memset(sums, 0, channels * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows, c = 0;
        for (; c + 16 <= channels; c += 16) {
            const rondo_sixteen middle = *(const rondo_sixteen *)(mean + c);
            rondo_sixteen partial = 0;
            for (size_t r = rowStart; r < rowEnd; r++) {
                rondo_sixteen centered = *(const rondo_sixteen *)(x + r * channels + c) - middle;
                partial += centered * centered;
            }
            *(rondo_sixteen *)(sums + c) += partial;
        }
        float partial[16] = {0};
        const size_t rest = channels - c;
        for (size_t r = rowStart; rest > 0 && r < rowEnd; r++) {
            const float *line = x + r * channels + c;
            for (size_t i = 0; i < rest; i++) {
                float centered = line[i] - mean[c + i];
                partial[i] += centered * centered;
            }
        }
        for (size_t i = 0; i < rest; i++) sums[c + i] += partial[i];
    }
}

void rondo_batch_statistics(float *mean, float *variance, const float *x, size_t rows,
                            size_t channels) {
    rondo_column_sums(mean, x, rows, channels, false);
    float inverseCount = 1.0f / (float)rows;
    for (size_t c = 0; c < channels; c++) mean[c] *= inverseCount;
    centered_square_sums(variance, x, mean, rows, channels);
    for (size_t c = 0; c < channels; c++) variance[c] *= inverseCount;
}

// y = x * scale + shift, then + added and the ReLU where they are wanted; NaN stays NaN.
RONDO_INLINE void normalize_rows(const bool adds, const bool clips, float *y, const float *x,
                                 const float *scale, const float *shift, const float *added,
                                 size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, x += channels, y += channels, added += adds ? channels : 0) {
        size_t c = 0;
        for (; c + 16 <= channels; c += 16) {
            rondo_sixteen value = *(const rondo_sixteen *)(x + c) *
                                      *(const rondo_sixteen *)(scale + c) +
                                  *(const rondo_sixteen *)(shift + c);
            if (adds) value += *(const rondo_sixteen *)(added + c);
            *(rondo_sixteen *)(y + c) = clips ? (value < 0 ? (rondo_sixteen)0 : value) : value;
        }
        for (; c < channels; c++) {
            float value = x[c] * scale[c] + shift[c];
            if (adds) value += added[c];
            y[c] = clips && value < 0 ? 0 : value;
        }
    }
}

RONDO_CLONES void rondo_normalize_rows(float *y, const float *x, const float *scale,
                                       const float *shift, const float *added, bool clips,
                                       size_t rows, size_t channels) {
    if (added && clips)
        normalize_rows(true, true, y, x, scale, shift, added, rows, channels);
    else if (added)
        normalize_rows(true, false, y, x, scale, shift, added, rows, channels);
    else if (clips)
        normalize_rows(false, true, y, x, scale, shift, NULL, rows, channels);
    else
        normalize_rows(false, false, y, x, scale, shift, NULL, rows, channels);
}

// Where `y` is given, dy is masked by it first, and what is left is kept.
RONDO_INLINE void batch_norm_sums(const bool masks, float *dySum, float *dyScaled, float *masked,
                                  const float *dy, const float *y, const float *x,
                                  const float *mean, const float *inverseDeviation, size_t rows,
                                  size_t channels) {
    memset(dySum, 0, channels * sizeof(float));
    memset(dyScaled, 0, channels * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows, c = 0;
        for (; c + 16 <= channels; c += 16) {
            const rondo_sixteen middle = *(const rondo_sixteen *)(mean + c);
            rondo_sixteen plain = 0, scaled = 0;
            for (size_t r = rowStart; r < rowEnd; r++) {
                const size_t i = r * channels + c;
                rondo_sixteen d = *(const rondo_sixteen *)(dy + i);
                if (masks) {
                    d = *(const rondo_sixteen *)(y + i) > 0 ? d : (rondo_sixteen)0;
                    *(rondo_sixteen *)(masked + i) = d;
                }
                plain += d;
                scaled += d * (*(const rondo_sixteen *)(x + i) - middle);
            }
            *(rondo_sixteen *)(dySum + c) += plain;
            *(rondo_sixteen *)(dyScaled + c) +=
                scaled * *(const rondo_sixteen *)(inverseDeviation + c);
        }
        float plain[16] = {0}, scaled[16] = {0};
        const size_t rest = channels - c;
        for (size_t r = rowStart; rest > 0 && r < rowEnd; r++) {
            for (size_t i = 0; i < rest; i++) {
                const size_t at = r * channels + c + i;
                float d = dy[at];
                if (masks) masked[at] = d = y[at] > 0 ? d : 0;
                plain[i] += d;
                scaled[i] += d * (x[at] - mean[c + i]);
            }
        }
        for (size_t i = 0; i < rest; i++) {
            dySum[c + i] += plain[i];
            dyScaled[c + i] += scaled[i] * inverseDeviation[c + i];
        }
    }
}

RONDO_CLONES void rondo_batch_norm_sums(float *dySum, float *dyScaled, const float *dy,
                                        const float *x, const float *mean,
                                        const float *inverseDeviation, size_t rows,
                                        size_t channels) {
    batch_norm_sums(false, dySum, dyScaled, NULL, dy, NULL, x, mean, inverseDeviation, rows,
                    channels);
}

RONDO_CLONES void rondo_batch_norm_masked_sums(float *dySum, float *dyScaled, float *masked,
                                               const float *dy, const float *y, const float *x,
                                               const float *mean, const float *inverseDeviation,
                                               size_t rows, size_t channels) {
    batch_norm_sums(true, dySum, dyScaled, masked, dy, y, x, mean, inverseDeviation, rows,
                    channels);
}

RONDO_CLONES void rondo_batch_norm_gradient(float *dx, const float *dy, const float *x,
                                            const float *a, const float *b, const float *d,
                                            size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++, dx += channels, dy += channels, x += channels) {
        size_t c = 0;
        for (; c + 16 <= channels; c += 16)
            *(rondo_sixteen *)(dx + c) =
                *(const rondo_sixteen *)(a + c) * *(const rondo_sixteen *)(dy + c) +
                *(const rondo_sixteen *)(b + c) * *(const rondo_sixteen *)(x + c) +
                *(const rondo_sixteen *)(d + c);
        for (; c < channels; c++) dx[c] = a[c] * dy[c] + b[c] * x[c] + d[c];
    }
}

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

RONDO_CLONES void rondo_normalize_rows(float *y, const float *x, const float *scale,
                                       const float *shift, size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * channels;
        float *out = y + r * channels;
        RONDO_IN_PLACE
        for (size_t c = 0; c < channels; c++) out[c] = in[c] * scale[c] + shift[c];
    }
}

RONDO_CLONES void rondo_batch_norm_sums(float *dySum, float *dyScaled, const float *dy,
                                        const float *x, const float *mean,
                                        const float *inverseDeviation, size_t rows,
                                        size_t channels) {
    memset(dySum, 0, channels * sizeof(float));
    memset(dyScaled, 0, channels * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows, c = 0;
        for (; c + 16 <= channels; c += 16) {
            const rondo_sixteen middle = *(const rondo_sixteen *)(mean + c);
            rondo_sixteen plain = 0, scaled = 0;
            for (size_t r = rowStart; r < rowEnd; r++) {
                rondo_sixteen d = *(const rondo_sixteen *)(dy + r * channels + c);
                plain += d;
                scaled += d * (*(const rondo_sixteen *)(x + r * channels + c) - middle);
            }
            *(rondo_sixteen *)(dySum + c) += plain;
            *(rondo_sixteen *)(dyScaled + c) +=
                scaled * *(const rondo_sixteen *)(inverseDeviation + c);
        }
        float plain[16] = {0}, scaled[16] = {0};
        const size_t rest = channels - c;
        for (size_t r = rowStart; rest > 0 && r < rowEnd; r++) {
            const float *d = dy + r * channels + c, *in = x + r * channels + c;
            for (size_t i = 0; i < rest; i++) {
                plain[i] += d[i];
                scaled[i] += d[i] * (in[i] - mean[c + i]);
            }
        }
        for (size_t i = 0; i < rest; i++) {
            dySum[c + i] += plain[i];
            dyScaled[c + i] += scaled[i] * inverseDeviation[c + i];
        }
    }
}

RONDO_CLONES void rondo_batch_norm_gradient(float *dx, const float *dy, const float *x,
                                            const float *a, const float *b, const float *d,
                                            size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        const float *upstream = dy + r * channels, *in = x + r * channels;
        float *out = dx + r * channels;
        RONDO_IN_PLACE
        for (size_t c = 0; c < channels; c++) out[c] = a[c] * upstream[c] + b[c] * in[c] + d[c];
    }
}

#include "CKernels.h"
#include "clones.h"
#include <string.h>

// Sums per channel are taken in blocks of 64 rows and 64 channels, the blocks added in order: an
// order that does not depend on the width of the vectors and loses fewer bits than one long sum.

RONDO_CLONES static void centered_square_sums(float *sums, const float *x, const float *mean,
                                              size_t rows, size_t channels) {
    memset(sums, 0, channels * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows;
        for (size_t start = 0; start < channels; start += 64) {
            size_t length = channels - start < 64 ? channels - start : 64;
            float partial[64] = {0};
            for (size_t r = rowStart; r < rowEnd; r++) {
                const float *line = x + r * channels + start;
                for (size_t c = 0; c < length; c++) {
                    float centered = line[c] - mean[start + c];
                    partial[c] += centered * centered;
                }
            }
            for (size_t c = 0; c < length; c++) sums[start + c] += partial[c];
        }
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
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows;
        for (size_t start = 0; start < channels; start += 64) {
            size_t length = channels - start < 64 ? channels - start : 64;
            float plain[64] = {0}, scaled[64] = {0};
            for (size_t r = rowStart; r < rowEnd; r++) {
                const float *d = dy + r * channels + start, *in = x + r * channels + start;
                for (size_t c = 0; c < length; c++) {
                    plain[c] += d[c];
                    scaled[c] += d[c] * (in[c] - mean[start + c]);
                }
            }
            for (size_t c = 0; c < length; c++) {
                dySum[start + c] += plain[c];
                dyScaled[start + c] += scaled[c] * inverseDeviation[start + c];
            }
        }
    }
}

RONDO_CLONES void rondo_batch_norm_gradient(float *dx, const float *dy, const float *x,
                                            const float *a, const float *b, const float *d,
                                            size_t rows, size_t channels) {
    for (size_t r = 0; r < rows; r++) {
        const float *upstream = dy + r * channels, *in = x + r * channels;
        float *out = dx + r * channels;
        for (size_t c = 0; c < channels; c++) out[c] = a[c] * upstream[c] + b[c] * in[c] + d[c];
    }
}

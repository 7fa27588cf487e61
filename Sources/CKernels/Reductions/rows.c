#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

RONDO_CLONES void rondo_add_row(float *matrix, const float *row, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        float *line = matrix + r * columns;
        for (size_t c = 0; c < columns; c++) line[c] += row[c];
    }
}

// Sixteen columns at a time in registers; the order of additions per column (rows in blocks of
// 64, blocks in order) is the same for every column and every width.
RONDO_CLONES void rondo_column_sums(float *sums, const float *matrix, size_t rows, size_t columns,
                                    bool accumulate) {
    if (!accumulate) memset(sums, 0, columns * sizeof(float));
    for (size_t rowStart = 0; rowStart < rows; rowStart += 64) {
        size_t rowEnd = rowStart + 64 < rows ? rowStart + 64 : rows, c = 0;
        for (; c + 16 <= columns; c += 16) {
            rondo_sixteen partial = 0;
            for (size_t r = rowStart; r < rowEnd; r++)
                partial += *(const rondo_sixteen *)(matrix + r * columns + c);
            *(rondo_sixteen *)(sums + c) += partial;
        }
        float partial[16] = {0};
        const size_t rest = columns - c;
        for (size_t r = rowStart; rest > 0 && r < rowEnd; r++) {
            const float *line = matrix + r * columns + c;
            for (size_t i = 0; i < rest; i++) partial[i] += line[i];
        }
        for (size_t i = 0; i < rest; i++) sums[c + i] += partial[i];
    }
}

// Sixteen lanes, folded in a fixed order.
RONDO_INLINE float row_sum(const float *x, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += x[i + j];
    for (size_t i = whole; i < count; i++) lanes[i - whole] += x[i];
    for (size_t width = 8; width > 0; width /= 2)
        for (size_t j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

RONDO_INLINE size_t largest_index(const float *x, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

RONDO_CLONES void rondo_softmax_rows(float *y, const float *x, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * columns;
        float *out = y + r * columns;
        float largest = in[largest_index(in, columns)];
        for (size_t c = 0; c < columns; c++) out[c] = in[c] - largest;
        rondo_exp(out, out, columns);
        float inverse = 1.0f / row_sum(out, columns);
        for (size_t c = 0; c < columns; c++) out[c] *= inverse;
    }
}

RONDO_CLONES size_t rondo_softmax_cross_entropy(float *probabilities, float *losses,
                                                const float *logits, const int32_t *labels,
                                                size_t rows, size_t columns) {
    size_t correct = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *in = logits + r * columns;
        float *out = probabilities + r * columns;
        if (labels[r] < 0) {
            losses[r] = 0;
            continue;
        }
        size_t best = largest_index(in, columns);
        float largest = in[best];
        for (size_t c = 0; c < columns; c++) out[c] = in[c] - largest;
        float shifted = out[labels[r]];
        rondo_exp(out, out, columns);
        float sum = row_sum(out, columns);
        // logf may differ in its last bit between C libraries; the loss is a report, no weight uses
        // it.
        losses[r] = logf(sum) - shifted;
        float inverse = 1.0f / sum;
        for (size_t c = 0; c < columns; c++) out[c] *= inverse;
        correct += best == (size_t)labels[r];
    }
    return correct;
}

RONDO_CLONES void rondo_softmax_cross_entropy_gradient(float *dlogits, const float *probabilities,
                                                       const int32_t *labels, float scale,
                                                       size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *p = probabilities + r * columns;
        float *out = dlogits + r * columns;
        if (labels[r] < 0) {
            memset(out, 0, columns * sizeof(float));
            continue;
        }
        for (size_t c = 0; c < columns; c++) out[c] = p[c] * scale;
        out[labels[r]] -= scale;
    }
}

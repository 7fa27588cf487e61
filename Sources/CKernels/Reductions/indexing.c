#pragma clang fp contract(off)
#include "CKernelsTensor.h"
#include "clones.h"
#include <string.h>

static void copy_line(float *destination, const float *source, int64_t count,
                      int64_t destinationStride, int64_t sourceStride) {
    if (destinationStride == 1 && sourceStride == 1) {
        memcpy(destination, source, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        destination[i * destinationStride] = source[i * sourceStride];
}

// Two dimensions in squares of 32, so that the lines of both sides stay in the cache of a
// transposition.
static void copy_plane(float *destination, const float *source, const int64_t *sizes,
                       const int64_t *to, const int64_t *from) {
    if (to[1] == 1 && from[1] == 1) {
        for (int64_t i = 0; i < sizes[0]; i++)
            memcpy(destination + i * to[0], source + i * from[0],
                   (size_t)sizes[1] * sizeof(float));
        return;
    }
    for (int64_t row = 0; row < sizes[0]; row += 32)
        for (int64_t column = 0; column < sizes[1]; column += 32) {
            int64_t rowEnd = row + 32 < sizes[0] ? row + 32 : sizes[0];
            int64_t columnEnd = column + 32 < sizes[1] ? column + 32 : sizes[1];
            for (int64_t i = row; i < rowEnd; i++)
                for (int64_t j = column; j < columnEnd; j++)
                    destination[i * to[0] + j * to[1]] = source[i * from[0] + j * from[1]];
        }
}

static void copy_walk(float *destination, const float *source, size_t rank, const int64_t *sizes,
                      const int64_t *to, const int64_t *from) {
    if (rank == 1) {
        copy_line(destination, source, sizes[0], to[0], from[0]);
        return;
    }
    if (rank == 2) {
        copy_plane(destination, source, sizes, to, from);
        return;
    }
    for (int64_t i = 0; i < sizes[0]; i++)
        copy_walk(destination + i * to[0], source + i * from[0], rank - 1, sizes + 1, to + 1,
                  from + 1);
}

void rondo_strided_copy(float *destination, const float *source, size_t rank,
                        const int64_t *sizes, const int64_t *destinationStrides,
                        const int64_t *sourceStrides) {
    for (size_t i = 0; i < rank; i++)
        if (sizes[i] == 0) return;
    if (rank == 0) {
        destination[0] = source[0];
        return;
    }
    copy_walk(destination, source, rank, sizes, destinationStrides, sourceStrides);
}

void rondo_select_rows(float *y, const float *x, const int32_t *indices, size_t indexCount,
                       size_t outer, size_t length, size_t inner) {
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < indexCount; i++)
            memcpy(y + (o * indexCount + i) * inner,
                   x + (o * length + (size_t)indices[i]) * inner, inner * sizeof(float));
}

RONDO_CLONES void rondo_add_rows(float *x, const float *y, const int32_t *indices,
                                 size_t indexCount, size_t outer, size_t length, size_t inner) {
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < indexCount; i++) {
            float *to = x + (o * length + (size_t)indices[i]) * inner;
            const float *from = y + (o * indexCount + i) * inner;
            for (size_t c = 0; c < inner; c++) to[c] += from[c];
        }
}

void rondo_gather(float *y, const float *x, const int32_t *indices, size_t outer,
                  size_t indexLength, size_t length, size_t inner) {
    for (size_t o = 0; o < outer; o++)
        for (size_t l = 0; l < indexLength; l++)
            for (size_t c = 0; c < inner; c++) {
                size_t here = (o * indexLength + l) * inner + c;
                y[here] = x[(o * length + (size_t)indices[here]) * inner + c];
            }
}

void rondo_scatter_add(float *x, const float *y, const int32_t *indices, size_t outer,
                       size_t indexLength, size_t length, size_t inner) {
    for (size_t o = 0; o < outer; o++)
        for (size_t l = 0; l < indexLength; l++)
            for (size_t c = 0; c < inner; c++) {
                size_t here = (o * indexLength + l) * inner + c;
                x[(o * length + (size_t)indices[here]) * inner + c] += y[here];
            }
}

bool rondo_indices_are_below(const int32_t *indices, size_t count, int32_t bound) {
    bool inside = true;
    for (size_t i = 0; i < count; i++) inside &= indices[i] >= 0 && indices[i] < bound;
    return inside;
}

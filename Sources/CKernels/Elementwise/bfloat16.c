#include "CKernels.h"
#include "clones.h"
#include <string.h>

RONDO_INLINE float widened(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

// To nearest, ties to even; values beyond the largest become infinite, and NaN the one quiet NaN.
RONDO_INLINE uint16_t rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t nearest = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (uint16_t)nearest;
}

RONDO_CLONES void rondo_round_to_bfloat16(uint16_t *destination, const float *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = rounded(source[i]);
}

RONDO_CLONES void rondo_widen_bfloat16(float *destination, const uint16_t *source, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = widened(source[i]);
}

RONDO_CLONES void rondo_sum_bfloat16(uint16_t *destination, const uint16_t *a, const uint16_t *b,
                                     size_t count) {
    RONDO_IN_PLACE
    for (size_t i = 0; i < count; i++) destination[i] = rounded(widened(a[i]) + widened(b[i]));
}

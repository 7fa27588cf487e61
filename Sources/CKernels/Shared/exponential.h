// Private to this target: exp, tanh and the logistic function with as few instructions as they
// take, for loops that compute more than one of them per element. Inlined into a RONDO_CLONES
// function they become vector code of its width; the C library's own would be calls, and their last
// bits differ between processors. exp is held within bounds; tanh is right everywhere, as it needs
// no more.
#pragma once
#include "clones.h"
#include <stdint.h>
#include <string.h>

// exp(x) = 2^n * exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; the polynomial and the split of ln 2
// are those of Cephes' expf (Moshier), about 1 unit in the last place. Below -87.3 the result
// is held at the smallest normal number, above 88.3 at 2^127 * 1.7, so that no lane needs a branch.
RONDO_INLINE float exponential(float x) {
    float clamped = x > 88.3f ? 88.3f : x;
    clamped = clamped < -87.3f ? -87.3f : clamped;
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to the nearest integer
    float shifted = clamped * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = clamped - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    int32_t power;
    memcpy(&power, &shifted, 4);
    power = (int32_t)((uint32_t)power << 23) + 0x3f800000;
    float scale;
    memcpy(&scale, &power, 4);
    float result = p * scale;
    return x == x ? result : x;
}

// Near zero 1 - exp(-2x) would cancel; there the odd polynomial of Cephes' tanhf takes over.
RONDO_INLINE float hyperbolic_tangent(float x) {
    float magnitude = x < 0 ? -x : x;
    float t = exponential(-2.0f * magnitude);
    float large = (1.0f - t) / (1.0f + t);
    float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    float small = p * z * x + x;
    float signedLarge = x < 0 ? -large : large;
    return magnitude < 0.625f ? small : signedLarge;
}

RONDO_INLINE float logistic(float x) { return 1.0f / (1.0f + exponential(-x)); }

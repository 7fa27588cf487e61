// Private to this target: exp, log, erf, sin, cos and power in fixed arithmetic.
//
// Only +, -, *, / and square root, each rounded once, selected without branches, so that a loop
// over them has equal bits for every vector width and every C library. Unlike the bounded
// exponential of exponential.h these reach 0, infinity and the denormals, as masks of -infinity
// need it; tanh, which has bounds of its own, is there.
// Errors against the exact value are about 2 units in the last place (AutodiffTests/OperationTable/
// ElementaryFunctionTests measures them).
#pragma once
#pragma clang fp contract(off)
#include "clones.h"
#include "exponential.h"
#include <stdint.h>
#include <string.h>

RONDO_INLINE float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

RONDO_INLINE uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

RONDO_INLINE double double_from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

RONDO_INLINE uint64_t bits_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

RONDO_INLINE float magnitude_of(float x) { return float_from_bits(bits_of_float(x) & 0x7fffffffu); }

RONDO_INLINE float with_sign_of(float magnitude, float sign) {
    return float_from_bits(bits_of_float(magnitude) | (bits_of_float(sign) & 0x80000000u));
}

// exp(r) - 1 for |r| <= ln 2 / 2: Cephes' expf (Moshier).
RONDO_INLINE float exponential_minus_one_near_zero(float r) {
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return p * (r * r) + r;
}

// exp(x) = 2^n exp(r), n = round(x / ln 2). The power is multiplied in two halves: one of them
// alone would leave the range of normal numbers before the result does.
RONDO_INLINE float exponential_full(float x) {
    float clamped = x > 89.0f ? 89.0f : x;
    clamped = clamped < -104.0f ? -104.0f : clamped;
    const float magic = 12582912.0f; // 1.5 * 2^23: adding it rounds to the nearest integer
    float shifted = clamped * 1.44269504088896341f + magic;
    float n = shifted - magic;
    float r = clamped - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = exponential_minus_one_near_zero(r) + 1.0f;
    int32_t power = (int32_t)(bits_of_float(shifted) - bits_of_float(magic));
    int32_t half = power >> 1;
    float scaled = p * float_from_bits((uint32_t)(half + 127) << 23);
    scaled = scaled * float_from_bits((uint32_t)(power - half + 127) << 23);
    return x == x ? scaled : x;
}

RONDO_INLINE float exponential_minus_one(float x) {
    float small = exponential_minus_one_near_zero(x);
    float large = exponential_full(x) - 1.0f;
    return magnitude_of(x) < 0.34f ? small : large;
}

// ln x = e ln 2 + ln m, m in [sqrt(1/2), sqrt(2)): Cephes' logf. Denormals are scaled up by 2^23
// first.
RONDO_INLINE float natural_logarithm(float x) {
    int32_t tiny = x < 1.17549435e-38f;
    float normal = tiny ? x * 8388608.0f : x;
    uint32_t bits = bits_of_float(normal);
    // Adding 2^23 minus the mantissa of sqrt(1/2) carries into the exponent from sqrt(1/2) on.
    uint32_t shifted = bits - 0x3f3504f3u;
    int32_t exponent = (int32_t)shifted >> 23;
    float m = float_from_bits((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float e = (float)exponent - (tiny ? 23.0f : 0.0f);
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = m * z * p;
    y = y + e * -2.12194440e-4f;
    y = y - 0.5f * z;
    float result = m + y;
    result = result + e * 0.693359375f;
    result = x == __builtin_inff() ? x : result;
    result = x == 0 ? -__builtin_inff() : result;
    result = x < 0 ? __builtin_nanf("") : result;
    return x == x ? result : x;
}

// ln(1 + t) for t >= 0: ln(u) t / (u - 1) with u = 1 + t as rounded (Kahan); for the tiny, t
// itself.
RONDO_INLINE float logarithm_of_one_plus(float t) {
    float u = 1.0f + t;
    float difference = u - 1.0f;
    float safe = difference == 0 ? 1.0f : difference;
    float result = natural_logarithm(u) * (t / safe);
    return difference == 0 ? t : result;
}

RONDO_INLINE float logistic_full(float x) { return 1.0f / (1.0f + exponential_full(-x)); }

// erf by two polynomials (after N. Juffa): x + x P(x^2) below 0.93, 1 - exp(-Q(|x|)) above.
RONDO_INLINE float error_function(float x) {
    float t = magnitude_of(x);
    float s = x * x;
    float p = -5.96761703e-4f;
    p = p * s + 4.99119423e-3f;
    p = p * s - 2.67681349e-2f;
    p = p * s + 1.12819925e-1f;
    p = p * s - 3.76125336e-1f;
    p = p * s + 1.28379166e-1f;
    float small = p * x + x;
    float c = t > 4.0f ? 4.0f : t; // from 3.92 on the result rounds to 1
    float square = c * c;
    float q = -1.72853470e-5f * c + 3.83197126e-4f;
    float u = -3.88396438e-3f * c + 2.42546219e-2f;
    q = q * square + u;
    q = q * c - 1.06777877e-1f;
    q = q * c - 6.34846687e-1f;
    q = q * c - 1.28717512e-1f;
    q = q * c - c;
    float large = with_sign_of(1.0f - exponential_full(q), x);
    float result = t < 0.927734375f ? small : large;
    return x == x ? result : x;
}

// Quarter turns of x and the rest r, in double. pi / 2 is split so that n times its first two parts
// is exact for |x| < 1.6e6; up to 1e9 the error is below 1e-7, beyond that the result has no
// meaning.
RONDO_INLINE double quarter_turns(double x, uint32_t *quadrant) {
    const double magic = 6755399441055744.0; // 1.5 * 2^52
    double shifted = x * 0.63661977236758134 + magic;
    double n = shifted - magic;
    double r = x - n * 1.57079632673412561417e+00;
    r = r - n * 6.07710050630396597660e-11;
    r = r - n * 2.02226624879595063154e-21;
    *quadrant = (uint32_t)bits_of_double(shifted);
    return r;
}

// sin or cos of |r| <= pi / 4 by Taylor's series, quadrant 0 ... 3; errors near 1e-11.
RONDO_INLINE float sine_of_quadrant(double r, uint32_t quadrant) {
    double z = r * r;
    double s = -2.5052108385441719e-8;
    s = s * z + 2.7557319223985893e-6;
    s = s * z - 1.9841269841269841e-4;
    s = s * z + 8.3333333333333333e-3;
    s = s * z - 1.6666666666666667e-1;
    s = s * z * r + r;
    double c = 2.0876756987868099e-9;
    c = c * z - 2.7557319223985891e-7;
    c = c * z + 2.4801587301587302e-5;
    c = c * z - 1.3888888888888889e-3;
    c = c * z + 4.1666666666666667e-2;
    c = c * z - 0.5;
    c = c * z + 1.0;
    double value = (quadrant & 1u) ? c : s;
    return (float)((quadrant & 2u) ? -value : value);
}

RONDO_INLINE float sine(float x) {
    uint32_t quadrant;
    double r = quarter_turns((double)x, &quadrant);
    float result = sine_of_quadrant(r, quadrant);
    return x == 0 ? x : result;
}

RONDO_INLINE float cosine(float x) {
    uint32_t quadrant;
    double r = quarter_turns((double)x, &quadrant);
    return sine_of_quadrant(r, quadrant + 1u);
}

// log2 of a positive finite double of float range: 2 artanh((m - 1) / (m + 1)), error near 1e-14.
RONDO_INLINE double binary_logarithm(double x) {
    uint64_t shifted = bits_of_double(x) - 0x3fe6a09e667f3bcdull;
    int64_t exponent = (int64_t)shifted >> 52;
    double m = double_from_bits((shifted & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    double s = (m - 1.0) / (m + 1.0);
    double z = s * s;
    double sum = 1.0 / 19.0;
    sum = sum * z + 1.0 / 17.0;
    sum = sum * z + 1.0 / 15.0;
    sum = sum * z + 1.0 / 13.0;
    sum = sum * z + 1.0 / 11.0;
    sum = sum * z + 1.0 / 9.0;
    sum = sum * z + 1.0 / 7.0;
    sum = sum * z + 1.0 / 5.0;
    sum = sum * z + 1.0 / 3.0;
    sum = sum * z + 1.0;
    return (double)(int32_t)exponent + s * sum * 2.8853900817779268;
}

// 2^t for |t| <= 1000.
RONDO_INLINE double binary_exponential(double t) {
    const double magic = 6755399441055744.0;
    double shifted = t + magic;
    double r = (t - (shifted - magic)) * 0.69314718055994531;
    double p = 2.5052108385441719e-8;
    p = p * r + 2.7557319223985893e-7;
    p = p * r + 2.7557319223985893e-6;
    p = p * r + 2.4801587301587302e-5;
    p = p * r + 1.9841269841269841e-4;
    p = p * r + 1.3888888888888889e-3;
    p = p * r + 8.3333333333333333e-3;
    p = p * r + 4.1666666666666667e-2;
    p = p * r + 1.6666666666666667e-1;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    uint64_t power = (bits_of_double(shifted) - bits_of_double(magic) + 1023u) << 52;
    return p * double_from_bits(power);
}

// a^b through double, so that the rounding of b log a is not multiplied by its size. As in IEEE
// 754: a^0 = 1, 1^b = 1, negative a only with an integer b.
RONDO_INLINE float power_of(float a, float b) {
    float magnitude = magnitude_of(a);
    float positive = magnitude > 0 ? magnitude : 1.0f;
    positive = positive > 3.40282347e38f ? 3.40282347e38f : positive;
    double t = (double)b * binary_logarithm((double)positive);
    t = t > 400.0 ? 400.0 : t;
    t = t < -400.0 ? -400.0 : t;
    float result = (float)binary_exponential(t);
    // At 0 and infinity only the sign of b matters.
    float low = b > 0 ? 0.0f : __builtin_inff();
    float high = b > 0 ? __builtin_inff() : 0.0f;
    result = magnitude == 0 ? low : result;
    result = magnitude == __builtin_inff() ? high : result;
    result = magnitude == 1.0f ? 1.0f : result;
    // Every float from 2^24 on is an even integer.
    float bounded = magnitude_of(b) < 16777216.0f ? b : 0.0f;
    int32_t whole = (int32_t)bounded;
    int32_t isInteger = (float)whole == bounded;
    float negated = (whole & 1) ? -result : result;
    float ofNegative = isInteger ? negated : __builtin_nanf("");
    int32_t isExtreme = (magnitude == 0) | (magnitude == __builtin_inff());
    ofNegative = (isExtreme & !isInteger) ? result : ofNegative;
    result = (bits_of_float(a) >> 31) ? ofNegative : result;
    result = a == a ? result : a;
    result = b == b ? result : b;
    result = a == 1.0f ? 1.0f : result;
    return b == 0 ? 1.0f : result;
}

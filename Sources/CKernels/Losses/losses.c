#include "CKernels.h"
#include "elementary.h"
#include <string.h>

// Derivatives are computed with the losses, while the values are in registers; backward only scales
// them. Sums over a row are taken in sixteen lanes and folded in a fixed order.

RONDO_INLINE float folded(float lanes[16]) {
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lanes[j] += lanes[j + width];
    return lanes[0];
}

RONDO_INLINE float sum_of(const float *x, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += x[i + j];
    for (size_t i = whole; i < count; i++) lanes[i - whole] += x[i];
    return folded(lanes);
}

RONDO_INLINE float dot_of(const float *x, const float *y, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += x[i + j] * y[i + j];
    for (size_t i = whole; i < count; i++) lanes[i - whole] += x[i] * y[i];
    return folded(lanes);
}

RONDO_INLINE size_t largest_of(const float *x, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

// kept[i] = exp(x[i] - largest), unless `kept` is NULL.
RONDO_INLINE float sum_of_exponentials(float *kept, const float *x, float largest, size_t count) {
    float lanes[16] = {0};
    size_t whole = count & ~(size_t)15;
    if (kept) {
        for (size_t i = 0; i < count; i++) kept[i] = exponential_full(x[i] - largest);
        return sum_of(kept, count);
    }
    for (size_t i = 0; i < whole; i += 16)
        for (size_t j = 0; j < 16; j++) lanes[j] += exponential_full(x[i + j] - largest);
    for (size_t i = whole; i < count; i++) lanes[i - whole] += exponential_full(x[i] - largest);
    return folded(lanes);
}

RONDO_INLINE float weight_of(const float *weights, size_t index) {
    return weights ? weights[index] : 1.0f;
}

RONDO_CLONES size_t rondo_cross_entropy(float *losses, float *weights, float *derivatives,
                                        const float *logits, const rondo_class_targets *targets,
                                        size_t rows, size_t columns) {
    const float *classWeights = targets->classWeights;
    const float sharp = 1.0f - targets->smoothing, spread = targets->smoothing / (float)columns;
    const float classWeightSum = classWeights ? sum_of(classWeights, columns) : (float)columns;
    size_t correct = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *x = logits + r * columns;
        float *d = derivatives ? derivatives + r * columns : 0;
        int32_t label = targets->labels[r];
        if (label == targets->ignored) {
            losses[r] = weights[r] = 0;
            if (d) memset(d, 0, columns * sizeof(float));
            continue;
        }
        size_t best = largest_of(x, columns);
        float largest = x[best];
        float sum = sum_of_exponentials(d, x, largest, columns), logSum = natural_logarithm(sum);
        float rowWeight = weight_of(targets->rowWeights, r);
        float ofLabel = weight_of(classWeights, (size_t)label);
        float loss = sharp * ofLabel * (logSum - (x[label] - largest));
        if (spread > 0) {
            float weighted = classWeights ? dot_of(classWeights, x, columns) : sum_of(x, columns);
            loss += spread * (classWeightSum * (logSum + largest) - weighted);
        }
        losses[r] = rowWeight * loss;
        weights[r] = rowWeight * ofLabel;
        correct += best == (size_t)label;
        if (!d) continue;
        float factor = rowWeight * (sharp * ofLabel + spread * classWeightSum) / sum;
        float even = rowWeight * spread, atLabel = rowWeight * sharp * ofLabel;
        for (size_t c = 0; c < columns; c++) d[c] *= factor;
        if (even != 0 && classWeights) {
            for (size_t c = 0; c < columns; c++) d[c] -= even * classWeights[c];
        } else if (even != 0) {
            for (size_t c = 0; c < columns; c++) d[c] -= even;
        }
        d[label] -= atLabel;
    }
    return correct;
}

RONDO_CLONES void rondo_soft_cross_entropy(float *losses, float *derivatives, const float *logits,
                                           const float *targets, const float *rowWeights,
                                           const float *classWeights, size_t rows,
                                           size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *x = logits + r * columns, *t = targets + r * columns;
        float largest = x[largest_of(x, columns)];
        float *d = derivatives ? derivatives + r * columns : 0;
        float sum = sum_of_exponentials(d, x, largest, columns);
        float logSum = natural_logarithm(sum) + largest, rowWeight = weight_of(rowWeights, r);
        float loss = 0, mass = 0;
        for (size_t c = 0; c < columns; c++) {
            float target = t[c] * weight_of(classWeights, c);
            mass += target;
            loss += target * (logSum - x[c]);
        }
        losses[r] = rowWeight * loss;
        if (!d) continue;
        float factor = mass / sum;
        for (size_t c = 0; c < columns; c++) {
            float target = t[c] * weight_of(classWeights, c);
            d[c] = rowWeight * (d[c] * factor - target);
        }
    }
}

RONDO_CLONES void rondo_negative_log_likelihood(float *losses, float *weights, float *derivatives,
                                                const float *logProbabilities,
                                                const rondo_class_targets *targets, size_t rows,
                                                size_t columns) {
    if (derivatives) memset(derivatives, 0, rows * columns * sizeof(float));
    for (size_t r = 0; r < rows; r++) {
        int32_t label = targets->labels[r];
        losses[r] = weights[r] = 0;
        if (label == targets->ignored) continue;
        float weight = weight_of(targets->rowWeights, r);
        weight *= weight_of(targets->classWeights, (size_t)label);
        losses[r] = -weight * logProbabilities[r * columns + (size_t)label];
        weights[r] = weight;
        if (derivatives) derivatives[r * columns + (size_t)label] = -weight;
    }
}

RONDO_INLINE float absolute(float x) { return magnitude_of(x); }

// One row: `LOSS` and `SLOPE` of x and t.
#define POINTWISE(LOSS, SLOPE)                                                                   \
    for (size_t r = 0; r < rows; r++) {                                                          \
        const float *xs = x + r * columns, *ts = targets + r * columns;                          \
        float rowWeight = weight_of(rowWeights, r), lanes[16] = {0};                             \
        size_t whole = columns & ~(size_t)15;                                                    \
        for (size_t i = 0; i < whole; i += 16)                                                   \
            for (size_t l = 0; l < 16; l++) {                                                    \
                size_t c = i + l;                                                                \
                float v = xs[c], t = ts[c];                                                      \
                lanes[l] += LOSS;                                                                \
            }                                                                                    \
        for (size_t c = whole; c < columns; c++) {                                               \
            float v = xs[c], t = ts[c];                                                          \
            lanes[c - whole] += LOSS;                                                            \
        }                                                                                        \
        losses[r] = rowWeight * folded(lanes);                                                   \
        if (!derivatives) continue;                                                              \
        float *d = derivatives + r * columns;                                                    \
        for (size_t c = 0; c < columns; c++) {                                                   \
            float v = xs[c], t = ts[c];                                                          \
            d[c] = rowWeight * (SLOPE);                                                          \
        }                                                                                        \
    }                                                                                            \
    break;

RONDO_INLINE float huber(float difference, float delta) {
    float size = absolute(difference);
    return size < delta ? 0.5f * difference * difference : delta * (size - 0.5f * delta);
}

RONDO_INLINE float huber_slope(float difference, float delta) {
    float limited = difference > delta ? delta : difference;
    return limited < -delta ? -delta : limited;
}

// log(1 + exp(-x)) without overflow.
RONDO_INLINE float softplus_of_negative(float x) {
    return logarithm_of_one_plus(exponential_full(-absolute(x))) + (x < 0 ? -x : 0);
}

#define POSITIVE_WEIGHT (1.0f + (weight_of(parameters, c) - 1.0f) * t)

RONDO_CLONES void rondo_pointwise_loss(rondo_loss_kind kind, float *losses, float *derivatives,
                                       const float *x, const float *targets, float parameter,
                                       const float *parameters, const float *rowWeights,
                                       size_t rows, size_t columns) {
    switch (kind) {
    case rondo_loss_squared: POINTWISE((v - t) * (v - t), 2.0f * (v - t))
    case rondo_loss_absolute:
        POINTWISE(absolute(v - t), v > t ? 1.0f : v < t ? -1.0f : v - t)
    case rondo_loss_huber: POINTWISE(huber(v - t, parameter), huber_slope(v - t, parameter))
    case rondo_loss_logistic:
        POINTWISE((1.0f - t) * v + POSITIVE_WEIGHT * softplus_of_negative(v),
                  (1.0f - t) - POSITIVE_WEIGHT * logistic_full(-v))
    case rondo_loss_divergence:
        POINTWISE(t > 0 ? t * (natural_logarithm(t) - v) : 0 * v, -t)
    case rondo_loss_divergence_of_logs:
        POINTWISE(exponential_full(t) * (t - v), -exponential_full(t))
    }
}

RONDO_CLONES void rondo_gaussian_divergence(float *losses, float *dmeans, float *dlogVariances,
                                            const float *means, const float *logVariances,
                                            const float *rowWeights, size_t rows,
                                            size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *m = means + r * columns, *s = logVariances + r * columns;
        float rowWeight = weight_of(rowWeights, r), lanes[16] = {0};
        for (size_t c = 0; c < columns; c++)
            lanes[c & 15] += 0.5f * (m[c] * m[c] + exponential_minus_one(s[c]) - s[c]);
        losses[r] = rowWeight * folded(lanes);
        if (!dmeans) continue;
        for (size_t c = 0; c < columns; c++) {
            dmeans[r * columns + c] = rowWeight * m[c];
            dlogVariances[r * columns + c] = rowWeight * 0.5f * exponential_minus_one(s[c]);
        }
    }
}

RONDO_CLONES void rondo_cosine_loss(float *losses, float *da, float *db, const float *a,
                                    const float *b, const int32_t *signs, float margin,
                                    const float *rowWeights, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *u = a + r * columns, *v = b + r * columns;
        // 1e-12 as in PyTorch: a row of zeros has the cosine 0.
        float uu = dot_of(u, u, columns) + 1e-12f, vv = dot_of(v, v, columns) + 1e-12f;
        float inverse = 1.0f / __builtin_sqrtf(uu * vv);
        float cosine = dot_of(u, v, columns) * inverse;
        float loss = signs[r] > 0 ? 1.0f - cosine : cosine - margin;
        float slope = signs[r] > 0 ? -1.0f : loss > 0 ? 1.0f : 0.0f;
        if (signs[r] < 0 && loss < 0) loss = 0;
        float rowWeight = weight_of(rowWeights, r);
        losses[r] = rowWeight * loss;
        if (!da) continue;
        slope *= rowWeight;
        for (size_t c = 0; c < columns; c++) {
            da[r * columns + c] = slope * (v[c] * inverse - cosine * u[c] / uu);
            db[r * columns + c] = slope * (u[c] * inverse - cosine * v[c] / vv);
        }
    }
}

RONDO_CLONES void rondo_negative_sampling(float *losses, float *dcenters, float *dpositives,
                                          float *dnegatives, const float *centers,
                                          const float *positives, const float *negatives,
                                          const float *rowWeights, size_t rows,
                                          size_t negativeCount, size_t columns) {
    for (size_t r = 0; r < rows; r++) {
        const float *center = centers + r * columns, *positive = positives + r * columns;
        float rowWeight = weight_of(rowWeights, r);
        float product = dot_of(center, positive, columns);
        float loss = softplus_of_negative(product);
        if (dcenters) {
            float slope = -rowWeight * logistic_full(-product);
            for (size_t c = 0; c < columns; c++) {
                dcenters[r * columns + c] = slope * positive[c];
                dpositives[r * columns + c] = slope * center[c];
            }
        }
        for (size_t k = 0; k < negativeCount; k++) {
            size_t offset = (r * negativeCount + k) * columns;
            const float *negative = negatives + offset;
            product = dot_of(center, negative, columns);
            loss += softplus_of_negative(-product);
            if (!dcenters) continue;
            float slope = rowWeight * logistic_full(product);
            for (size_t c = 0; c < columns; c++) {
                dcenters[r * columns + c] += slope * negative[c];
                dnegatives[offset + c] = slope * center[c];
            }
        }
        losses[r] = rowWeight * loss;
    }
}

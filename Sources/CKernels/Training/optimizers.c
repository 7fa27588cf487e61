#include "CKernels.h"
#include "clones.h"
#include <math.h>

// The update of replicated state: every host must get equal bits, so each line is one rounding per
// operation in the order written (see CKernels.h).

// sqrtf may set errno, and a loop that may is no vector code: Adam took 3.2 ns instead of 0.4 ns
// per parameter.
RONDO_INLINE float square_root(float x) { return __builtin_elementwise_sqrt(x); }

RONDO_CLONES void rondo_sgd(float *values, const float *gradients, float *momenta, size_t count,
                            float learningRate, float momentum, float weightDecay,
                            float gradientScale, bool nesterov) {
    if (momentum == 0) {
        for (size_t i = 0; i < count; i++) {
            float gradient = gradients[i] * gradientScale + weightDecay * values[i];
            values[i] -= learningRate * gradient;
        }
    } else if (nesterov) {
        for (size_t i = 0; i < count; i++) {
            float gradient = gradients[i] * gradientScale + weightDecay * values[i];
            float velocity = momentum * momenta[i] + gradient;
            momenta[i] = velocity;
            values[i] -= learningRate * (gradient + momentum * velocity);
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            float gradient = gradients[i] * gradientScale + weightDecay * values[i];
            float velocity = momentum * momenta[i] + gradient;
            momenta[i] = velocity;
            values[i] -= learningRate * velocity;
        }
    }
}

RONDO_CLONES void rondo_adam(float *values, const float *gradients, float *firstMoments,
                             float *secondMoments, size_t count,
                             const rondo_adam_settings *settings) {
    const rondo_adam_settings s = *settings;
    const float stepSize = s.learningRate / s.biasCorrection1;
    const float rootCorrection = sqrtf(s.biasCorrection2);
    const float decay = s.decoupledDecay ? 1.0f - s.learningRate * s.weightDecay : 1.0f;
    const float coupled = s.decoupledDecay ? 0.0f : s.weightDecay;
    for (size_t i = 0; i < count; i++) {
        float value = values[i] * decay;
        float gradient = gradients[i] * s.gradientScale + coupled * value;
        float first = s.beta1 * firstMoments[i] + (1.0f - s.beta1) * gradient;
        float second = s.beta2 * secondMoments[i] + (1.0f - s.beta2) * (gradient * gradient);
        firstMoments[i] = first;
        secondMoments[i] = second;
        values[i] = value - stepSize * first / (square_root(second) / rootCorrection + s.epsilon);
    }
}

RONDO_CLONES void rondo_running_average(float *running, const float *sums, float scale,
                                        float momentum, size_t count) {
    for (size_t i = 0; i < count; i++)
        running[i] = (1.0f - momentum) * running[i] + momentum * (sums[i] * scale);
}

RONDO_CLONES void rondo_rmsprop(float *values, const float *gradients, float *squares,
                                float *momenta, float *means, size_t count,
                                const rondo_rmsprop_settings *settings) {
    const rondo_rmsprop_settings s = *settings;
    const float rest = 1.0f - s.alpha;
    for (size_t i = 0; i < count; i++) {
        float gradient = gradients[i] * s.gradientScale + s.weightDecay * values[i];
        float square = s.alpha * squares[i] + rest * (gradient * gradient);
        squares[i] = square;
        float variance = square;
        if (means) {
            float mean = means[i] + rest * (gradient - means[i]);
            means[i] = mean;
            // The difference may round below zero.
            variance = square - mean * mean;
            variance = variance < 0 ? 0 : variance;
        }
        float change = gradient / (square_root(variance) + s.epsilon);
        if (momenta) {
            change = s.momentum * momenta[i] + change;
            momenta[i] = change;
        }
        values[i] -= s.learningRate * change;
    }
}

RONDO_CLONES void rondo_adagrad(float *values, const float *gradients, float *squares,
                                size_t count, float learningRate, float epsilon,
                                float weightDecay, float gradientScale) {
    for (size_t i = 0; i < count; i++) {
        float gradient = gradients[i] * gradientScale + weightDecay * values[i];
        float square = squares[i] + gradient * gradient;
        squares[i] = square;
        values[i] -= learningRate * (gradient / (square_root(square) + epsilon));
    }
}

RONDO_CLONES void rondo_adadelta(float *values, const float *gradients, float *squares,
                                 float *changes, size_t count, float learningRate, float rho,
                                 float epsilon, float weightDecay, float gradientScale) {
    const float rest = 1.0f - rho;
    for (size_t i = 0; i < count; i++) {
        float gradient = gradients[i] * gradientScale + weightDecay * values[i];
        float square = rho * squares[i] + rest * (gradient * gradient);
        float change = square_root(changes[i] + epsilon) / square_root(square + epsilon);
        change *= gradient;
        squares[i] = square;
        changes[i] = rho * changes[i] + rest * (change * change);
        values[i] -= learningRate * change;
    }
}

// Eight lanes over blocks of 4096 elements, the blocks in order. In double no square overflows, and
// the sum over millions of elements keeps its digits.
RONDO_CLONES double rondo_square_sum(const float *values, size_t count) {
    double total = 0;
    for (size_t start = 0; start < count; start += 4096) {
        size_t length = count - start < 4096 ? count - start : 4096;
        size_t whole = length & ~(size_t)7;
        const float *block = values + start;
        double lanes[8] = {0};
        for (size_t i = 0; i < whole; i += 8) {
            for (size_t j = 0; j < 8; j++) {
                double value = (double)block[i + j];
                lanes[j] += value * value;
            }
        }
        for (size_t i = whole; i < length; i++)
            lanes[i - whole] += (double)block[i] * (double)block[i];
        for (size_t width = 4; width > 0; width /= 2)
            for (size_t j = 0; j < width; j++) lanes[j] += lanes[j + width];
        total += lanes[0];
    }
    return total;
}

// NaN stays NaN: a diverged run must show it.
RONDO_CLONES void rondo_limit(float *values, float limit, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float value = values[i] > limit ? limit : values[i];
        values[i] = value < -limit ? -limit : value;
    }
}

RONDO_CLONES void rondo_moving_average(float *average, const float *values, float rest,
                                       size_t count) {
    for (size_t i = 0; i < count; i++) average[i] += rest * (values[i] - average[i]);
}

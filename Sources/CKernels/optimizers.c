#include "CKernels.h"
#include "clones.h"
#include <math.h>

// The update of replicated state: every host must get equal bits, so each line is one rounding per
// operation in the order written (see CKernels.h).

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
        values[i] = value - stepSize * first / (__builtin_sqrtf(second) / rootCorrection + s.epsilon);
    }
}

RONDO_CLONES void rondo_running_average(float *running, const float *sums, float scale,
                                        float momentum, size_t count) {
    for (size_t i = 0; i < count; i++)
        running[i] = (1.0f - momentum) * running[i] + momentum * (sums[i] * scale);
}

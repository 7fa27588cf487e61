#include "CKernels.h"
#include "elementary.h"
#include <string.h>

// Connectionist temporal classification (Graves et al. 2006, section 4.1).
//
// The states are the labels with blanks between and around them, S = 2 L + 1. forward[t][s] is the
// log-probability of being in state s at time t with the labels before it said; backward[t][s] of
// saying the rest from there. Both are kept relative to the largest state of their time step (the
// parts taken out are added up in double), so their size does not grow with the sequence, and the
// probability of a state is forward + backward normalised within its own time step.
//
//   derivative of the logits at t, class k = softmax - sum over states s of label k of P(s at t)

static const float impossible = -1.0e30f;

RONDO_INLINE float log_sum(float a, float b, float c) {
    float largest = a > b ? a : b;
    largest = c > largest ? c : largest;
    float sum = exponential_full(a - largest) + exponential_full(b - largest);
    float result = largest + natural_logarithm(sum + exponential_full(c - largest));
    return largest <= impossible ? impossible : result;
}

// Takes the largest out and returns it; NaN is kept.
RONDO_INLINE float without_largest(float *states, int64_t count) {
    float largest = states[0];
    for (int64_t s = 1; s < count; s++) largest = states[s] > largest ? states[s] : largest;
    if (largest <= impossible) return largest;
    for (int64_t s = 0; s < count; s++) {
        float rest = states[s] - largest;
        states[s] = rest < impossible ? impossible : rest;
    }
    return largest;
}

size_t rondo_ctc_workspace(const rondo_alignment *alignment) {
    size_t states = 2 * (size_t)alignment->labelCount + 1, steps = (size_t)alignment->steps;
    return steps * (states + (size_t)alignment->classes) + 5 * (states + 4);
}

typedef struct {
    float *logs;      // [steps][classes]
    float *forward;   // [steps][states]
    float *backward, *next, *emitted, *skips; // [states + 4], two more on each side
    int64_t states;
} ctc_memory;

RONDO_INLINE int32_t label_of(const rondo_alignment *a, int64_t state) {
    return state & 1 ? a->labels[state >> 1] : a->blank;
}

RONDO_CLONES static void log_softmax(float *logs, const float *logits,
                                     const rondo_alignment *a) {
    for (int64_t t = 0; t < a->steps; t++) {
        const float *x = logits + t * a->rowStride;
        float *out = logs + t * a->classes;
        float largest = x[0], sum = 0;
        for (int64_t k = 1; k < a->classes; k++) largest = x[k] > largest ? x[k] : largest;
        for (int64_t k = 0; k < a->classes; k++) sum += exponential_full(x[k] - largest);
        float logSum = natural_logarithm(sum) + largest;
        for (int64_t k = 0; k < a->classes; k++) out[k] = x[k] - logSum;
    }
}

RONDO_INLINE void emissions(const ctc_memory *m, const rondo_alignment *a, int64_t t) {
    for (int64_t s = 0; s < m->states; s++)
        m->emitted[s] = m->logs[t * a->classes + label_of(a, s)];
}

// next[s] = emitted[s] + log(previous[s] + previous[s - 1] + previous[s - 2] if a skip to s is
// allowed)
RONDO_CLONES static void forward_step(float *states, const float *previous, const float *emitted,
                                      const float *skips, int64_t count) {
    for (int64_t s = 0; s < count; s++) {
        float sum = log_sum(previous[s], previous[s - 1], previous[s - 2] + skips[s]);
        states[s] = emitted[s] + sum;
    }
}

// previous[s] = log(next[s] + next[s + 1] + next[s + 2] if a skip from s is allowed), emissions
// included
RONDO_CLONES static void backward_step(float *states, const float *next, const float *skips,
                                       int64_t count) {
    for (int64_t s = 0; s < count; s++)
        states[s] = log_sum(next[s], next[s + 1], next[s + 2] + skips[s + 2]);
}

static double forward_pass(const ctc_memory *m, const rondo_alignment *a) {
    double taken = 0;
    float *previous = m->next;
    for (int64_t s = -2; s < m->states + 2; s++) previous[s] = impossible;
    for (int64_t t = 0; t < a->steps; t++) {
        float *states = m->forward + t * m->states;
        emissions(m, a, t);
        if (t == 0) {
            for (int64_t s = 0; s < m->states; s++) states[s] = s < 2 ? m->emitted[s] : impossible;
        } else {
            forward_step(states, previous, m->emitted, m->skips, m->states);
        }
        float largest = without_largest(states, m->states);
        if (largest <= impossible) return impossible;
        taken += (double)largest;
        memcpy(previous, states, (size_t)m->states * sizeof(float));
    }
    const float *last = previous + m->states - 1;
    float ends = log_sum(last[0], m->states > 1 ? last[-1] : impossible, impossible);
    return ends <= impossible ? impossible : taken + (double)ends;
}

// P(s at t) takes the place of forward[t][s].
RONDO_CLONES static void state_probabilities(float *forward, const float *backward,
                                             int64_t count) {
    float largest = impossible, sum = 0;
    for (int64_t s = 0; s < count; s++) {
        forward[s] += backward[s];
        largest = forward[s] > largest ? forward[s] : largest;
    }
    for (int64_t s = 0; s < count; s++) {
        forward[s] = exponential_full(forward[s] - largest);
        sum += forward[s];
    }
    float inverse = 1.0f / sum;
    for (int64_t s = 0; s < count; s++) forward[s] *= inverse;
}

static void backward_pass(float *derivatives, const ctc_memory *m, const rondo_alignment *a) {
    for (int64_t s = -2; s < m->states + 2; s++) m->next[s] = m->backward[s] = impossible;
    for (int64_t t = a->steps - 1; t >= 0; t--) {
        if (t == a->steps - 1) {
            m->backward[m->states - 1] = 0;
            if (m->states > 1) m->backward[m->states - 2] = 0;
        } else {
            backward_step(m->backward, m->next, m->skips, m->states);
            without_largest(m->backward, m->states);
        }
        float *probabilities = m->forward + t * m->states;
        state_probabilities(probabilities, m->backward, m->states);
        float *d = derivatives + t * a->rowStride;
        for (int64_t k = 0; k < a->classes; k++)
            d[k] = exponential_full(m->logs[t * a->classes + k]);
        for (int64_t s = 0; s < m->states; s++) d[label_of(a, s)] -= probabilities[s];
        for (int64_t k = 0; k < a->classes; k++) d[k] *= a->weight;
        emissions(m, a, t);
        for (int64_t s = 0; s < m->states; s++) m->next[s] = m->backward[s] + m->emitted[s];
    }
}

float rondo_ctc(float *derivatives, const float *logits, float *workspace,
                const rondo_alignment *a) {
    int64_t states = 2 * a->labelCount + 1, padded = states + 4;
    ctc_memory m = {.states = states};
    m.logs = workspace;
    m.forward = m.logs + a->steps * a->classes;
    m.backward = m.forward + a->steps * states + 2;
    m.next = m.backward + padded;
    m.emitted = m.next + padded;
    m.skips = m.emitted + padded;
    // Over a blank between two labels that differ; never between two blanks.
    for (int64_t s = -2; s < states + 2; s++) {
        bool differs = s >= 3 && s < states && (s & 1) && label_of(a, s) != label_of(a, s - 2);
        m.skips[s] = differs ? 0 : impossible;
    }
    log_softmax(m.logs, logits, a);
    double likelihood = a->steps > 0 ? forward_pass(&m, a) : a->labelCount > 0 ? impossible : 0;
    if (likelihood <= (double)impossible) {
        for (int64_t t = 0; derivatives && t < a->steps; t++)
            memset(derivatives + t * a->rowStride, 0, (size_t)a->classes * sizeof(float));
        return a->zeroInfinity ? 0 : __builtin_inff();
    }
    if (derivatives) backward_pass(derivatives, &m, a);
    return a->weight * (float)-likelihood;
}

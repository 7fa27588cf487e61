#include "CKernels.h"
#include "clones.h"
#include "exponential.h"
#include <string.h>

// The gates of one time step in one pass over registers: the products are read once, all functions
// are computed, and the values that backward needs are written back to the same place.

RONDO_INLINE bool at_rest(const rondo_recurrent_step *s, int64_t row) {
    return s->lengths && s->step >= s->lengths[row];
}

RONDO_INLINE void copy_row(float *destination, const float *source, int64_t count) {
    memcpy(destination, source, (size_t)count * sizeof(float));
}

RONDO_INLINE void zero_row(float *destination, int64_t count) {
    memset(destination, 0, (size_t)count * sizeof(float));
}

RONDO_CLONES void rondo_rnn_step(float *hidden, const float *previousHidden, const float *bias,
                                 bool relu, const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    for (int64_t row = 0; row < step->rows; row++) {
        float *restrict h = hidden + row * step->stateStride;
        if (at_rest(step, row)) {
            copy_row(h, previousHidden + row * step->stateStride, units);
        } else if (relu) {
            for (int64_t u = 0; u < units; u++) {
                float value = h[u] + bias[u];
                h[u] = value < 0 ? 0 : value;
            }
        } else {
            for (int64_t u = 0; u < units; u++) h[u] = hyperbolic_tangent(h[u] + bias[u]);
        }
    }
}

RONDO_CLONES void rondo_rnn_step_gradient(float *dgates, float *carry, const float *dy,
                                          const float *hidden, bool relu,
                                          const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    for (int64_t row = 0; row < step->rows; row++) {
        float *restrict d = dgates + row * units, *restrict dh = carry + row * units;
        const float *restrict h = hidden + row * step->stateStride;
        if (at_rest(step, row)) {
            zero_row(d, units);
            continue;
        }
        if (dy) {
            const float *restrict upstream = dy + row * step->stateStride;
            for (int64_t u = 0; u < units; u++) dh[u] += upstream[u];
        }
        if (relu) {
            for (int64_t u = 0; u < units; u++) d[u] = h[u] > 0 ? dh[u] : 0;
        } else {
            for (int64_t u = 0; u < units; u++) d[u] = dh[u] * (1.0f - h[u] * h[u]);
        }
        zero_row(dh, units);
    }
}

RONDO_CLONES void rondo_lstm_step(float *gates, float *cell, float *squashedCell, float *hidden,
                                  const float *previousCell, const float *previousHidden,
                                  const float *bias, const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    const float *restrict bi = bias, *restrict bf = bias + units;
    const float *restrict bg = bias + 2 * units, *restrict bo = bias + 3 * units;
    for (int64_t row = 0; row < step->rows; row++) {
        float *restrict c = cell + row * units, *restrict h = hidden + row * step->stateStride;
        float *restrict squashed = squashedCell + row * units;
        const float *restrict before = previousCell + row * units;
        if (at_rest(step, row)) {
            copy_row(c, before, units);
            copy_row(h, previousHidden + row * step->stateStride, units);
            continue;
        }
        float *restrict gi = gates + row * 4 * units, *restrict gf = gi + units;
        float *restrict gg = gf + units, *restrict go = gg + units;
        for (int64_t u = 0; u < units; u++) {
            float i = logistic(gi[u] + bi[u]), f = logistic(gf[u] + bf[u]);
            float g = hyperbolic_tangent(gg[u] + bg[u]), o = logistic(go[u] + bo[u]);
            float state = f * before[u] + i * g;
            gi[u] = i;
            gf[u] = f;
            gg[u] = g;
            go[u] = o;
            c[u] = state;
            squashed[u] = hyperbolic_tangent(state);
            h[u] = o * squashed[u];
        }
    }
}

RONDO_CLONES void rondo_lstm_step_gradient(float *dgates, const float *gates, float *carry,
                                           float *cellCarry, const float *dy,
                                           const float *squashedCell, const float *previousCell,
                                           const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    for (int64_t row = 0; row < step->rows; row++) {
        const float *gi = gates + row * 4 * units, *gf = gi + units;
        const float *gg = gf + units, *go = gg + units;
        float *di = dgates + row * 4 * units, *df = di + units, *dg = df + units, *dout = dg + units;
        if (at_rest(step, row)) {
            zero_row(di, 4 * units);
            continue;
        }
        float *restrict dh = carry + row * units, *restrict dc = cellCarry + row * units;
        const float *restrict squashed = squashedCell + row * units;
        const float *restrict before = previousCell + row * units;
        if (dy) {
            const float *restrict upstream = dy + row * step->stateStride;
            for (int64_t u = 0; u < units; u++) dh[u] += upstream[u];
        }
        RONDO_IN_PLACE for (int64_t u = 0; u < units; u++) {
            float i = gi[u], f = gf[u], g = gg[u], o = go[u], t = squashed[u];
            float total = dc[u] + dh[u] * o * (1.0f - t * t);
            di[u] = total * g * i * (1.0f - i);
            df[u] = total * before[u] * f * (1.0f - f);
            dg[u] = total * i * (1.0f - g * g);
            dout[u] = dh[u] * t * o * (1.0f - o);
            dc[u] = total * f;
            dh[u] = 0;
        }
    }
}

RONDO_CLONES void rondo_gru_step(float *gates, float *hidden, const float *products,
                                 const float *previousHidden, const float *bias,
                                 const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    const float *restrict br = bias, *restrict bz = bias + units;
    const float *restrict bn = bias + 2 * units, *restrict bm = bias + 3 * units;
    for (int64_t row = 0; row < step->rows; row++) {
        float *restrict h = hidden + row * step->stateStride;
        const float *restrict before = previousHidden + row * step->stateStride;
        if (at_rest(step, row)) {
            copy_row(h, before, units);
            continue;
        }
        float *restrict gr = gates + row * 4 * units, *restrict gz = gr + units;
        float *restrict gn = gz + units, *restrict gm = gn + units;
        const float *restrict pr = products + row * 3 * units, *restrict pz = pr + units;
        const float *restrict pm = pz + units;
        for (int64_t u = 0; u < units; u++) {
            float r = logistic(gr[u] + pr[u] + br[u]), z = logistic(gz[u] + pz[u] + bz[u]);
            float m = pm[u] + bm[u];
            float n = hyperbolic_tangent(gn[u] + bn[u] + r * m);
            gr[u] = r;
            gz[u] = z;
            gn[u] = n;
            gm[u] = m;
            h[u] = n + z * (before[u] - n);
        }
    }
}

RONDO_CLONES void rondo_gru_step_gradient(float *dgates, const float *gates, float *carry,
                                          const float *dy, const float *previousHidden,
                                          const rondo_recurrent_step *step) {
    const int64_t units = step->units;
    for (int64_t row = 0; row < step->rows; row++) {
        const float *gr = gates + row * 4 * units, *gz = gr + units;
        const float *gn = gz + units, *gm = gn + units;
        float *dr = dgates + row * 4 * units, *dz = dr + units, *dn = dz + units, *dm = dn + units;
        if (at_rest(step, row)) {
            zero_row(dr, 4 * units);
            continue;
        }
        float *restrict dh = carry + row * units;
        const float *restrict before = previousHidden + row * step->stateStride;
        if (dy) {
            const float *restrict upstream = dy + row * step->stateStride;
            for (int64_t u = 0; u < units; u++) dh[u] += upstream[u];
        }
        RONDO_IN_PLACE for (int64_t u = 0; u < units; u++) {
            float r = gr[u], z = gz[u], n = gn[u], m = gm[u];
            float ofN = dh[u] * (1.0f - z) * (1.0f - n * n);
            dr[u] = ofN * m * r * (1.0f - r);
            dz[u] = dh[u] * (before[u] - n) * z * (1.0f - z);
            dn[u] = ofN;
            dm[u] = ofN * r;
            dh[u] *= z;
        }
    }
}

RONDO_CLONES void rondo_swap_leading(float *destination, const float *source, size_t a, size_t b,
                                     size_t width) {
    for (size_t j = 0; j < b; j++)
        for (size_t i = 0; i < a; i++) {
            const float *restrict from = source + (i * b + j) * width;
            float *restrict to = destination + (j * a + i) * width;
            for (size_t k = 0; k < width; k++) to[k] = from[k];
        }
}

RONDO_CLONES void rondo_highway(float *restrict y, float *restrict gate,
                                const float *restrict logits, const float *restrict h,
                                const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float open = logistic(logits[i]);
        gate[i] = open;
        y[i] = x[i] + open * (h[i] - x[i]);
    }
}

RONDO_CLONES void rondo_highway_gradient(float *restrict dx, float *restrict dh,
                                         float *restrict dlogits, const float *restrict dy,
                                         const float *restrict gate, const float *restrict h,
                                         const float *restrict x, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float open = gate[i];
        dx[i] = dy[i] * (1.0f - open);
        dh[i] = dy[i] * open;
        dlogits[i] = dy[i] * (h[i] - x[i]) * open * (1.0f - open);
    }
}

RONDO_CLONES void rondo_gather_rows(float *y, size_t yStride, const float *table,
                                    const int32_t *tokens, size_t count, size_t width) {
    for (size_t i = 0; i < count; i++)
        memcpy(y + i * yStride, table + (size_t)tokens[i] * width, width * sizeof(float));
}

RONDO_CLONES void rondo_scatter_add_rows(float *table, const float *dy, size_t dyStride,
                                         const int32_t *tokens, size_t count, size_t width,
                                         int32_t skipped) {
    for (size_t i = 0; i < count; i++) {
        if (tokens[i] == skipped) continue;
        float *restrict row = table + (size_t)tokens[i] * width;
        const float *restrict add = dy + i * dyStride;
        for (size_t c = 0; c < width; c++) row[c] += add[c];
    }
}

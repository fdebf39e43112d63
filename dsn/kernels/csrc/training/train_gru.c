/* Grouped GRU, forward and backward: four sequences side by side, the lanes over hidden units. */
#include "training.h"

#define SIDE 4 /* sequences in lockstep, to have enough independent products */

/* One unit's arrays at its first sequence, with the distances from sequence to sequence and from step to step. */
struct unit {
    const float *x, *dy, *state, *w_ih, *w_hh, *b_ih, *b_hh;
    float *y, *saved, *dx, *dstate;
    long x_sequence, x_step, y_sequence, y_step, saved_sequence, steps;
    int backwards; /* in time: the second direction */
};

/* PyTorch's rows of outputs as rows of inputs: w (3, output, input) -> (3, input, output). */
static void by_input(const float *w, float out[3][UNIT][UNIT]) {
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < UNIT; i++)
            for (int o = 0; o < UNIT; o++) out[g][i][o] = w[(g * UNIT + o) * UNIT + i];
}

INLINE void forward(int side, const struct unit *u, long first, float wi[3][UNIT][UNIT], float wh[3][UNIT][UNIT]) {
    float h[2][SIDE][UNIT] = {{{0}}}; /* this step's past and its result; the next step has them the other way round */
    for (int k = 0; k < side && u->state; k++) memcpy(h[0][k], u->state + (first + k) * UNIT, sizeof h[0][k]);
    for (long j = 0; j < u->steps; j++) {
        long t = u->backwards ? u->steps - 1 - j : j;
        const float *x = u->x + first * u->x_sequence + t * u->x_step;
        float (*past)[UNIT] = h[j % 2], (*now)[UNIT] = h[(j + 1) % 2];
        for (int o = 0; o < UNIT; o += N) {
            const float *b_i = u->b_ih + o, *b_h = u->b_hh + o;
            const vec b_r = load(b_i) + load(b_h), b_z = load(b_i + UNIT) + load(b_h + UNIT);
            const vec b_in = load(b_i + 2 * UNIT), b_hn = load(b_h + 2 * UNIT);
            vec r[SIDE], z[SIDE], in[SIDE], hn[SIDE];
            for (int k = 0; k < side; k++) r[k] = b_r, z[k] = b_z, in[k] = b_in, hn[k] = b_hn;
            for (int i = 0; i < UNIT; i++)
                for (int k = 0; k < side; k++) {
                    float a = x[k * u->x_sequence + i], b = past[k][i];
                    r[k] += load(&wi[0][i][o]) * a, z[k] += load(&wi[1][i][o]) * a, in[k] += load(&wi[2][i][o]) * a;
                    r[k] += load(&wh[0][i][o]) * b, z[k] += load(&wh[1][i][o]) * b, hn[k] += load(&wh[2][i][o]) * b;
                }
            for (int k = 0; k < side; k++) {
                vec reset = sigmoid(r[k]), update = sigmoid(z[k]), new = vtanh(in[k] + reset * hn[k]);
                vec y = new + update * (load(&past[k][o]) - new);
                store(&now[k][o], y);
                store(u->y + (first + k) * u->y_sequence + t * u->y_step + o, y);
                if (!u->saved) continue;
                float *saved = u->saved + (first + k) * u->saved_sequence + t * 4 * UNIT + o;
                store(saved, reset), store(saved + UNIT, update);
                store(saved + 2 * UNIT, new), store(saved + 3 * UNIT, hn[k]);
            }
        }
    }
}

/* Gradients of the weights (by output, as PyTorch has them) and biases of one unit. */
struct gradient { float w_ih[3 * UNIT * UNIT], w_hh[3 * UNIT * UNIT], b_ih[3 * UNIT], b_hh[3 * UNIT]; };

INLINE void add(float *to, vec x) { store(to, load(to) + x); }

/* One vector of hidden units of one step: gradients before the activations of r, z, n and of n's hidden part, to d, and
   added to those of the biases; returns h's. */
INLINE vec before_gates(const float *saved, vec past, vec dh, float *d, float *db_ih, float *db_hh) {
    vec r = load(saved), z = load(saved + UNIT), n = load(saved + 2 * UNIT), hn = load(saved + 3 * UNIT);
    vec dn = dh * (1.f - z) * (1.f - n * n), dz = dh * (past - n) * z * (1.f - z), dr = dn * hn * r * (1.f - r);
    store(d, dr), store(d + UNIT, dz), store(d + 2 * UNIT, dn), store(d + 3 * UNIT, dn * r);
    add(db_ih, dr), add(db_ih + UNIT, dz), add(db_ih + 2 * UNIT, dn);
    add(db_hh, dr), add(db_hh + UNIT, dz), add(db_hh + 2 * UNIT, dn * r);
    return dh * z;
}

INLINE void backward(int side, const struct unit *u, long first, struct gradient *g) {
    static const float zeros[UNIT];
    float dh[SIDE][UNIT] = {{0}}, d[SIDE][4 * UNIT];
    const float *past[SIDE];
    for (long j = u->steps - 1; j >= 0; j--) {
        long t = u->backwards ? u->steps - 1 - j : j, before = u->backwards ? t + 1 : t - 1;
        const float *x = u->x + first * u->x_sequence + t * u->x_step;
        float *dx = u->dx + first * u->x_sequence + t * u->x_step;
        for (int k = 0; k < side; k++) {
            long s = first + k, y = s * u->y_sequence;
            const float *saved = u->saved + s * u->saved_sequence + t * 4 * UNIT;
            past[k] = j ? u->y + y + before * u->y_step : u->state ? u->state + s * UNIT : zeros;
            for (int i = 0; i < UNIT; i += N) {
                vec to_h = load(&dh[k][i]) + load(u->dy + y + t * u->y_step + i);
                to_h = before_gates(saved + i, load(past[k] + i), to_h, d[k] + i, g->b_ih + i, g->b_hh + i);
                store(&dh[k][i], to_h);
            }
        }
        for (int i = 0; i < UNIT; i += N) {
            vec to_h[SIDE], to_x[SIDE], h[SIDE], in[SIDE];
            for (int k = 0; k < side; k++) {
                h[k] = load(past[k] + i), in[k] = load(x + k * u->x_sequence + i), to_h[k] = load(&dh[k][i]);
                to_x[k] = u->backwards ? load(dx + k * u->x_sequence + i) : splat(0);
            }
            for (int o = 0; o < 3 * UNIT; o++) {
                long at = o * UNIT + i;
                vec wi = load(u->w_ih + at), wh = load(u->w_hh + at), gi = load(g->w_ih + at), gh = load(g->w_hh + at);
                for (int k = 0; k < side; k++) {
                    float a = d[k][o], b = d[k][o < 2 * UNIT ? o : o + UNIT];
                    to_x[k] += wi * a, to_h[k] += wh * b;
                    gi += in[k] * a, gh += h[k] * b;
                }
                store(g->w_ih + at, gi), store(g->w_hh + at, gh);
            }
            for (int k = 0; k < side; k++) store(dx + k * u->x_sequence + i, to_x[k]), store(&dh[k][i], to_h[k]);
        }
    }
    for (int k = 0; k < side && u->dstate; k++) memcpy(u->dstate + (first + k) * UNIT, dh[k], sizeof dh[k]);
}

/* What forward and backward share of unit k. */
static struct unit unit_of(const float *x, const float *y, const float *saved, const float *state, const float *w_ih,
                           const float *w_hh, int64_t count, int64_t steps, int64_t units, int64_t directions, int64_t k) {
    struct unit u = {0};
    u.x_step = units / directions * UNIT, u.x_sequence = steps * u.x_step;
    u.y_step = units * UNIT, u.y_sequence = steps * u.y_step, u.saved_sequence = steps * 4 * UNIT;
    u.steps = steps, u.backwards = directions == 2 && k % 2;
    u.x = x + k / directions * UNIT, u.y = (float *)y + k * UNIT;
    u.saved = saved ? (float *)saved + k * count * u.saved_sequence : 0;
    u.state = state ? state + k * count * UNIT : 0;
    u.w_ih = w_ih + 3 * k * UNIT * UNIT, u.w_hh = w_hh + 3 * k * UNIT * UNIT;
    return u;
}

void dsn_train_gru(const float *x, float *y, float *saved, const float *state, const float *w_ih, const float *w_hh,
                   const float *b_ih, const float *b_hh, int64_t count, int64_t steps, int64_t units, int64_t directions) {
    for (int64_t k = 0; k < units; k++) {
        struct unit u = unit_of(x, y, saved, state, w_ih, w_hh, count, steps, units, directions, k);
        float wi[3][UNIT][UNIT], wh[3][UNIT][UNIT];
        u.b_ih = b_ih + 3 * k * UNIT, u.b_hh = b_hh + 3 * k * UNIT;
        by_input(u.w_ih, wi), by_input(u.w_hh, wh);
        long s = 0;
        for (; s + SIDE <= count; s += SIDE) forward(SIDE, &u, s, wi, wh);
        for (; s < count; s++) forward(1, &u, s, wi, wh);
    }
}

static void add_all(float *to, const float *from, long count) {
    for (long i = 0; i < count; i += N) add(to + i, load(from + i));
}

void dsn_train_gru_back(const float *dy, const float *y, const float *x, const float *saved, const float *state,
                        const float *w_ih, const float *w_hh, float *dx, float *dstate, float *dw_ih, float *dw_hh,
                        float *db_ih, float *db_hh, int64_t count, int64_t steps, int64_t units, int64_t directions) {
    for (int64_t k = 0; k < units; k++) {
        struct unit u = unit_of(x, y, saved, state, w_ih, w_hh, count, steps, units, directions, k);
        u.dy = dy + k * UNIT, u.dx = dx + k / directions * UNIT, u.dstate = dstate ? dstate + k * count * UNIT : 0;
        for (long s = 0, side; s < count; s += side) { /* few sequences to one sum: rounding stays small */
            struct gradient g;
            memset(&g, 0, sizeof g);
            side = s + SIDE <= count ? SIDE : 1;
            if (side == SIDE) backward(SIDE, &u, s, &g);
            else backward(1, &u, s, &g);
            add_all(dw_ih + 3 * k * UNIT * UNIT, g.w_ih, 3 * UNIT * UNIT);
            add_all(dw_hh + 3 * k * UNIT * UNIT, g.w_hh, 3 * UNIT * UNIT);
            add_all(db_ih + 3 * k * UNIT, g.b_ih, 3 * UNIT), add_all(db_hh + 3 * k * UNIT, g.b_hh, 3 * UNIT);
        }
    }
}

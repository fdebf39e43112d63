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

/* PyTorch's rows of outputs as rows of inputs: w (3, 16, 16) -> [gate][input], a vector of outputs. */
static void by_input(const float *w, vec out[3][N]) {
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < N; i++)
            for (int o = 0; o < N; o++) out[g][i][o] = w[(g * N + o) * N + i];
}

INLINE void forward(int side, const struct unit *u, long first, const vec wi[3][N], const vec wh[3][N]) {
    const vec b_r = load(u->b_ih) + load(u->b_hh), b_z = load(u->b_ih + N) + load(u->b_hh + N);
    const vec b_in = load(u->b_ih + 2 * N), b_hn = load(u->b_hh + 2 * N);
    vec h[SIDE];
    float scalars[SIDE][N];
    for (int k = 0; k < side; k++) {
        h[k] = u->state ? load(u->state + (first + k) * N) : splat(0);
        store(scalars[k], h[k]);
    }
    for (long j = 0; j < u->steps; j++) {
        long t = u->backwards ? u->steps - 1 - j : j;
        const float *x = u->x + first * u->x_sequence + t * u->x_step;
        vec r[SIDE], z[SIDE], in[SIDE], hn[SIDE];
        for (int k = 0; k < side; k++) r[k] = b_r, z[k] = b_z, in[k] = b_in, hn[k] = b_hn;
        for (int i = 0; i < N; i++)
            for (int k = 0; k < side; k++) {
                float a = x[k * u->x_sequence + i], b = scalars[k][i];
                r[k] += wi[0][i] * a, z[k] += wi[1][i] * a, in[k] += wi[2][i] * a;
                r[k] += wh[0][i] * b, z[k] += wh[1][i] * b, hn[k] += wh[2][i] * b;
            }
        for (int k = 0; k < side; k++) {
            vec reset = sigmoid(r[k]), update = sigmoid(z[k]), new = vtanh(in[k] + reset * hn[k]);
            h[k] = new + update * (h[k] - new);
            store(scalars[k], h[k]);
            store(u->y + (first + k) * u->y_sequence + t * u->y_step, h[k]);
            if (!u->saved) continue;
            float *saved = u->saved + (first + k) * u->saved_sequence + t * 4 * N;
            store(saved, reset), store(saved + N, update), store(saved + 2 * N, new), store(saved + 3 * N, hn[k]);
        }
    }
}

/* Gradients of the weights (by output, as PyTorch has them) and biases of one unit. */
struct gradient { vec w_ih[3 * N], w_hh[3 * N], b_ih[3], b_hh[3]; };

/* Step t of one sequence: gradients before the activations of r, z, n and of n's hidden part, to d; returns h's. */
INLINE vec before_gates(const float *saved, vec past, vec dh, float d[4 * N], struct gradient *g) {
    vec r = load(saved), z = load(saved + N), n = load(saved + 2 * N), hn = load(saved + 3 * N);
    vec dn = dh * (1.f - z) * (1.f - n * n), dz = dh * (past - n) * z * (1.f - z), dr = dn * hn * r * (1.f - r);
    store(d, dr), store(d + N, dz), store(d + 2 * N, dn), store(d + 3 * N, dn * r);
    g->b_ih[0] += dr, g->b_ih[1] += dz, g->b_ih[2] += dn;
    g->b_hh[0] += dr, g->b_hh[1] += dz, g->b_hh[2] += dn * r;
    return dh * z;
}

INLINE void backward(int side, const struct unit *u, long first, struct gradient *g) {
    vec dh[SIDE], past[SIDE], x[SIDE], dx[SIDE];
    float d[SIDE][4 * N];
    for (int k = 0; k < side; k++) dh[k] = splat(0);
    for (long j = u->steps - 1; j >= 0; j--) {
        long t = u->backwards ? u->steps - 1 - j : j, before = u->backwards ? t + 1 : t - 1;
        for (int k = 0; k < side; k++) {
            long s = first + k;
            const float *y = u->y + s * u->y_sequence;
            past[k] = j ? load(y + before * u->y_step) : u->state ? load(u->state + s * N) : splat(0);
            dh[k] += load(u->dy + s * u->y_sequence + t * u->y_step);
            dh[k] = before_gates(u->saved + s * u->saved_sequence + t * 4 * N, past[k], dh[k], d[k], g);
            x[k] = load(u->x + s * u->x_sequence + t * u->x_step);
            dx[k] = u->backwards ? load(u->dx + s * u->x_sequence + t * u->x_step) : splat(0);
        }
        for (int o = 0; o < 3 * N; o++) {
            vec wi = load(u->w_ih + o * N), wh = load(u->w_hh + o * N), gi = g->w_ih[o], gh = g->w_hh[o];
            for (int k = 0; k < side; k++) {
                float a = d[k][o], b = d[k][o < 2 * N ? o : o + N];
                dx[k] += wi * a, dh[k] += wh * b;
                gi += x[k] * a, gh += past[k] * b;
            }
            g->w_ih[o] = gi, g->w_hh[o] = gh;
        }
        for (int k = 0; k < side; k++) store(u->dx + (first + k) * u->x_sequence + t * u->x_step, dx[k]);
    }
    if (u->dstate)
        for (int k = 0; k < side; k++) store(u->dstate + (first + k) * N, dh[k]);
}

/* What forward and backward share of unit k. */
static struct unit unit_of(const float *x, const float *y, const float *saved, const float *state, const float *w_ih,
                           const float *w_hh, int64_t count, int64_t steps, int64_t units, int64_t directions, int64_t k) {
    struct unit u = {0};
    u.x_step = units / directions * N, u.x_sequence = steps * u.x_step;
    u.y_step = units * N, u.y_sequence = steps * u.y_step, u.saved_sequence = steps * 4 * N;
    u.steps = steps, u.backwards = directions == 2 && k % 2;
    u.x = x + k / directions * N, u.y = (float *)y + k * N;
    u.saved = saved ? (float *)saved + k * count * u.saved_sequence : 0;
    u.state = state ? state + k * count * N : 0;
    u.w_ih = w_ih + 3 * k * N * N, u.w_hh = w_hh + 3 * k * N * N;
    return u;
}

void dsn_train_gru(const float *x, float *y, float *saved, const float *state, const float *w_ih, const float *w_hh,
                   const float *b_ih, const float *b_hh, int64_t count, int64_t steps, int64_t units, int64_t directions) {
    for (int64_t k = 0; k < units; k++) {
        struct unit u = unit_of(x, y, saved, state, w_ih, w_hh, count, steps, units, directions, k);
        vec wi[3][N], wh[3][N];
        u.b_ih = b_ih + 3 * k * N, u.b_hh = b_hh + 3 * k * N;
        by_input(u.w_ih, wi), by_input(u.w_hh, wh);
        long s = 0;
        for (; s + SIDE <= count; s += SIDE) forward(SIDE, &u, s, wi, wh);
        for (; s < count; s++) forward(1, &u, s, wi, wh);
    }
}

static void add(float *to, const vec *from, int rows) {
    for (int i = 0; i < rows; i++) store(to + i * N, load(to + i * N) + from[i]);
}

void dsn_train_gru_back(const float *dy, const float *y, const float *x, const float *saved, const float *state,
                        const float *w_ih, const float *w_hh, float *dx, float *dstate, float *dw_ih, float *dw_hh,
                        float *db_ih, float *db_hh, int64_t count, int64_t steps, int64_t units, int64_t directions) {
    for (int64_t k = 0; k < units; k++) {
        struct unit u = unit_of(x, y, saved, state, w_ih, w_hh, count, steps, units, directions, k);
        u.dy = dy + k * N, u.dx = dx + k / directions * N, u.dstate = dstate ? dstate + k * count * N : 0;
        for (long s = 0, side; s < count; s += side) { /* few sequences to one sum: rounding stays small */
            struct gradient g;
            memset(&g, 0, sizeof g);
            side = s + SIDE <= count ? SIDE : 1;
            if (side == SIDE) backward(SIDE, &u, s, &g);
            else backward(1, &u, s, &g);
            add(dw_ih + 3 * k * N * N, g.w_ih, 3 * N), add(dw_hh + 3 * k * N * N, g.w_hh, 3 * N);
            add(db_ih + 3 * k * N, g.b_ih, 3), add(db_hh + 3 * k * N, g.b_hh, 3);
        }
    }
}

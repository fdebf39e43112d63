/* Gated recurrent units: along frequency with the lanes over hidden units, along time with the lanes over bins. */
#include "network.h"

#define SIDE 4        /* units that run side by side */
#define STEPS (N / 4) /* steps whose inputs are projected together, as many as there are registers for */

/* One direction of one group: weights of each input, of each hidden unit, to the gates r, z and n of `wide` lanes. */
struct unit { const float *input, *bias, *hidden, *hidden_bias; };

static struct unit take_unit(weights *w, int inputs, int width, int wide) {
    struct unit u;
    u.input = take(w, 3 * inputs * wide), u.bias = take(w, 3 * wide);
    u.hidden = take(w, 3 * width * wide), u.hidden_bias = take(w, wide);
    return u;
}

/* Adds to the gates what one input or hidden unit of this value gives. */
INLINE void add(vec gates[3], const float *w, int wide, float value) {
    for (int g = 0; g < 3; g++) gates[g] += load(w + g * wide) * value;
}

/* What the inputs x[i * stride + step] give to the gates of `count` steps: gi (count, 3 wide), gi_stride apart. */
INLINE void project(int count, struct unit u, const float *x, long stride, int inputs, int wide, float *gi, long gi_stride) {
    for (int lane = 0; lane < wide; lane += N) {
        vec a[STEPS][3];
        for (int t = 0; t < count; t++)
            for (int g = 0; g < 3; g++) a[t][g] = load(u.bias + g * wide + lane);
        for (int i = 0; i < inputs; i++)
            for (int t = 0; t < count; t++) add(a[t], u.input + 3 * i * wide + lane, wide, x[i * stride + t]);
        for (int t = 0; t < count; t++)
            for (int g = 0; g < 3; g++) store(gi + t * gi_stride + g * wide + lane, a[t][g]);
    }
}

/* One step of one unit or two side by side: gi (3 wide) of each, h and next (units, wide).
   Even and odd hidden units are summed up apart, so that fewer additions wait for each other. */
INLINE void step(int units, const struct unit *u, int width, int wide, const float *const *gi, const float *h, float *next) {
    for (int lane = 0; lane < wide; lane += N) {
        vec even[2][3], odd[2][3];
        for (int k = 0; k < units; k++)
            for (int g = 0; g < 3; g++) {
                even[k][g] = load((g < 2 ? gi[k] + g * wide : u[k].hidden_bias) + lane);
                odd[k][g] = splat(0);
            }
        for (int i = 0; i < width; i += 2)
            for (int k = 0; k < units; k++) {
                const float *w = u[k].hidden + 3 * i * wide + lane;
                add(even[k], w, wide, h[k * wide + i]);
                if (i + 1 < width) add(odd[k], w + 3 * wide, wide, h[k * wide + i + 1]);
            }
        vec r[2], z[2], n[2];
        for (int k = 0; k < units; k++) r[k] = sigmoid(even[k][0] + odd[k][0]);
        for (int k = 0; k < units; k++) z[k] = sigmoid(even[k][1] + odd[k][1]);
        for (int k = 0; k < units; k++) n[k] = vtanh(load(gi[k] + 2 * wide + lane) + r[k] * (even[k][2] + odd[k][2]));
        for (int k = 0; k < units; k++) store(next + k * wide + lane, n[k] + z[k] * (load(h + k * wide + lane) - n[k]));
    }
}

/* Both directions of up to SIDE / 2 groups over the bins: y (bins, features of all groups) from feature 0 on.
   Groups take turns: one's products fill the time in which another's functions wait for each other. */
INLINE void scan(int units, weights *w, int width, int wide, const float *x, float *y, long y_stride, float *scratch) {
    struct unit u[SIDE];
    long gi_stride = 3 * wide * units;
    float *h = scratch, *next = h + units * wide, *gi = next + units * wide;
    for (int k = 0; k < units; k++) {
        u[k] = take_unit(w, width, width, wide);
        for (int bin = 0; bin < LANES; bin += STEPS)
            project(STEPS, u[k], x + k / 2 * width * LANES + bin, LANES, width, wide,
                    gi + bin * gi_stride + 3 * k * wide, gi_stride);
    }
    memset(h, 0, units * wide * sizeof *h);
    for (int j = 0; j < BOTTLENECK; j++) {
        for (int k = 0; k < units; k += 2) {
            int bins[2] = {j, BOTTLENECK - 1 - j};
            const float *at[2];
            for (int d = 0; d < 2; d++) at[d] = gi + bins[d] * gi_stride + 3 * (k + d) * wide;
            step(2, u + k, width, wide, at, h + k * wide, next + k * wide);
            for (int i = 0; i < 2 * wide; i += N) {
                vec v = load(next + k * wide + i);
                store(y + bins[i >= wide] * y_stride + k * wide + i, vmax(v, v * SLOPE));
            }
        }
        float *last = h;
        h = next, next = last;
    }
}

size_t dsn_gru_scratch(const struct model *m) {
    int width = m->channels[2] / m->groups, wide = padded(width);
    size_t frequency = SIDE * (2 + LANES * 3) * wide + LANES * 2 * m->groups * wide;
    size_t time = 4 * width * LANES, policy = 4 * padded(m->hidden);
    return frequency + time + policy;
}

void dsn_gru_frequency(const struct model *m, int open, weights *w, const float *x, float *y, float *scratch) {
    int width = m->channels[2] / m->groups, wide = padded(width), groups = open ? m->groups : m->static_groups;
    long features = 2 * m->groups * wide;
    float *by_bin = scratch, *rest = scratch + LANES * features;
    weights start = *w;
    for (int g = 0; g < groups; g += SIDE / 2) {
        int units = 2 * groups - 2 * g < SIDE ? 2 * groups - 2 * g : SIDE;
        const float *at = x + g * width * LANES;
        float *to = by_bin + 2 * g * wide;
        if (width == 16) scan(units, w, 16, 16, at, to, features, rest); /* the usual: loops of known length */
        else scan(units, w, width, wide, at, to, features, rest);
    }
    *w = start + 2 * m->groups * (padded(3 * width * wide) * 2 + 4 * wide);
    for (int k = 0; k < 2 * groups; k++) /* a unit's padding falls into the rows of the next, which come later */
        for (int i = 0; i < width; i += N)
            for (int bin = 0; bin < LANES; bin += N)
                transpose(by_bin + bin * features + k * wide + i, features, y + (k * width + i) * LANES + bin, LANES);
}

/* One group: h = n + z (h - n), rows of 32 bins. */
static void time_group(int width, weights *w, const float *x, float *h, float *y, const float **rows, float *scratch) {
    float *rz = scratch, *nx = rz + 2 * width * LANES, *nh = nx + width * LANES;
    struct layer both = {2 * width, 2 * width, 2 * width, 2 * width}, one = {width, width, width, width};
    rows_of(rows, x, width, LANES);
    rows_of(rows + width, h, width, LANES);
    dsn_layer(both, 1, w, rows, rz, LANES, 1);
    dsn_layer(one, 1, w, rows, nx, LANES, 1);
    dsn_layer(one, 1, w, rows + width, nh, LANES, 1);
    for (int i = 0; i < width * LANES; i += N) {
        vec r = sigmoid(load(rz + i)), z = sigmoid(load(rz + width * LANES + i));
        vec n = vtanh(load(nx + i) + r * load(nh + i)), v = flush(n + z * (load(h + i) - n));
        store(h + i, v);
        store(y + i, vmax(v, v * SLOPE));
    }
}

void dsn_gru_time(const struct model *m, int open, weights *w, const float *x, float *state, float *y,
                  const float **rows, float *scratch) {
    int width = m->channels[2] / m->groups, groups = open ? m->groups : m->static_groups;
    size_t size = padded((1 + 2 * width) * 2 * width) + 2 * padded((1 + width) * width);
    weights start = *w;
    for (int g = 0; g < groups; g++) {
        long at = g * width * LANES;
        time_group(width, w, x + at, state + at, y + at, rows, scratch);
    }
    *w = start + m->groups * size;
}

void dsn_gru_policy(int inputs, int hidden, weights *w, const float *x, float *state, float *scratch) {
    int wide = padded(hidden);
    float *next = scratch, *gi = next + wide;
    const float *at[1] = {gi};
    struct unit u = take_unit(w, inputs, hidden, wide);
    project(1, u, x, 1, inputs, wide, gi, 3 * wide);
    step(1, &u, hidden, wide, at, state, next);
    for (int i = 0; i < wide; i += N) store(state + i, flush(load(next + i)));
}

/* From samples to samples: spectrum, compression, gates, network, mask, and the way back; and the memory of a stream. */
#include "network.h"

static float *give(float **at, size_t floats) {
    float *p = *at;
    *at += padded(floats);
    return p;
}

/* Rows with zeros before the first lane and after the last. */
static float *give_rows(float **at, size_t rows) { return give(at, ROW * rows + 32) + 16; }

static size_t most(size_t a, size_t b) { return a > b ? a : b; }

/* Where everything of a stream lies from `at` on; the bytes up to `end` are its size. */
static struct stream lay_out(const struct model *m, float *at) {
    struct stream s;
    const int32_t *c = m->channels;
    size_t ring = (size_t)(m->past + 1) * c[2] * LANES;
    s.frame = (int32_t *)give(&at, 1);
    s.hop = give(&at, DSN_HOP), s.tail = give(&at, DSN_HOP), s.policy = give(&at, m->hidden);
    for (int i = 0; i < 2; i++) {
        s.input[i] = give_rows(&at, 8 * m->parts);
        for (int k = 0; k < 3; k++) s.encoded[i][k] = give_rows(&at, (4 >> k) * c[k]);
        for (int k = 0; k < 3; k++) s.decoded[i][k] = give_rows(&at, (1 << k) * c[2 - k]);
    }
    s.gru = give(&at, c[2] * LANES);
    s.ring.keys = give(&at, ring), s.ring.values = give(&at, ring);
    s.ring.open = (int32_t *)give(&at, 2 * (m->past + 1));
    s.x = give(&at, c[2] * LANES), s.wide = give(&at, (2 * c[2] + 16) * LANES), s.heads = give(&at, 3 * c[2] * LANES);
    s.y = give_rows(&at, 4 * most(c[0], most(c[1], c[2]))), s.mask = give_rows(&at, 8 * m->parts);
    s.scratch = give(&at, most(dsn_gru_scratch(m), (m->past + 1 + LANES + 1) * LANES));
    s.end = at;
    return s;
}

int dsn_gates(const void *model) { return ((const struct model *)model)->gates; }

int32_t dsn_macs(const void *model, const uint8_t *gates) {
    const struct model *m = model;
    int32_t sum = m->static_macs;
    for (int k = 0; k < m->gates; k++) sum += !gates || gates[k] ? m->dynamic_macs[k] : 0;
    return sum;
}

size_t dsn_state_bytes(const void *model) {
    float nowhere[1]; /* only differences of addresses count */
    struct stream s = lay_out(model, nowhere);
    return (size_t)((uintptr_t)s.end - (uintptr_t)nowhere);
}

void dsn_reset(const void *model, void *state) { memset(state, 0, dsn_state_bytes(model)); }

/* Compressed spectrum (re, im) of the last two hops, and its magnitude. */
static void analyse(const struct tables *t, struct stream *s, const float *in, float *re, float *im, float *magnitude) {
    float frame[WINDOW], z[4 * DSN_HOP];
    for (int n = 0; n < DSN_HOP; n += N) {
        vec now = flush(load(in + n));
        store(frame + n, load(s->hop + n) * load(t->window + n));
        store(frame + DSN_HOP + n, now * load(t->window + DSN_HOP + n));
        store(s->hop + n, now);
    }
    dsn_fft(t, frame, re, im, z);
    memset(re + BINS, 0, (BINS_PADDED - BINS) * sizeof *re);
    memset(im + BINS, 0, (BINS_PADDED - BINS) * sizeof *im);
    for (int k = 0; k < BINS_PADDED; k += N) {
        vec a = load(re + k), b = load(im + k), f = power(vmax(a * a + b * b, splat(1e-24f)), t->compression);
        a *= f, b *= f;
        store(re + k, a);
        store(im + k, b);
        store(magnitude + k, vsqrt(a * a + b * b));
    }
}

/* Expanded and overlapped: the hop before the last. What is below -200 dB is 0, or it would end in subnormals. */
static void synthesise(const struct tables *t, struct stream *s, float *re, float *im, float *out) {
    float frame[WINDOW], z[4 * DSN_HOP];
    for (int k = 0; k < BINS_PADDED; k += N) {
        vec a = load(re + k), b = load(im + k), square = a * a + b * b;
        vec f = (vec)((square > 1e-20f) & (ivec)power(vmax(square, splat(1e-20f)), t->expansion));
        store(re + k, a * f);
        store(im + k, b * f);
    }
    dsn_inverse_fft(t, re, im, frame, z);
    for (int n = 0; n < DSN_HOP; n += N) {
        store(out + n, load(frame + n) * load(t->window + n) + load(s->tail + n));
        store(s->tail + n, flush(load(frame + DSN_HOP + n) * load(t->window + DSN_HOP + n)));
    }
}

/* Open logit minus closed logit of every gate: means of bands, a GRU, one product. */
static void policy(const struct model *m, struct stream *s, const float *magnitude, weights *w, float *margins) {
    const int32_t *edges = (const int32_t *)take(w, m->bands + 1);
    float *bands = s->scratch;
    for (int b = 0; b < m->bands; b++) {
        float sum = 0;
        for (int k = edges[b]; k < edges[b + 1]; k++) sum += magnitude[k];
        bands[b] = sum / (edges[b + 1] - edges[b]);
    }
    dsn_gru_policy(m->bands, m->hidden, w, bands, s->policy, s->scratch + padded(m->bands));
    const float *out = take(w, m->gates * (1 + m->hidden));
    for (int g = 0; g < m->gates; g++, out += 1 + m->hidden) {
        margins[g] = out[0];
        for (int i = 0; i < m->hidden; i++) margins[g] += out[1 + i] * s->policy[i];
    }
}

/* Bins to phases and back: bin 8 f + p is lane f of row p; bin 256 is lane 32 of row 0. */
static void to_phases(const float *x, float *rows) {
    for (int p = 0; p < 8; p++)
        for (int f = 0; f < LANES; f++) rows[p * ROW + f] = x[8 * f + p];
    rows[LANES] = x[BINS - 1];
}

static void from_phases(const float *rows, float *x) {
    for (int p = 0; p < 8; p++)
        for (int f = 0; f < LANES; f++) x[8 * f + p] = rows[p * ROW + f];
    x[BINS - 1] = rows[LANES];
}

/* The mask on the compressed spectrum: real and not negative, or complex. */
static void apply_mask(const struct model *m, const float *rows, float *re, float *im) {
    float a[BINS_PADDED] = {0}, b[BINS_PADDED] = {0};
    from_phases(rows, a);
    if (m->parts == 2) from_phases(rows + 8 * ROW, b);
    else for (int k = 0; k < BINS; k++) a[k] = a[k] > 0 ? a[k] : 0;
    for (int k = 0; k < BINS; k++) {
        float x = re[k], y = im[k];
        re[k] = a[k] * x - b[k] * y;
        im[k] = a[k] * y + b[k] * x;
    }
}

/* Which gates are open, and with them which of the five stages. */
static void decide(const struct model *m, const float *margins, float dial, const int8_t *forced, uint8_t *gates,
                   uint8_t *stages) {
    for (int g = 0; g < m->gates && g < DSN_MAX_GATES; g++)
        gates[g] = forced && forced[g] >= 0 ? forced[g] > 0 : margins[g] + dial > 0;
    for (int k = 0; k < 5; k++) stages[k] = m->gate_of[k] < 0 || gates[m->gate_of[k]];
}

void dsn_process(const void *model, void *state, const float in[DSN_HOP], float out[DSN_HOP], float dial,
                 const int8_t *forced, uint8_t *gates, float *margins) {
    const struct model *m = model;
    const struct tables *t = (const struct tables *)(m + 1);
    weights w = (const float *)(t + 1);
    struct stream s = lay_out(m, state);
    const float *rows[MOST_ROWS];
    float re[BINS_PADDED], im[BINS_PADDED], magnitude[BINS_PADDED], margin[DSN_MAX_GATES] = {0};
    uint8_t open[DSN_MAX_GATES], stages[5];
    analyse(t, &s, in, re, im, magnitude);
    if (m->gates) policy(m, &s, magnitude, &w, margin);
    if (margins) memcpy(margins, margin, m->gates * sizeof *margins);
    decide(m, margin, dial, forced, open, stages);
    if (gates) memcpy(gates, open, m->gates);
    to_phases(m->parts == 2 ? re : magnitude, s.input[*s.frame & 1]);
    if (m->parts == 2) to_phases(im, s.input[*s.frame & 1] + 8 * ROW);
    s.ring.frame = *s.frame, s.rows = rows;
    dsn_network(m, &s, stages, &w);
    apply_mask(m, s.mask, re, im);
    synthesise(t, &s, re, im, out);
    *s.frame += 1;
    if (*s.frame == 4 * (m->past + 1)) *s.frame = 2 * (m->past + 1); /* of the same parity and slot */
}

void dsn_run(const void *model, void *state, const float *in, float *out, size_t hops, float dial, const int8_t *forced,
             uint8_t *gates, float *margins) {
    int n = dsn_gates(model);
    for (size_t k = 0; k < hops; k++)
        dsn_process(model, state, in + k * DSN_HOP, out + k * DSN_HOP, dial, forced ? forced + k * n : 0,
                    gates ? gates + k * n : 0, margins ? margins + k * n : 0);
}

/* Attention, forward and backward, one head of one sequence at a time; scores of 16 keys are a vector.

   Of each softmax only its greatest score and one over its sum are kept: the backward pass computes the scores again. */
#include "training.h"

#define HIDDEN -1e30f /* the score of a key that is not seen */

/* One head over n frames or bins, `step` floats apart in qkv. */
struct head {
    const float *query, *mask; /* mask (n) of keys, or NULL: all are seen */
    float *keys, *values, *keys_across, *values_across; /* rows of 16, and their transposes, `padded` wide */
    float *weights, *slopes, *dkeys, *dvalues;
    long n, padded, step, past;
    float scale;
};

/* Keys and values of the head whose queries begin at `qkv`, copied into the scratch. */
static void copy(struct head *h, const float *qkv, long width) {
    h->query = qkv;
    for (long t = 0; t < h->n; t++) {
        const float *key = qkv + width + t * h->step, *value = key + width;
        store(h->keys + t * N, load(key)), store(h->values + t * N, load(value));
        for (int d = 0; d < N; d++) {
            h->keys_across[d * h->padded + t] = key[d];
            h->values_across[d * h->padded + t] = value[d];
        }
    }
}

static float total(vec v) {
    float sum = 0;
    for (int i = 0; i < N; i++) sum += v[i];
    return sum;
}

static float highest(vec v) {
    float top = v[0];
    for (int i = 1; i < N; i++) top = v[i] > top ? v[i] : top;
    return top;
}

/* Keys first..last are near query t; scores of 16 at a time, from `from` on, a multiple of 16. */
struct reach { long first, last, from; };

static struct reach reach_of(const struct head *h, long t) {
    long first = h->past < 0 || t < h->past ? 0 : t - h->past;
    return (struct reach){first, h->past < 0 ? h->n - 1 : t, first / N * N};
}

/* Product of x with the columns of 16 keys or values. */
INLINE vec across(const float *x, const float *columns, long padded, long key) {
    vec sum = splat(0);
    for (int d = 0; d < N; d++) sum += load(columns + d * padded + key) * x[d];
    return sum;
}

INLINE vec score(const struct head *h, struct reach reach, long t, long key) {
    static const ivec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec at = lane + (int)key, seen = (at >= (int)reach.first) & (at <= (int)reach.last);
    if (h->mask) seen &= (load(h->mask + key) > 0.5f) | (at == (int)t);
    return pick(seen, across(h->query + t * h->step, h->keys_across, h->padded, key) * h->scale, splat(HIDDEN));
}

/* y[t]; to `kept` what the backward pass needs of the softmax. */
static void forward(const struct head *h, long t, float *y, float kept[2]) {
    struct reach reach = reach_of(h, t);
    vec top = splat(HIDDEN), sum = splat(0), even = splat(0), odd = splat(0);
    for (long key = reach.from; key <= reach.last; key += N) {
        vec s = score(h, reach, t, key);
        store(h->weights + key - reach.from, s);
        top = vmax(top, s);
    }
    float most = highest(top);
    for (long key = 0; key <= reach.last - reach.from; key += N) {
        vec s = load(h->weights + key), e = (vec)((s > 0.5f * HIDDEN) & (ivec)vexp(s - most));
        store(h->weights + key, e);
        sum += e;
    }
    float all = total(sum);
    long key = reach.first;
    for (; key < reach.last; key += 2) {
        even += load(h->values + key * N) * h->weights[key - reach.from];
        odd += load(h->values + (key + 1) * N) * h->weights[key + 1 - reach.from];
    }
    if (key == reach.last) even += load(h->values + key * N) * h->weights[key - reach.from];
    store(y, (even + odd) * (1.f / all));
    kept[0] = most, kept[1] = 1.f / all;
}

/* Adds what query t gives to the gradients of keys and values; returns that of the query. */
static vec backward(const struct head *h, long t, const float *dy, const float *y, const float kept[2]) {
    struct reach reach = reach_of(h, t);
    vec query = load(h->query + t * h->step) * h->scale, dvalue = load(dy), dquery = splat(0);
    float mean = total(dvalue * load(y));
    for (long key = reach.from; key <= reach.last; key += N) {
        vec s = score(h, reach, t, key), e = (vec)((s > 0.5f * HIDDEN) & (ivec)(vexp(s - kept[0]) * kept[1]));
        store(h->weights + key - reach.from, e);
        store(h->slopes + key - reach.from, e * (across(dy, h->values_across, h->padded, key) - mean));
    }
    for (long key = reach.first; key <= reach.last; key++) {
        float e = h->weights[key - reach.from], slope = h->slopes[key - reach.from];
        dquery += load(h->keys + key * N) * slope;
        store(h->dkeys + key * N, load(h->dkeys + key * N) + query * slope);
        store(h->dvalues + key * N, load(h->dvalues + key * N) + dvalue * e);
    }
    return dquery * h->scale;
}

/* All of a call: arrays as in training.h, those of the backward pass NULL in the forward pass. */
struct call {
    const float *qkv, *open, *dy;
    float *y, *kept, *dqkv, *scratch;
    long batch, frames, bins, heads, fixed, past;
    float scale;
};

/* Scratch cut up for one sequence, zeros where it is longer than the sequence. */
static struct head cut_up(const struct call *c) {
    long n = c->past < 0 ? c->bins : c->frames, padded = (n + N - 1) / N * N + N, size = padded * N;
    struct head h = {.n = n, .padded = padded, .past = c->past, .scale = c->scale};
    float *s = c->scratch;
    memset(s, 0, (6 * size + 3 * padded) * sizeof *s);
    h.keys = s, h.values = s + size, h.keys_across = s + 2 * size, h.values_across = s + 3 * size;
    h.dkeys = s + 4 * size, h.dvalues = s + 5 * size, h.weights = s + 6 * size, h.slopes = h.weights + padded;
    h.step = (c->past < 0 ? 1 : c->bins) * 3 * c->heads * N;
    return h;
}

/* Gradients of the keys and values of one head, which all its queries have added to. */
static void hand_over(struct head *h, float *dqkv, long width) {
    for (long t = 0; t < h->n; t++) {
        store(dqkv + width + t * h->step, load(h->dkeys + t * N));
        store(dqkv + 2 * width + t * h->step, load(h->dvalues + t * N));
    }
}

/* Head k of the sequence that begins at row `base` of all (batch, frames, bins). */
static void one_head(const struct call *c, struct head *h, long base, long k) {
    long width = c->heads * N, all = c->batch * c->frames * c->bins, row = c->past < 0 ? 1 : c->bins;
    long at = base * 3 * width + k * N;
    copy(h, c->qkv + at, width);
    if (c->dy) memset(h->dkeys, 0, 2 * h->padded * N * sizeof *h->dkeys);
    for (long t = 0; t < h->n; t++) {
        long here = base + t * row;
        float *y = c->y + here * width + k * N, *kept = c->kept + 2 * (k * all + here);
        if (c->dy) store(c->dqkv + at + t * h->step, backward(h, t, c->dy + here * width + k * N, y, kept));
        else forward(h, t, y, kept);
    }
    if (c->dy) hand_over(h, c->dqkv + at, width);
}

static void every_head(const struct call *c) {
    struct head h = cut_up(c);
    float *mask = h.slopes + h.padded;
    for (long b = 0; b < c->batch; b++)
        for (long i = 0; i < (c->past < 0 ? c->frames : c->bins); i++) {
            long base = b * c->frames * c->bins + (c->past < 0 ? i * c->bins : i);
            if (c->open && c->past >= 0) memcpy(mask, c->open + b * c->frames, c->frames * sizeof *mask);
            for (long k = 0; k < c->heads; k++) {
                h.mask = c->open && c->past >= 0 && k >= c->fixed ? mask : 0;
                one_head(c, &h, base, k);
            }
        }
}

void dsn_train_attention(const float *qkv, float *y, float *kept, const float *open, float *scratch, int64_t batch,
                         int64_t frames, int64_t bins, int64_t heads, int64_t fixed, int64_t past, float scale) {
    struct call c = {qkv, open, 0, y, kept, 0, scratch, batch, frames, bins, heads, fixed, past, scale};
    every_head(&c);
}

void dsn_train_attention_back(const float *dy, const float *qkv, const float *y, const float *kept, const float *open,
                              float *dqkv, float *scratch, int64_t batch, int64_t frames, int64_t bins, int64_t heads,
                              int64_t fixed, int64_t past, float scale) {
    struct call c = {qkv,   open,  dy,   (float *)y, (float *)kept, dqkv, scratch,
                     batch, frames, bins, heads,     fixed,         past, scale};
    every_head(&c);
}

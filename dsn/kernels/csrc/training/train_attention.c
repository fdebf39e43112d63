/* Attention, forward and backward, one head of one sequence at a time: blocks of 8 queries meet a vector of keys, so
   that every product has eight independent sums and a key is loaded once for all of them.

   Of each softmax only its greatest score and one over its sum are kept: the backward pass computes the scores again. */
#include "training.h"

#define HIDDEN -1e30f /* the score of a key that is not seen */
#define R 8           /* queries of a block */
#define AHEAD 16      /* rows fetched before they are needed: along time each lies in another page of memory */

/* One head over n frames or bins, `step` floats apart in qkv. */
struct head {
    const float *query, *mask; /* mask (padded) of keys, or NULL: all are seen */
    float *keys, *values, *keys_across, *values_across; /* rows of UNIT, and their transposes, `padded` wide */
    float *weights, *slopes, *dkeys, *dvalues;          /* weights and slopes: R rows, `padded` wide */
    long n, padded, step, past;
    float scale;
};

static float total(vec v) {
    float x[N];
    store(x, v);
    for (int n = N / 2; n; n /= 2)
        for (int i = 0; i < n; i++) x[i] += x[i + n];
    return x[0];
}

static float highest(vec v) {
    float x[N];
    store(x, v);
    for (int n = N / 2; n; n /= 2)
        for (int i = 0; i < n; i++) x[i] = x[i] > x[i + n] ? x[i] : x[i + n];
    return x[0];
}

/* Keys and values of the head whose queries begin at `qkv`, copied into the scratch. */
static void copy(struct head *h, const float *qkv, long width) {
    h->query = qkv;
    for (long t = 0; t < h->n; t++) {
        const float *row = qkv + t * h->step, *later = row + AHEAD * h->step;
        __builtin_prefetch(later), __builtin_prefetch(later + width), __builtin_prefetch(later + 2 * width);
        memcpy(h->keys + t * UNIT, row + width, UNIT * sizeof *row);
        memcpy(h->values + t * UNIT, row + 2 * width, UNIT * sizeof *row);
    }
    for (long t = 0; t < h->n; t += N)
        for (int i = 0; i < UNIT; i += N) {
            transpose(h->keys + t * UNIT + i, UNIT, h->keys_across + i * h->padded + t, h->padded);
            transpose(h->values + t * UNIT + i, UNIT, h->values_across + i * h->padded + t, h->padded);
        }
}

/* A block of queries first..first + count - 1; together they see the keys low..high, N at a time from `from` on. */
struct block { long first, count, low, high, from; };

static struct block block_at(const struct head *h, long first) {
    long count = h->n - first < R ? h->n - first : R, low = h->past < 0 || first < h->past ? 0 : first - h->past;
    return (struct block){first, count, low, h->past < 0 ? h->n - 1 : first + count - 1, low / N * N};
}

/* Rows of the block, `step` floats apart, times a factor; zeros for queries that it lacks. */
INLINE void rows_of(struct block b, const float *x, long step, float factor, float rows[R][UNIT]) {
    for (int r = 0; r < R; r++) {
        const float *row = x + (b.first + r) * step;
        __builtin_prefetch(row + AHEAD * step);
        for (int i = 0; i < UNIT; i += N) store(&rows[r][i], r < b.count ? load(row + i) * factor : splat(0));
    }
}

/* Products of the block's rows with N columns. */
INLINE void across(float rows[R][UNIT], const float *columns, long padded, vec out[R]) {
    for (int r = 0; r < R; r++) out[r] = splat(0);
    for (int d = 0; d < UNIT; d++) {
        vec column = load(columns + d * padded);
        for (int r = 0; r < R; r++) out[r] += column * rows[r][d];
    }
}

/* Scores of N keys from `key` on that a query does not see become HIDDEN. */
INLINE void hide(const struct head *h, struct block b, long key, vec scores[R]) {
    static const int32_t lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    ivec at, there = h->mask ? load(h->mask + key) > 0.5f : ~(ivec){0};
    memcpy(&at, lanes, sizeof at);
    at += (int)key;
    for (int r = 0; r < R; r++) {
        int t = (int)b.first + r, oldest = h->past < 0 ? 0 : t - (int)h->past, newest = h->past < 0 ? (int)h->n - 1 : t;
        ivec seen = (at >= oldest) & (at <= newest) & (there | (at == t));
        scores[r] = pick(seen, scores[r], splat(HIDDEN));
    }
}

/* Whether every query of the block sees all of the N keys from `key` on. */
INLINE int whole(const struct head *h, struct block b, long key) {
    if (h->mask) return 0;
    return h->past < 0 ? key + N <= h->n : key >= b.first + R - 1 - h->past && key + N - 1 <= b.first;
}

INLINE void scores_of(const struct head *h, struct block b, float queries[R][UNIT], long key, vec scores[R]) {
    across(queries, h->keys_across + key, h->padded, scores);
    if (!whole(h, b, key)) hide(h, b, key, scores);
}

/* y of the block, `step` floats apart; to `kept`, `kept_step` apart, what the backward pass needs of the softmax. */
static void forward(const struct head *h, struct block b, float *y, long step, float *kept, long kept_step) {
    float queries[R][UNIT], most[R], share[R];
    vec top[R], sum[R];
    rows_of(b, h->query, h->step, h->scale, queries);
    for (int r = 0; r < R; r++) top[r] = splat(HIDDEN), sum[r] = splat(0);
    for (long key = b.from; key <= b.high; key += N) {
        vec s[R];
        scores_of(h, b, queries, key, s);
        for (int r = 0; r < R; r++) {
            store(h->weights + r * h->padded + key, s[r]);
            top[r] = vmax(top[r], s[r]);
        }
    }
    for (int r = 0; r < R; r++) most[r] = highest(top[r]);
    for (long key = b.from; key <= b.high; key += N)
        for (int r = 0; r < R; r++) {
            float *at = h->weights + r * h->padded + key;
            vec s = load(at), e = (vec)((s > 0.5f * HIDDEN) & (ivec)vexp(s - most[r]));
            store(at, e);
            sum[r] += e;
        }
    for (int r = 0; r < b.count; r++) {
        float *to = kept + (b.first + r) * kept_step;
        to[0] = most[r], to[1] = share[r] = 1.f / total(sum[r]);
    }
    for (int i = 0; i < UNIT; i += N) {
        vec out[R];
        for (int r = 0; r < R; r++) out[r] = splat(0);
        for (long key = b.low; key <= b.high; key++) {
            vec value = load(h->values + key * UNIT + i);
            for (int r = 0; r < R; r++) out[r] += value * h->weights[r * h->padded + key];
        }
        for (int r = 0; r < b.count; r++) store(y + (b.first + r) * step + i, out[r] * share[r]);
    }
}

/* Softmax weights of the block, and their gradients before the softmax, to the scratch. */
static void slopes(const struct head *h, struct block b, float queries[R][UNIT], float dy[R][UNIT], const float mean[R],
                   float kept[R][2]) {
    for (long key = b.from; key <= b.high; key += N) {
        vec s[R], d[R];
        scores_of(h, b, queries, key, s);
        across(dy, h->values_across + key, h->padded, d);
        for (int r = 0; r < R; r++) {
            vec e = (vec)((s[r] > 0.5f * HIDDEN) & (ivec)(vexp(s[r] - kept[r][0]) * kept[r][1]));
            store(h->weights + r * h->padded + key, e);
            store(h->slopes + r * h->padded + key, e * (d[r] - mean[r]));
        }
    }
}

/* Adds what the block gives to the gradients of keys and values, and writes those of its queries to `dquery`. */
static void backward(const struct head *h, struct block b, const float *dy, const float *y, long step,
                     const float *kept, long kept_step, float *dquery) {
    float queries[R][UNIT], dout[R][UNIT], out[R][UNIT], mean[R], softmax[R][2] = {{0}};
    rows_of(b, h->query, h->step, h->scale, queries);
    rows_of(b, dy, step, 1, dout);
    rows_of(b, y, step, 1, out);
    for (int r = 0; r < R; r++) {
        vec sum = splat(0);
        for (int i = 0; i < UNIT; i += N) sum += load(&dout[r][i]) * load(&out[r][i]);
        mean[r] = total(sum);
    }
    for (int r = 0; r < b.count; r++) memcpy(softmax[r], kept + (b.first + r) * kept_step, sizeof softmax[r]);
    slopes(h, b, queries, dout, mean, softmax);
    for (int i = 0; i < UNIT; i += N) {
        vec q[R], d[R], dq[R];
        for (int r = 0; r < R; r++) q[r] = load(&queries[r][i]), d[r] = load(&dout[r][i]), dq[r] = splat(0);
        for (long key = b.low; key <= b.high; key++) {
            const float *e = h->weights + key, *slope = h->slopes + key;
            long at = key * UNIT + i;
            vec k = load(h->keys + at), dk = load(h->dkeys + at), dv = load(h->dvalues + at);
            for (int r = 0; r < R; r++) {
                dq[r] += k * slope[r * h->padded];
                dk += q[r] * slope[r * h->padded];
                dv += d[r] * e[r * h->padded];
            }
            store(h->dkeys + at, dk), store(h->dvalues + at, dv);
        }
        for (int r = 0; r < b.count; r++) store(dquery + (b.first + r) * h->step + i, dq[r] * h->scale);
    }
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
    long n = c->past < 0 ? c->bins : c->frames, padded = (n + N - 1) / N * N + N, size = padded * UNIT;
    struct head h = {.n = n, .padded = padded, .past = c->past, .scale = c->scale};
    float *s = c->scratch;
    memset(s, 0, (6 * size + (2 * R + 1) * padded) * sizeof *s);
    h.keys = s, h.values = s + size, h.keys_across = s + 2 * size, h.values_across = s + 3 * size;
    h.dkeys = s + 4 * size, h.dvalues = s + 5 * size, h.weights = s + 6 * size, h.slopes = h.weights + R * padded;
    h.step = (c->past < 0 ? 1 : c->bins) * 3 * c->heads * UNIT;
    return h;
}

/* Gradients of the keys and values of one head, which all its queries have added to. */
static void hand_over(struct head *h, float *dqkv, long width) {
    for (long t = 0; t < h->n; t++) {
        memcpy(dqkv + width + t * h->step, h->dkeys + t * UNIT, UNIT * sizeof *dqkv);
        memcpy(dqkv + 2 * width + t * h->step, h->dvalues + t * UNIT, UNIT * sizeof *dqkv);
    }
}

/* Head k of the sequence that begins at row `base` of all (batch, frames, bins). */
static void one_head(const struct call *c, struct head *h, long base, long k) {
    long width = c->heads * UNIT, all = c->batch * c->frames * c->bins, row = c->past < 0 ? 1 : c->bins;
    long at = base * 3 * width + k * UNIT, step = row * width;
    float *y = c->y + base * width + k * UNIT, *kept = c->kept + 2 * (k * all + base);
    copy(h, c->qkv + at, width);
    if (c->dy) memset(h->dkeys, 0, 2 * h->padded * UNIT * sizeof *h->dkeys);
    for (long t = 0; t < h->n; t += R) {
        struct block b = block_at(h, t);
        if (c->dy) backward(h, b, c->dy + base * width + k * UNIT, y, step, kept, 2 * row, c->dqkv + at);
        else forward(h, b, y, step, kept, 2 * row);
    }
    if (c->dy) hand_over(h, c->dqkv + at, width);
}

static void every_head(const struct call *c) {
    struct head h = cut_up(c);
    float *mask = h.slopes + R * h.padded;
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

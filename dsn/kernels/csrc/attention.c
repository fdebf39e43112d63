/* Multi-head attention with the lanes over bins: over the bins of a frame, and of every bin over its past frames.

   qkv holds, head by head, the rows of queries (scaled by packing.py, for powers of 2), keys and values. */
#include "network.h"

/* 2^x of `keys` rows in place, less their maximum; what their sum must be multiplied by to be 1, in `scale`. */
static void softmax(float *scores, int keys, float *scale) {
    vec top[LANES / N], sum[LANES / N];
    for (int i = 0; i < LANES / N; i++) top[i] = load(scores + i * N), sum[i] = splat(0);
    for (int k = 1; k < keys; k++)
        for (int i = 0; i < LANES / N; i++) top[i] = vmax(top[i], load(scores + k * LANES + i * N));
    for (int k = 0; k < keys; k++)
        for (int i = 0; i < LANES / N; i++) {
            vec e = vexp2(load(scores + k * LANES + i * N) - top[i]);
            store(scores + k * LANES + i * N, e);
            sum[i] += e;
        }
    for (int i = 0; i < LANES / N; i++) store(scale + i * N, 1.f / sum[i]);
}

/* y[d] = sum over keys of values[d][key] scores[key], times scale. */
static void weigh(const float *const *scores, int size, const float *values, const float *scale, float *y) {
    int d = 0;
    for (; d + 8 <= size; d += 8) product8(scores, BOTTLENECK, 0, values + d * LANES, 1, LANES, y + d * LANES, LANES, 1);
    for (; d + 4 <= size; d += 4) product(4, scores, BOTTLENECK, 0, values + d * LANES, 1, LANES, y + d * LANES, LANES, 1);
    for (; d < size; d++) product(1, scores, BOTTLENECK, 0, values + d * LANES, 1, LANES, y + d * LANES, LANES, 1);
    for (int i = 0; i < size * LANES; i += N) store(y + i, load(y + i) * load(scale + i % LANES));
}

void dsn_attention_frequency(const struct model *m, int heads, const float *qkv, float *y, const float **rows,
                             float *scratch) {
    int size = m->channels[2] / m->heads;
    float *scores = scratch, *scale = scratch + LANES * LANES;
    for (int h = 0; h < heads; h++) {
        const float *query = qkv + 3 * h * size * LANES, *key = query + size * LANES, *value = key + size * LANES;
        rows_of(rows, query, size, LANES);
        for (int k = 0; k < LANES; k += 8) product8(rows, size, 0, key + k, LANES, 1, scores + k * LANES, LANES, 1);
        softmax(scores, BOTTLENECK, scale);
        weigh(rows_of(rows, scores, BOTTLENECK, LANES), size, value, scale, y + h * size * LANES);
    }
}

/* Where lane `lane` of a head's key or value in slot 0 begins; the dimensions of a slot are 16 lanes apart. */
static size_t in_ring(const struct model *m, int head, int lane) {
    int size = m->channels[2] / m->heads;
    return (size_t)(head * LANES + lane / 16 * 16) * (m->past + 1) * size + lane % 16;
}

static void keep(const struct model *m, float *ring, int head, int slot, const float *rows) {
    int size = m->channels[2] / m->heads;
    for (int lane = 0; lane < LANES; lane += N) {
        float *to = ring + in_ring(m, head, lane) + (size_t)slot * size * 16;
        for (int d = 0; d < size; d++) store(to + d * 16, load(rows + d * LANES + lane));
    }
}

/* scores[k] (+)= sum of `dims` products of the query with key slots[k]; all of N lanes. Returns the greatest. */
INLINE vec score(int dims, int first, const float *query, const float *keys, int size, const int32_t *slots, int count,
                 float *scores) {
    vec q[16], top = splat(-1e38f);
    for (int d = 0; d < dims; d++) q[d] = load(query + d * LANES);
    for (int k = 0; k < count; k++) {
        const float *key = keys + (size_t)slots[k] * size * 16;
        vec even = first ? splat(0) : load(scores + k * N), odd = splat(0);
        for (int d = 0; d < dims; d++) *(d % 2 ? &odd : &even) += q[d] * load(key + d * 16);
        store(scores + k * N, even + odd);
        top = vmax(top, even + odd);
    }
    return top;
}

INLINE void gather(int dims, const float *values, int size, const int32_t *slots, int count, const float *scores, vec scale,
                   float *y) {
    vec a[16];
    for (int d = 0; d < dims; d++) a[d] = splat(0);
    for (int k = 0; k < count; k++) {
        const float *value = values + (size_t)slots[k] * size * 16;
        vec e = load(scores + k * N);
        for (int d = 0; d < dims; d++) a[d] += e * load(value + d * 16);
    }
    for (int d = 0; d < dims; d++) store(y + d * LANES, a[d] * scale);
}

/* One head, N bins: their queries against the keys in `slots`. */
static void window(const float *query, const float *keys, const float *values, int size, const int32_t *slots, int count,
                   float *scores, float *y) {
    int d = 0;
    vec top = splat(0), sum = splat(0);
    for (; N == 16 && d + 16 <= size; d += 16) top = score(16, !d, query + d * LANES, keys + d * 16, size, slots, count, scores);
    for (; d + 8 <= size; d += 8) top = score(8, !d, query + d * LANES, keys + d * 16, size, slots, count, scores);
    for (; d < size; d++) top = score(1, !d, query + d * LANES, keys + d * 16, size, slots, count, scores);
    for (int k = 0; k < count; k++) {
        vec e = vexp2(load(scores + k * N) - top);
        store(scores + k * N, e);
        sum += e;
    }
    vec scale = 1.f / sum;
    for (d = 0; N == 16 && d + 16 <= size; d += 16)
        gather(16, values + d * 16, size, slots, count, scores, scale, y + d * LANES);
    for (; d + 8 <= size; d += 8) gather(8, values + d * 16, size, slots, count, scores, scale, y + d * LANES);
    for (; d < size; d++) gather(1, values + d * 16, size, slots, count, scores, scale, y + d * LANES);
}

/* Slots that hold a key: of static heads in every frame so far, of dynamic ones in open frames. */
static int slots_of(const struct ring *ring, int past, int dynamic, int32_t *slots) {
    int count = 0, filled = ring->frame < past ? ring->frame + 1 : past + 1;
    for (int slot = 0; slot < filled; slot++)
        if (!dynamic || ring->open[slot]) slots[count++] = slot;
    return count;
}

void dsn_attention_time(const struct model *m, int open, struct ring *ring, const float *qkv, float *y, float *scratch) {
    int size = m->channels[2] / m->heads, heads = open ? m->heads : m->static_heads, slot = ring->frame % (m->past + 1);
    int32_t *slots = ring->open + m->past + 1, count = 0;
    ring->open[slot] = open;
    for (int h = 0; h < heads; h++) {
        const float *query = qkv + 3 * h * size * LANES;
        keep(m, ring->keys, h, slot, query + size * LANES);
        keep(m, ring->values, h, slot, query + 2 * size * LANES);
        if (h == 0 || h == m->static_heads) count = slots_of(ring, m->past, h > 0, slots);
        for (int lane = 0; lane < LANES; lane += N)
            window(query + lane, ring->keys + in_ring(m, h, lane), ring->values + in_ring(m, h, lane), size, slots, count,
                   scratch, y + h * size * LANES + lane);
    }
}

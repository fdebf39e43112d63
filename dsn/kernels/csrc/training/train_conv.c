/* Convolutions of two frames and three bins at a stride of two, their mirror, and the gradients of both.

   In memory the channels of neighbouring bins lie side by side. So an output row reads one stretch of each of two
   frames, and every pass is one of two products: stretches times a matrix, or the sum of outer products of stretches
   and rows. */
#include <stdlib.h>
#include "training.h"

#define MOST (3 * REGISTERS / 4) /* sums of a tile, all in registers */

/* Products of one frame: y[j] = bias + sum over taps of a[tap][j step ...] w[tap], j < count. */
struct product {
    const float *a[2], *w, *bias; /* a: NULL for a frame before the first or after the last; bias (width) */
    long step, k, count, width;   /* w (2, k, width), the width a multiple of UNIT */
    float *y;
    long n, total; /* floats of a row of y, and of all its rows, the last of which may be cut short */
};

INLINE void store_some(float *p, vec v, long n) {
    if (n >= N) store(p, v);
    else if (n > 0) memcpy(p, &v, n * sizeof *p);
}

/* A vector of which `n` floats exist; what lies beyond them is of no account. */
INLINE vec load_some(const float *p, long n) {
    vec v = splat(0);
    if (n >= N) return load(p);
    if (n > 0) memcpy(&v, p, n * sizeof *p);
    return v;
}

/* `rows` rows from `first` on, `vectors` vectors of columns from `column` on; both are constants where it is inlined. */
INLINE void tile(const struct product *p, long first, long column, int rows, int vectors) {
    vec sum[MOST], b[4];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r * vectors + v] = load(p->bias + column + v * N);
    for (int tap = 0; tap < 2; tap++) {
        const float *a = p->a[tap] + first * p->step, *w = p->w + tap * p->k * p->width + column;
        if (!p->a[tap]) continue;
        for (long i = 0; i < p->k; i++) {
            for (int v = 0; v < vectors; v++) b[v] = load(w + i * p->width + v * N);
            for (int r = 0; r < rows; r++)
                for (int v = 0; v < vectors; v++) sum[r * vectors + v] += b[v] * a[r * p->step + i];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            long at = (first + r) * p->n + column + v * N, left = p->n - column - v * N;
            store_some(p->y + at, sum[r * vectors + v], left < p->total - at ? left : p->total - at);
        }
}

/* All rows of some columns; the last tile overlaps the one before it, and writes the same numbers again. */
#define COLUMNS(ROWS, VECTORS)                                                                        \
    static void columns##VECTORS(const struct product *p, long column) {                              \
        long row = 0;                                                                                 \
        for (; row + ROWS <= p->count; row += ROWS) tile(p, row, column, ROWS, VECTORS);              \
        if (row < p->count && p->count >= ROWS) tile(p, p->count - ROWS, column, ROWS, VECTORS);      \
        else for (; row < p->count; row++) tile(p, row, column, 1, VECTORS);                          \
    }
#if REGISTERS == 32
COLUMNS(6, 4)
#endif
COLUMNS(MOST / 2, 2)
COLUMNS(12, 1)

static void multiply(const struct product *p) {
    long column = 0;
#if REGISTERS == 32
    for (; column + 4 * N <= p->width; column += 4 * N) columns4(p, column);
#endif
    for (; column + 2 * N <= p->width; column += 2 * N) columns2(p, column);
    for (; column < p->width; column += N) columns1(p, column);
}

void dsn_train_conv(const float *x, const float *w, const float *bias, float *y, int64_t batch, int64_t frames,
                    int64_t bins, int64_t inputs, int64_t outputs, int64_t width, int64_t other) {
    long rows = (bins - 3) / 2 + 1;
    struct product p = {.w = w, .bias = bias, .step = 2 * inputs, .k = 3 * inputs, .count = rows, .width = width,
                        .n = outputs, .total = rows * outputs};
    for (long b = 0; b < batch; b++)
        for (long t = 0; t < frames; t++) {
            const float *now = x + (b * frames + t) * bins * inputs;
            p.a[0] = t + other < 0 || t + other >= frames ? 0 : now + other * bins * inputs, p.a[1] = now;
            p.y = y + (b * frames + t) * rows * outputs;
            multiply(&p);
        }
}

int dsn_train_conv_mirrored(const float *x, const float *w, const float *bias, float *y, int64_t batch, int64_t frames,
                            int64_t bins, int64_t inputs, int64_t outputs, int64_t width, int64_t other, int64_t wanted) {
    long size = (bins + 2) * inputs; /* a frame with a bin of zeros before and after it */
    struct product p = {.w = w, .bias = bias, .step = inputs, .k = 2 * inputs, .count = (wanted + 1) / 2, .width = width,
                        .n = 2 * outputs, .total = wanted * outputs};
    float *padded = calloc(2 * size + (p.count + 1) * inputs, sizeof *padded);
    if (!padded) return -1;
    for (long b = 0; b < batch; b++)
        for (long k = 0; k < frames; k++) { /* so that the other frame was the one before */
            long t = other < 0 ? k : frames - 1 - k;
            float *now = padded + k % 2 * size;
            memcpy(now + inputs, x + (b * frames + t) * bins * inputs, bins * inputs * sizeof *x);
            p.a[0] = k ? padded + (k + 1) % 2 * size : 0, p.a[1] = now;
            p.y = y + (b * frames + t) * wanted * outputs;
            multiply(&p);
        }
    free(padded);
    return 0;
}

/* Adds to g (k, width) the outer products of stretches of a and rows of d; columns from n on hold anything. */
struct outer {
    const float *a, *d;
    float *g;
    long step, k, count, n, width;
};

INLINE void sum_tile(const struct outer *o, long from, long column, int rows, int vectors) {
    vec sum[MOST], b[4];
    for (int k = 0; k < rows * vectors; k++) sum[k] = splat(0);
    for (long j = 0; j < o->count; j++) {
        const float *a = o->a + j * o->step + from, *d = o->d + j * o->n + column;
        for (int v = 0; v < vectors; v++) b[v] = load_some(d + v * N, (o->count - j) * o->n - column - v * N);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r * vectors + v] += b[v] * a[r];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *g = o->g + (from + r) * o->width + column + v * N;
            store(g, load(g) + sum[r * vectors + v]);
        }
}

#define SUMS(ROWS, VECTORS)                                                                   \
    static void sums##VECTORS(const struct outer *o, long column) {                           \
        long from = 0;                                                                        \
        for (; from + ROWS <= o->k; from += ROWS) sum_tile(o, from, column, ROWS, VECTORS);   \
        for (; from + 3 <= o->k; from += 3) sum_tile(o, from, column, 3, VECTORS);            \
    }
#if REGISTERS == 32
SUMS(6, 4)
#endif
SUMS(MOST / 2, 2)
SUMS(12, 1)

static void add_outer(const struct outer *o) {
    long column = 0;
#if REGISTERS == 32
    for (; column + 4 * N <= o->width; column += 4 * N) sums4(o, column);
#endif
    for (; column + 2 * N <= o->width; column += 2 * N) sums2(o, column);
    for (; column < o->width; column += N) sums1(o, column);
}

void dsn_train_conv_weights(const float *a, const float *d, float *g, int64_t batch, int64_t frames, int64_t bins,
                            int64_t inputs, int64_t outputs, int64_t width, int64_t other) {
    long rows = (bins - 3) / 2 + 1, size = bins * inputs;
    struct outer o = {.step = 2 * inputs, .k = 3 * inputs, .count = rows, .n = outputs, .width = width};
    for (long b = 0; b < batch; b++)
        for (long t = 0; t < frames; t++)
            for (int tap = 0; tap < 2; tap++) {
                long from = tap ? t : t + other;
                if (from < 0 || from >= frames) continue;
                o.a = a + (b * frames + from) * size, o.d = d + (b * frames + t) * rows * outputs;
                o.g = g + tap * o.k * width;
                add_outer(&o);
            }
}

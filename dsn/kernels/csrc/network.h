/* What the parts of the network share: sizes, rows of 32 lanes, and the matrix product over them. */
#ifndef DSN_NETWORK_H
#define DSN_NETWORK_H
#include "dsn.h"
#include "vec.h"

#define WINDOW (2 * DSN_HOP)
#define BINS (DSN_HOP + 1)
#define BINS_PADDED 272
#define LANES 32     /* bins of the bottleneck, 31, and one of no meaning */
#define BOTTLENECK 31
#define ROW 48       /* floats between rows that a convolution reads: lane -1 is 0, lane 32 is 0 or bin 256 */
#define MOST_ROWS 1024 /* that one layer reads; packing.py sees to it */
#define AHEAD 1024   /* floats, a page: processors do not fetch weights ahead beyond the end of one */
#define SLOPE 0.03f  /* of every LeakyReLU */

/* The head of a model's block; packing.py writes it. Weights follow, in the order in which a frame meets them. */
struct model {
    int32_t magic, bytes, parts;
    int32_t channels[3], static_channels[3]; /* of the encoder, mirrored in the decoder */
    int32_t groups, static_groups, static_outputs, heads, static_heads, past; /* static_outputs: of the FC layers */
    int32_t bands, hidden, gates, gate_of[5]; /* the gate of each stage, -1: always open */
    int32_t static_macs, dynamic_macs[DSN_MAX_GATES];
    int32_t unused[3];
};

/* The tables that need a libm, made once in Python. */
struct tables {
    float window[WINDOW];
    float twiddle_re[256], twiddle_im[256]; /* e^(-2 pi i j k / 256), j and k from 0 to 15 */
    float half_re[256], half_im[256];       /* e^(-2 pi i k / 512) */
    struct exponent compression, expansion; /* of the squared magnitude */
    float unused[12];
};

/* Where a frame is in the weights; every part of the network takes its own and moves on. */
typedef const float *weights;

INLINE size_t padded(size_t floats) { return (floats + 15) / 16 * 16; }
INLINE const float *take(weights *w, size_t floats) { const float *p = *w; *w += padded(floats); return p; }

/* y[o] = bias[o] + sum_i w[i * w_in + o * w_out] rows[i], 32 lanes each, then LeakyReLU (slope 1: none). */
INLINE void product(int outs, const float *const *rows, int n, const float *bias, const float *w, long w_in, long w_out,
                    float *y, long y_stride, float slope) {
    for (int lane = 0; lane < LANES; lane += 2 * N) {
        vec a[8][2];
        for (int o = 0; o < outs; o++) a[o][0] = a[o][1] = splat(bias ? bias[o] : 0.f);
        for (int i = 0; i < n; i++) {
            __builtin_prefetch(w + i * w_in + AHEAD);
            vec x0 = load(rows[i] + lane), x1 = load(rows[i] + lane + N);
            for (int o = 0; o < outs; o++) {
                a[o][0] += x0 * w[i * w_in + o * w_out];
                a[o][1] += x1 * w[i * w_in + o * w_out];
            }
        }
        if (slope != 1)
            for (int o = 0; o < outs; o++)
                for (int k = 0; k < 2; k++) a[o][k] = vmax(a[o][k], a[o][k] * slope);
        for (int o = 0; o < outs; o++)
            for (int k = 0; k < 2; k++) store(y + o * y_stride + lane + k * N, a[o][k]);
    }
}

/* Eight outputs: 16 accumulators where there are 32 registers for them, else twice 8. */
INLINE void product8(const float *const *rows, int n, const float *bias, const float *w, long w_in, long w_out, float *y,
                     long y_stride, float slope) {
    if (N == 16) {
        product(8, rows, n, bias, w, w_in, w_out, y, y_stride, slope);
    } else {
        product(4, rows, n, bias, w, w_in, w_out, y, y_stride, slope);
        product(4, rows, n, bias ? bias + 4 : 0, w + 4 * w_out, w_in, w_out, y + 4 * y_stride, y_stride, slope);
    }
}

/* A layer of `outputs` static and dynamic ones; a closed one is the smaller layer of the static inputs and outputs. */
struct layer { int inputs, static_inputs, outputs, static_outputs; };

void dsn_layer(struct layer size, int open, weights *w, const float *const *rows, float *y, long y_stride, float slope);

/* Pointers to `count` rows, `stride` apart. */
INLINE const float *const *rows_of(const float **rows, const float *x, int count, long stride) {
    for (int i = 0; i < count; i++) rows[i] = x + i * stride;
    return rows;
}

/* fft.c: 512 real samples to 257 bins and back; `z` holds 1024 floats. */
void dsn_fft(const struct tables *t, const float *frame, float *re, float *im, float *z);
void dsn_inverse_fft(const struct tables *t, const float *re, const float *im, float *frame, float *z);

/* gru.c: x and y are rows, C or 2 C of 32 lanes; y is after LeakyReLU. `frequency` runs both directions over the bins. */
void dsn_gru_frequency(const struct model *m, int open, weights *w, const float *x, float *y, float *scratch);
void dsn_gru_time(const struct model *m, int open, weights *w, const float *x, float *state, float *y,
                  const float **rows, float *scratch);
void dsn_gru_policy(int inputs, int hidden, weights *w, const float *x, float *state, float *scratch);
size_t dsn_gru_scratch(const struct model *m);

/* attention.c: heads of queries, keys and values -> rows of C; `ring` holds the past of the heads along time.
   `open` says of each of past + 1 slots whether dynamic heads have a key there; room for as many numbers follows. */
struct ring { float *keys, *values; int32_t *open; int32_t frame; };
void dsn_attention_frequency(const struct model *m, int heads, const float *qkv, float *y, const float **rows, float *scratch);
void dsn_attention_time(const struct model *m, int open, struct ring *ring, const float *qkv, float *y, float *scratch);

/* conv.c: causal convolution that halves the bins, its mirror, and the scaled skip connection. */
struct conv { struct layer size; int phases; }; /* a row of `phases` per input channel: bin = phases * lane + phase */
void dsn_conv(struct conv c, int open, weights *w, const float *now, const float *past, float *y, const float **rows);
void dsn_conv_transpose(struct conv c, int open, weights *w, const float *now, const float *past, float *y, float slope,
                        const float **rows);
void dsn_skip(struct conv c, int open, weights *w, const float *x, long x_stride, const float *encoded, float *y);

/* network.c: everything between the compressed spectrum and the mask. */
struct stream {
    int32_t *frame;               /* frames so far; from 2 (past + 1) on it stays in the last past + 1 below that */
    float *hop, *tail, *policy;   /* last samples in, second half of the last frame out, hidden units */
    float *input[2], *encoded[2][3], *decoded[2][3]; /* what convolutions read, of this frame and the last */
    float *gru;
    struct ring ring;
    float *x, *wide, *heads, *y, *mask, *scratch; /* of this frame alone */
    const float **rows; /* pointers of the moment, outside the state */
    float *end;
};
void dsn_network(const struct model *m, struct stream *s, const uint8_t *open, weights *w);
#endif

/* Encoder, frequency-time-frequency blocks and decoder of one frame; dsn/model.py is the definition. */
#include "network.h"

/* Layer normalisation over channels of x + y: rows x of `stride`, rows y and out of 32 lanes; y may be NULL. */
static void norm(int channels, weights *w, const float *x, long stride, const float *y, float *out) {
    const float *gain = take(w, channels), *bias = take(w, channels);
    vec mean[LANES / N], scale[LANES / N];
    for (int i = 0; i < LANES / N; i++) mean[i] = scale[i] = splat(0);
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < LANES / N; i++) {
            vec v = load(x + c * stride + i * N);
            if (y) v += load(y + c * LANES + i * N);
            store(out + c * LANES + i * N, v);
            mean[i] += v;
        }
    for (int i = 0; i < LANES / N; i++) mean[i] *= 1.f / channels;
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < LANES / N; i++) {
            vec v = load(out + c * LANES + i * N) - mean[i];
            scale[i] += v * v;
        }
    for (int i = 0; i < LANES / N; i++) scale[i] = 1.f / vsqrt(scale[i] * (1.f / channels) + 1e-5f);
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < LANES / N; i++) {
            float *at = out + c * LANES + i * N;
            store(at, (load(at) - mean[i]) * scale[i] * gain[c] + bias[c]);
        }
}

/* Grouped GRU, fully connected layer and attention along one axis; x becomes the block's output. */
static void block(const struct model *m, struct stream *s, int time, int open, weights *w) {
    int channels = m->channels[2], both = time ? 1 : 2;
    int heads = open ? m->heads : m->static_heads, still = channels / m->heads * m->static_heads;
    int recurrent = both * channels / m->groups * m->static_groups;
    struct layer fc = {both * channels, recurrent, channels, m->static_outputs};
    struct layer qkv = {channels, channels, 3 * channels, 3 * still}, out = {channels, still, channels, channels};
    if (time) dsn_gru_time(m, open, w, s->x, s->gru, s->wide, s->rows, s->scratch);
    else dsn_gru_frequency(m, open, w, s->x, s->wide, s->scratch);
    dsn_layer(fc, open, w, rows_of(s->rows, s->wide, fc.inputs, LANES), s->y, LANES, 1);
    norm(channels, w, s->x, LANES, s->y, s->x);
    dsn_layer(qkv, open, w, rows_of(s->rows, s->x, channels, LANES), s->heads, LANES, 1);
    if (time) dsn_attention_time(m, open, &s->ring, s->heads, s->wide, s->scratch);
    else dsn_attention_frequency(m, heads, s->heads, s->wide, s->rows, s->scratch);
    dsn_layer(out, open, w, rows_of(s->rows, s->wide, channels, LANES), s->y, LANES, 1);
    norm(channels, w, s->x, LANES, s->y, s->x);
}

/* Convolution k of the encoder: inputs, outputs and the phases of its input. */
static struct conv encoder(const struct model *m, int k) {
    int inputs = k ? m->channels[k - 1] : m->parts, still = k ? m->static_channels[k - 1] : m->parts;
    return (struct conv){{inputs, still, m->channels[k], m->static_channels[k]}, 8 >> k};
}

/* Its mirror; the first reads the whole bottleneck whatever the gate. */
static struct conv decoder(const struct model *m, int k) {
    const int32_t *sizes = m->channels, *still = m->static_channels;
    int outputs = k < 2 ? sizes[1 - k] : m->parts, fixed = k < 2 ? still[1 - k] : m->parts;
    return (struct conv){{sizes[2 - k], k ? still[2 - k] : sizes[2], outputs, fixed}, 1 << k};
}

/* Bin 256 of the mask lies beyond 32 lanes of 8 phases: it is the last convolution's right edge. */
static void last_bin(struct conv c, const float *w, const float *now, const float *past, int open, float *mask) {
    int inputs = open ? c.size.inputs : c.size.static_inputs, size = c.size.outputs;
    for (int o = 0; o < size; o++) {
        float sum = w[o];
        for (int channel = 0; channel < inputs; channel++) {
            long at = (channel * c.phases + c.phases - 1) * ROW + LANES - 1;
            const float *tap = w + size * (1 + 4 * channel) + o;
            sum += past[at] * tap[0] + now[at] * tap[2 * size];
        }
        mask[8 * o * ROW + LANES] = sum;
    }
}

void dsn_network(const struct model *m, struct stream *s, const uint8_t *open, weights *w) {
    int now = *s->frame & 1, past = !now;
    float *const *encoded = s->encoded[now], *const *decoded = s->decoded[now], *const *before = s->decoded[past];
    dsn_conv(encoder(m, 0), open[0], w, s->input[now], s->input[past], encoded[0], s->rows);
    for (int k = 1; k < 3; k++)
        dsn_conv(encoder(m, k), open[0], w, encoded[k - 1], s->encoded[past][k - 1], encoded[k], s->rows);
    norm(m->channels[2], w, encoded[2], ROW, 0, s->x);
    for (int k = 0; k < 3; k++) block(m, s, k == 1, open[1 + k], w);
    const float *x = s->x;
    for (int k = 0; k < 3; k++) {
        struct conv c = decoder(m, k), skip = {{0, 0, m->channels[2 - k], m->static_channels[2 - k]}, 1 << k};
        float *y = k < 2 ? s->y : s->mask;
        dsn_skip(skip, open[4], w, x, k ? ROW : LANES, encoded[2 - k], decoded[k]);
        if (k == 2) last_bin(c, *w, decoded[k], before[k], open[4], y);
        dsn_conv_transpose(c, open[4], w, decoded[k], before[k], y, k < 2 ? SLOPE : 1, s->rows);
        x = y;
    }
}

/* Convolutions over frequency and two frames.

   Bins lie in phases: with P phases, bin P f + p is lane f of row p. A stride of two is then a choice of rows, and every
   output phase is one fully connected layer over the rows that its bins see. */
#include "network.h"

static const float *row(const float *x, int channel, int phases, int bin) { /* bin of lane 0, from -1 to phases */
    int shift = bin < 0 ? -1 : bin >= phases;
    return x + (channel * phases + bin - shift * phases) * ROW + shift;
}

/* Output bin f sees input bins 2 f, 2 f + 1 and 2 f + 2. */
void dsn_conv(struct conv c, int open, weights *w, const float *now, const float *past, float *y, const float **rows) {
    struct layer size = c.size;
    weights start = *w;
    size.inputs *= 6, size.static_inputs *= 6;
    for (int p = 0; p < c.phases / 2; p++) {
        const float **r = rows;
        for (int channel = 0; channel < c.size.inputs; channel++)
            for (int tap = 0; tap < 2; tap++)
                for (int k = 0; k < 3; k++) *r++ = row(tap ? now : past, channel, c.phases, 2 * p + k);
        *w = start;
        dsn_layer(size, open, w, rows, y + p * ROW, c.phases / 2 * ROW, SLOPE);
    }
}

/* Input bin f gives output bins 2 f, 2 f + 1 and 2 f + 2: even ones have two taps, odd ones one. */
void dsn_conv_transpose(struct conv c, int open, weights *w, const float *now, const float *past, float *y, float slope,
                        const float **rows) {
    for (int odd = 0; odd < 2; odd++) {
        struct layer size = c.size;
        weights start = *w;
        size.inputs *= odd ? 2 : 4, size.static_inputs *= odd ? 2 : 4;
        for (int p = 0; p < c.phases; p++) {
            const float **r = rows;
            for (int channel = 0; channel < c.size.inputs; channel++)
                for (int tap = 0; tap < 2; tap++)
                    for (int k = odd; k < 2; k++) *r++ = row(tap ? now : past, channel, c.phases, p - 1 + k);
            *w = start;
            dsn_layer(size, open, w, rows, y + (2 * p + odd) * ROW, 2 * c.phases * ROW, slope);
        }
    }
}

/* y = x + scale * encoded + bias; closed: dynamic channels are x alone. Lanes beyond the last bin become 0. */
void dsn_skip(struct conv c, int open, weights *w, const float *x, long x_stride, const float *encoded, float *y) {
    const float *scale = take(w, c.size.outputs), *bias = take(w, c.size.outputs);
    for (int i = 0; i < c.size.outputs * c.phases; i++) {
        int channel = i / c.phases, runs = open || channel < c.size.static_outputs;
        float s = runs ? scale[channel] : 0, b = runs ? bias[channel] : 0;
        for (int lane = 0; lane < LANES; lane += N)
            store(y + i * ROW + lane, load(x + i * x_stride + lane) + load(encoded + i * ROW + lane) * s + b);
        if (c.phases < 4 && i % c.phases == c.phases - 1) y[i * ROW + LANES - 1] = 0;
    }
}

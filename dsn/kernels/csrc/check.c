/* Whether a block of bytes is a model: what the head says must be possible, and must add up to the size of the block.
   Then no array is ever read or written beyond its end, whatever the numbers in the block are. */
#include "network.h"

#define MAGIC 0x324e5344 /* "DSN2" */
#define MOST_PAST (1 << 20)

static int within(int32_t x, int32_t least, int32_t most) { return x >= least && x <= most; }

/* `part` of at least one, of a `whole` that there can be `most` of. */
static int split(int32_t whole, int32_t part, int32_t most) { return within(whole, 1, most) && within(part, 1, whole); }

/* Sizes of the head that every loop and every array keeps to. */
static int possible(const struct model *m) {
    for (int k = 0; k < 3; k++)
        if (!split(m->channels[k], m->static_channels[k], MOST_ROWS / 6)) return 0;
    int32_t width = m->channels[2];
    if (!within(m->parts, 1, 2) || !split(m->groups, m->static_groups, width) || width % m->groups ||
        !split(m->heads, m->static_heads, width) || width % m->heads || !split(width, m->static_outputs, width) ||
        !within(m->past, 1, MOST_PAST) || !within(m->gates, 0, DSN_MAX_GATES))
        return 0;
    for (int k = 0; k < 5; k++)
        if (!within(m->gate_of[k], -1, m->gates - 1)) return 0;
    int64_t macs = m->static_macs;
    for (int k = 0; k < m->gates; k++) {
        if (m->dynamic_macs[k] < 0) return 0;
        macs += m->dynamic_macs[k];
    }
    if (m->static_macs < 0 || macs > INT32_MAX) return 0;
    return !m->gates || (within(m->bands, 1, BINS) && within(m->hidden, 1, INT32_MAX / 16));
}

/* Floats that each part takes, as the functions of the same names read them. */
static uint64_t layer(uint64_t inputs, uint64_t outputs, uint64_t still) {
    return padded((1 + inputs) * still) + padded((1 + inputs) * (outputs - still));
}

static uint64_t unit(uint64_t inputs, uint64_t width) {
    uint64_t wide = padded(width);
    return padded(3 * inputs * wide) + padded(3 * wide) + padded(3 * width * wide) + wide;
}

static uint64_t block(const struct model *m, int time) {
    uint64_t c = m->channels[2], width = c / m->groups, both = time ? 1 : 2, still = c / m->heads * m->static_heads;
    uint64_t group = padded((1 + 2 * width) * 2 * width) + 2 * padded((1 + width) * width);
    uint64_t gru = m->groups * (time ? group : 2 * unit(width, width));
    return gru + layer(both * c, c, m->static_outputs) + layer(c, 3 * c, 3 * still) + layer(c, c, c) + 4 * padded(c);
}

static uint64_t floats(const struct model *m) {
    const int32_t *c = m->channels, *still = m->static_channels;
    uint64_t sum = 2 * padded(c[2]) + 2 * block(m, 0) + block(m, 1);
    if (m->gates) sum += padded(m->bands + 1) + unit(m->bands, m->hidden) + padded(m->gates * (1 + (uint64_t)m->hidden));
    for (int k = 0; k < 3; k++) {
        uint64_t outputs = k < 2 ? c[1 - k] : m->parts, fixed = k < 2 ? still[1 - k] : m->parts;
        sum += layer(6 * (k ? c[k - 1] : m->parts), c[k], still[k]) + 2 * padded(c[2 - k]);
        sum += layer(4 * c[2 - k], outputs, fixed) + layer(2 * c[2 - k], outputs, fixed);
    }
    return sum;
}

/* The policy's bands: at least one bin each, and none beyond the last bin. */
static int ascending(const struct model *m) {
    const int32_t *edges = (const int32_t *)((const struct tables *)(m + 1) + 1);
    if (!m->gates) return 1;
    for (int b = 0; b < m->bands; b++)
        if (edges[b] < 0 || edges[b + 1] <= edges[b]) return 0;
    return edges[m->bands] <= BINS;
}

int dsn_check(const void *model, size_t bytes) {
    const struct model *m = model;
    size_t fixed = sizeof *m + sizeof(struct tables);
    if ((uintptr_t)model & 63 || bytes < fixed || m->magic != MAGIC || (uint32_t)m->bytes != bytes || !possible(m)) return 0;
    return floats(m) == (bytes - fixed) / sizeof(float) && bytes % sizeof(float) == 0 && ascending(m);
}

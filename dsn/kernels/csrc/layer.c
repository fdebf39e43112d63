/* Fully connected layers over rows; convolutions are the same layers over rows of more taps. */
#include "network.h"

/* `outs` outputs in blocks of 8, 4, 2 and 1; a block holds its biases, then the weights of each of `total` inputs. */
static void blocks(const float *const *rows, int used, int total, const float *w, int outs, float *y, long y_stride,
                   float slope) {
    while (outs) {
        int size = outs >= 8 ? 8 : outs >= 4 ? 4 : outs >= 2 ? 2 : 1;
        if (size == 8) product8(rows, used, w, w + 8, 8, 1, y, y_stride, slope);
        else if (size == 4) product(4, rows, used, w, w + 4, 4, 1, y, y_stride, slope);
        else if (size == 2) product(2, rows, used, w, w + 2, 2, 1, y, y_stride, slope);
        else product(1, rows, used, w, w + 1, 1, 1, y, y_stride, slope);
        w += (1 + total) * size, y += size * y_stride, outs -= size;
    }
}

void dsn_layer(struct layer size, int open, weights *w, const float *const *rows, float *y, long y_stride, float slope) {
    int dynamic = size.outputs - size.static_outputs;
    const float *first = take(w, (size_t)(1 + size.inputs) * size.static_outputs);
    const float *second = take(w, (size_t)(1 + size.inputs) * dynamic);
    float *rest = y + size.static_outputs * y_stride;
    blocks(rows, open ? size.inputs : size.static_inputs, size.inputs, first, size.static_outputs, y, y_stride, slope);
    if (open) blocks(rows, size.inputs, size.inputs, second, dynamic, rest, y_stride, slope);
    else for (int o = 0; o < dynamic; o++) memset(rest + o * y_stride, 0, LANES * sizeof *rest);
}

/* Real FFT of 512 samples: a complex one of 256 = 16 x 16, all of it in vectors along the 16 columns. */
#include "network.h"

struct complex { vec re, im; };

INLINE struct complex times(struct complex a, float re, float im) {
    return (struct complex){a.re * re - a.im * im, a.re * im + a.im * re};
}

/* DFT of z[0], z[step], z[2 step], z[3 step] in place. */
INLINE void dft4(struct complex *z, int step) {
    struct complex a = z[0], b = z[step], c = z[2 * step], d = z[3 * step];
    vec sum_re = a.re + c.re, sum_im = a.im + c.im, dif_re = a.re - c.re, dif_im = a.im - c.im;
    vec odd_re = b.re + d.re, odd_im = b.im + d.im, rot_re = b.im - d.im, rot_im = d.re - b.re;
    z[0] = (struct complex){sum_re + odd_re, sum_im + odd_im};
    z[step] = (struct complex){dif_re + rot_re, dif_im + rot_im};
    z[2 * step] = (struct complex){sum_re - odd_re, sum_im - odd_im};
    z[3 * step] = (struct complex){dif_re - rot_re, dif_im - rot_im};
}

/* DFT down each of 16 columns: rows 4 a + b become rows c + 4 d. */
static void dft16(float *re, float *im) {
    static const float cosine[10] = {1, 0.923879533f, 0.707106781f, 0.382683432f, 0, 0, -0.707106781f, 0, 0, -0.923879533f};
    static const float sine[10] = {0, 0.382683432f, 0.707106781f, 0.923879533f, 1, 0, 0.707106781f, 0, 0, -0.382683432f};
    for (int lane = 0; lane < 16; lane += N) {
        struct complex z[16];
        for (int i = 0; i < 16; i++) z[i] = (struct complex){load(re + 16 * i + lane), load(im + 16 * i + lane)};
        for (int b = 0; b < 4; b++) dft4(z + b, 4);
        for (int c = 1; c < 4; c++)
            for (int b = 1; b < 4; b++) z[4 * c + b] = times(z[4 * c + b], cosine[b * c], -sine[b * c]);
        for (int c = 0; c < 4; c++) dft4(z + 4 * c, 1);
        for (int c = 0; c < 4; c++)
            for (int d = 0; d < 4; d++) {
                store(re + 16 * (c + 4 * d) + lane, z[4 * c + d].re);
                store(im + 16 * (c + 4 * d) + lane, z[4 * c + d].im);
            }
    }
}

static void transpose16(const float *x, float *y) {
    for (int i = 0; i < 16; i += N)
        for (int j = 0; j < 16; j += N) transpose(x + 16 * i + j, 16, y + 16 * j + i, 16);
}

/* Complex FFT of 256 in natural order; the result is in `to`. Swap re and im, before and after, for the inverse. */
static void fft256(const struct tables *t, float *re, float *im, float *to_re, float *to_im) {
    dft16(re, im);
    for (int k = 0; k < 256; k += N) {
        vec a = load(re + k), b = load(im + k), c = load(t->twiddle_re + k), s = load(t->twiddle_im + k);
        store(re + k, a * c - b * s);
        store(im + k, a * s + b * c);
    }
    transpose16(re, to_re);
    transpose16(im, to_im);
    dft16(to_re, to_im);
}

void dsn_fft(const struct tables *t, const float *frame, float *re, float *im, float *z) {
    float *even = z, *odd = z + 256, *zr = z + 512, *zi = z + 768;
    for (int n = 0; n < 256; n++) even[n] = frame[2 * n], odd[n] = frame[2 * n + 1];
    fft256(t, even, odd, zr, zi);
    re[0] = zr[0] + zi[0], im[0] = 0;
    re[256] = zr[0] - zi[0], im[256] = 0;
    for (int k = 1; k < 256; k++) {
        float sum_re = 0.5f * (zr[k] + zr[256 - k]), sum_im = 0.5f * (zi[k] - zi[256 - k]);
        float dif_re = 0.5f * (zr[k] - zr[256 - k]), dif_im = 0.5f * (zi[k] + zi[256 - k]);
        float c = t->half_re[k], s = t->half_im[k];
        re[k] = sum_re + (dif_im * c + dif_re * s);
        im[k] = sum_im + (dif_im * s - dif_re * c);
    }
}

void dsn_inverse_fft(const struct tables *t, const float *re, const float *im, float *frame, float *z) {
    const float scale = 1 / 512.f;
    float *zi = z, *zr = z + 256, *odd = z + 512, *even = z + 768; /* re and im change places: the inverse */
    zr[0] = scale * (re[0] + re[256]), zi[0] = scale * (re[0] - re[256]);
    for (int k = 1; k < 256; k++) {
        float sum_re = re[k] + re[256 - k], sum_im = im[k] - im[256 - k];
        float dif_re = re[k] - re[256 - k], dif_im = im[k] + im[256 - k];
        float c = t->half_re[k], s = t->half_im[k];
        zr[k] = scale * (sum_re - (dif_im * c - dif_re * s));
        zi[k] = scale * (sum_im + (dif_im * s + dif_re * c));
    }
    fft256(t, zi, zr, odd, even);
    for (int n = 0; n < 256; n++) frame[2 * n] = even[n], frame[2 * n + 1] = odd[n];
}

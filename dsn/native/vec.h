/* Vectors of the machine's native width by the compilers' vector extension, and the few functions that a network needs.

   Everything along frequency has 32 lanes (one bin in 8 of the spectrum's 257), whatever the width of a vector. */
#ifndef DSN_VEC_H
#define DSN_VEC_H
#include <stdint.h>
#include <string.h>

#if defined(N) /* the kernels of training choose it */
#elif defined(__AVX512F__)
#define N 16
#elif defined(__AVX__)
#define N 8
#else
#define N 4
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * N)));
typedef int32_t ivec __attribute__((vector_size(4 * N)));

INLINE vec load(const float *p) { vec v; memcpy(&v, p, sizeof v); return v; }
INLINE void store(float *p, vec v) { memcpy(p, &v, sizeof v); }
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
INLINE vec vmax(vec a, vec b) { return pick(a > b, a, b); }
INLINE vec vmin(vec a, vec b) { return pick(a < b, a, b); }
INLINE vec vsqrt(vec x) { for (int i = 0; i < N; i++) x[i] = __builtin_sqrtf(x[i]); return x; }

/* Values too small to matter become 0, so that no state ever decays into slow subnormal numbers. */
INLINE vec flush(vec x) { return (vec)(((x > 1e-18f) | (x < -1e-18f)) & (ivec)x); }

/* The nearest integer, as a float and in the low bits of an int; for |x| < 2^22. */
INLINE vec nearest(vec x, ivec *bits) {
    vec shifted = x + 12582912.f; /* 1.5 * 2^23: the unit in the last place is 1 */
    *bits = (ivec)shifted;
    return shifted - 12582912.f;
}

/* 2^k e^r for |r| <= ln(2) / 2; k in the low bits of `bits`. The polynomial is e^r's Taylor series to r^7. */
INLINE vec scaled_exp(vec r, ivec bits) {
    vec p = r * (1 / 5040.f) + 1 / 720.f;
    p = p * r + 1 / 120.f;
    p = p * r + 1 / 24.f;
    p = p * r + 1 / 6.f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.f;
    return (vec)((ivec)p + (bits << 23));
}

/* e^x, held between e^-87 and e^87. */
INLINE vec vexp(vec x) {
    ivec bits;
    x = vmin(vmax(x, splat(-87.f)), splat(87.f));
    vec k = nearest(x * 1.44269504f, &bits);
    return scaled_exp(x - k * 0.693145752f - k * 1.42860677e-6f, bits); /* ln(2) in two parts */
}

INLINE vec sigmoid(vec x) { return 1.f / (1.f + vexp(-x)); }
INLINE vec vtanh(vec x) { return 1.f - 2.f / (1.f + vexp(2.f * x)); }

/* An exponent in two parts: the first of so few bits that its product with a float's exponent is exact. */
struct exponent { float high, low; };

/* x^a for normal x > 0, to a few units in the last place. */
INLINE vec power(vec x, struct exponent a) {
    ivec e = ((ivec)x - 0x3f3504f3) >> 23, bits; /* x = 2^e m, m from sqrt(1/2) to sqrt(2) */
    vec m = (vec)((ivec)x - (e << 23)), s = (m - 1.f) / (m + 1.f), q = s * s;
    vec log2m = s * (2.88539008f + q * (0.961796694f + q * (0.577078016f + q * (0.412198583f + q * 0.320598898f))));
    vec whole = __builtin_convertvector(e, vec), part = whole * a.low + log2m * (a.high + a.low);
    vec k = nearest(whole * a.high + part, &bits);
    return scaled_exp(((whole * a.high - k) + part) * 0.693147181f, bits);
}

/* Rows of N x N floats become columns: log2(N) times, interleave the first half of the rows with the second. */
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#if N == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif N == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

INLINE void transpose(const float *x, long x_stride, float *y, long y_stride) {
    vec a[N], b[N];
    for (int i = 0; i < N; i++) a[i] = load(x + i * x_stride);
    for (int n = 1; n < N; n *= 2) {
        for (int i = 0; i < N / 2; i++) {
            b[2 * i] = SHUFFLE(a[i], a[i + N / 2], LOW);
            b[2 * i + 1] = SHUFFLE(a[i], a[i + N / 2], HIGH);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < N; i++) store(y + i * y_stride, a[i]);
}
#endif

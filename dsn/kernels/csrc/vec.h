/* Vectors of the machine's native width by the compilers' vector extension, and the few functions that a network needs.

   Everything along frequency has 32 lanes (one bin in 8 of the spectrum's 257), whatever the width of a vector. */
#ifndef DSN_VEC_H
#define DSN_VEC_H
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define N 16
#elif defined(__AVX__)
#define N 8
#else
#define N 4
#endif
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * N)));
typedef int32_t ivec __attribute__((vector_size(4 * N)));
typedef uint32_t uvec __attribute__((vector_size(4 * N))); /* for sums of bits, which may pass the end of an int */

INLINE vec load(const float *p) { vec v; memcpy(&v, p, sizeof v); return v; }
INLINE void store(float *p, vec v) { memcpy(p, &v, sizeof v); }
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
INLINE vec vmax(vec a, vec b) { return pick(a > b, a, b); }
INLINE vec vsqrt(vec x) { for (int i = 0; i < N; i++) x[i] = __builtin_sqrtf(x[i]); return x; }

/* Values too small to matter become 0, so that no state ever decays into slow subnormal numbers. */
INLINE vec flush(vec x) { return (vec)(((x > 1e-18f) | (x < -1e-18f)) & (ivec)x); }

/* x held between -most and most. Magnitudes have the order of the integers that their bits are. */
INLINE vec clamp(vec x, float most) {
    ivec sign = (ivec)x & INT32_MIN, size = (ivec)x & INT32_MAX, limit = (ivec)splat(most);
    for (int i = 0; i < N; i++) size[i] = size[i] < limit[i] ? size[i] : limit[i];
    return (vec)(sign | size);
}

/* The nearest integer, as a float and in the low bits of an int; for |x| < 2^22. */
INLINE vec nearest(vec x, ivec *bits) {
    vec shifted = x + 12582912.f; /* 1.5 * 2^23: the unit in the last place is 1 */
    *bits = (ivec)shifted;
    return shifted - 12582912.f;
}

/* 2^(k + f) for |f| <= 1 / 2; k in the low bits of `bits`. The polynomial is within 1e-8 of 2^f. */
INLINE vec scaled_exp2(vec f, ivec bits) {
    vec p = f * 0.000154531630f + 0.00133908634f;
    p = p * f + 0.00961808256f;
    p = p * f + 0.0555035711f;
    p = p * f + 0.240226508f;
    p = p * f + 0.693147188f;
    p = p * f + 1.f;
    return (vec)((uvec)p + ((uvec)bits << 23));
}

/* 2^x, held between 2^-126 and 2^126. */
INLINE vec vexp2(vec x) {
    ivec bits;
    x = clamp(x, 126.f);
    vec k = nearest(x, &bits);
    return scaled_exp2(x - k, bits);
}

INLINE vec vexp(vec x) { return vexp2(x * 1.44269504f); }

/* To 3e-7: of all x P(x^2) / Q(x^2) with P and Q of degree 4, the one nearest to tanh for |x| < 9. Beyond, it is 1. */
INLINE vec vtanh(vec x) {
    x = clamp(x, 9.f);
    vec s = x * x, p = s * 1.33548193e-8f + 2.06092049e-5f, q = s * 7.77662562e-7f + 3.28564729e-4f;
    p = p * s + 3.49559587e-3f, q = q * s + 2.58770119e-2f;
    p = p * s + 1.33810322e-1f, q = q * s + 4.67143478e-1f;
    p = p * s + 1.f, q = q * s + 1.f;
    return x * p / q;
}

INLINE vec sigmoid(vec x) { return 0.5f + 0.5f * vtanh(0.5f * x); }

/* An exponent in two parts: the first of so few bits that its product with a float's exponent is exact. */
struct exponent { float high, low; };

/* x^a for normal x > 0, to a few units in the last place; 2^126 where it would be more. */
INLINE vec power(vec x, struct exponent a) {
    ivec e = (ivec)((uvec)x - 0x3f3504f3) >> 23, bits; /* x = 2^e m, m from sqrt(1/2) to sqrt(2) */
    vec m = (vec)((uvec)x - ((uvec)e << 23)), s = (m - 1.f) / (m + 1.f), q = s * s;
    vec log2m = s * (2.88539008f + q * (0.961796694f + q * (0.577078016f + q * (0.412198583f + q * 0.320598898f))));
    vec whole = __builtin_convertvector(e, vec), part = whole * a.low + log2m * (a.high + a.low);
    vec k = nearest(whole * a.high + part, &bits);
    return pick(k > 126.f, splat(0x1p126f), scaled_exp2((whole * a.high - k) + part, bits));
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

/* Damaged models through the kernel: refused by dsn_check, or run for a few hops without a step beyond any array.

   Built by blobs.py with sanitizers. Reads lines "MODEL SEED NUMBER", answers each with one word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dsn.h"

enum { HOPS = 3, HEAD = 128, MOST = 1 << 28 };

static uint64_t random_state;

static uint64_t draw(uint64_t below) { /* splitmix64 */
    uint64_t x = random_state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9, x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) % below;
}

static void *memory(size_t bytes) { /* of exactly this size, for the sanitizer to watch its end */
    void *p;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) exit(3);
    return p;
}

static char *whole(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) exit(2);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*bytes);
    if (fread(data, 1, *bytes, file) != *bytes) exit(2);
    fclose(file);
    return data;
}

static int32_t extreme(void) {
    static const int32_t values[] = {0, 1, -1, 2, 3, 5, 8, 31, 32, 64, 171, 1 << 20, INT32_MAX, INT32_MIN};
    return values[draw(sizeof values / sizeof *values)];
}

static void damage(char *model, size_t bytes) {
    static const float odd[] = {0, -0.f, 1e-40f, 1e20f, -1e38f, 1.f / 0.f, 0.f / 0.f};
    for (uint64_t n = 1 + draw(6); n; n--) {
        size_t at = draw(draw(2) ? bytes : HEAD);
        if (draw(3) == 0) model[at] ^= (char)(1 << draw(8));
        else if (at < HEAD) memcpy(model + at / 4 * 4, &(int32_t){extreme()}, 4);
        else if (at / 4 * 4 + 4 <= bytes) memcpy(model + at / 4 * 4, odd + draw(7), 4);
    }
}

static const char *attempt(const char *model, size_t bytes) {
    if (!dsn_check(model, bytes)) return "refused";
    size_t size = dsn_state_bytes(model);
    if (size > MOST) return "taken: a state too large to be run here";
    void *state = memory(size);
    float *wav = memory(HOPS * DSN_HOP * sizeof *wav);
    int gates = dsn_gates(model);
    uint8_t *ran = memory(HOPS * gates);
    float *margins = memory(HOPS * gates * sizeof *margins);
    float level = draw(4) ? 0.1f : 1e20f;
    for (int i = 0; i < HOPS * DSN_HOP; i++) wav[i] = level * ((float)draw(2000) / 1000 - 1);
    dsn_reset(model, state);
    dsn_run(model, state, wav, wav, HOPS, 0, 0, ran, margins);
    int32_t macs = dsn_macs(model, ran);
    free(state), free(wav), free(ran), free(margins);
    return macs < 0 ? "wrong output" : "run";
}

int main(void) {
    char path[4096];
    unsigned long long seed, number;
    while (scanf("%4095s %llu %llu", path, &seed, &number) == 3) {
        size_t bytes;
        char *original = whole(path, &bytes);
        random_state = seed * 1000003 + number;
        size_t kept = draw(5) ? bytes : draw(bytes + 1); /* one in five is cut off */
        char *model = memory(kept);
        memcpy(model, original, kept);
        if (kept < bytes && kept >= 8 && draw(2)) memcpy(model + 4, &(int32_t){(int32_t)kept}, 4); /* and says so */
        if (kept >= HEAD && draw(10)) damage(model, kept);
        puts(attempt(model, kept));
        fflush(stdout);
        free(model), free(original);
    }
    return 0;
}

/* Which sources this was compiled from, and which of the variants that build.py compiles this processor runs; the loader asks the baseline. */
#include "network.h"

#ifndef DSN_FINGERPRINT
#define DSN_FINGERPRINT ""
#endif

const char *dsn_fingerprint(void) { return DSN_FINGERPRINT; }

int dsn_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return wide ? 2 : 1;
#endif
    return 0;
}

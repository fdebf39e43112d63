/* Which sources this was compiled from, and which of the variants that build.py compiles this processor runs; the loader asks the baseline. */
#include "network.h"

#ifndef DSN_FINGERPRINT
#define DSN_FINGERPRINT ""
#endif

const char *dsn_fingerprint(void) { return DSN_FINGERPRINT; }

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* Asked here and not by __builtin_cpu_supports, which knows nothing where compiler-rt comes without it, as in zig. */
static int x86(void) {
    unsigned a, b, c, d, saved, high, wide = bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return 0;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0)); /* registers that the operating system saves */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2) || (saved & 0x6) != 0x6) return 0;
    return (b & wide) == wide && (saved & 0xe6) == 0xe6 ? 2 : 1;
}
#endif

int dsn_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    return x86();
#else
    return 0;
#endif
}

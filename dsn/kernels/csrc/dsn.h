/* Frame-by-frame speech enhancement: FTF-Net and DSN, with closed gates that cost nothing.

   A model is one block of packed weights (dsn/kernels/packing.py writes it; nothing in it points anywhere), a stream one
   block of state. Both are the caller's memory, aligned to 64 bytes. No call allocates, locks, or touches anything but
   its arguments, so any number of streams may run in any number of threads, each state in one of them at a time. */
#ifndef DSN_H
#define DSN_H
#include <stddef.h>
#include <stdint.h>

#define DSN_HOP 256      /* samples per call at 16 kHz; a window is two hops, and so is the latency */
#define DSN_MAX_GATES 5
#ifndef DSN_EXPORT
#define DSN_EXPORT __attribute__((visibility("default")))
#endif

/* Names the sources that this was compiled from, as build.py does. */
DSN_EXPORT const char *dsn_fingerprint(void);

/* Which variant this processor runs: 0 baseline, 1 AVX2, 2 AVX-512. */
DSN_EXPORT int dsn_cpu(void);

/* 1 if `bytes` at `model` are a model that this build reads, else 0. Ask once, before anything else: a block that passes
   has sizes that add up, so that nothing outside it and its state is ever touched. */
DSN_EXPORT int dsn_check(const void *model, size_t bytes);

/* Gates of the model: 0 (static), 1 (shared), or one for each stage with dynamic parts, in the order of the stages. */
DSN_EXPORT int dsn_gates(const void *model);

/* Multiply-accumulates of a frame that ran with these gates; NULL: all open. */
DSN_EXPORT int32_t dsn_macs(const void *model, const uint8_t *gates);

/* Bytes of a stream's state, and the state before the first hop. */
DSN_EXPORT size_t dsn_state_bytes(const void *model);
DSN_EXPORT void dsn_reset(const void *model, void *state);

/* One hop in, one hop out: the enhanced signal one hop later. `in` and `out` may be the same memory.
   dial    added to every gate's margin; 0 is the trained operating point, more opens more
   forced  per gate 0 closed, 1 open, -1 as the policy says; NULL: as the policy says
   gates   receives the gates that ran, one byte each; may be NULL
   margins receives the policy's open logit minus its closed one, without the dial; may be NULL */
DSN_EXPORT void dsn_process(const void *model, void *state, const float in[DSN_HOP], float out[DSN_HOP], float dial,
                            const int8_t *forced, uint8_t *gates, float *margins);

/* The same for `hops` hops in a row; forced, gates and margins hold dsn_gates() values per hop. */
DSN_EXPORT void dsn_run(const void *model, void *state, const float *in, float *out, size_t hops, float dial,
                        const int8_t *forced, uint8_t *gates, float *margins);
#endif

/* Fused layers for training on a CPU: forward passes that keep what their gradients need, and the gradients.

   Groups and heads are filled up with zeros to UNIT floats. The caller gives all memory; arrays are dense and row-major.
   dsn/kernels/training.py makes them PyTorch functions, dsn/dynamic is their definition. */
#ifndef DSN_TRAINING_H
#define DSN_TRAINING_H
#include "../dsn.h"
#include "../vec.h"

#define UNIT 16         /* floats of a unit: `WIDTH` in training.py */
#define PARTS (UNIT / N) /* vectors of a unit; gcc turns wider ones than the machine has into slow code */

#if defined(__AVX512F__) || defined(__aarch64__)
#define REGISTERS 32 /* vectors that fit: sums of a loop must, or they go through memory */
#else
#define REGISTERS 16
#endif

/* `units` recurrences of 16 (of one group, or of its two directions) over `count` sequences of `steps`:
   x (count, steps, units / directions, 16) -> y (count, steps, units, 16).
   state (units, count, 16) or NULL, zeros; saved (units, count, steps, 4, 16): gates, or NULL if no gradient is wanted;
   weights (units, 3, 16, 16) and biases (units, 3, 16) in PyTorch's order r, z, n. */
DSN_EXPORT void dsn_train_gru(const float *x, float *y, float *saved, const float *state, const float *w_ih,
                              const float *w_hh, const float *b_ih, const float *b_hh, int64_t count, int64_t steps,
                              int64_t units, int64_t directions);

/* Gradients of x and, unless NULL, state; those of weights and biases are added to what is there. */
DSN_EXPORT void dsn_train_gru_back(const float *dy, const float *y, const float *x, const float *saved, const float *state,
                                   const float *w_ih, const float *w_hh, float *dx, float *dstate, float *dw_ih,
                                   float *dw_hh, float *db_ih, float *db_hh, int64_t count, int64_t steps, int64_t units,
                                   int64_t directions);

/* Attention of every frame over its bins (past < 0), or of every bin over its frame and `past` frames before it:
   qkv (batch, frames, bins, 3, heads, 16) -> y (batch, frames, bins, heads, 16), kept (heads, batch, frames, bins, 2).
   open (batch, frames) or NULL: along time, heads from `fixed` on see only open frames, and the frame itself.
   scratch: 8 (n + 64) 16 floats for n frames or bins. */
DSN_EXPORT void dsn_train_attention(const float *qkv, float *y, float *kept, const float *open, float *scratch,
                                    int64_t batch, int64_t frames, int64_t bins, int64_t heads, int64_t fixed,
                                    int64_t past, float scale);

DSN_EXPORT void dsn_train_attention_back(const float *dy, const float *qkv, const float *y, const float *kept,
                                         const float *open, float *dqkv, float *scratch, int64_t batch, int64_t frames,
                                         int64_t bins, int64_t heads, int64_t fixed, int64_t past,
                                         float scale);

/* Convolution along frequency of two frames, the one `other` (-1 or 1) frames away and this one, by three bins at a
   stride of two: x (batch, frames, bins, inputs), w (2, 3 inputs, width), bias (width)
   -> y (batch, frames, (bins - 3) / 2 + 1, outputs); the width is the outputs filled up to a multiple of 16. */
DSN_EXPORT void dsn_train_conv(const float *x, const float *w, const float *bias, float *y, int64_t batch,
                               int64_t frames, int64_t bins, int64_t inputs, int64_t outputs, int64_t width,
                               int64_t other);

/* Its mirror: bins 2 j and 2 j + 1 of y side by side are a product of bins j - 1 and j of x:
   w (2, 2 inputs, width), bias (width) with 2 outputs filled up -> y (batch, frames, wanted, outputs).
   Returns -1 without memory. */
DSN_EXPORT int dsn_train_conv_mirrored(const float *x, const float *w, const float *bias, float *y, int64_t batch,
                                       int64_t frames, int64_t bins, int64_t inputs, int64_t outputs, int64_t width,
                                       int64_t other, int64_t wanted);

/* Gradient of the weights of dsn_train_conv for inputs `a` and gradients `d` of its outputs, added to
   g (2, 3 inputs, width). */
DSN_EXPORT void dsn_train_conv_weights(const float *a, const float *d, float *g, int64_t batch, int64_t frames,
                                       int64_t bins, int64_t inputs, int64_t outputs, int64_t width, int64_t other);
#endif

#ifndef PROLOGUE_KERNELS_H
#define PROLOGUE_KERNELS_H

#include <stdint.h>

/* The vector loops of the engine, and the threads they run on.
 *
 * Conventions: output first, dimensions last, row-major float32. A kernel works on one thread over the rows it
 * is given; the caller splits rows. "accumulates" means the output is added to, otherwise it is overwritten. */

/* ---- Instruction sets (instruction_sets.c) -------------------------------------------------------------- */

/* Kernels are compiled for plain x86-64, AVX2 (x86-64-v3) and AVX-512 (x86-64-v4); products of bfloat16 also for the
 * instructions of that type, of vectors and of AMX's tiles. Each set holds those before it. On other processors there is the plain
 * one only. */
enum kernel_sets { KERNELS_PLAIN, KERNELS_AVX2, KERNELS_AVX512, KERNELS_AVX512_BF16, KERNELS_AMX };

/* The largest set that this processor has. */
int kernels_supported(void);
/* The set in use: the largest, or the one that PROLOGUE_KERNELS names when the program starts. A name that is none, or a set
 * that this processor does not have, ends the program with exit code 2. */
int kernels_used(void);
/* For tests: this thread uses no more than `set` from here on, and runs its chunks itself; returns the limit before. */
int kernels_limit(int set);
int kernels_limited(void);
/* plain, avx2, avx512, avx512-bf16, amx */
const char *kernels_name(int set);

/* ---- Threads (threads.c) ------------------------------------------------------------------------------- */

typedef void (*chunk_body)(void *context, long chunk);

/* Runs body for every chunk 0..<chunks, on the calling thread and the pool, and returns when all are done.
 * A call from inside a body, or while another thread uses the pool, runs its chunks in order on the caller.
 * Which thread runs a chunk is left to timing; what a chunk computes must not be. */
void parallel_chunks(long chunks, chunk_body body, void *context);
/* The calling thread included: PROLOGUE_THREADS, or the cores that this process may use; at most 64. */
int parallel_thread_count(void);
void parallel_set_thread_count(int threads);

/* ---- Elementwise (elementwise.c) ----------------------------------------------------------------------- */

void add_into(float *y, const float *x, long n);                              /* y += x */
void add_out(float *y, const float *a, const float *b, long n);
void subtract_out(float *y, const float *a, const float *b, long n);
void multiply_out(float *y, const float *a, const float *b, long n);
void scale_out(float *y, const float *x, float scale, long n);
void gelu_forward(float *y, const float *x, long n);                          /* tanh approximation */
void gelu_backward(float *dx, const float *dy, const float *x, long n);
void exact_gelu_forward(float *y, const float *x, long n);                    /* with the error function */
void exact_gelu_backward(float *dx, const float *dy, const float *x, long n);
void relu_forward(float *y, const float *x, long n);
void relu_backward(float *dx, const float *dy, const float *y, long n);
void leaky_relu_forward(float *y, const float *x, float slope, long n);
void leaky_relu_backward(float *dx, const float *dy, const float *x, float slope, long n);
/* gated [rows, 2·hidden] = [gate ; value] → y [rows, hidden] = gelu(value)·gate */
void geglu_forward(float *y, const float *gated, long rows, long hidden);
void geglu_backward(float *dgated, const float *dy, const float *gated, long rows, long hidden);
/* y = x + gate·branch. Rows are first_row ..< first_row + rows of the whole; x, branch and y point at the first of them, gates
 * at the first gate row, of which each serves rows_per_gate rows. */
void gated_residual_forward(float *y, const float *x, const float *branch, const float *gates, long first_row,
                            long rows, long width, long rows_per_gate);
/* dbranch = dy·gate; dgates [gate rows, width] accumulates Σ dy·branch. Either may be null. */
void gated_residual_backward(float *dbranch, float *dgates, const float *dy, const float *branch,
                             const float *gates, long first_row, long rows, long width, long rows_per_gate);
void fill_rows(float *y, const float *row, long rows, long width);
void add_row_sum(float *sum, const float *x, long rows, long width);          /* sum[width] accumulates */
double sum_of(const float *x, long n);
double sum_abs_difference(const float *a, const float *b, long n);
double sum_squared_difference(const float *a, const float *b, long n);
void sign_difference(float *d, const float *a, const float *b, float scale, long n); /* scale·sign(a−b) */
/* y = x·keep/(1−p) where keep is drawn from counter-based bits keyed by (key, first + i) */
void dropout_apply(float *y, const float *x, float p, uint64_t key, uint64_t first, long n);

/* ---- Norms (norms.c) ----------------------------------------------------------------------------------- */

/* y = x/max(‖x‖,1e-12)·√width·(1+w); inverse[rows] = 1/max(‖x‖,1e-12), saved for the gradient. w rows as gates above. */
void rms_norm_forward(float *y, float *inverse, const float *x, const float *w, long first_row, long rows,
                      long width, long rows_per_weight);
/* dx overwritten; dw accumulates; either may be null. */
void rms_norm_backward(float *dx, float *dw, const float *dy, const float *x, const float *inverse,
                       const float *w, long first_row, long rows, long width, long rows_per_weight);
/* Layer norm: units and inverse are kept for the gradient; sums [2, width] accumulates Σ dy and Σ dy·units */
void layer_norm_forward(float *y, float *units, float *inverse, const float *x, const float *weight, const float *bias,
                        float epsilon, long rows, long width);
void layer_norm_backward(float *dx, const float *dy, const float *units, const float *inverse, const float *weight, long rows,
                         long width);
void layer_norm_sums(float *sums, const float *dy, const float *units, long rows, long width);
void l2_normalize_forward(float *y, float *inverse, const float *x, long rows, long width);
void l2_normalize_backward(float *dx, const float *dy, const float *y, const float *inverse, long rows,
                           long width);
/* Per-head RMS norm with weight w[width], then rotation of pairs (2i, 2i+1) by the row's angles.
 * x rows are stride floats apart and hold heads·width; y is contiguous [rows, heads, width];
 * cosine, sine [tokens, width/2] with token = (first_row + row) % tokens; inverse [rows, heads]. */
void rotary_norm_forward(float *y, float *inverse, const float *x, const float *w, const float *cosine,
                         const float *sine, long first_row, long rows, long tokens, long heads, long width,
                         long stride);
void rotary_norm_backward(float *dx, float *dw, const float *dy, const float *x, const float *inverse,
                          const float *w, const float *cosine, const float *sine, long first_row, long rows,
                          long tokens, long heads, long width, long stride, long dx_stride);

/* ---- Softmax family (softmax.c) ------------------------------------------------------------------------ */

void softmax_rows(float *y, const float *x, float scale, long rows, long width);          /* softmax(scale·x) */
void softmax_rows_backward(float *dx, const float *dy, const float *y, float scale, long rows, long width);
void log_softmax_rows(float *y, const float *x, long rows, long width);
/* loss[rows] = logsumexp(x) − x[target]; lse[rows] */
void cross_entropy_forward(float *loss, float *lse, const float *x, const int32_t *target, long rows, long width);
/* dx = (softmax(x) − onehot)·weight[row] */
void cross_entropy_backward(float *dx, const float *x, const float *lse, const int32_t *target,
                            const float *weight, long rows, long width);
/* y = scale·a + (1 − scale)·b */
void mix(float *y, const float *a, const float *b, float scale, long n);
void argmax_rows(int32_t *index, const float *x, long rows, long width);                  /* first of ties */

/* Score rows of attention, in place: s[rows, stride] becomes softmax(scale·s) over the first
 * min(columns, first_query + row + 1) entries when causal, over columns otherwise; the rest becomes 0.
 * lse[rows] = the logarithm of the sum, saved for the gradient. */
void attention_softmax(float *s, float *lse, float scale, long rows, long columns, long stride, long first_query,
                       int causal);
/* s becomes exp(scale·s − lse): the probabilities again. */
void attention_probabilities(float *s, const float *lse, float scale, long rows, long columns, long stride,
                             long first_query, int causal);
/* ds [rows, stride] in place from dP: ds = p·(ds − delta[row])·scale */
void attention_score_gradient(float *ds, const float *p, const float *delta, float scale, long rows,
                              long columns, long stride);
/* delta[rows] = Σ dy·y; rows stride floats apart */
void row_dots(float *delta, const float *dy, const float *y, long rows, long width, long stride);
/* One query against a cache: y[width] = softmax(scale·K q) V over `length` keys; K is stored transposed,
 * [width, capacity], V is [length, width]. The capacity is a multiple of 64 and scores[capacity] is scratch; keys past
 * the length are read, whatever they hold, and not used. */
void attention_decode(float *y, float *scores, const float *q, const float *k, const float *v, float scale,
                      long length, long width, long capacity);

/* ---- Optimiser (optimizer.c) --------------------------------------------------------------------------- */

typedef struct {
    float rate, beta1, beta2, epsilon, decay;
    float correction1, correction2; /* 1 − βᵗ */
    float gradient_scale;           /* clipping */
    float average_rate;             /* EMA: average += rate·(value − average) */
} adamw_settings;

/* Non-finite gradients count as 0 (NaN) or ±1e5 (method §4.5). average may be null. */
void adamw_step(float *value, float *moment1, float *moment2, float *average, const float *gradient,
                adamw_settings settings, long n);
/* Σ g² after the same replacement; *bad counts the replaced entries. */
double gradient_sum_of_squares(const float *gradient, long *bad, long n);

/* ---- bfloat16: products (bfloat16_product.c, bfloat16_tiles.c, bfloat16_outer.c) ------------------------- */

/* Numbers with the exponent of float32 and 8 bits of precision. Products of them are summed in float32, two neighbours
 * along the summed axis at a time: such a *pair* is one uint32, the first number in its low half. */
typedef uint16_t bfloat16;

enum { BF16_PANEL = 64 };

/* C = A·B: pair p of row r of A is a[r·a_row + p·a_pair]; B lies in panels of 64 columns, b_panel apart, in which pair p
 * of all columns is at b_pair·p. C is float32 (c) or rounded, c_row apart; bias [columns] may be null. */
typedef struct {
    const uint32_t *a;
    long a_row, a_pair;
    const uint32_t *b;
    long b_pair, b_panel;
    const float *bias;
    float *c;
    bfloat16 *rounded;
    long c_row;
    int accumulates; /* into c */
} bf16_product_operands;

/* By the processor's own instructions where they are in use; elsewhere float32 arithmetic gives the same up to the order of
 * sums. */
void bf16_product(bf16_product_operands operands, long rows, long columns, long pairs);
/* c [columns of a, columns of b] = aᵀ·b over rows of bfloat16: the gradient of a weight. */
void bf16_outer(float *c, long c_row, const bfloat16 *a, long a_row, const bfloat16 *b, long b_row, long a_columns,
                long b_columns, long rows, int accumulates);
/* One panel of B, [pairs, 64]: column j is row j of x (x is transposed), or column j of x; missing numbers are 0. */
void bf16_pack_columns(uint32_t *panel, const bfloat16 *x, long x_row, long columns, long width);
void bf16_pack_rows(uint32_t *panel, const bfloat16 *x, long x_row, long rows, long columns);
/* The same of float32 rows, wherever each of them begins, rounded on the way; NULL is a row of zeros. Of the second the
 * columns from `first` on, and each row times its entry of `scale`, which may be null. */
void bf16_pack_weight_columns(uint32_t *panel, const float *const *rows, long columns, long width);
void bf16_pack_weight_rows(uint32_t *panel, const float *const *rows, const float *scale, long first, long summed,
                           long columns);

/* ---- bfloat16: rows (bfloat16.c, bfloat16_geglu.c) ------------------------------------------------------------ */

/* y = x rounded to the nearest, ties to even; columns after them become 0 up to the padded width */
void bf16_round(bfloat16 *y, long y_row, const float *x, long x_row, long rows, long columns, long padded);
void bf16_scale_rows(bfloat16 *y, const bfloat16 *x, const float *factor, long rows, long width);
void bf16_dropout(bfloat16 *x, float p, uint64_t key, uint64_t first, long n);
void bf16_add_row_sum(float *sum, const bfloat16 *x, long x_row, long rows, long width);
void bf16_row_dots(float *delta, const bfloat16 *a, const bfloat16 *b, long rows, long width, long stride);
void scale_rows(float *x, const float *factor, long rows, long width);
/* As the float32 kernels of these names, with what is marked by the type rounded. */
/* unit, which may be null: x over its root mean square, without the weight */
void bf16_rms_norm(bfloat16 *y, bfloat16 *unit, float *inverse, const float *x, const float *w, long rows, long width);
/* From unit: dx holds the gradient of y and becomes residual + that of x; dw accumulates; y once more */
void bf16_rms_norm_backward(float *dx, float *dw, bfloat16 *y, const float *residual, const bfloat16 *unit,
                            const float *inverse, const float *w, long rows, long width);
/* y [tokens, width]; rows of the tables are table_stride apart, or all one row if it is 0 */
void bf16_rotary_norm_forward(bfloat16 *y, float *inverse, const bfloat16 *x, const float *w, const float *cosine,
                              const float *sine, long tokens, long width, long stride, long table_stride);
void bf16_rotary_norm_backward(bfloat16 *dx, float *dw, const float *dy, const bfloat16 *x, const float *inverse,
                               const float *w, const float *cosine, const float *sine, long tokens, long width,
                               long stride);
void bf16_geglu_forward(bfloat16 *y, const bfloat16 *gated, long rows, long hidden);
/* gated becomes its gradient */
void bf16_geglu_backward(bfloat16 *gated, bfloat16 *y, const bfloat16 *dy, long rows, long hidden);
/* y = x + gate·branch */
void gated_residual_rows(float *y, const float *x, const float *branch, const float *gate, long rows, long width);
/* Of branch = W·in with G = Σ dy·inᵀ [rows, width]: dgate = Σ W∘G by rows, and dW = gate·G, added to sum or in G's place
 * where sum is null. */
void gate_weight_gradient(float *dgate, float *g, float *sum, const float *w, const float *gate, long rows, long width);
/* y [rows, y_row] = softmax(x) − onehot, from lse */
void bf16_cross_entropy_slope(bfloat16 *y, long y_row, const float *x, const float *lse, const int32_t *target, long rows,
                              long width);

/* ---- bfloat16: decoding (bfloat16_decoding.c) ------------------------------------------------------------- */

/* The cache of one sequence, in groups of 16 tokens: keys [groups, heads, width/2, 16] are pairs of channels of 16 tokens,
 * values [groups, heads, width/16, 8, 16] pairs of tokens of 16 channels, the last of a head with room for 16. Widths are
 * even. */
enum { BF16_GROUP = 16 };
/* Puts token `at` into the cache, key and value [heads, width]; the tokens before it are there. */
void bf16_cache_token(uint32_t *keys, uint32_t *values, const bfloat16 *key, const bfloat16 *value, long at, long heads,
                      long width);
/* Prefetches the memory that entering token `at`, and then attending to it, will read first. */
void bf16_cache_fetch(const uint32_t *keys, const uint32_t *values, long at, long heads, long width);
/* As attention_decode for all heads, q and y [heads, width]. The capacity is a multiple of 16; scratch are weights [heads,
 * capacity] and scores, which have room for the outputs in float32, whole groups of channels, besides. */
void bf16_attention_decode(bfloat16 *y, float *scores, bfloat16 *weights, const bfloat16 *q, const uint32_t *keys,
                           const uint32_t *values, float scale, long length, long heads, long width, long capacity);

/* ---- Windows over images (convolution.c), images are [height, width, channels] --------------------------- */

/* What a convolution or a pool moves over an image; pixels outside the image are padding. */
typedef struct {
    long height, width, channels;       /* of the image */
    long kernel_height, kernel_width, stride, top, left;
    long out_height, out_width;
} image_window;

/* columns [rows·out_width, kernel_height·kernel_width·channels] of output rows first_row..<first_row+rows; padding is 0 */
void im2col(float *columns, const float *image, image_window window, long first_row, long rows);
void col2im(float *image, const float *columns, image_window window);         /* accumulates */
/* y [out_height, out_width, channels]; padding never wins a maximum */
void max_pool_forward(float *y, const float *x, image_window window);
/* dx accumulates; the first of equal maxima gets the gradient */
void max_pool_backward(float *dx, const float *dy, const float *x, const float *y, image_window window);
/* mean over the window: padding counts as zeros, or does not count at all */
void average_pool_forward(float *y, const float *x, image_window window, int counts_padding);
void average_pool_backward(float *dx, const float *dy, image_window window, int counts_padding); /* accumulates */

/* ---- Image norms (image_norms.c): per-channel statistics over rows of [rows, channels] ------------------- */

void add_squared_deviations(float *sum, const float *x, const float *mean, long rows, long channels); /* accumulates */
/* y = (x − mean)·inverse·weight + bias */
void channel_norm_forward(float *y, const float *x, const float *mean, const float *inverse, const float *weight,
                          const float *bias, long rows, long channels);
/* sums [2, channels] accumulates Σ dy and Σ dy·x̂, x̂ = (x − mean)·inverse */
void channel_norm_sums(float *sums, const float *dy, const float *x, const float *mean, const float *inverse,
                       long rows, long channels);
/* dx = inverse·(weight·dy − shift − x̂·slope) */
void channel_norm_backward(float *dx, const float *dy, const float *x, const float *mean, const float *inverse,
                           const float *weight, const float *shift, const float *slope, long rows, long channels);

/* ---- Depthwise convolution (depthwise.c): weight [height, width, channels] of the window ------------------------ */

void depthwise_forward(float *y, const float *x, const float *weight, const float *bias, image_window w); /* one image */
void depthwise_backward(float *dx, const float *dy, const float *weight, image_window w);      /* accumulates */
void depthwise_weight_sums(float *dweight, const float *dy, const float *x, image_window w);   /* accumulates */

/* ---- Resizing (resize.c) --------------------------------------------------------------------------------- */

/* Bilinear, pixel (i, j) of y read at (i·height/out_height, j·width/out_width) of x: TensorFlow 1 without aligned corners */
void bilinear_forward(float *y, const float *x, long height, long width, long channels, long out_height, long out_width);
void bilinear_backward(float *dx, const float *dy, long height, long width, long channels, long out_height,
                       long out_width); /* accumulates */
/* Along the middle axis of [outer, in, inner]: y[i] = Σ shares[i·taps + k]·x[starts[i] + k] for k < counts[i] */
void resample_forward(float *y, const float *x, const int *starts, const int *counts, const float *shares, long taps,
                      long in, long out, long inner);
void resample_backward(float *dx, const float *dy, const int *starts, const int *counts, const float *shares, long taps,
                       long in, long out, long inner); /* accumulates */

#endif

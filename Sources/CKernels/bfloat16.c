#include "bfloat16.h"

KERNEL(void, bf16_round, (bfloat16 *restrict y, long y_row, const float *restrict x, long x_row, long rows, long
       columns, long padded), y, y_row, x, x_row, rows, columns, padded) {
    for (long r = 0; r < rows; r++) {
        for (long i = 0; i < columns; i++) y[r * y_row + i] = bfloat16_of(x[r * x_row + i]);
        for (long i = columns; i < padded; i++) y[r * y_row + i] = 0;
    }
}

KERNEL(void, bf16_scale_rows, (bfloat16 *y, const bfloat16 *x, const float *restrict factor, long rows, long width),
       y, x, factor, rows, width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) y[r * width + i] = bfloat16_of(factor[r] * float_of(x[r * width + i]));
}

KERNEL(void, bf16_dropout, (bfloat16 *x, float p, uint64_t key, uint64_t first, long n), x, p, key, first, n) {
    const float scale = 1.0f / (1.0f - p);
    const uint32_t threshold = (uint32_t)((double)p * 4294967296.0);
    for (long i = 0; i < n; i++)
        x[i] = mixed_bits(key, first + (uint64_t)i) >= threshold ? bfloat16_of(float_of(x[i]) * scale) : 0;
}

KERNEL(void, bf16_add_row_sum, (float *restrict sum, const bfloat16 *restrict x, long x_row, long rows, long width),
       sum, x, x_row, rows, width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) sum[i] += float_of(x[r * x_row + i]);
}

KERNEL(void, bf16_row_dots, (float *restrict delta, const bfloat16 *restrict a, const bfloat16 *restrict b, long rows,
       long width, long stride), delta, a, b, rows, width, stride) {
    REORDER_SUMS
    for (long r = 0; r < rows; r++) {
        float sum = 0;
        for (long i = 0; i < width; i++) sum += float_of(a[r * stride + i]) * float_of(b[r * stride + i]);
        delta[r] = sum;
    }
}

KERNEL(void, scale_rows, (float *restrict x, const float *restrict factor, long rows, long width), x, factor, rows,
       width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) x[r * width + i] *= factor[r];
}

INLINE void rms_norm(bfloat16 *restrict y, bfloat16 *restrict unit, float *restrict inverse, const float *restrict x,
                     const float *restrict w, long rows, long width, rounding round) {
    const float root = sqrtf((float)width);
    /* All norms first: their square roots and divisions are slow and would stall what follows. */
    for (long r = 0; r < rows; r++) inverse[r] = inverse_norm(x + r * width, width);
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width, scale = inverse[r] * root;
        for (long i = 0; i < width; i++) y[r * width + i] = round(in[i] * scale * (1.0f + w[i]));
        if (unit)
            for (long i = 0; i < width; i++) unit[r * width + i] = round(in[i] * scale);
    }
}

LOCAL_KERNEL(void, rms_norm_portable, (bfloat16 *y, bfloat16 *unit, float *inverse, const float *x, const float *w,
             long rows, long width), y, unit, inverse, x, w, rows, width) {
    rms_norm(y, unit, inverse, x, w, rows, width, bfloat16_of);
}

#if defined(__x86_64__)

BF16_TARGET static void rms_norm_with_instructions(bfloat16 *y, bfloat16 *unit, float *inverse, const float *x,
                                                   const float *w, long rows, long width) {
    rms_norm(y, unit, inverse, x, w, rows, width, round_with_instruction);
}

#else

#define rms_norm_with_instructions rms_norm_portable

#endif

void bf16_rms_norm(bfloat16 *y, bfloat16 *unit, float *inverse, const float *x, const float *w, long rows, long width) {
    if (bf16_uses_instructions()) rms_norm_with_instructions(y, unit, inverse, x, w, rows, width);
    else rms_norm_portable(y, unit, inverse, x, w, rows, width);
}

INLINE float rounded_weighted_dot(const float *a, const bfloat16 *b, const float *w, long n) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < n; i++) sum += a[i] * float_of(b[i]) * (1.0f + w[i]);
    return sum;
}

KERNEL(void, bf16_rms_norm_backward, (float *restrict dx, float *restrict dw, bfloat16 *restrict y, const float
       *restrict residual, const bfloat16 *restrict unit, const float *restrict inverse, const float *restrict w, long
       rows, long width), dx, dw, y, residual, unit, inverse, w, rows, width) {
    const float root = sqrtf((float)width);
    for (long r = 0; r < rows; r++) {
        const bfloat16 *u = unit + r * width;
        const float *rest = residual + r * width;
        float *g = dx + r * width, inv = inverse[r], scale = inv * root;
        float projection =
            inv >= 1.0f / SMALLEST_NORM ? 0 : rounded_weighted_dot(g, u, w, width) / (float)width;
        for (long i = 0; i < width; i++) {
            float direction = float_of(u[i]), factor = 1.0f + w[i];
            dw[i] += g[i] * direction;
            g[i] = rest[i] + scale * (g[i] * factor - direction * projection);
            y[r * width + i] = bfloat16_of(direction * factor);
        }
    }
}

/* Heads are at most this wide, which callers check. */
enum { HEAD_LIMIT = 1024 };

INLINE void widen(float *restrict y, const bfloat16 *restrict x, long n) {
    for (long i = 0; i < n; i++) y[i] = float_of(x[i]);
}

/* Eight pairs of channels. */
typedef float lanes __attribute__((vector_size(64), aligned(4)));
typedef float half_lanes __attribute__((vector_size(32), aligned(4)));

/* Every number for both channels of its pair. */
INLINE void spread(lanes *y, const float *x) {
    half_lanes v;
    memcpy(&v, x, sizeof v);
    *y = __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
}

/* y = x with every pair (a, b) rotated: (a·c − b·s, a·s + b·c); backwards by −s. */
INLINE void rotate(float *restrict y, const float *restrict x, const float *restrict c, const float *restrict s,
                 float direction, long width) {
    const lanes sign = {-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1};
    long i = 0;
    for (; i + 16 <= width; i += 16) {
        lanes v, cosines, sines;
        memcpy(&v, x + i, sizeof v);
        spread(&cosines, c + i / 2);
        spread(&sines, s + i / 2);
        lanes swapped = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
        v = v * cosines + swapped * (sines * (sign * direction));
        memcpy(y + i, &v, sizeof v);
    }
    for (; i < width; i += 2) {
        y[i] = x[i] * c[i / 2] - x[i + 1] * (direction * s[i / 2]);
        y[i + 1] = x[i] * (direction * s[i / 2]) + x[i + 1] * c[i / 2];
    }
}

/* Some channels of a token: at most CHANNELS, and best as many, for then all stays in registers. */
enum { CHANNELS = 16 };
INLINE void scale_and_rotate(bfloat16 *restrict y, const bfloat16 *restrict x, float scale, const float *restrict w,
                           const float *restrict c, const float *restrict s, long width) {
    float in[CHANNELS], rotated[CHANNELS];
    for (long i = 0; i < width; i++) in[i] = float_of(x[i]) * (scale * (1.0f + w[i]));
    rotate(rotated, in, c, s, 1, width);
    for (long i = 0; i < width; i++) y[i] = bfloat16_of(rotated[i]);
}

INLINE float squares(const bfloat16 *x, long width) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < width; i++) sum += float_of(x[i]) * float_of(x[i]);
    return sum;
}

KERNEL(void, bf16_rotary_norm_forward, (bfloat16 *restrict y, float *restrict inverse, const bfloat16 *restrict x,
       const float *restrict w, const float *restrict cosine, const float *restrict sine, long tokens, long width,
       long stride, long table_stride), y, inverse, x, w, cosine, sine, tokens, width, stride, table_stride) {
    const float root = sqrtf((float)width);
    /* All norms first: their square roots and divisions are slow and would stall what follows. */
    for (long t = 0; t < tokens; t++) inverse[t] = inverse_of_norm(squares(x + t * stride, width));
    for (long t = 0; t < tokens; t++, y += width, x += stride, cosine += table_stride, sine += table_stride) {
        const float scale = inverse[t] * root;
        long i = 0;
        for (; i + CHANNELS <= width; i += CHANNELS)
            scale_and_rotate(y + i, x + i, scale, w + i, cosine + i / 2, sine + i / 2, CHANNELS);
        scale_and_rotate(y + i, x + i, scale, w + i, cosine + i / 2, sine + i / 2, width - i);
    }
}

/* As rotary_norm_backward. */
KERNEL(void, bf16_rotary_norm_backward, (bfloat16 *restrict dx, float *restrict dw, const float *restrict dy, const
       bfloat16 *restrict x, const float *restrict inverse, const float *restrict w, const float *restrict cosine,
       const float *restrict sine, long tokens, long width, long stride), dx, dw, dy, x, inverse, w, cosine, sine,
       tokens, width, stride) {
    const float root = sqrtf((float)width);
    const long half = width / 2;
    float in[HEAD_LIMIT], rotated[HEAD_LIMIT];
    for (long t = 0; t < tokens; t++) {
        widen(in, x + t * stride, width);
        float inv = inverse[t], scale = inv * root;
        rotate(rotated, dy + t * width, cosine + t * half, sine + t * half, -1, width);
        float projection = inv >= 1.0f / SMALLEST_NORM ? 0 : weighted_dot(rotated, in, w, width) * inv * inv;
        bfloat16 *out = dx + t * stride;
        for (long i = 0; i < width; i++)
            out[i] = bfloat16_of(scale * (rotated[i] * (1.0f + w[i]) - in[i] * projection));
        for (long i = 0; i < width; i++) dw[i] += rotated[i] * in[i] * scale;
    }
}

KERNEL(void, gated_residual_rows, (float *restrict y, const float *restrict x, const float *restrict branch, const
       float *restrict gate, long rows, long width), y, x, branch, gate, rows, width) {
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) y[r * width + i] = x[r * width + i] + gate[i] * branch[r * width + i];
}

KERNEL(void, gate_weight_gradient, (float *restrict dgate, float *restrict g, float *restrict sum, const float
       *restrict w, const float *restrict gate, long rows, long width), dgate, g, sum, w, gate, rows, width) {
    for (long r = 0; r < rows; r++, g += width, w += width) {
        dgate[r] = dot(g, w, width);
        if (sum)
            for (long i = 0; i < width; i++) sum[r * width + i] += gate[r] * g[i];
        else
            for (long i = 0; i < width; i++) g[i] *= gate[r];
    }
}

KERNEL(void, bf16_cross_entropy_slope, (bfloat16 *restrict y, long y_row, const float *restrict x, const float
       *restrict lse, const int32_t *restrict target, long rows, long width), y, y_row, x, lse, target, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        bfloat16 *out = y + r * y_row;
        float shift = lse[r];
        for (long i = 0; i < width; i++) out[i] = bfloat16_of(fast_exp(in[i] - shift));
        for (long i = width; i < y_row; i++) out[i] = 0;
        out[target[r]] = bfloat16_of(fast_exp(in[target[r]] - shift) - 1.0f);
    }
}

#include "kernels.h"
#include "vector.h"

INLINE float sum_exp(const float *x, float shift, long n) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < n; i++) sum += fast_exp(x[i] - shift);
    return sum;
}

KERNEL(void, softmax_rows, (float *restrict y, const float *restrict x, float scale, long rows, long width), y, x,
       scale, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *out = y + r * width;
        float sum = exp_sum(out, in, scale, scale * largest(in, width), width);
        float inv = 1.0f / sum;
        for (long i = 0; i < width; i++) out[i] *= inv;
    }
}

KERNEL(void, softmax_rows_backward, (float *restrict dx, const float *restrict dy, const float *restrict y, float
       scale, long rows, long width), dx, dy, y, scale, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *g = dy + r * width, *p = y + r * width;
        float *out = dx + r * width;
        float mean = dot(g, p, width);
        for (long i = 0; i < width; i++) out[i] = scale * p[i] * (g[i] - mean);
    }
}

KERNEL(void, log_softmax_rows, (float *restrict y, const float *restrict x, long rows, long width), y, x, rows, width)
       {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *out = y + r * width;
        float top = largest(in, width), lse = top + logf(sum_exp(in, top, width));
        for (long i = 0; i < width; i++) out[i] = in[i] - lse;
    }
}

KERNEL(void, cross_entropy_forward, (float *restrict loss, float *restrict lse, const float *restrict x, const int32_t
       *restrict target, long rows, long width), loss, lse, x, target, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float top = largest(in, width);
        lse[r] = top + logf(sum_exp(in, top, width));
        loss[r] = lse[r] - in[target[r]];
    }
}

KERNEL(void, cross_entropy_backward, (float *restrict dx, const float *restrict x, const float *restrict lse, const
       int32_t *restrict target, const float *restrict weight, long rows, long width), dx, x, lse, target, weight,
       rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *out = dx + r * width, w = weight[r], shift = lse[r];
        for (long i = 0; i < width; i++) out[i] = w * fast_exp(in[i] - shift);
        out[target[r]] -= w;
    }
}

KERNEL(void, mix, (float *y, const float *a, const float *restrict b, float scale, long n), y, a, b, scale, n) {
    for (long i = 0; i < n; i++) y[i] = scale * a[i] + (1 - scale) * b[i];
}

KERNEL(void, argmax_rows, (int32_t *restrict index, const float *restrict x, long rows, long width), index, x, rows,
       width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float top = largest(in, width);
        long i = 0;
        /* First in strides, which need no decision for each number. */
        for (enum { STRIDE = 64 }; i + STRIDE < width; i += STRIDE) {
            int found = 0;
            for (long j = 0; j < STRIDE; j++) found |= in[i + j] == top;
            if (found) break;
        }
        while (i < width - 1 && in[i] != top) i++;
        index[r] = (int32_t)i;
    }
}

INLINE long visible(long columns, long query, int causal) {
    return causal && query + 1 < columns ? query + 1 : columns;
}

KERNEL(void, attention_softmax, (float *restrict s, float *restrict lse, float scale, long rows, long columns, long
       stride, long first_query, int causal), s, lse, scale, rows, columns, stride, first_query, causal) {
    for (long r = 0; r < rows; r++) {
        float *row = s + r * stride;
        long n = visible(columns, first_query + r, causal);
        float top = scale * largest(row, n);
        float sum = exp_sum(row, row, scale, top, n), inv = 1.0f / sum;
        for (long i = 0; i < n; i++) row[i] *= inv;
        for (long i = n; i < columns; i++) row[i] = 0;
        lse[r] = top + logf(sum);
    }
}

KERNEL(void, attention_probabilities, (float *restrict s, const float *restrict lse, float scale, long rows, long
       columns, long stride, long first_query, int causal), s, lse, scale, rows, columns, stride, first_query, causal)
       {
    for (long r = 0; r < rows; r++) {
        float *row = s + r * stride, shift = lse[r];
        long n = visible(columns, first_query + r, causal);
        for (long i = 0; i < n; i++) row[i] = fast_exp(scale * row[i] - shift);
        for (long i = n; i < columns; i++) row[i] = 0;
    }
}

KERNEL(void, attention_score_gradient, (float *restrict ds, const float *restrict p, const float *restrict delta,
       float scale, long rows, long columns, long stride), ds, p, delta, scale, rows, columns, stride) {
    for (long r = 0; r < rows; r++) {
        float *g = ds + r * stride, d = delta[r];
        const float *q = p + r * stride;
        for (long i = 0; i < columns; i++) g[i] = q[i] * (g[i] - d) * scale;
    }
}

KERNEL(void, row_dots, (float *restrict delta, const float *restrict dy, const float *restrict y, long rows, long
       width, long stride), delta, dy, y, rows, width, stride) {
    for (long r = 0; r < rows; r++) delta[r] = dot(dy + r * stride, y + r * stride, width);
}

enum { LANES = 64 };

/* Scores are summed for 64 keys at a time, and outputs for up to 64 channels, so that sums stay in registers and
 * nothing is added up across lanes. */
KERNEL(void, attention_decode, (float *restrict y, float *restrict scores, const float *restrict q, const float
       *restrict k, const float *restrict v, float scale, long length, long width, long capacity), y, scores, q, k, v,
       scale, length, width, capacity) {
    for (long t = 0; t < length; t += LANES) {
        float sums[LANES] = {0};
        for (long i = 0; i < width; i++) {
            const float *keys = k + i * capacity + t;
            for (long j = 0; j < LANES; j++) sums[j] += q[i] * keys[j];
        }
        memcpy(scores + t, sums, sizeof sums);
    }
    float sum = exp_sum(scores, scores, scale, scale * largest(scores, length), length), inv = 1.0f / sum;
    long i = 0;
    for (; i + LANES <= width; i += LANES) {
        float sums[LANES] = {0};
        for (long t = 0; t < length; t++)
            for (long j = 0; j < LANES; j++) sums[j] += scores[t] * v[t * width + i + j];
        for (long j = 0; j < LANES; j++) y[i + j] = sums[j] * inv;
    }
    for (; i + 8 <= width; i += 8) {
        float sums[8] = {0};
        for (long t = 0; t < length; t++)
            for (long j = 0; j < 8; j++) sums[j] += scores[t] * v[t * width + i + j];
        for (long j = 0; j < 8; j++) y[i + j] = sums[j] * inv;
    }
    for (; i < width; i++) {
        float total = 0;
        for (long t = 0; t < length; t++) total += scores[t] * v[t * width + i];
        y[i] = total * inv;
    }
}

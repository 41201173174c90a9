#include "kernels.h"
#include "vector.h"

KERNEL(void, rms_norm_forward, (float *restrict y, float *restrict inverse, const float *restrict x, const float
       *restrict w, long first_row, long rows, long width, long rows_per_weight), y, inverse, x, w, first_row, rows,
       width, rows_per_weight) {
    const float root = sqrtf((float)width);
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width, *weight = w + (first_row + r) / rows_per_weight * width;
        float *out = y + r * width;
        float inv = inverse_norm(in, width), scale = inv * root;
        inverse[r] = inv;
        for (long i = 0; i < width; i++) out[i] = in[i] * scale * (1.0f + weight[i]);
    }
}

/* With x̂ = x/‖x‖ and g' = dy·(1+w): dx = √d/‖x‖·(g' − x̂⟨g', x̂⟩), dw = Σ dy·x̂·√d.
 * Below the smallest norm the divisor is a constant and the projection vanishes. */
KERNEL(void, rms_norm_backward, (float *restrict dx, float *restrict dw, const float *restrict dy, const float
       *restrict x, const float *restrict inverse, const float *restrict w, long first_row, long rows, long width,
       long rows_per_weight), dx, dw, dy, x, inverse, w, first_row, rows, width, rows_per_weight) {
    const float root = sqrtf((float)width);
    for (long r = 0; r < rows; r++) {
        long weight_row = (first_row + r) / rows_per_weight * width;
        const float *in = x + r * width, *g = dy + r * width, *weight = w + weight_row;
        float inv = inverse[r], scale = inv * root;
        if (dx) {
            float projection = inv >= 1.0f / SMALLEST_NORM ? 0 : weighted_dot(g, in, weight, width) * inv * inv;
            float *out = dx + r * width;
            for (long i = 0; i < width; i++) out[i] = scale * (g[i] * (1.0f + weight[i]) - in[i] * projection);
        }
        if (dw) {
            float *out = dw + weight_row;
            for (long i = 0; i < width; i++) out[i] += g[i] * in[i] * scale;
        }
    }
}

KERNEL(void, l2_normalize_forward, (float *restrict y, float *restrict inverse, const float *restrict x, long rows,
       long width), y, inverse, x, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *in = x + r * width;
        float *out = y + r * width;
        float inv = inverse_norm(in, width);
        inverse[r] = inv;
        for (long i = 0; i < width; i++) out[i] = in[i] * inv;
    }
}

KERNEL(void, l2_normalize_backward, (float *restrict dx, const float *restrict dy, const float *restrict y, const
       float *restrict inverse, long rows, long width), dx, dy, y, inverse, rows, width) {
    for (long r = 0; r < rows; r++) {
        const float *g = dy + r * width, *unit = y + r * width;
        float *out = dx + r * width;
        float inv = inverse[r];
        float projection = inv >= 1.0f / SMALLEST_NORM ? 0 : dot(g, unit, width);
        for (long i = 0; i < width; i++) out[i] = inv * (g[i] - unit[i] * projection);
    }
}

KERNEL(void, rotary_norm_forward, (float *restrict y, float *restrict inverse, const float *restrict x, const float
       *restrict w, const float *restrict cosine, const float *restrict sine, long first_row, long rows, long tokens,
       long heads, long width, long stride), y, inverse, x, w, cosine, sine, first_row, rows, tokens, heads, width,
       stride) {
    const float root = sqrtf((float)width);
    const long half = width / 2;
    for (long r = 0; r < rows; r++) {
        long token = (first_row + r) % tokens;
        const float *c = cosine + token * half, *s = sine + token * half;
        for (long h = 0; h < heads; h++) {
            const float *in = x + r * stride + h * width;
            float *out = y + (r * heads + h) * width;
            float inv = inverse_norm(in, width), scale = inv * root;
            inverse[r * heads + h] = inv;
            for (long i = 0; i < half; i++) {
                float a = in[2 * i] * scale * (1.0f + w[2 * i]);
                float b = in[2 * i + 1] * scale * (1.0f + w[2 * i + 1]);
                out[2 * i] = a * c[i] - b * s[i];
                out[2 * i + 1] = a * s[i] + b * c[i];
            }
        }
    }
}

/* The rotation is undone first (its transpose), then the norm's gradient as above, head by head. */
KERNEL(void, rotary_norm_backward, (float *restrict dx, float *restrict dw, const float *restrict dy, const float
       *restrict x, const float *restrict inverse, const float *restrict w, const float *restrict cosine, const float
       *restrict sine, long first_row, long rows, long tokens, long heads, long width, long stride, long dx_stride),
       dx, dw, dy, x, inverse, w, cosine, sine, first_row, rows, tokens, heads, width, stride, dx_stride) {
    const float root = sqrtf((float)width);
    const long half = width / 2;
    float rotated[1024];
    for (long r = 0; r < rows; r++) {
        long token = (first_row + r) % tokens;
        const float *c = cosine + token * half, *s = sine + token * half;
        for (long h = 0; h < heads; h++) {
            const float *in = x + r * stride + h * width, *g = dy + (r * heads + h) * width;
            float inv = inverse[r * heads + h], scale = inv * root;
            for (long i = 0; i < half; i++) {
                rotated[2 * i] = g[2 * i] * c[i] + g[2 * i + 1] * s[i];
                rotated[2 * i + 1] = g[2 * i + 1] * c[i] - g[2 * i] * s[i];
            }
            if (dx) {
                float projection = inv >= 1.0f / SMALLEST_NORM ? 0 : weighted_dot(rotated, in, w, width) * inv * inv;
                float *out = dx + r * dx_stride + h * width;
                for (long i = 0; i < width; i++)
                    out[i] = scale * (rotated[i] * (1.0f + w[i]) - in[i] * projection);
            }
            if (dw)
                for (long i = 0; i < width; i++) dw[i] += rotated[i] * in[i] * scale;
        }
    }
}

/* x̂ = (x − mean)/√(variance + ε) over each row; y = x̂·weight + bias. */
KERNEL(void, layer_norm_forward, (float *restrict y, float *restrict units, float *restrict inverse, const float *restrict x,
       const float *restrict weight, const float *restrict bias, float epsilon, long rows, long width), y, units, inverse, x,
       weight, bias, epsilon, rows, width) {
    REORDER_SUMS
    for (long r = 0; r < rows; r++, x += width, y += width, units += width) {
        float sum = 0, squares = 0;
        for (long i = 0; i < width; i++) sum += x[i];
        float mean = sum / (float)width;
        for (long i = 0; i < width; i++) squares += (x[i] - mean) * (x[i] - mean);
        inverse[r] = 1.0f / sqrtf(squares / (float)width + epsilon);
        for (long i = 0; i < width; i++) {
            units[i] = (x[i] - mean) * inverse[r];
            y[i] = units[i] * weight[i] + bias[i];
        }
    }
}

KERNEL(void, layer_norm_backward, (float *restrict dx, const float *restrict dy, const float *restrict units, const float
       *restrict inverse, const float *restrict weight, long rows, long width), dx, dy, units, inverse, weight, rows, width) {
    REORDER_SUMS
    for (long r = 0; r < rows; r++, dx += width, dy += width, units += width) {
        float sum = 0, products = 0;
        for (long i = 0; i < width; i++) {
            sum += dy[i] * weight[i];
            products += dy[i] * weight[i] * units[i];
        }
        float mean = sum / (float)width, slope = products / (float)width;
        for (long i = 0; i < width; i++) dx[i] = inverse[r] * (dy[i] * weight[i] - mean - units[i] * slope);
    }
}

KERNEL(void, layer_norm_sums, (float *restrict sums, const float *restrict dy, const float *restrict units, long rows, long
       width), sums, dy, units, rows, width) {
    float *products = sums + width;
    for (long r = 0; r < rows; r++, dy += width, units += width)
        for (long i = 0; i < width; i++) {
            sums[i] += dy[i];
            products[i] += dy[i] * units[i];
        }
}

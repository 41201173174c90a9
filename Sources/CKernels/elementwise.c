#include "kernels.h"
#include "vector.h"

KERNEL(void, add_into, (float *restrict y, const float *restrict x, long n), y, x, n) {
    for (long i = 0; i < n; i++) y[i] += x[i];
}

KERNEL(void, add_out, (float *y, const float *a, const float *b, long n), y, a, b, n) {
    for (long i = 0; i < n; i++) y[i] = a[i] + b[i];
}

KERNEL(void, subtract_out, (float *y, const float *a, const float *b, long n), y, a, b, n) {
    for (long i = 0; i < n; i++) y[i] = a[i] - b[i];
}

KERNEL(void, multiply_out, (float *y, const float *a, const float *b, long n), y, a, b, n) {
    for (long i = 0; i < n; i++) y[i] = a[i] * b[i];
}

KERNEL(void, scale_out, (float *y, const float *x, float scale, long n), y, x, scale, n) {
    for (long i = 0; i < n; i++) y[i] = scale * x[i];
}

KERNEL(void, gelu_forward, (float *restrict y, const float *restrict x, long n), y, x, n) {
    for (long i = 0; i < n; i++) y[i] = gelu_value(x[i]);
}

KERNEL(void, gelu_backward, (float *restrict dx, const float *restrict dy, const float *restrict x, long n), dx, dy,
       x, n) {
    for (long i = 0; i < n; i++) dx[i] = dy[i] * gelu_slope(x[i]);
}

/* ½·erfc(|x|/√2) to about 1e-7 of itself: Chebyshev's fit of Numerical Recipes, §6.2. */
INLINE float normal_tail(float x) {
    float z = fabsf(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.5f * z);
    float p = 0.17087277f;
    p = p * t - 0.82215223f;
    p = p * t + 1.48851587f;
    p = p * t - 1.13520398f;
    p = p * t + 0.27886807f;
    p = p * t - 0.18628806f;
    p = p * t + 0.09678418f;
    p = p * t + 0.37409196f;
    p = p * t + 1.00002368f;
    p = p * t - 1.26551223f;
    return 0.5f * t * fast_exp(p - z * z);
}

/* The normal distribution function. */
INLINE float normal_share(float x) {
    float tail = normal_tail(x);
    return x < 0 ? tail : 1.0f - tail;
}

KERNEL(void, exact_gelu_forward, (float *restrict y, const float *restrict x, long n), y, x, n) {
    for (long i = 0; i < n; i++) y[i] = x[i] * normal_share(x[i]);
}

KERNEL(void, exact_gelu_backward, (float *restrict dx, const float *restrict dy, const float *restrict x, long n), dx, dy,
       x, n) {
    for (long i = 0; i < n; i++) {
        float density = 0.39894228f * fast_exp(-0.5f * x[i] * x[i]);
        dx[i] = dy[i] * (normal_share(x[i]) + x[i] * density);
    }
}

KERNEL(void, relu_forward, (float *restrict y, const float *restrict x, long n), y, x, n) {
    for (long i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}

KERNEL(void, relu_backward, (float *restrict dx, const float *restrict dy, const float *restrict y, long n), dx, dy,
       y, n) {
    for (long i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

KERNEL(void, leaky_relu_forward, (float *restrict y, const float *restrict x, float slope, long n), y, x, slope, n) {
    for (long i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

KERNEL(void, leaky_relu_backward, (float *restrict dx, const float *restrict dy, const float *restrict x, float slope,
       long n), dx, dy, x, slope, n) {
    for (long i = 0; i < n; i++) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
}

KERNEL(void, geglu_forward, (float *restrict y, const float *restrict gated, long rows, long hidden), y, gated, rows,
       hidden) {
    for (long r = 0; r < rows; r++) {
        const float *gate = gated + r * 2 * hidden, *value = gate + hidden;
        float *out = y + r * hidden;
        for (long i = 0; i < hidden; i++) out[i] = gelu_value(value[i]) * gate[i];
    }
}

KERNEL(void, geglu_backward, (float *restrict dgated, const float *restrict dy, const float *restrict gated, long
       rows, long hidden), dgated, dy, gated, rows, hidden) {
    for (long r = 0; r < rows; r++) {
        const float *gate = gated + r * 2 * hidden, *value = gate + hidden, *g = dy + r * hidden;
        float *dgate = dgated + r * 2 * hidden, *dvalue = dgate + hidden;
        for (long i = 0; i < hidden; i++) {
            float x = value[i], s = gelu_gate(x);
            float slope = s + x * s * (1.0f - s) * 1.5957691216057308f * (1.0f + 0.134145f * x * x);
            dgate[i] = g[i] * x * s;
            dvalue[i] = g[i] * gate[i] * slope;
        }
    }
}

KERNEL(void, gated_residual_forward, (float *restrict y, const float *restrict x, const float *restrict branch, const
       float *restrict gates, long first_row, long rows, long width, long rows_per_gate), y, x, branch, gates,
       first_row, rows, width, rows_per_gate) {
    for (long r = 0; r < rows; r++) {
        const float *gate = gates + (first_row + r) / rows_per_gate * width;
        const float *a = x + r * width, *b = branch + r * width;
        float *out = y + r * width;
        for (long i = 0; i < width; i++) out[i] = a[i] + gate[i] * b[i];
    }
}

KERNEL(void, gated_residual_backward, (float *restrict dbranch, float *restrict dgates, const float *restrict dy,
       const float *restrict branch, const float *restrict gates, long first_row, long rows, long width, long
       rows_per_gate), dbranch, dgates, dy, branch, gates, first_row, rows, width, rows_per_gate) {
    for (long r = 0; r < rows; r++) {
        long gate_row = (first_row + r) / rows_per_gate * width;
        const float *gate = gates + gate_row, *g = dy + r * width, *b = branch + r * width;
        if (dbranch) {
            float *out = dbranch + r * width;
            for (long i = 0; i < width; i++) out[i] = g[i] * gate[i];
        }
        if (dgates) {
            float *out = dgates + gate_row;
            for (long i = 0; i < width; i++) out[i] += g[i] * b[i];
        }
    }
}

void fill_rows(float *y, const float *row, long rows, long width) {
    for (long r = 0; r < rows; r++) memcpy(y + r * width, row, (size_t)width * sizeof(float));
}

KERNEL(void, add_row_sum, (float *restrict sum, const float *restrict x, long rows, long width), sum, x, rows, width)
       {
    for (long r = 0; r < rows; r++) {
        const float *row = x + r * width;
        for (long i = 0; i < width; i++) sum[i] += row[i];
    }
}

KERNEL(double, sum_of, (const float *x, long n), x, n) {
    REORDER_SUMS
    double sum = 0;
    for (long i = 0; i < n; i++) sum += x[i];
    return sum;
}

KERNEL(double, sum_abs_difference, (const float *a, const float *b, long n), a, b, n) {
    REORDER_SUMS
    double sum = 0;
    for (long i = 0; i < n; i++) sum += fabs((double)a[i] - b[i]);
    return sum;
}

KERNEL(double, sum_squared_difference, (const float *a, const float *b, long n), a, b, n) {
    REORDER_SUMS
    double sum = 0;
    for (long i = 0; i < n; i++) {
        double d = (double)a[i] - b[i];
        sum += d * d;
    }
    return sum;
}

KERNEL(void, sign_difference, (float *restrict d, const float *restrict a, const float *restrict b, float scale, long
       n), d, a, b, scale, n) {
    for (long i = 0; i < n; i++) d[i] = a[i] > b[i] ? scale : (a[i] < b[i] ? -scale : 0.0f);
}

KERNEL(void, dropout_apply, (float *y, const float *x, float p, uint64_t key, uint64_t first, long n), y, x, p, key,
       first, n) {
    const float scale = 1.0f / (1.0f - p);
    const uint32_t threshold = (uint32_t)((double)p * 4294967296.0);
    for (long i = 0; i < n; i++) y[i] = mixed_bits(key, first + (uint64_t)i) >= threshold ? x[i] * scale : 0.0f;
}

#include "kernels.h"
#include "vector.h"

#define GRADIENT_LIMIT 1e5f

/* NaN → 0, ±∞ → ±1e5 (method §4.5), without branches. */
INLINE float finite_gradient(float g) {
    g = g == g ? g : 0.0f;
    g = g == INFINITY ? GRADIENT_LIMIT : g;
    return g == -INFINITY ? -GRADIENT_LIMIT : g;
}

KERNEL(void, adamw_step, (float *restrict value, float *restrict moment1, float *restrict moment2, float *restrict
       average, const float *restrict gradient, adamw_settings s, long n), value, moment1, moment2, average, gradient,
       s, n) {
    const float keep = 1.0f - s.rate * s.decay;
    const float step = s.rate / s.correction1, root = 1.0f / sqrtf(s.correction2);
    /* Values are still in the first cache when the average is taken. */
    enum { PART = 1024 };
    for (long first = 0; first < n; first += PART) {
        const long end = first + PART < n ? first + PART : n;
        for (long i = first; i < end; i++) {
            float g = finite_gradient(gradient[i]) * s.gradient_scale;
            float m = moment1[i] + (1.0f - s.beta1) * (g - moment1[i]);
            float v = s.beta2 * moment2[i] + (1.0f - s.beta2) * g * g;
            moment1[i] = m;
            moment2[i] = v;
            value[i] = value[i] * keep - step * m / (sqrtf(v) * root + s.epsilon);
        }
        if (average)
            for (long i = first; i < end; i++) average[i] += s.average_rate * (value[i] - average[i]);
    }
}

KERNEL(double, gradient_sum_of_squares, (const float *gradient, long *bad, long n), gradient, bad, n) {
    REORDER_SUMS
    double sum = 0;
    long replaced = 0;
    for (long i = 0; i < n; i++) {
        float g = finite_gradient(gradient[i]);
        replaced += !(fabsf(gradient[i]) <= 3.4028234663852886e38f);
        sum += (double)g * g;
    }
    *bad += replaced;
    return sum;
}

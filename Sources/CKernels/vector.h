#ifndef PROLOGUE_VECTOR_H
#define PROLOGUE_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))

/* The set of instructions of this program, and the most that this thread may use (instruction_sets.c). */
extern int kernels_chosen;
extern __thread int kernels_most;
INLINE int kernels_in_use(void) { return kernels_most < kernels_chosen ? kernels_most : kernels_chosen; }

/* x86-64-v3 and v4 by their features: named as processors they would be tuned for vectors of 256 bits. */
#define AVX2 "avx,avx2,bmi,bmi2,cx16,crc32,f16c,fma,lzcnt,movbe,popcnt,sahf,sse4.2,xsave"
#define AVX512 AVX2 ",avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
#define VERSION(set) __attribute__((target(set))) static

/* KERNEL(result, name, (parameters), arguments…) { body } defines a function that is compiled once for each set of
 * instructions and runs the version in use. */
#if defined(__x86_64__)
#define KERNEL_VERSIONS(linkage, result, name, parameters, ...)                                                        \
    INLINE result name##_body parameters;                                                                              \
    VERSION(AVX512) result name##_avx512 parameters { return name##_body(__VA_ARGS__); }                               \
    VERSION(AVX2) result name##_avx2 parameters { return name##_body(__VA_ARGS__); }                                   \
    static result name##_plain parameters { return name##_body(__VA_ARGS__); }                                         \
    linkage result name parameters {                                                                                   \
        switch (kernels_in_use()) {                                                                                    \
        case KERNELS_PLAIN: return name##_plain(__VA_ARGS__);                                                          \
        case KERNELS_AVX2: return name##_avx2(__VA_ARGS__);                                                            \
        default: return name##_avx512(__VA_ARGS__);                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE result name##_body parameters
#else
#define KERNEL_VERSIONS(linkage, result, name, parameters, ...) linkage result name parameters
#endif
#define KERNEL(result, name, parameters, ...) KERNEL_VERSIONS(, result, name, parameters, __VA_ARGS__)
#define LOCAL_KERNEL(result, name, parameters, ...) KERNEL_VERSIONS(static, result, name, parameters, __VA_ARGS__)

/* Sums may be reordered into vector lanes: the order is fixed by the binary, not by timing. */
#define REORDER_SUMS _Pragma("clang fp reassociate(on) contract(fast)")

/* e^x to about 2 ulp without branches, so that loops over it become vector code. */
INLINE float fast_exp(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float shift = 12582912.0f; /* 1.5·2²³: adding it rounds to the nearest integer */
    float shifted = x * 1.44269504088896341f + shift;
    float n = shifted - shift;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float y = p * (r * r) + r + 1.0f;
    union { float f; int32_t i; } power = { .i = ((int32_t)n + 127) << 23 };
    return y * power.f;
}

INLINE float dot(const float *a, const float *b, long n) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Σ a·b·(1+c) */
INLINE float weighted_dot(const float *a, const float *b, const float *c, long n) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < n; i++) sum += a[i] * b[i] * (1.0f + c[i]);
    return sum;
}

#define SMALLEST_NORM 1e-12f

INLINE float inverse_of_norm(float squares) {
    float norm = sqrtf(squares);
    return 1.0f / (norm > SMALLEST_NORM ? norm : SMALLEST_NORM);
}

INLINE float inverse_norm(const float *x, long n) { return inverse_of_norm(dot(x, x, n)); }

INLINE float largest(const float *x, long n) {
    REORDER_SUMS
    float best = -INFINITY;
    for (long i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

/* y = exp(scale·x − shift), returns Σ y */
INLINE float exp_sum(float *y, const float *x, float scale, float shift, long n) {
    REORDER_SUMS
    float sum = 0;
    for (long i = 0; i < n; i++) {
        float e = fast_exp(scale * x[i] - shift);
        y[i] = e;
        sum += e;
    }
    return sum;
}

/* tanh-approximated GELU is x·σ(2u), u = √(2/π)(x + 0.044715x³) */
INLINE float gelu_gate(float x) {
    float u2 = 1.5957691216057308f * (x + 0.044715f * x * x * x);
    return 1.0f / (1.0f + fast_exp(-u2));
}

INLINE float gelu_value(float x) { return x * gelu_gate(x); }

INLINE float gelu_slope(float x) {
    float g = gelu_gate(x);
    return g + x * g * (1.0f - g) * 1.5957691216057308f * (1.0f + 0.134145f * x * x);
}

/* A finaliser of two multiplications over (key + counter): enough for masks, and the same for any split. */
INLINE uint32_t mixed_bits(uint64_t key, uint64_t counter) {
    uint64_t z = key + counter * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (uint32_t)(z >> 32);
}

#endif

#ifndef PROLOGUE_BFLOAT16_H
#define PROLOGUE_BFLOAT16_H

#include "kernels.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#endif

/* Whether the functions with this target are to be called. */
INLINE int bf16_uses_instructions(void) { return kernels_in_use() >= KERNELS_AVX512_BF16; }

/* bf16_product by AMX, where it is in use; pairs of A lie side by side, a_pair = 1 (bfloat16_tiles.c). */
INLINE int bf16_uses_tiles(void) { return kernels_in_use() == KERNELS_AMX; }
void bf16_product_with_tiles(const bf16_product_operands *operands, long rows, long columns, long pairs);
/* y = xᵀ; rows and columns are taken 16 at a time. */
void bf16_transpose_pairs(uint32_t *y, long y_row, const uint32_t *x, long x_row, long rows, long columns);

/* Sums live in registers only if every index of them is a constant. */
#define UNROLLED _Pragma("clang loop unroll(full)")

/* Rounds to the nearest, ties to even; NaN stays NaN. */
INLINE bfloat16 bfloat16_of(float x) {
    union { float f; uint32_t i; } v = { .f = x };
    uint32_t rounded = (v.i + 0x7fffu + ((v.i >> 16) & 1u)) >> 16;
    return (bfloat16)(x == x ? rounded : (v.i >> 16) | 0x40u);
}

/* How a kernel rounds: as above, or by an instruction. */
typedef bfloat16 (*rounding)(float);

INLINE float float_of(bfloat16 x) {
    union { uint32_t i; float f; } v = { .i = (uint32_t)x << 16 };
    return v.f;
}

#if defined(__x86_64__)

/* In loops one instruction for 16 of them. Subnormal numbers become 0. */
BF16_TARGET static inline bfloat16 round_with_instruction(float x) {
    union { __bf16 b; bfloat16 i; } v = { .b = (__bf16)x };
    return v.i;
}

#endif

/* 2^x to 2.6e-6 of it: the fourth-degree polynomial of least relative error over ±1/2, times a power of two. */
INLINE float exp2_for_rounding(float x) {
    x = x < -126.0f ? -126.0f : x;
    x = x > 126.0f ? 126.0f : x;
    const float shift = 12582912.0f; /* 1.5·2²³: adding it rounds to the nearest integer, which its low bits then hold */
    union { float f; uint32_t i; } power = { .f = x + shift };
    float r = x - (power.f - shift);
    power.i = (power.i << 23) + 0x3f800000u;
    float p = 9.570101791e-3f;
    p = p * r + 5.591786031e-2f;
    p = p * r + 2.402474483e-1f;
    p = p * r + 6.931218147e-1f;
    p = p * r + 9.999992614e-1f;
    return p * power.f;
}

#endif

#ifndef PROLOGUE_BFLOAT16_H
#define PROLOGUE_BFLOAT16_H

#include "kernels.h"
#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#endif

/* Whether the functions with this target are to be called (bfloat16_product.c). */
int bf16_uses_instructions(void);

/* Sums live in registers only if every index of them is a constant. */
#define UNROLLED _Pragma("clang loop unroll(full)")

/* Rounds to the nearest, ties to even; NaN stays NaN. */
INLINE bfloat16 bfloat16_of(float x) {
    union { float f; uint32_t i; } v = { .f = x };
    uint32_t rounded = (v.i + 0x7fffu + ((v.i >> 16) & 1u)) >> 16;
    return (bfloat16)(x == x ? rounded : (v.i >> 16) | 0x40u);
}

INLINE float float_of(bfloat16 x) {
    union { uint32_t i; float f; } v = { .i = (uint32_t)x << 16 };
    return v.f;
}

#endif

#ifndef PROLOGUE_BFLOAT16_H
#define PROLOGUE_BFLOAT16_H

#include "kernels.h"
#include "vector.h"

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

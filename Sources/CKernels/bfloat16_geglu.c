#include "bfloat16.h"

/* GEGLU whose results are rounded at once: an exponential to 18 bits is enough for them. */

/* 1 + e^(−2u) of the tanh-approximated GELU, x·σ(2u) with u = √(2/π)(x + 0.044715x³); log2(e) is in the constants. */
INLINE float gelu_divisor(float x) { return 1.0f + exp2_for_rounding(x * (-2.3022081986f - 0.1029432396f * x * x)); }

INLINE void forward(bfloat16 *restrict y, const bfloat16 *restrict gated, long rows, long hidden, rounding round) {
    for (long r = 0; r < rows; r++) {
        const bfloat16 *gate = gated + r * 2 * hidden, *value = gate + hidden;
        bfloat16 *out = y + r * hidden;
        for (long i = 0; i < hidden; i++) {
            float x = float_of(value[i]);
            out[i] = round(x * float_of(gate[i]) / gelu_divisor(x));
        }
    }
}

INLINE void backward(bfloat16 *restrict gated, bfloat16 *restrict y, const bfloat16 *restrict dy, long rows,
                           long hidden, rounding round) {
    for (long r = 0; r < rows; r++) {
        bfloat16 *gate = gated + r * 2 * hidden, *value = gate + hidden, *out = y + r * hidden;
        const bfloat16 *g = dy + r * hidden;
        for (long i = 0; i < hidden; i++) {
            float x = float_of(value[i]), d = float_of(g[i]), other = float_of(gate[i]), s = 1.0f / gelu_divisor(x);
            float gelu = x * s;
            float slope = s + gelu * (1.0f - s) * (1.5957691216f + 0.2140644488f * x * x);
            gate[i] = round(d * gelu);
            value[i] = round(d * other * slope);
            out[i] = round(gelu * other);
        }
    }
}

LOCAL_KERNEL(void, forward_portable, (bfloat16 *y, const bfloat16 *gated, long rows, long hidden), y, gated, rows,
             hidden) {
    forward(y, gated, rows, hidden, bfloat16_of);
}

LOCAL_KERNEL(void, backward_portable, (bfloat16 *gated, bfloat16 *y, const bfloat16 *dy, long rows, long hidden),
             gated, y, dy, rows, hidden) {
    backward(gated, y, dy, rows, hidden, bfloat16_of);
}

#if defined(__x86_64__)

BF16_TARGET static void forward_with_instructions(bfloat16 *y, const bfloat16 *gated, long rows, long hidden) {
    forward(y, gated, rows, hidden, round_with_instruction);
}

BF16_TARGET static void backward_with_instructions(bfloat16 *gated, bfloat16 *y, const bfloat16 *dy, long rows,
                                                   long hidden) {
    backward(gated, y, dy, rows, hidden, round_with_instruction);
}

#else

#define forward_with_instructions forward_portable
#define backward_with_instructions backward_portable

#endif

void bf16_geglu_forward(bfloat16 *y, const bfloat16 *gated, long rows, long hidden) {
    if (bf16_uses_instructions()) forward_with_instructions(y, gated, rows, hidden);
    else forward_portable(y, gated, rows, hidden);
}

void bf16_geglu_backward(bfloat16 *gated, bfloat16 *y, const bfloat16 *dy, long rows, long hidden) {
    if (bf16_uses_instructions()) backward_with_instructions(gated, y, dy, rows, hidden);
    else backward_portable(gated, y, dy, rows, hidden);
}

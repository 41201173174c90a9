#include "bfloat16.h"

/* One query a head against a cache of keys and values, which lie in groups of 16: of keys, or of channels of the values. What is
 * summed, channels or tokens, lies in pairs. So scores and outputs are the same product, of a row with groups. */
enum { GROUP = BF16_GROUP };

/* y [16] = Σ over pairs p of a[p]·b[p, 16], or more by that */
typedef void (*group_product)(float *restrict y, const uint32_t *restrict a, const uint32_t *restrict b, long pairs,
                              int accumulates);

INLINE void product_portable(float *restrict y, const uint32_t *restrict a, const uint32_t *restrict b, long pairs,
                             int accumulates) {
    float sums[GROUP] = {0};
    if (accumulates) memcpy(sums, y, sizeof sums);
    for (long p = 0; p < pairs; p++, b += GROUP) {
        float first = float_of((bfloat16)a[p]), second = float_of((bfloat16)(a[p] >> 16));
        for (int j = 0; j < GROUP; j++)
            sums[j] += first * float_of((bfloat16)b[j]) + second * float_of((bfloat16)(b[j] >> 16));
    }
    memcpy(y, sums, sizeof sums);
}

/* weights = 2^(scale·scores − largest), 0 or next to it past the length, up to a whole group; returns their sum. */
INLINE float decode_softmax(bfloat16 *restrict weights, float *restrict scores, float scale, long length, rounding round) {
    REORDER_SUMS
    const int groups = (int)((length + GROUP - 1) / GROUP), count = (int)(length - (groups - 1) * GROUP);
    float best[GROUP], sums[GROUP] = {0}, *end = scores + (groups - 1) * GROUP;
    for (int j = 0; j < GROUP; j++) {
        float score = end[j]; /* past the length anything may stand */
        best[j] = end[j] = j < count ? score : -INFINITY;
    }
    for (int g = 0; g < groups - 1; g++)
        for (int j = 0; j < GROUP; j++) best[j] = scores[g * GROUP + j] > best[j] ? scores[g * GROUP + j] : best[j];
    const float shift = scale * largest(best, GROUP);
    for (int g = 0; g < groups; g++)
        for (int j = 0; j < GROUP; j++) {
            float e = exp2_for_rounding(scale * scores[g * GROUP + j] - shift);
            weights[g * GROUP + j] = round(e);
            sums[j] += e;
        }
    float sum = 0;
    for (int j = 0; j < GROUP; j++) sum += sums[j];
    return sum;
}

/* Every stage goes over all heads: one head's sums need not wait for another's, and the cache is read from its beginning to its
 * end, which the processor prefetches by itself. */
INLINE void decode(bfloat16 *y, float *scores, bfloat16 *weights, const bfloat16 *q, const uint32_t *keys,
                   const uint32_t *values, float scale, long length, long heads, long width, long capacity,
                   group_product product, rounding round) {
    const float log2_scale = scale * 1.44269504f;
    const long pairs = width / 2, slices = (width + GROUP - 1) / GROUP;
    for (long t = 0; t < length; t += GROUP)
        for (long h = 0; h < heads; h++, keys += GROUP * pairs)
            product(scores + h * capacity + t, (const uint32_t *)(q + h * width), keys, pairs, 0);
    for (long h = 0; h < heads; h++) {
        float sum = decode_softmax(weights + h * capacity, scores + h * capacity, log2_scale, length, round);
        scores[h * capacity] = 1.0f / sum;
    }
    float *sums = scores + heads * capacity;
    for (long t = 0; t < length; t += GROUP)
        for (long h = 0; h < heads; h++)
            for (long s = 0; s < slices; s++, values += GROUP * GROUP / 2)
                product(sums + (h * slices + s) * GROUP, (const uint32_t *)(weights + h * capacity + t), values, GROUP / 2,
                        t > 0);
    for (long h = 0; h < heads; h++, sums += slices * GROUP)
        for (long i = 0; i < width; i++) y[h * width + i] = round(sums[i] * scores[h * capacity]);
}

LOCAL_KERNEL(void, decode_portable, (bfloat16 *y, float *scores, bfloat16 *weights, const bfloat16 *q, const uint32_t
             *keys, const uint32_t *values, float scale, long length, long heads, long width, long capacity), y,
             scores, weights, q, keys, values, scale, length, heads, width, capacity) {
    decode(y, scores, weights, q, keys, values, scale, length, heads, width, capacity, product_portable, bfloat16_of);
}

#if defined(__x86_64__)

/* Four sums at a time: an instruction takes several cycles, and two begin in each. */
BF16_TARGET static inline void product_with_instructions(float *restrict y, const uint32_t *restrict a,
                                                         const uint32_t *restrict b, long pairs, int accumulates) {
    const __m512 zero = _mm512_setzero_ps();
    __m512 sums[4] = {accumulates ? _mm512_loadu_ps(y) : zero, zero, zero, zero};
    long p = 0;
    for (; p + 4 <= pairs; p += 4)
        UNROLLED for (int i = 0; i < 4; i++)
            sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)_mm512_loadu_si512(b + (p + i) * GROUP),
                                       (__m512bh)_mm512_set1_epi32((int)a[p + i]));
    for (; p < pairs; p++)
        sums[0] = _mm512_dpbf16_ps(sums[0], (__m512bh)_mm512_loadu_si512(b + p * GROUP),
                                   (__m512bh)_mm512_set1_epi32((int)a[p]));
    _mm512_storeu_ps(y, _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

BF16_TARGET static void decode_with_instructions(bfloat16 *y, float *scores, bfloat16 *weights, const bfloat16 *q,
                                                 const uint32_t *keys, const uint32_t *values, float scale,
                                                 long length, long heads, long width, long capacity) {
    decode(y, scores, weights, q, keys, values, scale, length, heads, width, capacity, product_with_instructions,
           round_with_instruction);
}

#else

#define decode_with_instructions decode_portable

#endif

void bf16_attention_decode(bfloat16 *y, float *scores, bfloat16 *weights, const bfloat16 *q, const uint32_t *keys,
                           const uint32_t *values, float scale, long length, long heads, long width, long capacity) {
    if (bf16_uses_instructions())
        decode_with_instructions(y, scores, weights, q, keys, values, scale, length, heads, width, capacity);
    else
        decode_portable(y, scores, weights, q, keys, values, scale, length, heads, width, capacity);
}

KERNEL(void, bf16_cache_token, (uint32_t *restrict keys, uint32_t *restrict values, const bfloat16 *restrict key,
       const bfloat16 *restrict value, long at, long heads, long width), keys, values, key, value, at, heads, width) {
    const long pairs = width / 2, slices = (width + GROUP - 1) / GROUP, place = at % GROUP;
    keys += at / GROUP * heads * GROUP * pairs + place;
    values += at / GROUP * heads * slices * GROUP * GROUP / 2;
    /* Later tokens of the group get weights of about 0, so their values must be finite. */
    if (place == 0) memset(values, 0, (size_t)(heads * slices * GROUP * GROUP / 2) * sizeof *values);
    values += place / 2 * GROUP;
    for (long h = 0; h < heads; h++, key += width, value += width) {
        for (long p = 0; p < pairs; p++, keys += GROUP) memcpy(keys, key + 2 * p, sizeof *keys);
        for (long first = 0; first < width; first += GROUP, values += GROUP * GROUP / 2) {
            long count = width - first < GROUP ? width - first : GROUP;
            for (long i = 0; i < count; i++) values[i] |= (uint32_t)value[first + i] << place % 2 * 16;
        }
    }
}

void bf16_cache_fetch(const uint32_t *keys, const uint32_t *values, long at, long heads, long width) {
    enum { FIRST = 32 }; /* lines of keys and of values; the processor prefetches the rest by itself */
    const long pairs = width / 2, group = heads * GROUP * pairs;
    const uint32_t *current = keys + at / GROUP * group;
    for (long i = 0; i < group; i += GROUP) __builtin_prefetch(current + i, 1);
    for (long i = 0; i < FIRST; i++) {
        __builtin_prefetch(keys + i * GROUP);
        __builtin_prefetch(values + i * GROUP);
    }
}

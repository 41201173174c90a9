#include "bfloat16.h"

/* Products are made of blocks of 6 rows and 64 columns, whose sums fit the 32 vector registers: 24 of them, 4 for a
 * row of B, and one for an entry of A, which is two neighbours along the summed axis. */
enum { BLOCK_ROWS = 6, LANES = 16 };

static const uint32_t *panel_of(const bf16_product_operands *o, long column) {
    return o->b + column / BF16_PANEL * o->b_panel;
}

#if defined(__x86_64__)

typedef struct {
    const uint32_t *a, *b;
    long a_row, a_pair, b_pair, pairs;
    const float *bias;
    float *c;
    bfloat16 *rounded;
    long c_row;
    int accumulates;
    __mmask16 last; /* lanes of the last vector of columns that exist */
} block;

#define BLOCK_FUNCTION(rows, vectors)                                                                                  \
    BF16_TARGET static void block_##rows##_##vectors(const block *o) {                                                 \
        __m512 sums[rows][vectors];                                                                                    \
        UNROLLED for (int v = 0; v < vectors; v++) {                                                                   \
            __mmask16 mask = v == vectors - 1 ? o->last : 0xffff;                                                      \
            __m512 start = o->bias ? _mm512_maskz_loadu_ps(mask, o->bias + v * LANES) : _mm512_setzero_ps();           \
            UNROLLED for (int r = 0; r < rows; r++) sums[r][v] = start;                                                \
        }                                                                                                              \
        const uint32_t *a = o->a, *b = o->b;                                                                           \
        const long a_row = o->a_row, a_pair = o->a_pair, b_pair = o->b_pair, c_row = o->c_row;                         \
        bfloat16 *const rounded = o->rounded;                                                                          \
        float *const c = o->c;                                                                                         \
        const int accumulates = o->accumulates;                                                                        \
        const __mmask16 last = o->last;                                                                                \
        for (long p = o->pairs; p > 0; p--, a += a_pair, b += b_pair) {                                                \
            __m512bh row_of_b[vectors];                                                                                \
            UNROLLED for (int v = 0; v < vectors; v++) row_of_b[v] = (__m512bh)_mm512_loadu_si512(b + v * LANES);      \
            UNROLLED for (int r = 0; r < rows; r++) {                                                                  \
                __m512bh entry = (__m512bh)_mm512_set1_epi32((int)a[r * a_row]);                                       \
                UNROLLED for (int v = 0; v < vectors; v++)                                                             \
                    sums[r][v] = _mm512_dpbf16_ps(sums[r][v], entry, row_of_b[v]);                                     \
            }                                                                                                          \
        }                                                                                                              \
        UNROLLED for (int r = 0; r < rows; r++)                                                                        \
            UNROLLED for (int v = 0; v < vectors; v++) {                                                               \
                __mmask16 mask = v == vectors - 1 ? last : 0xffff;                                                     \
                long at = r * c_row + v * LANES;                                                                       \
                if (rounded) {                                                                                         \
                    _mm256_mask_storeu_epi16(rounded + at, mask, (__m256i)_mm512_cvtneps_pbh(sums[r][v]));             \
                } else {                                                                                               \
                    __m512 sum = sums[r][v];                                                                           \
                    if (accumulates) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c + at));                    \
                    _mm512_mask_storeu_ps(c + at, mask, sum);                                                          \
                }                                                                                                      \
            }                                                                                                          \
    }

#define BLOCK_FUNCTIONS(rows) BLOCK_FUNCTION(rows, 1) BLOCK_FUNCTION(rows, 2) BLOCK_FUNCTION(rows, 3) BLOCK_FUNCTION(rows, 4)
BLOCK_FUNCTIONS(1) BLOCK_FUNCTIONS(2) BLOCK_FUNCTIONS(3) BLOCK_FUNCTIONS(4) BLOCK_FUNCTIONS(5) BLOCK_FUNCTIONS(6)

#define BLOCK_ROW(rows) {block_##rows##_1, block_##rows##_2, block_##rows##_3, block_##rows##_4}
typedef void (*block_function)(const block *);
static const block_function block_functions[BLOCK_ROWS][BF16_PANEL / LANES] = {
    BLOCK_ROW(1), BLOCK_ROW(2), BLOCK_ROW(3), BLOCK_ROW(4), BLOCK_ROW(5), BLOCK_ROW(6)};

static void product_with_instructions(const bf16_product_operands *o, long rows, long columns, long pairs) {
    for (long column = 0; column < columns; column += BF16_PANEL) {
        long width = columns - column < BF16_PANEL ? columns - column : BF16_PANEL;
        long vectors = (width + LANES - 1) / LANES, tail = width - (vectors - 1) * LANES;
        block part = {.b = panel_of(o, column), .a_row = o->a_row, .a_pair = o->a_pair, .b_pair = o->b_pair,
                      .pairs = pairs, .bias = o->bias ? o->bias + column : NULL, .c_row = o->c_row,
                      .accumulates = o->accumulates, .last = (__mmask16)((1u << tail) - 1)};
        for (long row = 0, height; row < rows; row += height) {
            /* Two or one alone would wait for their sums: 8 rows are two blocks of 4, 7 are 4 and 3. */
            height = rows - row;
            if (height > BLOCK_ROWS) height = height <= BLOCK_ROWS + 2 ? 4 : BLOCK_ROWS;
            part.a = o->a + row * o->a_row;
            part.c = o->c ? o->c + row * o->c_row + column : NULL;
            part.rounded = o->rounded ? o->rounded + row * o->c_row + column : NULL;
            block_functions[height - 1][vectors - 1](&part);
        }
    }
}

#else

static void product_with_instructions(const bf16_product_operands *o, long rows, long columns, long pairs) {
    (void)o; (void)rows; (void)columns; (void)pairs;
}

#endif

/* The same sums with float32 arithmetic, a row of a panel at a time. */
LOCAL_KERNEL(void, product_portable, (const bf16_product_operands *o, long rows, long columns, long pairs), o, rows,
             columns, pairs) {
    for (long column = 0; column < columns; column += BF16_PANEL) {
        long width = columns - column < BF16_PANEL ? columns - column : BF16_PANEL;
        const uint32_t *panel = panel_of(o, column);
        for (long row = 0; row < rows; row++) {
            float sums[BF16_PANEL] = {0};
            for (long p = 0; p < pairs; p++) {
                uint32_t entry = o->a[row * o->a_row + p * o->a_pair];
                float first = float_of((bfloat16)entry), second = float_of((bfloat16)(entry >> 16));
                const uint32_t *b = panel + p * o->b_pair;
                for (long i = 0; i < width; i++)
                    sums[i] += first * float_of((bfloat16)b[i]) + second * float_of((bfloat16)(b[i] >> 16));
            }
            long at = row * o->c_row + column;
            for (long i = 0; i < width; i++) {
                float sum = sums[i] + (o->bias ? o->bias[column + i] : 0);
                if (o->rounded) o->rounded[at + i] = bfloat16_of(sum);
                else o->c[at + i] = o->accumulates ? o->c[at + i] + sum : sum;
            }
        }
    }
}

void bf16_product(bf16_product_operands operands, long rows, long columns, long pairs) {
    if (bf16_uses_tiles() && operands.a_pair == 1) bf16_product_with_tiles(&operands, rows, columns, pairs);
    else if (bf16_uses_instructions()) product_with_instructions(&operands, rows, columns, pairs);
    else product_portable(&operands, rows, columns, pairs);
}

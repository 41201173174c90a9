#include "bfloat16.h"

/* Products by AMX, whose registers are tiles: 16 rows of 64 bytes. One instruction adds the product of 16 rows of 16 pairs of A with
 * 16 pairs of 16 columns of B to 16 × 16 sums. Blocks of 2 × 2 of those use each tile that is loaded twice. */

#if defined(__x86_64__)

#define TILE_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16")))

enum { TILE = 16, BLOCK = 2 * TILE };

/* As the processor reads it. */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Tiles 0 to 3 are the sums, 4 and 5 the rows of A, 6 and 7 the columns of B. Where there are fewer than 17 rows the lower tiles are
 * not used. */
TILE_TARGET static void shape_tiles(long rows) {
    const uint8_t upper = (uint8_t)(rows < TILE ? rows : TILE), lower = (uint8_t)(rows > TILE ? rows - TILE : TILE);
    tile_shapes shapes = {.palette = 1, .rows = {upper, upper, lower, lower, upper, lower, TILE, TILE}};
    for (int tile = 0; tile < 8; tile++) shapes.row_bytes[tile] = TILE * sizeof(uint32_t);
    _tile_loadconfig(&shapes);
}

typedef struct {
    const uint32_t *a, *b;
    long a_row, b_pair; /* in bytes */
} tile_operands;

/* Adds the products of 16 pairs. */
TILE_TARGET INLINE void add_tiles(tile_operands o, const int both_rows, const int both_columns) {
    _tile_loadd(4, o.a, o.a_row);
    _tile_loadd(6, o.b, o.b_pair);
    _tile_dpbf16ps(0, 4, 6);
    if (both_columns) {
        _tile_loadd(7, o.b + TILE, o.b_pair);
        _tile_dpbf16ps(1, 4, 7);
    }
    if (both_rows) {
        _tile_loadd(5, (const char *)o.a + TILE * o.a_row, o.a_row);
        _tile_dpbf16ps(2, 5, 6);
        if (both_columns) _tile_dpbf16ps(3, 5, 7);
    }
}

/* sums [32, 32] = A·B over `steps` times 16 pairs, and the 16 of `rest`, where there are any. */
TILE_TARGET INLINE void sum_block(float *sums, tile_operands o, long steps, const tile_operands *rest, const int both_rows,
                                  const int both_columns) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (; steps > 0; steps--, o.a += TILE, o.b = (const uint32_t *)((const char *)o.b + TILE * o.b_pair))
        add_tiles(o, both_rows, both_columns);
    if (rest) add_tiles(*rest, both_rows, both_columns);
    const long row = BLOCK * sizeof(float);
    _tile_stored(0, sums, row);
    if (both_columns) _tile_stored(1, sums + TILE, row);
    if (both_rows) {
        _tile_stored(2, sums + TILE * BLOCK, row);
        if (both_columns) _tile_stored(3, sums + TILE * BLOCK + TILE, row);
    }
}

typedef void (*block_function)(float *, tile_operands, long, const tile_operands *);
#define BLOCK_FUNCTION(name, both_rows, both_columns)                                                                  \
    TILE_TARGET static void name(float *sums, tile_operands o, long steps, const tile_operands *rest) {                \
        sum_block(sums, o, steps, rest, both_rows, both_columns);                                                      \
    }
BLOCK_FUNCTION(block_1_1, 0, 0)
BLOCK_FUNCTION(block_1_2, 0, 1)
BLOCK_FUNCTION(block_2_1, 1, 0)
BLOCK_FUNCTION(block_2_2, 1, 1)
static const block_function block_functions[2][2] = {{block_1_1, block_1_2}, {block_2_1, block_2_2}};

/* Brings the sums of a block to its place in C. */
TILE_TARGET static void finish_block(const bf16_product_operands *o, const float *sums, long row, long column, long rows,
                                     long columns) {
    for (long v = 0; v < columns; v += TILE) {
        const __mmask16 mask = columns - v < TILE ? (__mmask16)((1u << (columns - v)) - 1) : 0xffff;
        const __m512 bias = o->bias ? _mm512_maskz_loadu_ps(mask, o->bias + column + v) : _mm512_setzero_ps();
        for (long r = 0; r < rows; r++) {
            const long at = (row + r) * o->c_row + column + v;
            __m512 sum = _mm512_add_ps(_mm512_load_ps(sums + r * BLOCK + v), bias);
            if (o->rounded) {
                _mm256_mask_storeu_epi16(o->rounded + at, mask, (__m256i)_mm512_cvtneps_pbh(sum));
            } else {
                if (o->accumulates) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, o->c + at));
                _mm512_mask_storeu_ps(o->c + at, mask, sum);
            }
        }
    }
}

TILE_TARGET void bf16_product_with_tiles(const bf16_product_operands *o, long rows, long columns, long pairs) {
    _Alignas(64) float sums[BLOCK * BLOCK];
    /* The pairs after the last 16, and zeros: what lies behind them in memory may be anything. */
    _Alignas(64) uint32_t last_a[BLOCK * TILE] = {0}, last_b[TILE * BF16_PANEL] = {0};
    const long steps = pairs / TILE, left = pairs % TILE;
    long shaped = 0;
    for (long panel = 0; panel < columns; panel += BF16_PANEL) {
        const uint32_t *b = o->b + panel / BF16_PANEL * o->b_panel;
        for (long p = 0; p < left; p++)
            memcpy(last_b + p * BF16_PANEL, b + (steps * TILE + p) * o->b_pair, BF16_PANEL * sizeof *b);
        for (long row = 0; row < rows; row += BLOCK) {
            const long height = rows - row < BLOCK ? rows - row : BLOCK;
            const long shape = height % TILE ? height : BLOCK;
            if (shape != shaped) shape_tiles(shaped = shape);
            const uint32_t *a = o->a + row * o->a_row;
            for (long r = 0; r < height && left; r++)
                memcpy(last_a + r * TILE, a + r * o->a_row + steps * TILE, (size_t)left * sizeof *a);
            for (long column = panel; column < columns && column < panel + BF16_PANEL; column += BLOCK) {
                const long width = columns - column < BLOCK ? columns - column : BLOCK, offset = column - panel;
                const tile_operands block = {a, b + offset, o->a_row * 4, o->b_pair * 4};
                const tile_operands rest = {last_a, last_b + offset, TILE * 4, BF16_PANEL * 4};
                block_functions[height > TILE][width > TILE](sums, block, steps, left ? &rest : NULL);
                finish_block(o, sums, row, column, height, width);
            }
        }
    }
    _tile_release();
}

/* y = xᵀ, 16 × 16: four rounds in which rows exchange parts, single numbers first, then ever larger ones. */
TILE_TARGET INLINE void transpose_tile(uint32_t *y, long y_row, const uint32_t *x, long x_row) {
    __m512i rows[TILE], mixed[TILE];
    UNROLLED for (int i = 0; i < TILE; i++) rows[i] = _mm512_loadu_si512(x + i * x_row);
    UNROLLED for (int i = 0; i < TILE; i += 2) {
        mixed[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        mixed[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    UNROLLED for (int i = 0; i < TILE; i += 4) {
        rows[i] = _mm512_unpacklo_epi64(mixed[i], mixed[i + 2]);
        rows[i + 1] = _mm512_unpackhi_epi64(mixed[i], mixed[i + 2]);
        rows[i + 2] = _mm512_unpacklo_epi64(mixed[i + 1], mixed[i + 3]);
        rows[i + 3] = _mm512_unpackhi_epi64(mixed[i + 1], mixed[i + 3]);
    }
    UNROLLED for (int i = 0; i < TILE; i += 8)
        UNROLLED for (int j = 0; j < 4; j++) {
            mixed[i + j] = _mm512_shuffle_i32x4(rows[i + j], rows[i + j + 4], 0x88);
            mixed[i + j + 4] = _mm512_shuffle_i32x4(rows[i + j], rows[i + j + 4], 0xdd);
        }
    UNROLLED for (int j = 0; j < 8; j++) {
        rows[j] = _mm512_shuffle_i32x4(mixed[j], mixed[j + 8], 0x88);
        rows[j + 8] = _mm512_shuffle_i32x4(mixed[j], mixed[j + 8], 0xdd);
    }
    UNROLLED for (int i = 0; i < TILE; i++) _mm512_storeu_si512(y + i * y_row, rows[i]);
}

TILE_TARGET void bf16_transpose_pairs(uint32_t *y, long y_row, const uint32_t *x, long x_row, long rows, long columns) {
    for (long column = 0; column < columns; column += TILE)
        for (long row = 0; row < rows; row += TILE)
            transpose_tile(y + column * y_row + row, y_row, x + row * x_row + column, x_row);
}

#else

void bf16_transpose_pairs(uint32_t *y, long y_row, const uint32_t *x, long x_row, long rows, long columns) {
    (void)y; (void)y_row; (void)x; (void)x_row; (void)rows; (void)columns;
}

void bf16_product_with_tiles(const bf16_product_operands *o, long rows, long columns, long pairs) {
    (void)o; (void)rows; (void)columns; (void)pairs;
}

#endif

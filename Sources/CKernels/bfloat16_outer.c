#include "bfloat16.h"

INLINE long smaller(long a, long b) { return a < b ? a : b; }

/* Number i of row 2p in the low half, of row 2p + 1 in the high half. */
INLINE void interleave(uint32_t *restrict y, const bfloat16 *restrict first, const bfloat16 *restrict second, long n) {
    if (second)
        for (long i = 0; i < n; i++) y[i] = (uint32_t)first[i] | (uint32_t)second[i] << 16;
    else
        for (long i = 0; i < n; i++) y[i] = first[i];
}

INLINE void pack_rows(uint32_t *y, long y_row, const bfloat16 *x, long x_row, long rows, long columns) {
    for (long r = 0; r < rows; r += 2, y += y_row) {
        interleave(y, x + r * x_row, r + 1 < rows ? x + (r + 1) * x_row : NULL, columns);
        for (long i = columns; i < y_row; i++) y[i] = 0;
    }
}

KERNEL(void, bf16_pack_rows, (uint32_t *panel, const bfloat16 *x, long x_row, long rows, long columns), panel, x,
       x_row, rows, columns) {
    pack_rows(panel, BF16_PANEL, x, x_row, rows, columns);
}

KERNEL(void, bf16_pack_columns, (uint32_t *restrict panel, const bfloat16 *restrict x, long x_row, long columns, long
       width), panel, x, x_row, columns, width) {
    enum { STEP = 16 };
    long pairs = width / 2;
    /* Squares of 16 by 16 pairs, so that both sides stay in cache lines that were just used. */
    for (long p0 = 0; p0 < pairs; p0 += STEP) {
        long p1 = p0 + STEP < pairs ? p0 + STEP : pairs;
        for (long j = 0; j < columns; j++) {
            const bfloat16 *row = x + j * x_row;
            for (long p = p0; p < p1; p++) {
                uint32_t pair;
                memcpy(&pair, row + 2 * p, sizeof pair);
                panel[p * BF16_PANEL + j] = pair;
            }
        }
        for (long p = p0; p < p1; p++)
            for (long j = columns; j < BF16_PANEL; j++) panel[p * BF16_PANEL + j] = 0;
    }
    if (width % 2 == 0) return;
    for (long j = 0; j < BF16_PANEL; j++)
        panel[pairs * BF16_PANEL + j] = j < columns ? x[j * x_row + width - 1] : 0;
}

KERNEL(void, bf16_pack_weight_columns, (uint32_t *restrict panel, const float *const *rows, long columns, long width),
       panel, rows, columns, width) {
    enum { STEP = 16 };
    for (long p0 = 0; p0 < (width + 1) / 2; p0 += STEP) {
        long count = smaller(2 * STEP, width - 2 * p0), pairs = (count + 1) / 2;
        for (long j = 0; j < BF16_PANEL; j++) {
            bfloat16 rounded[2 * STEP] = {0};
            uint32_t packed[STEP];
            if (j < columns && rows[j])
                for (long i = 0; i < count; i++) rounded[i] = bfloat16_of(rows[j][2 * p0 + i]);
            memcpy(packed, rounded, sizeof packed);
            for (long p = 0; p < pairs; p++) panel[(p0 + p) * BF16_PANEL + j] = packed[p];
        }
    }
}

KERNEL(void, bf16_pack_weight_rows, (uint32_t *restrict panel, const float *const *rows, const float *scale, long
       first, long summed, long columns), panel, rows, scale, first, summed, columns) {
    for (long r = 0; r < summed; r += 2, panel += BF16_PANEL) {
        for (long i = 0; i < BF16_PANEL; i++) panel[i] = 0;
        for (long half = 0; half < 2 && r + half < summed; half++) {
            const float *row = rows[r + half], factor = scale ? scale[r + half] : 1.0f;
            if (!row) continue;
            for (long i = 0; i < columns; i++)
                panel[i] |= (uint32_t)bfloat16_of(factor * row[first + i]) << 16 * half;
        }
    }
}

/* Rows are taken 256 at a time. Of b, four panels of them are packed at once, of a, four blocks of 48 columns: a panel and
 * a block fit the first cache, all of them the second. */
enum { ROWS = 256, A_COLUMNS = 48, A_BLOCKS = 4, B_PANELS = 4 };

/* Blocks of `width` columns, each [ROWS / 2, width]; a row of x is read once for all of them. */
INLINE void pack_blocks(uint32_t *y, long width, const bfloat16 *x, long x_row, long rows, long columns) {
    for (long r = 0; r < rows; r += 2) {
        const bfloat16 *first = x + r * x_row, *second = r + 1 < rows ? first + x_row : NULL;
        for (long i = 0; i < 2 * columns; i += 64) /* prefetch the rows that are read next */
            if (r + 8 < rows) {
                __builtin_prefetch((const char *)(first + 8 * x_row) + i);
                if (second) __builtin_prefetch((const char *)(second + 8 * x_row) + i);
            }
        for (long column = 0; column < columns; column += width)
            interleave(y + column * (ROWS / 2) + r / 2 * width, first + column, second ? second + column : NULL,
                       smaller(width, columns - column));
    }
}

LOCAL_KERNEL(void, pack_a, (uint32_t *y, const bfloat16 *x, long x_row, long rows, long columns), y, x, x_row, rows,
             columns) {
    pack_blocks(y, A_COLUMNS, x, x_row, rows, columns);
}

LOCAL_KERNEL(void, pack_b, (uint32_t *y, const bfloat16 *x, long x_row, long rows, long columns), y, x, x_row, rows,
             columns) {
    pack_blocks(y, BF16_PANEL, x, x_row, rows, columns);
}

void bf16_outer(float *c, long c_row, const bfloat16 *a, long a_row, const bfloat16 *b, long b_row, long a_columns,
                long b_columns, long rows, int accumulates) {
    _Alignas(64) uint32_t packed_a[A_BLOCKS][ROWS / 2 * A_COLUMNS], packed_b[B_PANELS][ROWS / 2 * BF16_PANEL];
    _Alignas(64) uint32_t transposed_a[A_COLUMNS * (ROWS / 2)];
    const int uses_tiles = bf16_uses_tiles();
    for (long column = 0; column < b_columns; column += B_PANELS * BF16_PANEL) {
        long width = smaller(B_PANELS * BF16_PANEL, b_columns - column);
        for (long row = 0; row < rows; row += ROWS) {
            long height = smaller(ROWS, rows - row);
            pack_b(packed_b[0], b + row * b_row + column, b_row, height, width);
            for (long m = 0; m < a_columns; m += A_BLOCKS * A_COLUMNS) {
                long count = smaller(A_BLOCKS * A_COLUMNS, a_columns - m);
                pack_a(packed_a[0], a + row * a_row + m, a_row, height, count);
                for (long part = 0; part < count; part += A_COLUMNS) {
                    bf16_product_operands operands = {
                        .a = packed_a[part / A_COLUMNS], .a_row = 1, .a_pair = A_COLUMNS, .b = packed_b[0],
                        .b_pair = BF16_PANEL, .b_panel = ROWS / 2 * BF16_PANEL, .c = c + (m + part) * c_row + column,
                        .c_row = c_row, .accumulates = accumulates || row > 0};
                    if (uses_tiles) {
                        bf16_transpose_pairs(transposed_a, ROWS / 2, operands.a, A_COLUMNS, (height + 1) / 2,
                                             smaller(A_COLUMNS, count - part));
                        operands.a = transposed_a, operands.a_row = ROWS / 2, operands.a_pair = 1;
                    }
                    bf16_product(operands, smaller(A_COLUMNS, count - part), width, (height + 1) / 2);
                }
            }
        }
    }
    if (rows == 0 && !accumulates)
        for (long m = 0; m < a_columns; m++) memset(c + m * c_row, 0, (size_t)b_columns * sizeof(float));
}

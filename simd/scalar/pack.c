/*
 * pack.c - panels for the matrix products: [k][32] f32, or [(k + 1) / 2][32][2] bf16, filled up
 * with zero from column n to 32 and for an odd k.  "rows": the panel's columns are the source's
 * rows; "columns": the source lies as the panel does, [k][n].
 */
#include "simd/kernels.h"
#include "simd/scalar/lanes.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

/* Columns from n on. */
static void clear_f32(size_t n, size_t k, float *panel)
{
    for (size_t p = 0; n < COLUMNS && p < k; p++) {
        memset(panel + p * COLUMNS + n, 0, (COLUMNS - n) * sizeof *panel);
    }
}

void omma_pack_rows_f32_f32__scalar(size_t n, size_t k, const float *source, size_t stride,
                                    float *panel)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t p = 0; p < k; p++) {
            panel[p * COLUMNS + j] = source[j * stride + p];
        }
    }
    clear_f32(n, k, panel);
}

void omma_pack_rows_f32_bf16__scalar(size_t n, size_t k, const uint16_t *source, size_t stride,
                                     float *panel)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t p = 0; p < k; p++) {
            panel[p * COLUMNS + j] = omma_f32_of_bf16(source[j * stride + p]);
        }
    }
    clear_f32(n, k, panel);
}

void omma_pack_rows_f32_f16__scalar(size_t n, size_t k, const uint16_t *source, size_t stride,
                                    float *panel)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t p = 0; p < k; p++) {
            panel[p * COLUMNS + j] = omma_f32_of_f16(source[j * stride + p]);
        }
    }
    clear_f32(n, k, panel);
}

/* Where element k of a column lies in a bf16 panel. */
static inline size_t pair_offset(size_t p, size_t j)
{
    return (p / 2 * COLUMNS + j) * 2 + p % 2;
}

/* Columns from n on, and the second half of the last pair of an odd k. */
static void clear_bf16(size_t n, size_t k, uint16_t *panel)
{
    for (size_t p = 0; n < COLUMNS && p < k; p += 2) {
        memset(panel + pair_offset(p, n), 0, (COLUMNS - n) * 2 * sizeof *panel);
    }
    for (size_t j = 0; k % 2 != 0 && j < COLUMNS; j++) {
        panel[pair_offset(k, j)] = 0;
    }
}

void omma_pack_rows_bf16__scalar(size_t n, size_t k, const uint16_t *source, size_t stride,
                                 uint16_t *panel)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t p = 0; p < k; p++) {
            panel[pair_offset(p, j)] = source[j * stride + p];
        }
    }
    clear_bf16(n, k, panel);
}

void omma_pack_columns_f32_f32__scalar(size_t n, size_t k, const float *source, size_t stride,
                                       float *panel)
{
    for (size_t p = 0; p < k; p++) {
        memcpy(panel + p * COLUMNS, source + p * stride, n * sizeof *panel);
    }
    clear_f32(n, k, panel);
}

void omma_pack_columns_f32_bf16__scalar(size_t n, size_t k, const uint16_t *source, size_t stride,
                                        float *panel)
{
    for (size_t p = 0; p < k; p++) {
        for (size_t j = 0; j < n; j++) {
            panel[p * COLUMNS + j] = omma_f32_of_bf16(source[p * stride + j]);
        }
    }
    clear_f32(n, k, panel);
}

void omma_pack_columns_bf16__scalar(size_t n, size_t k, const uint16_t *source, size_t stride,
                                    uint16_t *panel)
{
    for (size_t p = 0; p < k; p++) {
        for (size_t j = 0; j < n; j++) {
            panel[pair_offset(p, j)] = source[p * stride + j];
        }
    }
    clear_bf16(n, k, panel);
}

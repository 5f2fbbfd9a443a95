/*
 * pack.c - panels with 512-bit vectors: rows by the transpositions of simd/tmpl/pack_512.h, columns
 * as they lie.
 */
#include "config.h"

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

#include "simd/tmpl/pack_512.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

/* ---- rows -------------------------------------------------------------------------------------
 */

void omma_pack_rows_f32_f32__avx512(size_t n, size_t k, const float *source, size_t stride,
                                    float *panel)
{
    pack_rows(F32, n, k, source, stride, panel);
}

void omma_pack_rows_f32_bf16__avx512(size_t n, size_t k, const uint16_t *source, size_t stride,
                                     float *panel)
{
    pack_rows(PAIRS_SPLIT, n, k, source, stride, panel);
}

void omma_pack_rows_f32_f16__avx512(size_t n, size_t k, const uint16_t *source, size_t stride,
                                    float *panel)
{
    pack_rows(F16, n, k, source, stride, panel);
}

void omma_pack_rows_bf16__avx512(size_t n, size_t k, const uint16_t *source, size_t stride,
                                 uint16_t *panel)
{
    pack_rows(PAIRS, n, k, source, stride, panel);
}

void omma_pack_rows_f32_i8__avx512(size_t n, size_t k, const int8_t *source, size_t stride,
                                   float *panel)
{
    pack_rows(BYTES_F32, n, k, source, stride, panel);
}

void omma_pack_rows_bf16_i8__avx512(size_t n, size_t k, const int8_t *source, size_t stride,
                                    uint16_t *panel)
{
    pack_rows(BYTES_BF16, n, k, source, stride, panel);
}

size_t omma_panel_i8_bytes__avx512(size_t k)
{
    return panel_rows(BYTES_I16, k) * ROW_BYTES;
}

void omma_pack_rows_i8__avx512(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    pack_rows(BYTES_I16, n, k, source, stride, panel);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* Lanes of the two vectors of a panel's row that the source has. */
struct columns {
    __mmask16 low, high;
};

BODY struct columns columns_of(size_t n)
{
    return (struct columns){
        .low = vec_first(n < LANES ? n : LANES),
        .high = vec_first(n < LANES ? 0 : n - LANES),
    };
}

/* Sixteen 16-bit elements in the low halves of 32 bits. */
BODY __m512i load_16(const uint16_t *x, __mmask16 mask)
{
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x));
}

void omma_pack_columns_f32_f32__avx512(size_t n, size_t k, const float *source, size_t stride,
                                       float *panel)
{
    struct columns columns = columns_of(n);

    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        _mm512_store_ps(panel, _mm512_maskz_loadu_ps(columns.low, source));
        _mm512_store_ps(panel + LANES, _mm512_maskz_loadu_ps(columns.high, source + LANES));
    }
}

void omma_pack_columns_f32_bf16__avx512(size_t n, size_t k, const uint16_t *source, size_t stride,
                                        float *panel)
{
    struct columns columns = columns_of(n);

    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        __m512i low = load_16(source, columns.low);
        __m512i high = load_16(source + LANES, columns.high);

        _mm512_store_si512(panel, _mm512_slli_epi32(low, 16));
        _mm512_store_si512(panel + LANES, _mm512_slli_epi32(high, 16));
    }
}

void omma_pack_columns_bf16__avx512(size_t n, size_t k, const uint16_t *source, size_t stride,
                                    uint16_t *panel)
{
    struct columns columns = columns_of(n);

    for (size_t p = 0; p < k; p += 2, source += 2 * stride, panel += 2 * COLUMNS) {
        bool is_pair = p + 1 < k;
        const uint16_t *next = is_pair ? source + stride : source;
        __m512i low = load_16(next, is_pair ? columns.low : 0);
        __m512i high = load_16(next + LANES, is_pair ? columns.high : 0);

        low = _mm512_or_si512(_mm512_slli_epi32(low, 16), load_16(source, columns.low));
        high = _mm512_or_si512(_mm512_slli_epi32(high, 16), load_16(source + LANES, columns.high));
        _mm512_store_si512(panel, low);
        _mm512_store_si512(panel + 2 * LANES, high);
    }
}

/*
 * pack.c - f32 panels with 256-bit vectors; without a bf16 dot product the tier has no use for fast
 * bf16 panels.
 *
 * Rows go through transpositions of 8 rows by 8 elements of 32 bits: f32, or pairs of bf16, which
 * then split into two rows of the panel.  Eight panel columns at a time; what is no whole block of
 * eight rows is packed element by element.
 */
#include "config.h"

#include "base/bf16.h"
#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 8, K_BLOCK = 32, AHEAD = 4 * K_BLOCK };

/* ---- rows -------------------------------------------------------------------------------------
 */

/* The source's elements; bf16 are taken in pairs. */
enum kind { F32, BF16, F16, I8 };

BODY size_t bytes_of(const enum kind kind)
{
    return kind == F32 ? 4 : kind == I8 ? 1 : 2;
}

BODY float element(const enum kind kind, const char *at)
{
    uint16_t half;
    float value;

    if (kind == F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (kind == I8) {
        return *(const int8_t *)at;
    }
    memcpy(&half, at, sizeof half);
    return kind == BF16 ? omma_f32_of_bf16(half) : omma_f32_of_f16(half);
}

BODY __m256i load_row(const enum kind kind, const char *row)
{
    if (kind == F16) {
        return _mm256_castps_si256(_mm256_cvtph_ps(_mm_loadu_si128((const void *)row)));
    }
    if (kind == I8) {
        __m256i wide = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)row));

        return _mm256_castps_si256(_mm256_cvtepi32_ps(wide));
    }
    return _mm256_loadu_si256((const void *)row);
}

/* Vector i of a transposed block to its place in the panel. */
BODY void store_row(const enum kind kind, int i, __m256i v, float *panel)
{
    if (kind == BF16) {
        __m256i odd = _mm256_and_si256(v, _mm256_set1_epi32((int)0xFFFF0000));

        _mm256_store_si256((void *)(panel + (size_t)(2 * i) * COLUMNS), _mm256_slli_epi32(v, 16));
        _mm256_store_si256((void *)(panel + (size_t)(2 * i + 1) * COLUMNS), odd);
    } else {
        _mm256_store_si256((void *)(panel + (size_t)i * COLUMNS), v);
    }
}

/* Elements begin to end of eight columns, of which the source has n. */
BODY void pack_eight(const enum kind kind, size_t n, size_t begin, size_t end, const char *rows,
                     size_t row_bytes, float *panel)
{
    const size_t bytes = bytes_of(kind);
    const size_t step = kind == BF16 ? 2 * LANES : LANES;
    size_t p = begin;

    for (; n >= LANES && p + step <= end; p += step) {
        __m256i v[LANES];

        UNROLL
        for (int i = 0; i < LANES; i++) {
            v[i] = load_row(kind, rows + (size_t)i * row_bytes + p * bytes);
        }
        vec_transpose(v);
        UNROLL
        for (int i = 0; i < LANES; i++) {
            store_row(kind, i, v[i], panel + p * COLUMNS);
        }
    }
    for (; p < end; p++) {
        for (size_t j = 0; j < LANES; j++) {
            panel[p * COLUMNS + j] = j < n ? element(kind, rows + j * row_bytes + p * bytes) : 0;
        }
    }
}

/* In blocks of k whose part of the panel stays in L1 until all its columns are there; as many rows
 * are more streams than hardware fetches ahead. */
BODY void pack_rows(const enum kind kind, size_t n, size_t k, const void *source, size_t stride,
                    float *panel)
{
    const size_t bytes = bytes_of(kind);
    const size_t row_bytes = stride * bytes;

    for (size_t p = 0; p < k; p += K_BLOCK) {
        size_t end = k - p < K_BLOCK ? k : p + K_BLOCK;

        for (size_t i = 0; i < n; i++) {
            _mm_prefetch((const char *)source + i * row_bytes + (p + AHEAD) * bytes, _MM_HINT_T0);
        }
        for (size_t j = 0; j < COLUMNS; j += LANES) {
            const char *rows = (const char *)source + (j < n ? j : 0) * row_bytes;

            pack_eight(kind, j < n ? n - j : 0, p, end, rows, row_bytes, panel + j);
        }
    }
}

void omma_pack_rows_f32_f32__avx2(size_t n, size_t k, const float *source, size_t stride,
                                  float *panel)
{
    pack_rows(F32, n, k, source, stride, panel);
}

void omma_pack_rows_f32_bf16__avx2(size_t n, size_t k, const uint16_t *source, size_t stride,
                                   float *panel)
{
    pack_rows(BF16, n, k, source, stride, panel);
}

void omma_pack_rows_f32_i8__avx2(size_t n, size_t k, const int8_t *source, size_t stride,
                                 float *panel)
{
    pack_rows(I8, n, k, source, stride, panel);
}

void omma_pack_rows_f32_f16__avx2(size_t n, size_t k, const uint16_t *source, size_t stride,
                                  float *panel)
{
    pack_rows(F16, n, k, source, stride, panel);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

void omma_pack_columns_f32_f32__avx2(size_t n, size_t k, const float *source, size_t stride,
                                     float *panel)
{
    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        UNROLL
        for (size_t j = 0; j < COLUMNS; j += LANES) {
            __m256i first = vec_first(j < n ? n - j : 0);

            _mm256_store_ps(panel + j, _mm256_maskload_ps(source + j, first));
        }
    }
}

void omma_pack_columns_f32_bf16__avx2(size_t n, size_t k, const uint16_t *source, size_t stride,
                                      float *panel)
{
    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        size_t j = 0;

        for (; j + LANES <= n; j += LANES) {
            __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)(source + j)));

            _mm256_store_si256((void *)(panel + j), _mm256_slli_epi32(wide, 16));
        }
        for (; j < COLUMNS; j++) {
            panel[j] = j < n ? omma_f32_of_bf16(source[j]) : 0;
        }
    }
}

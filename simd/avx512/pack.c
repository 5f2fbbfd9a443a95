/*
 * pack.c - panels with 512-bit vectors.
 *
 * Rows go through transpositions of 16 rows by 16 elements of 32 bits: f32, or pairs of 16-bit
 * elements, which are as they come the pairs of a bf16 panel, and the two f32 rows of an f32 panel
 * when split. What a row or the source lacks is loaded as zero, so that the fill of the panel needs
 * no care.
 */
#include "config.h"

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

#define BODY   static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 16, LINE_BYTES = 64 };

/* v[i] lane j <-> v[j] lane i */
BODY void transpose(__m512i v[LANES])
{
    __m512i t[LANES];

    /* pairs of rows, then fours, within 128 bits */
    UNROLL
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL
    for (int i = 0; i < LANES; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* v[4 a + b] has in its quarter q the column 4 q + b of rows 4 a to 4 a + 3 */
    UNROLL
    for (int b = 0; b < 4; b++) {
        __m512i low01 = _mm512_shuffle_i32x4(v[b], v[4 + b], 0x88);
        __m512i odd01 = _mm512_shuffle_i32x4(v[b], v[4 + b], 0xDD);
        __m512i low23 = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0x88);
        __m512i odd23 = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0xDD);

        t[b] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        t[8 + b] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
        t[4 + b] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
        t[12 + b] = _mm512_shuffle_i32x4(odd01, odd23, 0xDD);
    }
    UNROLL
    for (int i = 0; i < LANES; i++) {
        v[i] = t[i];
    }
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* What a row of the source has, and what becomes of it: f32 as it is, pairs of bf16 as they are,
 * pairs of bf16 split into two f32, f16 widened. */
enum kind { F32, PAIRS, PAIRS_SPLIT, F16 };

/* The first n of 32 bits. */
BODY __mmask32 first(size_t n)
{
    return (__mmask32)((UINT64_C(1) << n) - 1);
}

BODY __m512i load_row(const enum kind kind, const char *row, __mmask32 mask)
{
    if (kind == F32) {
        return _mm512_maskz_loadu_epi32((__mmask16)mask, row);
    }
    if (kind == F16) {
        __m256i half = _mm256_maskz_loadu_epi16((__mmask16)mask, row);

        return _mm512_castps_si512(_mm512_cvtph_ps(half));
    }
    return _mm512_maskz_loadu_epi16(mask, row);
}

/* Vector i of a transposed block to its place: panel points at the block's first row. */
BODY void store_row(const enum kind kind, int i, __m512i v, char *panel)
{
    const size_t row_bytes = COLUMNS * sizeof(float);

    if (kind == PAIRS_SPLIT) {
        _mm512_store_si512(panel + (size_t)(2 * i) * row_bytes, _mm512_slli_epi32(v, 16));
        _mm512_store_si512(panel + (size_t)(2 * i + 1) * row_bytes,
                           _mm512_and_si512(v, _mm512_set1_epi32((int)0xFFFF0000)));
    } else {
        _mm512_store_si512(panel + (size_t)i * row_bytes, v);
    }
}

/* The last k elements, fewer than a block has; the block goes through memory. */
static __attribute__((noinline)) void store_last(const enum kind kind, size_t k,
                                                 const __m512i v[LANES], char *panel)
{
    const size_t row_bytes = COLUMNS * sizeof(float);
    size_t n_rows = kind == PAIRS || kind == PAIRS_SPLIT ? (k + 1) / 2 : k;

    for (size_t i = 0; i < n_rows; i++) {
        if (kind == PAIRS_SPLIT && 2 * i + 1 == k) { /* half a pair */
            _mm512_store_si512(panel + 2 * i * row_bytes, _mm512_slli_epi32(v[i], 16));
        } else {
            store_row(kind, (int)i, v[i], panel);
        }
    }
}

/* Sixteen columns of zero over k rows of 128 bytes. */
BODY void clear_half(size_t k, char *panel)
{
    for (size_t p = 0; p < k; p++) {
        _mm512_store_si512(panel + p * COLUMNS * sizeof(float), _mm512_setzero_si512());
    }
}

/* Sixteen columns of a panel from n rows of the source; without `all` n may be less than sixteen.
 */
BODY void pack_half(const enum kind kind, const bool all, size_t n, size_t k, const char *source,
                    size_t row_bytes, char *panel)
{
    const size_t element_bytes = kind == F32 ? 4 : 2;
    const size_t step = kind == PAIRS || kind == PAIRS_SPLIT ? 2 * LANES : LANES;
    const size_t panel_bytes = COLUMNS * sizeof(float) * (kind == PAIRS_SPLIT ? 2 : 1) * LANES;

    for (size_t p = 0; p < k; p += step, panel += panel_bytes) {
        size_t n_here = k - p < step ? k - p : step;
        __m512i v[LANES];

        UNROLL
        for (size_t i = 0; i < LANES; i++) {
            bool there = all || i < n;
            const char *row = source + (there ? i : 0) * row_bytes + p * element_bytes;

            v[i] = load_row(kind, row, there ? first(n_here) : 0);
            _mm_prefetch(row + LINE_BYTES, _MM_HINT_T0);
        }
        transpose(v);
        if (n_here < step) {
            store_last(kind, n_here, v, panel);
            break;
        }
        UNROLL
        for (int i = 0; i < LANES; i++) {
            store_row(kind, i, v[i], panel);
        }
    }
}

BODY void pack_rows(const enum kind kind, size_t n, size_t k, const void *source, size_t stride,
                    void *panel)
{
    size_t row_bytes = stride * (kind == F32 ? 4 : 2);

    for (size_t j = 0; j < COLUMNS; j += LANES) {
        const char *rows = source;
        char *columns = (char *)panel + j * sizeof(float);

        if (n >= j + LANES) {
            pack_half(kind, true, LANES, k, rows + j * row_bytes, row_bytes, columns);
        } else if (n > j) {
            pack_half(kind, false, n - j, k, rows + j * row_bytes, row_bytes, columns);
        } else {
            clear_half(kind == PAIRS ? (k + 1) / 2 : k, columns);
        }
    }
}

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

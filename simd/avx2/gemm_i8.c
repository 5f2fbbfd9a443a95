/*
 * gemm_i8.c - products of bytes, exactly, without a dot product of bytes: both sides widened to 16
 * bits, pairs of k multiplied and added by vpmaddwd, which cannot overflow: a pair is at most 2^15.
 * (vpmaddubsw saturates: 255 x 127 x 2 does not fit 16 bits.)  It needs no sums of rows.
 *
 * A panel is [(k + 1) / 2][32][2] int16: weights widened as they are packed, an odd k filled up
 * with zero.  Up to six rows of A are widened into a buffer, K_BLOCK of them at a time, and
 * multiplied by both halves of the panel's columns: twelve sums in registers.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, HALF = 16, LANES = 8, MR = 6, K_BLOCK = 512 };

size_t omma_panel_i8_bytes__avx2(size_t k)
{
    return (k + 1) / 2 * COLUMNS * 2 * sizeof(int16_t);
}

/* ---- packing ----------------------------------------------------------------------------------
 */

/* v[i] lane j <-> v[j] lane i */
BODY void transpose(__m256i v[LANES])
{
    __m256i t[LANES];

    UNROLL
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL
    for (int i = 0; i < LANES; i += 4) {
        v[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int b = 0; b < 4; b++) {
        t[b] = _mm256_permute2x128_si256(v[b], v[4 + b], 0x20);
        t[4 + b] = _mm256_permute2x128_si256(v[b], v[4 + b], 0x31);
    }
    UNROLL
    for (int i = 0; i < LANES; i++) {
        v[i] = t[i];
    }
}

/* Sixteen elements of eight rows: eight pairs of k of eight columns. */
BODY void pack_block(const int8_t *source, size_t stride, int16_t *panel)
{
    __m256i v[LANES];

    UNROLL
    for (int i = 0; i < LANES; i++) {
        const int8_t *row = source + (size_t)i * stride;

        v[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)row));
    }
    transpose(v);
    UNROLL
    for (int i = 0; i < LANES; i++) {
        _mm256_store_si256((void *)(panel + (size_t)i * COLUMNS * 2), v[i]);
    }
}

void omma_pack_rows_i8__avx2(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    for (size_t p = 0; p < k; p += 2 * LANES) {
        size_t n_here = k - p < 2 * LANES ? k - p : 2 * LANES;
        int16_t *pairs = (int16_t *)panel + p * COLUMNS;

        for (size_t j = 0; j < COLUMNS; j += LANES) {
            if (n_here == 2 * LANES && j + LANES <= n) {
                pack_block(source + j * stride + p, stride, pairs + 2 * j);
                continue;
            }
            for (size_t q = 0; q < (n_here + 1) / 2 * 2; q++) {
                for (size_t i = j; i < j + LANES; i++) {
                    pairs[q / 2 * COLUMNS * 2 + 2 * i + q % 2] =
                        (int16_t)(i < n && q < n_here ? source[i * stride + p + q] : 0);
                }
            }
        }
    }
}

/* ---- products ---------------------------------------------------------------------------------
 */

/* Rows of A of 16 bits. */
struct widened {
    int16_t of[MR][K_BLOCK];
};

/* k elements of a row; an odd k filled up with zero. */
static void widen(size_t k, const int8_t *a, int16_t *wide)
{
    size_t p = 0;

    for (; p + 16 <= k; p += 16) {
        __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(a + p)));

        _mm256_storeu_si256((void *)(wide + p), v);
    }
    for (; p < k; p++) {
        wide[p] = a[p];
    }
    if (k % 2 != 0) {
        wide[k] = 0;
    }
}

BODY void store_row(size_t n, int32_t *c, bool accumulate, __m256i low, __m256i high)
{
    __m256i low_mask = vec_first(n), high_mask = vec_first(n < LANES ? 0 : n - LANES);

    if (accumulate) {
        low = _mm256_add_epi32(low, _mm256_maskload_epi32(c, low_mask));
        high = _mm256_add_epi32(high, _mm256_maskload_epi32(c + LANES, high_mask));
    }
    _mm256_maskstore_epi32(c, low_mask, low);
    _mm256_maskstore_epi32(c + LANES, high_mask, high);
}

/* mr rows by n <= 16 columns over n_pairs of k. */
BODY void tile(const int mr, size_t n, size_t n_pairs, const struct widened *a,
               const int16_t *panel, int32_t *c, size_t c_stride, bool accumulate)
{
    __m256i low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm256_setzero_si256();
    }
    for (size_t p = 0; p < n_pairs; p++, panel += 2 * COLUMNS) {
        __m256i w_low = _mm256_load_si256((const void *)panel);
        __m256i w_high = _mm256_load_si256((const void *)(panel + 2 * LANES));

        UNROLL
        for (int i = 0; i < mr; i++) {
            int32_t pair;
            __m256i x;

            memcpy(&pair, &a->of[i][2 * p], sizeof pair);
            x = _mm256_set1_epi32(pair);
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(x, w_low));
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(x, w_high));
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(n, c + (size_t)i * c_stride, accumulate, low[i], high[i]);
    }
}

static void tile_of(size_t mr, size_t n, size_t n_pairs, const struct widened *a,
                    const int16_t *panel, int32_t *c, size_t c_stride, bool accumulate)
{
    OMMA_WITH_CONSTANT_6(mr, tile, n, n_pairs, a, panel, c, c_stride, accumulate);
}

/* mr rows of A; those after them are asked for meanwhile. */
static void rows(size_t mr, size_t n, size_t k, const int8_t *a, size_t a_stride,
                 const int16_t *panel, int32_t *c, size_t c_stride, bool accumulate)
{
    struct widened wide;

    for (size_t p = 0; p < k || p == 0; p += K_BLOCK) {
        size_t k_here = k - p < K_BLOCK ? k - p : K_BLOCK;

        for (size_t i = 0; i < mr; i++) {
            widen(k_here, a + i * a_stride + p, wide.of[i]);
            for (size_t q = 0; q < k_here; q += 64) {
                _mm_prefetch((const char *)a + (mr + i) * a_stride + p + q, _MM_HINT_T1);
            }
        }
        for (size_t j = 0; j < n; j += HALF) {
            tile_of(mr, n - j < HALF ? n - j : HALF, (k_here + 1) / 2, &wide,
                    panel + p * COLUMNS + 2 * j, c + j, c_stride, accumulate || p > 0);
        }
    }
}

void omma_gemm_i8_6x16__avx2(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                             const int32_t *a_sums, const void *panel, int32_t *c, size_t c_stride,
                             bool accumulate)
{
    (void)a_sums;
    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        rows(mr, n, k, a, a_stride, panel, c, c_stride, accumulate);
        m -= mr;
        a += mr * a_stride;
        c += mr * c_stride;
    }
}

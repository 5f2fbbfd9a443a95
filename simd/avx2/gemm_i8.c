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

enum { IN_LANE = 2, W_PLUS_128 = 0, K_BLOCK = 512 };

typedef int16_t panel_element;

BODY int16_t panel_value(int8_t w)
{
    return w;
}

BODY __m256i load_lanes(const int8_t *row)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)row));
}

BODY __m256i dot(__m256i sums, __m256i w, __m256i x)
{
    return _mm256_add_epi32(sums, _mm256_madd_epi16(x, w));
}

#include "simd/tmpl/gemm_i8_256.h"

size_t omma_panel_i8_bytes__avx2(size_t k)
{
    return (k + 1) / IN_LANE * PANEL_ROW_BYTES;
}

void omma_pack_rows_i8__avx2(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    pack_rows(n, k, source, stride, panel);
}

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

/* mr rows of A; those after them are asked for meanwhile. */
static void rows(size_t mr, size_t n, size_t k, const int8_t *a, size_t a_stride, const char *panel,
                 int32_t *c, size_t c_stride, bool accumulate)
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
            const struct output_i32 output = {n - j < HALF ? n - j : HALF, c + j, c_stride, NULL,
                                              accumulate || p > 0};

            OMMA_WITH_CONSTANT_6(mr, tile, false, (k_here + 1) / IN_LANE, 0, (const char *)wide.of,
                                 sizeof *wide.of,
                                 panel + p / IN_LANE * PANEL_ROW_BYTES + j * LANE_BYTES, &output);
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

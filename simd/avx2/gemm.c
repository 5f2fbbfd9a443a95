/*
 * gemm.c - C[m][n] = A[m][k] x panel with 256-bit FMA; the panel's 32 columns in two halves.
 *
 * A tile is up to MR rows by sixteen columns: twelve sums in registers; a step of k takes two
 * vectors of the panel and one broadcast a row.  An element of C is one chain of FMAs over k in
 * order, so its bits depend neither on the tile's height nor on n.  The rows of A are split evenly
 * over the tiles, lest a last tile of one row runs at the latency of its two chains.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, HALF = 16, LANES = 8, LINE = 16, MR = 6 };

/* Where a tile's sums go: n <= 16 columns. */
struct output {
    size_t n;
    float *c;
    size_t c_stride;
    bool accumulate;
};

BODY void store_row(struct output output, size_t i, __m256 low, __m256 high)
{
    float *c = output.c + i * output.c_stride;

    if (output.n == HALF) {
        if (output.accumulate) {
            low = _mm256_add_ps(_mm256_loadu_ps(c), low);
            high = _mm256_add_ps(_mm256_loadu_ps(c + LANES), high);
        }
        _mm256_storeu_ps(c, low);
        _mm256_storeu_ps(c + LANES, high);
    } else {
        __m256i low_mask = vec_first(output.n);
        __m256i high_mask = vec_first(output.n < LANES ? 0 : output.n - LANES);

        if (output.accumulate) {
            low = _mm256_add_ps(_mm256_maskload_ps(c, low_mask), low);
            high = _mm256_add_ps(_mm256_maskload_ps(c + LANES, high_mask), high);
        }
        _mm256_maskstore_ps(c, low_mask, low);
        _mm256_maskstore_ps(c + LANES, high_mask, high);
    }
}

/* k steps. */
BODY void steps(const int mr, size_t k, const float *a, size_t a_stride, const float *panel,
                __m256 low[MR], __m256 high[MR])
{
    for (size_t p = 0; p < k; p++) {
        __m256 vb_low = _mm256_load_ps(panel + p * COLUMNS);
        __m256 vb_high = _mm256_load_ps(panel + p * COLUMNS + LANES);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m256 va = _mm256_set1_ps(a[(size_t)i * a_stride + p]);

            low[i] = _mm256_fmadd_ps(va, vb_low, low[i]);
            high[i] = _mm256_fmadd_ps(va, vb_high, high[i]);
        }
    }
}

/* The rows after a tile's are fetched into L2 meanwhile: those of a long K come from afar, and each
 * in a page of its own, which hardware does not fetch ahead. */
BODY void tile(const int mr, size_t k, const float *a, size_t a_stride, const float *panel,
               struct output output)
{
    __m256 low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm256_setzero_ps();
    }
    for (; k >= LINE; k -= LINE, a += LINE, panel += LINE * COLUMNS) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            _mm_prefetch((const char *)(a + (size_t)(mr + i) * a_stride), _MM_HINT_T1);
        }
        steps(mr, LINE, a, a_stride, panel, low, high);
    }
    steps(mr, k, a, a_stride, panel, low, high);
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

static void rows(size_t mr, size_t k, const float *a, size_t a_stride, const float *panel,
                 struct output output)
{
    OMMA_WITH_CONSTANT_6(mr, tile, k, a, a_stride, panel, output);
}

void omma_gemm_f32_6x16__avx2(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                              const float *panel, float *c, size_t c_stride, bool accumulate)
{
    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        for (size_t j = 0; j < n; j += HALF) {
            struct output output = {
                .n = n - j < HALF ? n - j : HALF,
                .c = c + j,
                .c_stride = c_stride,
                .accumulate = accumulate,
            };

            rows(mr, k, a, a_stride, panel + j, output);
        }
        m -= mr;
        a += mr * a_stride;
        c += mr * c_stride;
    }
}

/*
 * gemm.c - C[m][n] = A[m][k] x panel with 512-bit vectors: f32 by FMA, bf16 by vdpbf16ps.
 *
 * A tile is up to MR rows by the panel's 32 columns: 2 MR sums in registers; a step of k takes two
 * vectors of the panel and one broadcast a row.  An element of C is one chain of multiply-adds over
 * k in order, so its bits depend neither on the tile's height nor on n.  The rows of A are split
 * evenly over the tiles, lest a last tile of one row runs at the latency of its two chains.
 *
 * vdpbf16ps treats subnormals as zero, on the way in and out.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#include <string.h>

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemm.c of the tier avx512bf16 is compiled without its flags"
#endif

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 16, MR = 12, LINE = 32 /* bf16 */ };

#define TILE   static inline __attribute__((always_inline)) void
#define UNROLL _Pragma("GCC unroll 16")

/* Where a tile's sums go: which lanes of the two vectors of a row C has, and whether it adds them.
 */
struct output {
    float *c;
    size_t c_stride;
    __mmask16 low, high;
    bool accumulate;
};

static inline struct output output_of(size_t n, float *c, size_t c_stride, bool accumulate)
{
    return (struct output){
        .c = c,
        .c_stride = c_stride,
        .low = (__mmask16)(n >= LANES ? 0xFFFF : (1u << n) - 1),
        .high = (__mmask16)(n <= LANES ? 0 : (1u << (n - LANES)) - 1),
        .accumulate = accumulate,
    };
}

TILE store_row(struct output output, size_t i, __m512 low, __m512 high)
{
    float *c = output.c + i * output.c_stride;

    if (output.accumulate) {
        low = _mm512_add_ps(_mm512_maskz_loadu_ps(output.low, c), low);
        high = _mm512_add_ps(_mm512_maskz_loadu_ps(output.high, c + LANES), high);
    }
    _mm512_mask_storeu_ps(c, output.low, low);
    _mm512_mask_storeu_ps(c + LANES, output.high, high);
}

TILE tile_f32(const int mr, size_t k, const float *a, size_t a_stride, const float *panel,
              struct output output)
{
    __m512 low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < k; p++) {
        __m512 vb_low = _mm512_load_ps(panel + p * COLUMNS);
        __m512 vb_high = _mm512_load_ps(panel + p * COLUMNS + LANES);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512 va = _mm512_set1_ps(a[(size_t)i * a_stride + p]);

            low[i] = _mm512_fmadd_ps(va, vb_low, low[i]);
            high[i] = _mm512_fmadd_ps(va, vb_high, high[i]);
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

/* A pair of k in every lane. */
static inline __m512bh broadcast_pair(const uint16_t *a)
{
    int pair;

    memcpy(&pair, a, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

TILE tile_bf16(const int mr, size_t k, const uint16_t *a, size_t a_stride, const uint16_t *panel,
               struct output output)
{
    __m512 low[MR], high[MR];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm512_setzero_ps();
    }
    for (; p + 2 <= k; p += 2) {
        __m512bh vb_low = (__m512bh)_mm512_load_si512(panel + p * COLUMNS);
        __m512bh vb_high = (__m512bh)_mm512_load_si512(panel + p * COLUMNS + 2 * LANES);

        if (p % LINE == 0) { /* A need not fit in L2: the next tile's lines, each once */
            UNROLL
            for (int i = 0; i < mr; i++) {
                _mm_prefetch((const char *)(a + (size_t)(mr + i) * a_stride + p), _MM_HINT_T1);
            }
        }

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512bh va = broadcast_pair(a + (size_t)i * a_stride + p);

            low[i] = _mm512_dpbf16_ps(low[i], va, vb_low);
            high[i] = _mm512_dpbf16_ps(high[i], va, vb_high);
        }
    }
    if (p < k) { /* half a pair: the panel is zero there, but A must not be read */
        __m512bh vb_low = (__m512bh)_mm512_load_si512(panel + p * COLUMNS);
        __m512bh vb_high = (__m512bh)_mm512_load_si512(panel + p * COLUMNS + 2 * LANES);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m512bh va = (__m512bh)_mm512_set1_epi32(a[(size_t)i * a_stride + p]);

            low[i] = _mm512_dpbf16_ps(low[i], va, vb_low);
            high[i] = _mm512_dpbf16_ps(high[i], va, vb_high);
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

void omma_gemm_f32_12x32__avx512bf16(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                                     const float *panel, float *c, size_t c_stride, bool accumulate)
{
    struct output output = output_of(n, c, c_stride, accumulate);

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        switch (mr) {
        case 1:
            tile_f32(1, k, a, a_stride, panel, output);
            break;
        case 2:
            tile_f32(2, k, a, a_stride, panel, output);
            break;
        case 3:
            tile_f32(3, k, a, a_stride, panel, output);
            break;
        case 4:
            tile_f32(4, k, a, a_stride, panel, output);
            break;
        case 5:
            tile_f32(5, k, a, a_stride, panel, output);
            break;
        case 6:
            tile_f32(6, k, a, a_stride, panel, output);
            break;
        case 7:
            tile_f32(7, k, a, a_stride, panel, output);
            break;
        case 8:
            tile_f32(8, k, a, a_stride, panel, output);
            break;
        case 9:
            tile_f32(9, k, a, a_stride, panel, output);
            break;
        case 10:
            tile_f32(10, k, a, a_stride, panel, output);
            break;
        case 11:
            tile_f32(11, k, a, a_stride, panel, output);
            break;
        case 12:
            tile_f32(12, k, a, a_stride, panel, output);
            break;
        }
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
    }
}

void omma_gemm_bf16_12x32__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *a,
                                      size_t a_stride, const uint16_t *panel, float *c,
                                      size_t c_stride, bool accumulate)
{
    struct output output = output_of(n, c, c_stride, accumulate);

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        switch (mr) {
        case 1:
            tile_bf16(1, k, a, a_stride, panel, output);
            break;
        case 2:
            tile_bf16(2, k, a, a_stride, panel, output);
            break;
        case 3:
            tile_bf16(3, k, a, a_stride, panel, output);
            break;
        case 4:
            tile_bf16(4, k, a, a_stride, panel, output);
            break;
        case 5:
            tile_bf16(5, k, a, a_stride, panel, output);
            break;
        case 6:
            tile_bf16(6, k, a, a_stride, panel, output);
            break;
        case 7:
            tile_bf16(7, k, a, a_stride, panel, output);
            break;
        case 8:
            tile_bf16(8, k, a, a_stride, panel, output);
            break;
        case 9:
            tile_bf16(9, k, a, a_stride, panel, output);
            break;
        case 10:
            tile_bf16(10, k, a, a_stride, panel, output);
            break;
        case 11:
            tile_bf16(11, k, a, a_stride, panel, output);
            break;
        case 12:
            tile_bf16(12, k, a, a_stride, panel, output);
            break;
        }
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
    }
}

/*
 * int8.c - products of bytes, exact in i32, by smmla.  The panel is that of tier neon: [(k + 7) /
 * 8] [32][8] bytes.  For one token to eight sdot does as much: its products need no pairs of rows.
 */
#include "config.h"

#include "simd/neonbf16/tile.h"

void omma_gemm_i8_8x8__neonbf16(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                                const int32_t *a_sums, const void *panel, int32_t *c,
                                size_t c_stride, bool accumulate)
{
    (void)a_sums;
    for (size_t p = 0; p == 0 || p < k; p += BLOCK_BYTES) {
        multiply_block(ELEMENT_I8, m, n, k - p < BLOCK_BYTES ? k - p : BLOCK_BYTES,
                       (const char *)(a + p), a_stride, (const char *)panel + p * COLUMNS,
                       (char *)c, c_stride * sizeof *c, accumulate || p > 0);
    }
}

/*
 * gemm.c - C[m][n] = A[m][k] x panel of bf16 by bfmmla.
 *
 * bfmmla adds two pairs of products, one after the other.  It rounds the sum of a pair, and the sum
 * with it, to odd, and takes subnormals for zero, on the way in and out (Arm Architecture Reference
 * Manual, DDI 0487, BFMMLA, where FPCR.EBF is 0, as Linux leaves it).
 */
#include "config.h"

#include "simd/neonbf16/tile.h"

enum { BLOCK_K = BLOCK_BYTES / 2, PAIR_ROW = 2 * COLUMNS /* bf16 of a panel's row */ };

/* k <= BLOCK_K rows of a panel, pairs of k, to groups of four. */
BODY void group_pairs(size_t k, const uint16_t *panel, char *groups)
{
    for (size_t p = 0; p < k; p += 4, panel += (size_t)2 * PAIR_ROW, groups += B_ROW) {
        bool has_next = p + 2 < k;

        UNROLL
        for (size_t j = 0; j < PAIR_ROW; j += 8) {
            uint32x4_t first = vreinterpretq_u32_u64(load(panel + j));
            uint32x4_t next =
                has_next ? vreinterpretq_u32_u64(load(panel + PAIR_ROW + j)) : vdupq_n_u32(0);

            store(groups + 4 * j, vreinterpretq_u64_u32(vzip1q_u32(first, next)));
            store(groups + 4 * j + PAIR, vreinterpretq_u64_u32(vzip2q_u32(first, next)));
        }
    }
}

void omma_gemm_bf16_8x8__neonbf16(size_t m, size_t n, size_t k, const uint16_t *a, size_t a_stride,
                                  const uint16_t *panel, float *c, size_t c_stride, bool accumulate)
{
    char groups[BLOCK * B_ROW] __attribute__((aligned(64)));

    for (size_t p = 0; p == 0 || p < k; p += BLOCK_K) {
        size_t k_here = k - p < BLOCK_K ? k - p : BLOCK_K;

        group_pairs(k_here, panel + p * COLUMNS, groups);
        multiply_block(ELEMENT_BF16, m, n, k_here * sizeof *a, (const char *)(a + p),
                       a_stride * sizeof *a, groups, (char *)c, c_stride * sizeof *c,
                       accumulate || p > 0);
    }
}

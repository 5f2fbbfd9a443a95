/*
 * tile.h - C[m][n] = A[m][k] x B by bfmmla or smmla: both multiply two rows by two columns over a
 * group of eight bytes of k (four bf16, eight i8), onto a square of two by two sums of 32 bits.
 *
 * A tile is up to eight rows by eight columns: sixteen squares in registers.  For a block of k the
 * rows of A are put into pairs once, group by group, for all tiles beside each other; the columns
 * of B, which are [groups][32][8 bytes], lie in pairs already.  An element of C is one chain over
 * the groups in order, which goes on in C from block to block: its bits depend neither on the
 * tile's height nor on n.
 */
#ifndef OMMA_SIMD_NEONBF16_TILE_H
#define OMMA_SIMD_NEONBF16_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/arm.h"
#include "simd/kernels.h"

#if !defined(OMMA_SIMDE) &&                                                                        \
    !(defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) && defined(__ARM_FEATURE_MATMUL_INT8))
#error "simd/neonbf16 is compiled without its flags"
#endif

enum {
    COLUMNS = OMMA_PANEL_COLUMNS,
    MR = 8,                     /* rows of a tile, and its columns */
    PAIRS = MR / 2,             /* of rows, of columns */
    GROUP = 8,                  /* bytes of k */
    PAIR = 2 * GROUP,           /* bytes of a vector */
    A_ROW = MR * GROUP,         /* bytes of a group of all rows of a tile */
    B_ROW = COLUMNS * GROUP,    /* bytes of a group of all columns */
    BLOCK = 64,                 /* groups: 4 KB of A and 16 KB of B stay in L1 */
    BLOCK_BYTES = BLOCK * GROUP /* of a row of A */
};

enum element { ELEMENT_BF16, ELEMENT_I8 };

/* Vectors of whatever elements. */
BODY uint64x2_t load(const void *from)
{
    return vreinterpretq_u64_u8(vld1q_u8(from));
}

BODY void store(void *to, uint64x2_t v)
{
    vst1q_u8(to, vreinterpretq_u8_u64(v));
}

/* The first n <= 16 bytes; the others are 0. */
BODY uint64x2_t load_first(const void *from, size_t n)
{
    char bytes[PAIR] = {0};

    memcpy(bytes, from, n);
    return load(bytes);
}

BODY uint64x2_t multiply_add(const enum element element, uint64x2_t sums, uint64x2_t a,
                             uint64x2_t b)
{
    if (element == ELEMENT_BF16) {
        return vreinterpretq_u64_f32(vbfmmlaq_f32(
            vreinterpretq_f32_u64(sums), vreinterpretq_bf16_u64(a), vreinterpretq_bf16_u64(b)));
    }
    return vreinterpretq_u64_s32(
        vmmlaq_s32(vreinterpretq_s32_u64(sums), vreinterpretq_s8_u64(a), vreinterpretq_s8_u64(b)));
}

/* m rows of n_bytes to pairs[group][PAIRS][2][8 bytes]; where m is odd the last one stands twice.
 */
BODY void pair_rows(size_t m, size_t n_bytes, const char *a, size_t row_bytes, char *pairs)
{
    for (size_t i = 0; i < m; i += 2, pairs += PAIR) {
        const char *row = a + i * row_bytes, *next = i + 1 < m ? row + row_bytes : row;
        size_t p = 0;

        for (; p + PAIR <= n_bytes; p += PAIR) {
            char *to = pairs + p / GROUP * A_ROW;

            store(to, vzip1q_u64(load(row + p), load(next + p)));
            store(to + A_ROW, vzip2q_u64(load(row + p), load(next + p)));
        }
        for (; p < n_bytes; p += GROUP) {
            size_t n_here = n_bytes - p < GROUP ? n_bytes - p : GROUP;

            store(pairs + p / GROUP * A_ROW,
                  vzip1q_u64(load_first(row + p, n_here), load_first(next + p, n_here)));
        }
    }
}

/* Rows of C: m <= 8 rows by n <= 8 columns of 32 bits, to which is added or not. */
struct output {
    size_t m, n;
    char *c;
    size_t row_bytes;
    bool accumulate;
};

/* Four columns of a row from the first on. */
BODY uint64x2_t load_sums(struct output output, size_t row, size_t first)
{
    const char *c = output.c + row * output.row_bytes + first * 4;

    if (row >= output.m || first >= output.n) {
        return vdupq_n_u64(0);
    }
    return output.n - first >= 4 ? load(c) : load_first(c, (output.n - first) * 4);
}

BODY void store_sums(struct output output, size_t row, size_t first, uint64x2_t sums)
{
    char *c = output.c + row * output.row_bytes + first * 4, bytes[PAIR];

    if (row >= output.m || first >= output.n) {
        return;
    }
    if (output.n - first >= 4) {
        store(c, sums);
    } else {
        store(bytes, sums);
        memcpy(c, bytes, (output.n - first) * 4);
    }
}

/* Tile of pairs x 2 rows by eight columns. */
BODY void tile(const int pairs, const enum element element, size_t n_groups, const char *a,
               const char *b, struct output output)
{
    uint64x2_t squares[PAIRS][PAIRS];

    UNROLL
    for (int i = 0; i < pairs; i++) {
        UNROLL
        for (int j = 0; j < PAIRS; j += 2) {
            size_t row = (size_t)2 * i, first = (size_t)2 * j;

            squares[i][j] = squares[i][j + 1] = vdupq_n_u64(0);
            if (output.accumulate) {
                uint64x2_t even = load_sums(output, row, first);
                uint64x2_t odd = load_sums(output, row + 1, first);

                squares[i][j] = vzip1q_u64(even, odd);
                squares[i][j + 1] = vzip2q_u64(even, odd);
            }
        }
    }
    for (size_t g = 0; g < n_groups; g++) {
        uint64x2_t va[PAIRS];

        UNROLL
        for (int i = 0; i < pairs; i++) {
            va[i] = load(a + g * A_ROW + i * PAIR);
        }
        UNROLL
        for (int j = 0; j < PAIRS; j++) {
            uint64x2_t vb = load(b + g * B_ROW + j * PAIR);

            UNROLL
            for (int i = 0; i < pairs; i++) {
                squares[i][j] = multiply_add(element, squares[i][j], va[i], vb);
            }
        }
    }
    UNROLL
    for (int i = 0; i < pairs; i++) {
        UNROLL
        for (int j = 0; j < PAIRS; j += 2) {
            size_t row = (size_t)2 * i, first = (size_t)2 * j;

            store_sums(output, row, first, vzip1q_u64(squares[i][j], squares[i][j + 1]));
            store_sums(output, row + 1, first, vzip2q_u64(squares[i][j], squares[i][j + 1]));
        }
    }
}

/* C[m][n] from n_bytes <= BLOCK_BYTES of each row of A. */
BODY void multiply_block(const enum element element, size_t m, size_t n, size_t n_bytes,
                         const char *a, size_t a_row_bytes, const char *b, char *c,
                         size_t c_row_bytes, bool accumulate)
{
    size_t n_groups = (n_bytes + GROUP - 1) / GROUP;
    char pairs[BLOCK * A_ROW] __attribute__((aligned(64)));

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        pair_rows(mr, n_bytes, a, a_row_bytes, pairs);
        for (size_t j = 0; j < n; j += MR) {
            struct output output = {
                .m = mr,
                .n = n - j < MR ? n - j : MR,
                .c = c + j * 4,
                .row_bytes = c_row_bytes,
                .accumulate = accumulate,
            };

            OMMA_WITH_CONSTANT_4((mr + 1) / 2, tile, element, n_groups, pairs, b + j * GROUP,
                                 output);
        }
        m -= mr;
        a += mr * a_row_bytes;
        c += mr * c_row_bytes;
    }
}

#endif

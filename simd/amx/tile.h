/*
 * tile.h - the tiles of AMX as the products of this tier use them: a block of 32 rows by 32 columns
 * of C in four tiles, two tiles of A, two of B.
 *
 * With OMMA_SIMDE simd/x86.h brings tests/simd/amx_model.h, the instructions in C, which fault
 * where the CPU does.
 */
#ifndef OMMA_SIMD_AMX_TILE_H
#define OMMA_SIMD_AMX_TILE_H

#if !defined(OMMA_SIMDE) && !defined(__AMX_INT8__) && !defined(__AMXINT8__) /* gcc, clang */
#error "simd/amx is compiled without its flags"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "simd/x86.h"

enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64, TILE_BYTES = TILE_ROWS * TILE_ROW_BYTES };

/* Tiles by number, as gcc's functions want them: C (upper left, upper right, lower left, lower
 * right), A (upper, lower), B (left, right). */
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0  4
#define A1  5
#define B0  6
#define B1  7
enum { N_TILES = 8 };

/* gcc's functions do not say that they read memory: what they read is written before this. */
static inline void tiles_read_memory(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The operand of ldtilecfg, palette 1. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t n_rows[16];
};

/* Configure the tiles for m <= 32 rows of C and A; where m is 16 or fewer the lower ones are there,
 * of one row, but not used.  All tiles become zero. */
static inline void tiles_configure(size_t m)
{
    struct tile_config config = {.palette = 1};
    uint8_t upper = (uint8_t)(m < TILE_ROWS ? m : TILE_ROWS);
    uint8_t lower = (uint8_t)(m > TILE_ROWS ? m - TILE_ROWS : 1);

    for (int tile = 0; tile < N_TILES; tile++) {
        config.row_bytes[tile] = TILE_ROW_BYTES;
        config.n_rows[tile] = TILE_ROWS;
    }
    config.n_rows[C00] = config.n_rows[C01] = config.n_rows[A0] = upper;
    config.n_rows[C10] = config.n_rows[C11] = config.n_rows[A1] = lower;
    tiles_read_memory();
    _tile_loadconfig(&config);
}

#endif

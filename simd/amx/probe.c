/*
 * probe.c - how fast tiles multiply and add.  A product takes 16 cycles, one for each row of A, and
 * its sums are there after 52: four sums take turns.
 */
#include "config.h"

#include "simd/amx/tile.h"
#include "simd/kernels.h"

enum { CHAINS = 4, TURNS = OMMA_PROBE_STEPS / TILE_ROWS / CHAINS, LANES = 16 };

/* Tiles of this value in every lane; sums of zero. */
static inline void begin(int32_t value)
{
    int32_t lanes[TILE_BYTES / 4];

    for (size_t i = 0; i < TILE_BYTES / 4; i++) {
        lanes[i] = value;
    }
    tiles_configure(2 * TILE_ROWS);
    tiles_read_memory();
    _tile_loadd(A0, lanes, TILE_ROW_BYTES);
    _tile_loadd(B0, lanes, TILE_ROW_BYTES);
}

uint64_t omma_probe_bf16_dot__amx(uint64_t n_rounds)
{
    volatile int32_t pair = 0x1F801F80; /* two bf16 2^-64 */

    begin(pair);
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        _tile_dpbf16ps(C00, A0, B0);
        _tile_dpbf16ps(C01, A0, B0);
        _tile_dpbf16ps(C10, A0, B0);
        _tile_dpbf16ps(C11, A0, B0);
    }
    _tile_release();
    return n_rounds * OMMA_PROBE_STEPS * LANES * 32;
}

uint64_t omma_probe_i8_dot__amx(uint64_t n_rounds)
{
    volatile int32_t bytes = 0x01010101;

    begin(bytes);
    for (uint64_t turn = 0; turn < n_rounds * TURNS; turn++) {
        _tile_dpbssd(C00, A0, B0);
        _tile_dpbssd(C01, A0, B0);
        _tile_dpbssd(C10, A0, B0);
        _tile_dpbssd(C11, A0, B0);
    }
    _tile_release();
    return n_rounds * OMMA_PROBE_STEPS * LANES * 64;
}

/*
 * amx_model.h - the tiles of AMX in C, under Intel's names, from the operations as the Software
 * Developer's Manual writes them (volume 2, chapter "AMX instruction set").
 *
 * A tile that is not configured, shapes that do not fit each other, and a wrong configuration fail
 * the test, where the CPU faults (#UD, #GP).  The state is the thread's; palette 1 alone.
 */
#ifndef OMMA_TESTS_SIMD_AMX_MODEL_H
#define OMMA_TESTS_SIMD_AMX_MODEL_H

#include <stddef.h>

void omma_amx_loadconfig(const void *config);
void omma_amx_release(void);
void omma_amx_zero(int tile);
void omma_amx_loadd(int tile, const void *base, size_t stride);
void omma_amx_stored(int tile, void *base, size_t stride);
/* Sums of bf16 pairs: fused multiply-adds of the even and the odd elements apart, then added up;
 * subnormals are zero on the way in and out; rounded to nearest even. */
void omma_amx_dpbf16ps(int c, int a, int b);
/* Sums of four signed bytes by four signed bytes, modulo 2^32. */
void omma_amx_dpbssd(int c, int a, int b);

#define _tile_loadconfig omma_amx_loadconfig
#define _tile_release    omma_amx_release
#define _tile_zero       omma_amx_zero
#define _tile_loadd      omma_amx_loadd
#define _tile_stored     omma_amx_stored
#define _tile_dpbf16ps   omma_amx_dpbf16ps
#define _tile_dpbssd     omma_amx_dpbssd

#endif

/* pack.c - panels of bytes for gemm_i8.c: [(k + 3) / 4][32][4], as they are. */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#include "simd/tmpl/pack_512.h"

size_t omma_panel_i8_bytes__amx(size_t k)
{
    return panel_rows(BYTES, k) * ROW_BYTES;
}

void omma_pack_rows_i8__amx(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    pack_rows(BYTES, n, k, source, stride, panel);
}

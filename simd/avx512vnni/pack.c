/* pack.c - panels of bytes for gemm.c: [(k + 3) / 4][32][4] of w + 128. */
#include "config.h"

#include "simd/avx512vnni/vec.h"
#include "simd/kernels.h"

#include "simd/tmpl/pack_512.h"

size_t omma_panel_i8_bytes__avx512vnni(size_t k)
{
    return panel_rows(BYTES_U8, k) * ROW_BYTES;
}

void omma_pack_rows_i8__avx512vnni(size_t n, size_t k, const int8_t *source, size_t stride,
                                   void *panel)
{
    pack_rows(BYTES_U8, n, k, source, stride, panel);
}

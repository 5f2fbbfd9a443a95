/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T of bf16, m <= 8, by vdpbf16ps with 512-bit vectors; W is
 * read as it lies, once, in the order of memory: one sequential stream.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemv.c of the tier avx512bf16 is compiled without its flags"
#endif

#include "simd/tmpl/gemv_512.h"

/* Thirty-two bf16, all or the first of them. */
BODY __m512bh load_bf16(const uint16_t *x)
{
    return (__m512bh)_mm512_loadu_si512(x);
}

BODY __m512bh load_first_bf16(const uint16_t *x, __mmask32 mask)
{
    return (__m512bh)_mm512_maskz_loadu_epi16(mask, x);
}

enum { LINE_BYTES = 64, LINE_BF16 = LINE_BYTES / 2 };

/* A tensor of a checkpoint begins at any multiple of 8 bytes, and loads that straddle two lines are
 * slow: on Zen 5 a core reads 34 GB/s by them, 40 by whole lines, from which the same vectors are
 * put together. Reads no element behind the piece. */
BODY size_t straddling_bf16(const int m, size_t k, const uint16_t *x, size_t x_stride,
                            const uint16_t *w, const uint16_t *next, __m512 *even, __m512 *odd)
{
    const size_t n_before = (uintptr_t)w % LINE_BYTES / 2; /* elements of the first line */
    const uint16_t *lines = w - n_before;
    const __m512i in_line = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i index = _mm512_add_epi64(_mm512_set1_epi64((int64_t)n_before / 4), in_line);
    __m512i last = _mm512_maskz_loadu_epi16(~(__mmask32)0 << n_before, lines);
    size_t p = 0;

    for (; p + 3 * LINE_BF16 <= k; p += 2 * LINE_BF16) {
        __m512i middle = _mm512_load_si512(lines + p + LINE_BF16);
        __m512i end = _mm512_load_si512(lines + p + 2 * LINE_BF16);
        __m512bh vw_even = (__m512bh)_mm512_permutex2var_epi64(last, index, middle);
        __m512bh vw_odd = (__m512bh)_mm512_permutex2var_epi64(middle, index, end);

        last = end;
        if (m > 1) {
            prefetch((const char *)(next + p), 2 * LINE_BYTES);
        }
        UNROLL
        for (int i = 0; i < m; i++) {
            const uint16_t *vx = x + (size_t)i * x_stride + p;

            even[i] = _mm512_dpbf16_ps(even[i], load_bf16(vx), vw_even);
            odd[i] = _mm512_dpbf16_ps(odd[i], load_bf16(vx + LINE_BF16), vw_odd);
        }
    }
    return p;
}

BODY void piece_bf16(const int m, size_t k, const uint16_t *x, size_t x_stride, const uint16_t *w,
                     const uint16_t *next, struct sums *sums)
{
    const size_t n_whole = k / 64 * 64; /* "p + 64 <= k" costs instructions, 5 % of the speed */
    __m512 even[M], odd[M];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < m; i++) {
        even[i] = sums->even[i];
        odd[i] = sums->odd[i];
    }
    if ((uintptr_t)w % LINE_BYTES != 0 && (uintptr_t)w % 8 == 0) {
        p = straddling_bf16(m, k, x, x_stride, w, next, even, odd);
    }
    for (; p < n_whole; p += 64) {
        __m512bh vw_even = load_bf16(w + p), vw_odd = load_bf16(w + p + 32);

        if (m > 1) {
            prefetch((const char *)(next + p), 128);
        }
        UNROLL
        for (int i = 0; i < m; i++) {
            const uint16_t *vx = x + (size_t)i * x_stride + p;

            even[i] = _mm512_dpbf16_ps(even[i], load_bf16(vx), vw_even);
            odd[i] = _mm512_dpbf16_ps(odd[i], load_bf16(vx + 32), vw_odd);
        }
    }
    if (p < k) {
        __mmask32 mask_even = (__mmask32)((UINT64_C(1) << (k - p < 32 ? k - p : 32)) - 1);
        __mmask32 mask_odd = (__mmask32)((UINT64_C(1) << (k - p < 32 ? 0 : k - p - 32)) - 1);
        __m512bh vw_even = load_first_bf16(w + p, mask_even);
        __m512bh vw_odd = load_first_bf16(w + p + 32, mask_odd);

        UNROLL
        for (int i = 0; i < m; i++) {
            const uint16_t *vx = x + (size_t)i * x_stride + p;

            even[i] = _mm512_dpbf16_ps(even[i], load_first_bf16(vx, mask_even), vw_even);
            odd[i] = _mm512_dpbf16_ps(odd[i], load_first_bf16(vx + 32, mask_odd), vw_odd);
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        sums->even[i] = even[i];
        sums->odd[i] = odd[i];
    }
}

BODY void rows_bf16(const int m, size_t n, size_t k, const uint16_t *x, size_t x_stride,
                    const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    const size_t k_block = k_block_of((size_t)m, sizeof *x);
    struct sums sums[GROUP];

    for (size_t j = 0; (m == 1 || k <= k_block) && j < n; j++, w += w_stride) {
        clear(m, sums);
        piece_bf16(m, k, x, x_stride, w, w + AHEAD_BYTES / sizeof *w, sums);
        finish(m, sums, y + j, y_stride);
    }
    for (size_t j = 0; m > 1 && k > k_block && j < n; j += GROUP, w += GROUP * w_stride) {
        size_t n_here = n - j < GROUP ? n - j : GROUP;

        for (size_t r = 0; r < n_here; r++) {
            clear(m, &sums[r]);
        }
        for (size_t p = 0; p < k; p += k_block) {
            const uint16_t *piece = w + p;

            for (size_t r = 0; r < n_here; r++, piece += w_stride) {
                piece_bf16(m, k - p < k_block ? k - p : k_block, x + p, x_stride, piece,
                           piece + w_stride, &sums[r]);
            }
        }
        for (size_t r = 0; r < n_here; r++) {
            finish(m, &sums[r], y + j + r, y_stride);
        }
    }
}

void omma_gemv_bf16_bf16w_8x1__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                          size_t x_stride, const uint16_t *w, size_t w_stride,
                                          float *y, size_t y_stride)
{
    switch (m) {
    case 1:
        rows_bf16(1, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 2:
        rows_bf16(2, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 3:
        rows_bf16(3, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 4:
        rows_bf16(4, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 5:
        rows_bf16(5, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 6:
        rows_bf16(6, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 7:
        rows_bf16(7, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    case 8:
        rows_bf16(8, n, k, x, x_stride, w, w_stride, y, y_stride);
        break;
    }
}

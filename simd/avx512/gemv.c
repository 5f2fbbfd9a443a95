/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T, m <= 8, with 512-bit vectors; W is read as it lies, once,
 * in the order of memory: one sequential stream.
 *
 * A sum over k runs in two vectors, over the even and the odd vectors of k, added up at the end:
 * the same for every m, so that the bits of a row of y depend on no other row.
 */
#include "config.h"

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

#include "simd/tmpl/gemv_512.h"

enum weight { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16, WEIGHT_I8 };

BODY size_t bytes_of(const enum weight type)
{
    return type == WEIGHT_F32 ? 4 : type == WEIGHT_I8 ? 1 : 2;
}

/* Sixteen weights as f32. */
BODY __m512 load_weights(const enum weight type, const char *w)
{
    __m256i half;

    if (type == WEIGHT_F32) {
        return _mm512_loadu_ps(w);
    }
    if (type == WEIGHT_I8) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)w)));
    }
    half = _mm256_loadu_si256((const void *)w);
    if (type == WEIGHT_F16) {
        return _mm512_cvtph_ps(half);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* The first of sixteen weights, as the mask says; the others are 0. */
BODY __m512 load_first_weights(const enum weight type, const char *w, __mmask16 mask)
{
    __m256i half;

    if (type == WEIGHT_F32) {
        return _mm512_maskz_loadu_ps(mask, w);
    }
    if (type == WEIGHT_I8) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, w)));
    }
    half = _mm256_maskz_loadu_epi16(mask, w);
    if (type == WEIGHT_F16) {
        return _mm512_cvtph_ps(half);
    }
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* k elements of a row of W with m rows of x, onto the sums; next is the piece after this one. */
BODY void piece_f32(const int m, const enum weight type, size_t k, const float *x, size_t x_stride,
                    const char *w, const char *next, struct sums *sums)
{
    const size_t bytes = bytes_of(type);
    __m512 even[M], odd[M];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < m; i++) {
        even[i] = sums->even[i];
        odd[i] = sums->odd[i];
    }
    for (; p + 32 <= k; p += 32) {
        __m512 vw_even = load_weights(type, w + p * bytes);
        __m512 vw_odd = load_weights(type, w + (p + 16) * bytes);

        if (m > 1) {
            prefetch(next + p * bytes, 32 * bytes);
        }
        UNROLL
        for (int i = 0; i < m; i++) {
            const float *vx = x + (size_t)i * x_stride + p;

            even[i] = _mm512_fmadd_ps(_mm512_loadu_ps(vx), vw_even, even[i]);
            odd[i] = _mm512_fmadd_ps(_mm512_loadu_ps(vx + 16), vw_odd, odd[i]);
        }
    }
    if (p < k) {
        __mmask16 mask_even = vec_first(k - p < 16 ? k - p : 16);
        __mmask16 mask_odd = vec_first(k - p < 16 ? 0 : k - p - 16);
        __m512 vw_even = load_first_weights(type, w + p * bytes, mask_even);
        __m512 vw_odd = load_first_weights(type, w + (p + 16) * bytes, mask_odd);

        UNROLL
        for (int i = 0; i < m; i++) {
            const float *vx = x + (size_t)i * x_stride + p;

            even[i] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask_even, vx), vw_even, even[i]);
            odd[i] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask_odd, vx + 16), vw_odd, odd[i]);
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        sums->even[i] = even[i];
        sums->odd[i] = odd[i];
    }
}

BODY void rows_f32(const int m, const enum weight type, size_t n, size_t k, const float *x,
                   size_t x_stride, const void *w, size_t w_stride, float *y, size_t y_stride)
{
    const size_t bytes = bytes_of(type);
    const size_t row_bytes = w_stride * bytes, k_block = k_block_of((size_t)m, sizeof *x);
    const char *row = w;
    struct sums sums[GROUP];

    for (size_t j = 0; (m == 1 || k <= k_block) && j < n; j++, row += row_bytes) {
        clear(m, sums);
        piece_f32(m, type, k, x, x_stride, row, row + AHEAD_BYTES, sums);
        finish(m, sums, y + j, y_stride);
    }
    for (size_t j = 0; m > 1 && k > k_block && j < n; j += GROUP, row += GROUP * row_bytes) {
        size_t n_here = n - j < GROUP ? n - j : GROUP;

        for (size_t r = 0; r < n_here; r++) {
            clear(m, &sums[r]);
        }
        for (size_t p = 0; p < k; p += k_block) {
            const char *piece = row + p * bytes;

            for (size_t r = 0; r < n_here; r++, piece += row_bytes) {
                piece_f32(m, type, k - p < k_block ? k - p : k_block, x + p, x_stride, piece,
                          piece + row_bytes, &sums[r]);
            }
        }
        for (size_t r = 0; r < n_here; r++) {
            finish(m, &sums[r], y + j + r, y_stride);
        }
    }
}

BODY void gemv_f32(const enum weight type, size_t m, size_t n, size_t k, const float *x,
                   size_t x_stride, const void *w, size_t w_stride, float *y, size_t y_stride)
{
    OMMA_WITH_CONSTANT_8(m, rows_f32, type, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_f32w_8x1__avx512(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                    const float *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv_f32(WEIGHT_F32, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_bf16w_8x1__avx512(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                     const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv_f32(WEIGHT_BF16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_f16w_8x1__avx512(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                    const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv_f32(WEIGHT_F16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_i8w_8x1__avx512(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                   const int8_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv_f32(WEIGHT_I8, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T, m <= 8, with 256-bit FMA; W is read as it lies, once, in
 * the order of memory: one sequential stream.
 *
 * A sum over k runs in four vectors, vector v of k in sum v modulo 4, added up at the end: the same
 * for every m, so that the bits of a row of y depend on no other row.  Three rows of x at a time go
 * over a row of W, which is in L1 for the next three.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

#define BODY   static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 4")

enum { MR = 3, SUMS = 4, LANES = 8, STEP = SUMS * LANES };

enum weight { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16 };

BODY __m256 widen(const enum weight type, __m128i half)
{
    if (type == WEIGHT_F16) {
        return _mm256_cvtph_ps(half);
    }
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* Eight weights as f32. */
BODY __m256 load_weights(const enum weight type, const char *w)
{
    if (type == WEIGHT_F32) {
        return _mm256_loadu_ps((const void *)w);
    }
    return widen(type, _mm_loadu_si128((const void *)w));
}

/* The first n < 8 of them; the others are 0. */
BODY __m256 load_first_weights(const enum weight type, const char *w, size_t n)
{
    if (type == WEIGHT_F32) {
        return _mm256_maskload_ps((const void *)w, vec_first(n));
    }
    return widen(type, vec_u16_load_tail((const void *)w, n));
}

/* One row of W with m rows of x: y[0], y[y_stride], ... */
BODY void row(const int m, const enum weight type, size_t k, const float *x, size_t x_stride,
              const char *w, float *y, size_t y_stride)
{
    const size_t bytes = type == WEIGHT_F32 ? 4 : 2;
    __m256 sums[MR][SUMS];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int s = 0; s < SUMS; s++) {
            sums[i][s] = _mm256_setzero_ps();
        }
    }
    for (; p + STEP <= k; p += STEP) {
        UNROLL
        for (int s = 0; s < SUMS; s++) {
            __m256 vw = load_weights(type, w + (p + (size_t)s * LANES) * bytes);

            UNROLL
            for (int i = 0; i < m; i++) {
                __m256 vx = _mm256_loadu_ps(x + (size_t)i * x_stride + p + s * LANES);

                sums[i][s] = _mm256_fmadd_ps(vx, vw, sums[i][s]);
            }
        }
    }
    UNROLL
    for (int s = 0; s < SUMS; s++) {
        size_t at = p + (size_t)s * LANES;
        size_t n_here = at >= k ? 0 : k - at < LANES ? k - at : LANES;
        __m256i first = vec_first(n_here);
        __m256 vw;

        if (n_here == 0) {
            break;
        }
        vw = n_here == LANES ? load_weights(type, w + at * bytes)
                             : load_first_weights(type, w + at * bytes, n_here);
        UNROLL
        for (int i = 0; i < m; i++) {
            __m256 vx = _mm256_maskload_ps(x + (size_t)i * x_stride + at, first);

            sums[i][s] = _mm256_fmadd_ps(vx, vw, sums[i][s]);
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[i][0], sums[i][1]),
                                   _mm256_add_ps(sums[i][2], sums[i][3]));

        y[(size_t)i * y_stride] = vec_sum(sum);
    }
}

BODY void rows(const enum weight type, size_t m, size_t n, size_t k, const float *x,
               size_t x_stride, const void *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        const char *w_row = (const char *)w + j * w_stride * (type == WEIGHT_F32 ? 4 : 2);
        size_t i = 0;

        for (; i + MR <= m; i += MR) {
            row(MR, type, k, x + i * x_stride, x_stride, w_row, y + i * y_stride + j, y_stride);
        }
        if (m - i == 2) {
            row(2, type, k, x + i * x_stride, x_stride, w_row, y + i * y_stride + j, y_stride);
        } else if (m - i == 1) {
            row(1, type, k, x + i * x_stride, x_stride, w_row, y + i * y_stride + j, y_stride);
        }
    }
}

void omma_gemv_f32_f32w_3x1__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const float *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_F32, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_bf16w_3x1__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                   const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_BF16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_f16w_3x1__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_F16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

/*
 * weighted_sum.c - y[m][n] += p[m][k] V[k][n], m <= 8, with 256-bit FMA.
 *
 * Tiles of y, up to four rows by two vectors, stay in registers while K_BLOCK rows of V go by,
 * which then lie in L1 for the next tile: V is read from memory once.  An element of y is one chain
 * of FMAs in the order of k, whatever the tile.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum { K_BLOCK = 64, MR = 4, NV = 2, LANES = 8 };

enum value { VALUE_F32, VALUE_BF16 };

/* The first n of eight values of V as f32; the others are 0. */
BODY __m256 load_values(const enum value type, const char *v, size_t n)
{
    __m128i half;

    if (type == VALUE_F32) {
        return n == LANES ? _mm256_loadu_ps((const void *)v)
                          : _mm256_maskload_ps((const void *)v, vec_first(n));
    }
    half = n == LANES ? _mm_loadu_si128((const void *)v) : vec_u16_load_tail((const void *)v, n);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

struct operands {
    size_t k;
    const float *p;
    size_t p_stride;
    const char *v;
    size_t v_row_bytes;
    float *y;
    size_t y_stride;
};

/* mr rows of y by nv vectors, the last of which has n_last columns. */
BODY void tile(const int mr, const int nv, const enum value type, struct operands o, size_t n_last)
{
    const size_t vector_bytes = type == VALUE_F32 ? 32 : 16;
    __m256 sums[MR][NV];
    __m256i last = vec_first(n_last);

    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            const float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            sums[i][j] = j + 1 < nv ? _mm256_loadu_ps(y) : _mm256_maskload_ps(y, last);
        }
    }
    for (size_t t = 0; t < o.k; t++) {
        __m256 weights[MR];

        UNROLL
        for (int i = 0; i < mr; i++) {
            weights[i] = _mm256_set1_ps(o.p[(size_t)i * o.p_stride + t]);
        }
        UNROLL
        for (int j = 0; j < nv; j++) {
            const char *v = o.v + t * o.v_row_bytes + (size_t)j * vector_bytes;
            __m256 values = load_values(type, v, j + 1 < nv ? LANES : n_last);

            UNROLL
            for (int i = 0; i < mr; i++) {
                sums[i][j] = _mm256_fmadd_ps(weights[i], values, sums[i][j]);
            }
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            if (j + 1 < nv) {
                _mm256_storeu_ps(y, sums[i][j]);
            } else {
                _mm256_maskstore_ps(y, last, sums[i][j]);
            }
        }
    }
}

/* mr rows by n <= 16 columns; whole vectors get a body without tails. */
BODY void columns(const int mr, const enum value type, struct operands o, size_t n)
{
    if (n == NV * LANES) {
        tile(mr, 2, type, o, LANES);
    } else if (n > LANES) {
        tile(mr, 2, type, o, n - LANES);
    } else {
        tile(mr, 1, type, o, n);
    }
}

/* m <= 4 rows by n <= 16 columns. */
BODY void rows(const enum value type, struct operands o, size_t m, size_t n)
{
    OMMA_WITH_CONSTANT_4(m, columns, type, o, n);
}

BODY void weighted_sum(const enum value type, struct operands all, size_t m, size_t n)
{
    const size_t element_bytes = type == VALUE_F32 ? 4 : 2;

    for (size_t t = 0; t < all.k; t += K_BLOCK) {
        for (size_t i = 0; i < m; i += MR) {
            for (size_t j = 0; j < n; j += NV * LANES) {
                struct operands o = all;

                o.k = all.k - t < K_BLOCK ? all.k - t : K_BLOCK;
                o.p += i * o.p_stride + t;
                o.v += t * o.v_row_bytes + j * element_bytes;
                o.y += i * o.y_stride + j;
                rows(type, o, m - i < MR ? m - i : MR, n - j < NV * LANES ? n - j : NV * LANES);
            }
        }
    }
}

void omma_weighted_sum_f32_4x16__avx2(size_t m, size_t n, size_t k, const float *p, size_t p_stride,
                                      const float *v, size_t v_stride, float *y, size_t y_stride)
{
    struct operands all = {
        .k = k,
        .p = p,
        .p_stride = p_stride,
        .v = (const char *)v,
        .v_row_bytes = v_stride * sizeof *v,
        .y = y,
        .y_stride = y_stride,
    };

    weighted_sum(VALUE_F32, all, m, n);
}

void omma_weighted_sum_bf16_4x16__avx2(size_t m, size_t n, size_t k, const float *p,
                                       size_t p_stride, const uint16_t *v, size_t v_stride,
                                       float *y, size_t y_stride)
{
    struct operands all = {
        .k = k,
        .p = p,
        .p_stride = p_stride,
        .v = (const char *)v,
        .v_row_bytes = v_stride * sizeof *v,
        .y = y,
        .y_stride = y_stride,
    };

    weighted_sum(VALUE_BF16, all, m, n);
}

/*
 * weighted_sum.c - y[m][n] += p[m][k] V[k][n], m <= 8, with 512-bit vectors.
 *
 * Tiles of y, up to four rows by four vectors, stay in registers while K_BLOCK rows of V go by,
 * which then lie in L1 for the next tile: V is read from memory once.  An element of y is one chain
 * of FMAs in the order of k, whatever the tile.
 */
#include "config.h"

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

enum { K_BLOCK = 64, MR = 4, NV = 4, LANES = 16 };

enum value { VALUE_F32, VALUE_BF16 };

/* Sixteen values of V as f32, those that the mask names. */
BODY __m512 load_values(const enum value type, const char *v, __mmask16 mask)
{
    if (type == VALUE_F32) {
        return _mm512_maskz_loadu_ps(mask, v);
    }
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, v)), 16));
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

/* mr rows of y by nv vectors, the last of which has the lanes of the mask. */
BODY void tile(const int mr, const int nv, const enum value type, struct operands o, __mmask16 last)
{
    const size_t vector_bytes = type == VALUE_F32 ? 64 : 32;
    __m512 sums[MR][NV];
    __mmask16 masks[NV];

    UNROLL
    for (int j = 0; j < nv; j++) {
        masks[j] = j + 1 < nv ? (__mmask16)0xFFFF : last;
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            const float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            sums[i][j] = _mm512_maskz_loadu_ps(masks[j], y);
        }
    }
    for (size_t t = 0; t < o.k; t++) {
        __m512 weights[MR];

        UNROLL
        for (int i = 0; i < mr; i++) {
            weights[i] = _mm512_set1_ps(o.p[(size_t)i * o.p_stride + t]);
        }
        UNROLL
        for (int j = 0; j < nv; j++) {
            const char *v = o.v + t * o.v_row_bytes + (size_t)j * vector_bytes;
            __m512 values = load_values(type, v, masks[j]);

            if (mr > 1 && (type == VALUE_F32 || j % 2 == 0)) {
                _mm_prefetch(v + K_BLOCK * o.v_row_bytes, _MM_HINT_T0);
            }
            UNROLL
            for (int i = 0; i < mr; i++) {
                sums[i][j] = _mm512_fmadd_ps(weights[i], values, sums[i][j]);
            }
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            _mm512_mask_storeu_ps(y, masks[j], sums[i][j]);
        }
    }
}

/* mr rows by n <= 64 columns. */
BODY void columns(const int mr, const enum value type, struct operands o, size_t n)
{
    __mmask16 last = vec_first((n - 1) % LANES + 1);

    switch ((n + LANES - 1) / LANES) {
    case 1:
        tile(mr, 1, type, o, last);
        break;
    case 2:
        tile(mr, 2, type, o, last);
        break;
    case 3:
        tile(mr, 3, type, o, last);
        break;
    case 4:
        tile(mr, 4, type, o, last);
        break;
    }
}

/* m <= 4 rows by n <= 64 columns. */
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

void omma_weighted_sum_f32_4x64__avx512(size_t m, size_t n, size_t k, const float *p,
                                        size_t p_stride, const float *v, size_t v_stride, float *y,
                                        size_t y_stride)
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

void omma_weighted_sum_bf16_4x64__avx512(size_t m, size_t n, size_t k, const float *p,
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

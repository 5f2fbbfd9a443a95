/*
 * weighted_sum.c - y[m][n] += p[m][k] V[k][n], m <= 8, by FMA.
 *
 * Tiles of y, up to four rows by four vectors, stay in registers while K_BLOCK rows of V go by,
 * which then lie in L1 for the next tile: V is read from memory once.  An element of y is one chain
 * of FMAs in the order of k, whatever the tile.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { K_BLOCK = 64, MR = 4, NV = 4, LANES = 4 };

enum value { VALUE_F32, VALUE_BF16 };

/* The first n of four values of V as f32; the others are 0. */
BODY float32x4_t load_values(const enum value type, const void *v, size_t n)
{
    uint16x4_t halves;

    if (type == VALUE_F32) {
        return n == LANES ? vld1q_f32(v) : vec_load_tail(v, n, vec_set(0));
    }
    halves = n == LANES ? vld1_u16(v) : vec_u16_load_tail(v, n);
    return vec_of_bits(vec_i32_left_16(vec_u16_widen(halves)));
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
    const size_t vector_bytes = type == VALUE_F32 ? 16 : 8;
    float32x4_t sums[MR][NV];

    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            const float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            sums[i][j] = load_values(VALUE_F32, y, j + 1 < nv ? LANES : n_last);
        }
    }
    for (size_t t = 0; t < o.k; t++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            const char *v = o.v + t * o.v_row_bytes + (size_t)j * vector_bytes;
            float32x4_t values = load_values(type, v, j + 1 < nv ? LANES : n_last);

            UNROLL
            for (int i = 0; i < mr; i++) {
                sums[i][j] = vfmaq_n_f32(sums[i][j], values, o.p[(size_t)i * o.p_stride + t]);
            }
        }
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            float *y = o.y + (size_t)i * o.y_stride + LANES * j;

            if (j + 1 < nv || n_last == LANES) {
                vst1q_f32(y, sums[i][j]);
            } else {
                vec_store_tail(y, n_last, sums[i][j]);
            }
        }
    }
}

/* mr rows by n <= 16 columns; whole vectors get a body without tails. */
BODY void columns(const int mr, const enum value type, struct operands o, size_t n)
{
    size_t n_last = (n - 1) % LANES + 1;

    if (n == (size_t)NV * LANES) {
        tile(mr, 4, type, o, LANES);
    } else if (n > (size_t)3 * LANES) {
        tile(mr, 4, type, o, n_last);
    } else if (n > (size_t)2 * LANES) {
        tile(mr, 3, type, o, n_last);
    } else if (n > LANES) {
        tile(mr, 2, type, o, n_last);
    } else {
        tile(mr, 1, type, o, n_last);
    }
}

BODY void weighted_sum(const enum value type, struct operands all, size_t m, size_t n)
{
    const size_t element_bytes = type == VALUE_F32 ? 4 : 2;

    for (size_t t = 0; t < all.k; t += K_BLOCK) {
        for (size_t i = 0; i < m; i += MR) {
            for (size_t j = 0; j < n; j += (size_t)NV * LANES) {
                size_t n_here = n - j < (size_t)NV * LANES ? n - j : (size_t)NV * LANES;
                struct operands o = all;

                o.k = all.k - t < K_BLOCK ? all.k - t : K_BLOCK;
                o.p += i * o.p_stride + t;
                o.v += t * o.v_row_bytes + j * element_bytes;
                o.y += i * o.y_stride + j;
                OMMA_WITH_CONSTANT_4(m - i < MR ? m - i : MR, columns, type, o, n_here);
            }
        }
    }
}

void omma_weighted_sum_f32_4x16__neon(size_t m, size_t n, size_t k, const float *p, size_t p_stride,
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

void omma_weighted_sum_bf16_4x16__neon(size_t m, size_t n, size_t k, const float *p,
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

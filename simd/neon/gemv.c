/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T, m <= 8, by FMA; W is read as it lies, once, in the order of
 * memory: one sequential stream.
 *
 * A sum over k runs in eight vectors, vector v of k in sum v modulo 8, added up at the end: the
 * same for every m, so that the bits of a row of y depend on no other row.  Three rows of x at a
 * time go over a row of W, which is in L1 for the next three.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { MR = 3, LANES = 4, GROUP = 8 /* weights of one load */, SUMS = 8, STEP = SUMS * LANES };

enum weight { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16, WEIGHT_I8 };

BODY size_t weight_bytes(const enum weight type)
{
    return type == WEIGHT_F32 ? 4 : type == WEIGHT_I8 ? 1 : 2;
}

/* The lower or upper four of eight weights as f32. */
BODY float32x4_t load_half(const enum weight type, const int half, const void *w)
{
    if (type == WEIGHT_F32) {
        return vld1q_f32((const float *)w + half * LANES);
    }
    if (type == WEIGHT_BF16) {
        uint16x8_t zero = vdupq_n_u16(0), all = vld1q_u16(w);

        return vreinterpretq_f32_u16(half == 0 ? vzip1q_u16(zero, all) : vzip2q_u16(zero, all));
    }
    if (type == WEIGHT_F16) {
        uint16x8_t all = vld1q_u16(w);

        return vec_of_f16(half == 0 ? vget_low_u16(all) : vget_high_u16(all));
    } else {
        int16x8_t all = vmovl_s8(vld1_s8(w));

        return vcvtq_f32_s32(vmovl_s16(half == 0 ? vget_low_s16(all) : vget_high_s16(all)));
    }
}

/* The sums of one row of W with one row of x. */
struct sums {
    float32x4_t v[SUMS];
};

BODY float total(const struct sums *sums)
{
    const float32x4_t *v = sums->v;
    float32x4_t low = vaddq_f32(vaddq_f32(v[0], v[1]), vaddq_f32(v[2], v[3]));
    float32x4_t high = vaddq_f32(vaddq_f32(v[4], v[5]), vaddq_f32(v[6], v[7]));

    return vec_sum(vaddq_f32(low, high));
}

BODY void add_step(const int m, const enum weight type, struct sums sums[MR], const float *x,
                   size_t x_stride, const char *w)
{
    UNROLL
    for (int s = 0; s < SUMS; s++) {
        float32x4_t vw = load_half(type, s % 2, w + (size_t)(s / 2 * GROUP) * weight_bytes(type));

        UNROLL
        for (int i = 0; i < m; i++) {
            float32x4_t vx = vld1q_f32(x + (size_t)i * x_stride + s * LANES);

            sums[i].v[s] = vfmaq_f32(sums[i].v[s], vx, vw);
        }
    }
}

/* One row of W with m rows of x: y[0], y[y_stride], ...; x_rest has what is no whole step of x,
 * filled up with zeros. */
BODY void row(const int m, const enum weight type, size_t k, const float *x, size_t x_stride,
              const float x_rest[][STEP], const char *w, float *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    char w_rest[STEP * sizeof(float)] = {0};
    struct sums sums[MR];

    /* before there are sums: a call would keep them from the registers */
    memcpy(w_rest, w + n_whole * weight_bytes(type), (k - n_whole) * weight_bytes(type));
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int s = 0; s < SUMS; s++) {
            sums[i].v[s] = vdupq_n_f32(0);
        }
    }
    for (size_t p = 0; p < n_whole; p += STEP) {
        add_step(m, type, sums, x + p, x_stride, w + p * weight_bytes(type));
    }
    if (n_whole < k) {
        add_step(m, type, sums, x_rest[0], STEP, w_rest);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        y[(size_t)i * y_stride] = total(&sums[i]);
    }
}

BODY void rows(const enum weight type, size_t m, size_t n, size_t k, const float *x,
               size_t x_stride, const void *w, size_t w_stride, float *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    float x_rest[OMMA_GEMV_MAX_M][STEP] = {{0}};

    for (size_t i = 0; i < m; i++) {
        memcpy(x_rest[i], x + i * x_stride + n_whole, (k - n_whole) * sizeof *x);
    }
    for (size_t j = 0; j < n; j++) {
        const char *w_row = (const char *)w + j * w_stride * weight_bytes(type);

        for (size_t i = 0; i < m; i += MR) {
            OMMA_WITH_CONSTANT_3(m - i < MR ? m - i : MR, row, type, k, x + i * x_stride, x_stride,
                                 x_rest + i, w_row, y + i * y_stride + j, y_stride);
        }
    }
}

void omma_gemv_f32_f32w_3x1__neon(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const float *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_F32, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_bf16w_3x1__neon(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                   const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_BF16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_f16w_3x1__neon(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_F16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_i8w_3x1__neon(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                 const int8_t *w, size_t w_stride, float *y, size_t y_stride)
{
    rows(WEIGHT_I8, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

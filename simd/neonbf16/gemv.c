/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T of bf16 x, m <= 8, by bfdot, which rounds as bfmmla does
 * (gemm.c); W of bf16 or bytes is read as it lies, once, in the order of memory: one sequential
 * stream.
 *
 * A sum over k runs in four vectors, vector v of k in sum v modulo 4, added up at the end: the same
 * for every m, so that the bits of a row of y depend on no other row.  Four rows of x at a time go
 * over a row of W, which is in L1 for the next four.
 */
#include "config.h"

#include "simd/neonbf16/tile.h"

enum { ROWS = 4, SUMS = 4, LANES = 8, STEP = SUMS * LANES };

enum weight { WEIGHT_BF16, WEIGHT_I8 };

BODY size_t weight_bytes(const enum weight type)
{
    return type == WEIGHT_BF16 ? 2 : 1;
}

/* Eight weights as bf16: the upper halves of f32, exactly where they are bytes. */
BODY bfloat16x8_t load_weights(const enum weight type, const char *w)
{
    int16x8_t whole;
    float32x4_t low, high;

    if (type == WEIGHT_BF16) {
        return vreinterpretq_bf16_u64(load(w));
    }
    whole = vmovl_s8(vld1_s8((const void *)w));
    low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(whole)));
    high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(whole)));
    return vreinterpretq_bf16_u64(
        vreinterpretq_u64_u16(vuzp2q_u16(vreinterpretq_u16_f32(low), vreinterpretq_u16_f32(high))));
}

BODY void add_step(const int m, const enum weight type, float32x4_t sums[ROWS][SUMS],
                   const uint16_t *x, size_t x_stride, const char *w)
{
    UNROLL
    for (int s = 0; s < SUMS; s++) {
        size_t at = (size_t)s * LANES;
        bfloat16x8_t vw = load_weights(type, w + at * weight_bytes(type));

        UNROLL
        for (int i = 0; i < m; i++) {
            const uint16_t *vx = x + (size_t)i * x_stride + at;

            sums[i][s] = vbfdotq_f32(sums[i][s], vreinterpretq_bf16_u64(load(vx)), vw);
        }
    }
}

/* One row of W with m rows of x: y[0], y[y_stride], ...; x_rest has what is no whole step of x,
 * filled up with zeros. */
BODY void row(const int m, const enum weight type, size_t k, const uint16_t *x, size_t x_stride,
              const uint16_t x_rest[][STEP], const char *w, float *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    char w_rest[STEP * sizeof(uint16_t)] = {0};
    float32x4_t sums[ROWS][SUMS];

    /* before there are sums: a call would keep them from the registers */
    memcpy(w_rest, w + n_whole * weight_bytes(type), (k - n_whole) * weight_bytes(type));
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int s = 0; s < SUMS; s++) {
            sums[i][s] = vdupq_n_f32(0);
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
        float32x4_t sum =
            vaddq_f32(vaddq_f32(sums[i][0], sums[i][1]), vaddq_f32(sums[i][2], sums[i][3]));
        float32x2_t halves = vadd_f32(vget_low_f32(sum), vget_high_f32(sum));

        y[(size_t)i * y_stride] = vget_lane_f32(halves, 0) + vget_lane_f32(halves, 1);
    }
}

BODY void rows(const enum weight type, size_t m, size_t n, size_t k, const uint16_t *x,
               size_t x_stride, const void *w, size_t w_stride, float *y, size_t y_stride)
{
    const size_t n_whole = k / STEP * STEP;
    uint16_t x_rest[OMMA_GEMV_MAX_M][STEP] = {{0}};

    for (size_t i = 0; i < m; i++) {
        memcpy(x_rest[i], x + i * x_stride + n_whole, (k - n_whole) * sizeof *x);
    }
    for (size_t j = 0; j < n; j++) {
        const char *w_row = (const char *)w + j * w_stride * weight_bytes(type);

        for (size_t i = 0; i < m; i += ROWS) {
            OMMA_WITH_CONSTANT_4(m - i < ROWS ? m - i : ROWS, row, type, k, x + i * x_stride,
                                 x_stride, x_rest + i, w_row, y + i * y_stride + j, y_stride);
        }
    }
}

void omma_gemv_bf16_bf16w_4x1__neonbf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                        size_t x_stride, const uint16_t *w, size_t w_stride,
                                        float *y, size_t y_stride)
{
    rows(WEIGHT_BF16, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_bf16_i8w_4x1__neonbf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                      size_t x_stride, const int8_t *w, size_t w_stride, float *y,
                                      size_t y_stride)
{
    rows(WEIGHT_I8, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

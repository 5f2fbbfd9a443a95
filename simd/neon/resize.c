/*
 * resize.c - resampling of 8-bit pictures with products of 32 bits, exactly.
 *
 * Rows: one target pixel of four rows at a time; a vector holds red, green, blue and nothing of one
 * source pixel.  Columns: 32 samples of a target row.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum {
    HALF = 1 << (OMMA_RESIZE_WEIGHT_BITS - 1),
    MR = 4,
    STEP = OMMA_RESIZE_STEP, /* taps of a vector of weights */
    STEP_BYTES = 3 * STEP,
    PIXELS_BYTES = 16, /* of a vector with STEP pixels */
    LANES = 4,
    BLOCK = 32 /* samples of a target row at a time */
};

/* Two vectors of sums to samples. */
BODY uint8x8_t to_samples(int32x4_t a, int32x4_t b)
{
    uint16x4_t low = vqmovun_s32(vshrq_n_s32(a, OMMA_RESIZE_WEIGHT_BITS));
    uint16x4_t high = vqmovun_s32(vshrq_n_s32(b, OMMA_RESIZE_WEIGHT_BITS));

    return vqmovn_u16(vcombine_u16(low, high));
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* The bytes of STEP pixels to those of 32-bit lanes; an index beyond the vector gives 0. */
static const uint8_t places[STEP][PIXELS_BYTES] = {
    {0, 255, 255, 255, 1, 255, 255, 255, 2, 255, 255, 255, 255, 255, 255, 255},
    {3, 255, 255, 255, 4, 255, 255, 255, 5, 255, 255, 255, 255, 255, 255, 255},
    {6, 255, 255, 255, 7, 255, 255, 255, 8, 255, 255, 255, 255, 255, 255, 255},
    {9, 255, 255, 255, 10, 255, 255, 255, 11, 255, 255, 255, 255, 255, 255, 255},
};

/* One target pixel of mr rows, in four bytes each, the last of which is 0; all vectors of the
 * source's pixels lie within its rows. */
BODY void weigh_pixels(const int mr, size_t n_taps, const uint8_t *source, size_t source_stride,
                       const int32_t *weights, uint32_t pixels[MR])
{
    uint8x16_t to_lanes[STEP];
    int32x4_t sums[MR];

    UNROLL
    for (int t = 0; t < STEP; t++) {
        to_lanes[t] = vld1q_u8(places[t]);
    }
    UNROLL
    for (int i = 0; i < MR; i++) {
        sums[i] = vdupq_n_s32(HALF);
    }
    for (size_t k = 0; k < n_taps; k += STEP) {
        UNROLL
        for (int i = 0; i < mr; i++) {
            uint8x16_t x = vld1q_u8(source + (size_t)i * source_stride + 3 * k);

            UNROLL
            for (int t = 0; t < STEP; t++) {
                int32x4_t pixel = vreinterpretq_s32_u8(vqtbl1q_u8(x, to_lanes[t]));

                sums[i] = vmlaq_n_s32(sums[i], pixel, weights[k + (size_t)t]);
            }
        }
    }
    vst1_u8((uint8_t *)pixels, to_samples(sums[0], sums[1]));
    vst1_u8((uint8_t *)(pixels + 2), to_samples(sums[2], sums[3]));
}

/* The same pixel by pixel, where vectors would run over the end of a row. */
static __attribute__((noinline)) void weigh_last_pixels(size_t mr, size_t n_taps,
                                                        const uint8_t *source, size_t source_stride,
                                                        const int32_t *weights, uint32_t pixels[MR])
{
    for (size_t i = 0; i < mr; i++, source += source_stride) {
        int32x4_t sums = vdupq_n_s32(HALF);

        for (size_t k = 0; k < n_taps; k++) {
            const uint8_t *from = source + 3 * k;
            const int32_t pixel[LANES] = {from[0], from[1], from[2], 0};

            sums = vmlaq_n_s32(sums, vld1q_s32(pixel), weights[k]);
        }
        pixels[i] = vget_lane_u32(vreinterpret_u32_u8(to_samples(sums, sums)), 0);
    }
}

/* The fourth byte is overwritten by the next pixel. */
BODY void store_pixel(uint8_t *target, uint32_t pixel, bool is_last)
{
    if (is_last) {
        memcpy(target, &pixel, 3);
    } else {
        memcpy(target, &pixel, 4);
    }
}

/* mr rows. */
BODY void rows(const int mr, size_t n, size_t n_bytes, const uint8_t *source, size_t source_stride,
               const struct omma_taps *taps, const int32_t *weights, size_t weights_stride,
               uint8_t *target, size_t target_stride)
{
    for (size_t j = 0; j < n; j++, weights += weights_stride, target += 3) {
        const uint8_t *first = source + (size_t)3 * taps[j].first;
        size_t n_taps = taps[j].n, n_steps = (n_taps + STEP - 1) / STEP;
        uint32_t pixels[MR];

        if ((size_t)3 * taps[j].first + n_steps * STEP_BYTES + PIXELS_BYTES - STEP_BYTES <=
            n_bytes) {
            weigh_pixels(mr, n_taps, first, source_stride, weights, pixels);
        } else {
            weigh_last_pixels((size_t)mr, n_taps, first, source_stride, weights, pixels);
        }
        UNROLL
        for (int i = 0; i < mr; i++) {
            store_pixel(target + (size_t)i * target_stride, pixels[i], j + 1 == n);
        }
    }
}

void omma_resize_rows_u8__neon(size_t m, size_t n, size_t width, const uint8_t *source,
                               size_t source_stride, const struct omma_taps *taps,
                               const int32_t *weights, size_t weights_stride, uint8_t *target,
                               size_t target_stride)
{
    for (; m >= MR; m -= MR, source += MR * source_stride, target += MR * target_stride) {
        rows(MR, n, 3 * width, source, source_stride, taps, weights, weights_stride, target,
             target_stride);
    }
    for (; m > 0; m--, source += source_stride, target += target_stride) {
        rows(1, n, 3 * width, source, source_stride, taps, weights, weights_stride, target,
             target_stride);
    }
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* n <= BLOCK samples from i on. */
BODY void weigh_rows(size_t i, size_t n, size_t n_taps, const uint8_t *const *rows,
                     const int32_t *weights, uint8_t *target)
{
    int32x4_t sums[BLOCK / LANES];
    uint8_t last[BLOCK] = {0};

    UNROLL
    for (int j = 0; j < BLOCK / LANES; j++) {
        sums[j] = vdupq_n_s32(HALF);
    }
    for (size_t t = 0; t < n_taps; t++) {
        const uint8_t *samples = rows[t] + i;

        if (n < BLOCK) {
            memcpy(last, samples, n);
            samples = last;
        }
        UNROLL
        for (int j = 0; j < BLOCK / LANES; j += 2) {
            uint16x8_t wide = vmovl_u8(vld1_u8(samples + j * LANES));
            int32x4_t low = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
            int32x4_t high = vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(wide)));

            sums[j] = vmlaq_n_s32(sums[j], low, weights[t]);
            sums[j + 1] = vmlaq_n_s32(sums[j + 1], high, weights[t]);
        }
    }
    UNROLL
    for (int j = 0; j < BLOCK / LANES; j += 2) {
        vst1_u8(last + j * LANES, to_samples(sums[j], sums[j + 1]));
    }
    memcpy(target + i, last, n);
}

void omma_resize_columns_u8__neon(size_t n, size_t n_taps, const uint8_t *const *rows,
                                  const int32_t *weights, uint8_t *target)
{
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK) {
        weigh_rows(i, BLOCK, n_taps, rows, weights, target);
    }
    if (i < n) {
        weigh_rows(i, n - i, n_taps, rows, weights, target);
    }
}

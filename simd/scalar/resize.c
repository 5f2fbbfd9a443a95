/*
 * resize.c - resampling of 8-bit pictures in Pillow's fixed point.  The definition.
 */
#include "simd/kernels.h"

enum { HALF = 1 << (OMMA_RESIZE_WEIGHT_BITS - 1), LANES = 128 };

static uint8_t to_sample(int32_t sum)
{
    sum >>= OMMA_RESIZE_WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void weigh_pixels(const uint8_t *restrict source, const int32_t *restrict weights, size_t n,
                         uint8_t *restrict target)
{
    int32_t red = HALF, green = HALF, blue = HALF;

    for (size_t k = 0; k < n; k++) {
        red += weights[k] * source[3 * k];
        green += weights[k] * source[3 * k + 1];
        blue += weights[k] * source[3 * k + 2];
    }
    target[0] = to_sample(red);
    target[1] = to_sample(green);
    target[2] = to_sample(blue);
}

void omma_resize_rows_u8__scalar(size_t m, size_t n, size_t width, const uint8_t *source,
                                 size_t source_stride, const struct omma_taps *taps,
                                 const int32_t *weights, size_t weights_stride, uint8_t *target,
                                 size_t target_stride)
{
    (void)width;
    for (size_t y = 0; y < m; y++) {
        for (size_t i = 0; i < n; i++) {
            weigh_pixels(source + y * source_stride + (size_t)taps[i].first * 3,
                         weights + i * weights_stride, taps[i].n,
                         target + y * target_stride + i * 3);
        }
    }
}

/* n <= LANES samples from i on. */
static inline __attribute__((always_inline)) void weigh_rows(size_t i, size_t n, size_t n_taps,
                                                             const uint8_t *const *rows,
                                                             const int32_t *restrict weights,
                                                             uint8_t *restrict target)
{
    int32_t sums[LANES];

    for (size_t j = 0; j < n; j++) {
        sums[j] = HALF;
    }
    for (size_t t = 0; t < n_taps; t++) {
        const uint8_t *restrict row = rows[t] + i;

        for (size_t j = 0; j < n; j++) {
            sums[j] += weights[t] * row[j];
        }
    }
    for (size_t j = 0; j < n; j++) {
        target[i + j] = to_sample(sums[j]);
    }
}

void omma_resize_columns_u8__scalar(size_t n, size_t n_taps, const uint8_t *const *rows,
                                    const int32_t *weights, uint8_t *target)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        weigh_rows(i, LANES, n_taps, rows, weights, target);
    }
    weigh_rows(i, n - i, n_taps, rows, weights, target);
}

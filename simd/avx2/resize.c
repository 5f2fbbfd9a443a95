/*
 * resize.c - resampling of 8-bit pictures with vpmaddwd, exactly.
 *
 * A weight of 24 bits is high * 2^15 + low with 0 <= low < 2^15 and -2^8 <= high < 2^8.  Products
 * of a half with a sample, and the sum of two, fit 32 bits; sums of many may wrap around, but
 * modulo 2^32 the two sums, put together, are the sum of the whole weights, which fits.
 *
 * Rows: one target pixel of four rows at a time, whose weights are then split once.  A vector holds
 * red, green, blue and nothing of two pixels in its lower half, of the next two in its upper.
 * Columns: 32 samples, two rows interleaved.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum {
    LOW_BITS = 15,
    HALF = 1 << (OMMA_RESIZE_WEIGHT_BITS - 1),
    MR = 4,
    STEP = OMMA_RESIZE_STEP, /* taps of a vector */
    STEP_BYTES = 3 * STEP,
    BLOCK = 32, /* samples of a target row at a time */
};

/* The halves of the weights: eight of 32 bits to the same eight of 16 and 16. */
BODY __m256i low_of(__m256i weights)
{
    return _mm256_and_si256(weights, _mm256_set1_epi32((1 << LOW_BITS) - 1));
}

BODY __m256i high_of(__m256i weights)
{
    return _mm256_srai_epi32(weights, LOW_BITS);
}

/* Sums of low and high halves as samples that are not yet clamped. */
BODY __m256i put_together(__m256i low, __m256i high)
{
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, LOW_BITS));
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* STEP pixels, of which n_bytes, if they are fewer than 16, may be read; the others are 0. */
BODY __m128i load_pixels(const bool is_inside, const uint8_t *pixels, size_t n_bytes)
{
    uint8_t last[16] = {0};

    if (is_inside) {
        return _mm_loadu_si128((const void *)pixels);
    }
    memcpy(last, pixels, n_bytes < STEP_BYTES ? n_bytes : STEP_BYTES);
    return _mm_loadu_si128((const void *)last);
}

/* Sums of the upper and lower halves of two rows' vectors, as samples to be clamped. */
BODY __m256i add_halves(__m256i a, __m256i b)
{
    __m256i sums = _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20),
                                    _mm256_permute2x128_si256(a, b, 0x31));

    return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(HALF)),
                             OMMA_RESIZE_WEIGHT_BITS);
}

/* Four rows' sums to their pixels. */
BODY void to_pixels(const __m256i low[MR], const __m256i high[MR], int32_t pixels[MR])
{
    __m256i rows_02 = add_halves(put_together(low[0], high[0]), put_together(low[2], high[2]));
    __m256i rows_13 = add_halves(put_together(low[1], high[1]), put_together(low[3], high[3]));
    __m256i words = _mm256_packs_epi32(rows_02, rows_13);
    __m256i bytes = _mm256_packus_epi16(words, words);

    _mm_storeu_si128((void *)pixels, _mm_unpacklo_epi64(_mm256_castsi256_si128(bytes),
                                                        _mm256_extracti128_si256(bytes, 1)));
}

/* One target pixel of mr rows, as the first three of four bytes each.  Source points at the first
 * pixel that weighs, n_bytes before the end of its row. */
BODY void weigh_pixels(const int mr, const bool is_inside, size_t n_taps, size_t n_bytes,
                       const uint8_t *source, size_t source_stride, const int32_t *weights,
                       int32_t pixels[MR])
{
    const __m256i pairs =
        _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                         -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i low_places = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const __m256i high_places = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
    __m256i low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm256_setzero_si256();
    }
    for (size_t k = 0; k < n_taps; k += STEP) {
        __m256i w = _mm256_castsi128_si256(_mm_loadu_si128((const void *)(weights + k)));
        __m256i halves = _mm256_packs_epi32(low_of(w), high_of(w));
        __m256i w_low = _mm256_permutevar8x32_epi32(halves, low_places);
        __m256i w_high = _mm256_permutevar8x32_epi32(halves, high_places);

        UNROLL
        for (int i = 0; i < mr; i++) {
            __m128i x =
                load_pixels(is_inside, source + (size_t)i * source_stride + 3 * k, n_bytes - 3 * k);
            __m256i samples = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(x), pairs);

            low[i] = vec_dot_i16(low[i], samples, w_low);
            high[i] = vec_dot_i16(high[i], samples, w_high);
        }
    }
    if (mr == MR) {
        to_pixels(low, high, pixels);
    } else {
        __m256i parts = put_together(low[0], high[0]);
        __m128i sum =
            _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));

        sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), OMMA_RESIZE_WEIGHT_BITS);
        sum = _mm_packs_epi32(sum, sum);
        pixels[0] = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
    }
}

/* The same where whole vectors of pixels would run over the end of the row. */
static __attribute__((noinline)) void weigh_last_pixels(size_t mr, size_t n_taps, size_t n_bytes,
                                                        const uint8_t *source, size_t source_stride,
                                                        const int32_t *weights, int32_t pixels[MR])
{
    for (size_t i = 0; i < mr; i++) {
        weigh_pixels(1, false, n_taps, n_bytes, source + i * source_stride, 0, weights, pixels + i);
    }
}

/* The fourth byte is overwritten by the next pixel. */
BODY void store_pixel(uint8_t *target, int32_t pixel, bool is_last)
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
        size_t n_taps = taps[j].n, at = 3 * (size_t)taps[j].first;
        int32_t pixels[MR];

        if (at + 3 * n_taps + 16 <= n_bytes) {
            weigh_pixels(mr, true, n_taps, n_bytes - at, source + at, source_stride, weights,
                         pixels);
        } else {
            weigh_last_pixels((size_t)mr, n_taps, n_bytes - at, source + at, source_stride, weights,
                              pixels);
        }
        UNROLL
        for (int i = 0; i < mr; i++) {
            store_pixel(target + (size_t)i * target_stride, pixels[i], j + 1 == n);
        }
    }
}

void omma_resize_rows_u8__avx2(size_t m, size_t n, size_t width, const uint8_t *source,
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

/* Add two rows' samples a and b, times two pairs of weights. */
BODY void add_rows(__m256i a, __m256i b, __m256i w_low, __m256i w_high, __m256i low[4],
                   __m256i high[4])
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i ab[2] = {_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b)};

    UNROLL
    for (int i = 0; i < 4; i++) {
        __m256i pairs = i % 2 == 0 ? _mm256_unpacklo_epi8(ab[i / 2], zero)
                                   : _mm256_unpackhi_epi8(ab[i / 2], zero);

        low[i] = vec_dot_i16(low[i], pairs, w_low);
        high[i] = vec_dot_i16(high[i], pairs, w_high);
    }
}

/* BLOCK samples from i on. */
BODY void weigh_rows(size_t i, size_t n_taps, const uint8_t *const *rows, const int32_t *weights,
                     uint8_t *target)
{
    __m256i low[4], high[4], samples;

    UNROLL
    for (int j = 0; j < 4; j++) {
        low[j] = _mm256_set1_epi32(HALF);
        high[j] = _mm256_setzero_si256();
    }
    for (size_t t = 0; t < n_taps; t += 2) {
        bool is_single = t + 1 == n_taps;
        int64_t pair = (uint32_t)weights[t];
        __m256i w, a = _mm256_loadu_si256((const void *)(rows[t] + i)), b = a;

        if (!is_single) {
            memcpy(&pair, weights + t, sizeof pair);
            b = _mm256_loadu_si256((const void *)(rows[t + 1] + i));
        }
        w = _mm256_set1_epi64x(pair);
        add_rows(a, b, _mm256_packs_epi32(low_of(w), low_of(w)),
                 _mm256_packs_epi32(high_of(w), high_of(w)), low, high);
    }
    UNROLL
    for (int j = 0; j < 4; j++) {
        low[j] = _mm256_srai_epi32(put_together(low[j], high[j]), OMMA_RESIZE_WEIGHT_BITS);
    }
    samples =
        _mm256_packus_epi16(_mm256_packs_epi32(low[0], low[1]), _mm256_packs_epi32(low[2], low[3]));
    _mm256_storeu_si256((void *)(target + i), samples);
}

/* The last samples, fewer than BLOCK: one by one. */
BODY uint8_t weigh_sample(size_t i, size_t n_taps, const uint8_t *const *rows,
                          const int32_t *weights)
{
    int32_t sum = HALF;

    for (size_t t = 0; t < n_taps; t++) {
        sum += rows[t][i] * weights[t];
    }
    sum >>= OMMA_RESIZE_WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void omma_resize_columns_u8__avx2(size_t n, size_t n_taps, const uint8_t *const *rows,
                                  const int32_t *weights, uint8_t *target)
{
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK) {
        weigh_rows(i, n_taps, rows, weights, target);
    }
    for (; i < n; i++) {
        target[i] = weigh_sample(i, n_taps, rows, weights);
    }
}

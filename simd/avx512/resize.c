/*
 * resize.c - resampling of 8-bit pictures with vpmaddwd of 512 bits, exactly.
 *
 * As simd/avx2/resize.c: a weight is high * 2^15 + low, whose sums are put together modulo 2^32.
 * Rows: one target pixel of eight rows; a quarter of a vector holds red, green, blue and nothing of
 * two pixels, a half those of one row.  Columns: 64 samples, two rows interleaved.
 */
#include "config.h"

#include <string.h>

#include "simd/avx512/vec.h"
#include "simd/kernels.h"

enum {
    LOW_BITS = 15,
    HALF = 1 << (OMMA_RESIZE_WEIGHT_BITS - 1),
    NV = 4, /* vectors of two rows each */
    MR = 2 * NV,
    STEP = OMMA_RESIZE_STEP, /* taps of a vector */
    STEP_BYTES = 3 * STEP,
    BLOCK = 64, /* samples of a target row at a time */
};

/* The halves of the weights: sixteen of 32 bits to the same sixteen of 16 and 16. */
BODY __m512i low_of(__m512i weights)
{
    return _mm512_and_si512(weights, _mm512_set1_epi32((1 << LOW_BITS) - 1));
}

BODY __m512i high_of(__m512i weights)
{
    return _mm512_srai_epi32(weights, LOW_BITS);
}

/* Sums of low and high halves as sums of the whole. */
BODY __m512i put_together(__m512i low, __m512i high)
{
    return _mm512_add_epi32(low, _mm512_slli_epi32(high, LOW_BITS));
}

/* ---- rows -------------------------------------------------------------------------------------
 */

/* Each of two rows' STEP pixels twice, of which n_bytes, if they are fewer than 16, may be read. */
BODY __m512i load_pixels(const bool is_inside, const uint8_t *a, const uint8_t *b, size_t n_bytes)
{
    uint8_t last[2][16] = {{0}};

    if (!is_inside) {
        n_bytes = n_bytes < STEP_BYTES ? n_bytes : STEP_BYTES;
        memcpy(last[0], a, n_bytes);
        memcpy(last[1], b, n_bytes);
        a = last[0];
        b = last[1];
    }
    return _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)a)),
                                       0xFF00, _mm_loadu_si128((const void *)b));
}

/* Sums of two vectors of two rows to the pixels of four, four bytes each. */
BODY __m128i to_pixels(__m512i a, __m512i b)
{
    __m512i sums =
        _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xDD));

    sums = _mm512_add_epi32(sums, _mm512_set1_epi32(HALF));
    sums = _mm512_srai_epi32(sums, OMMA_RESIZE_WEIGHT_BITS);
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(sums, _mm512_setzero_si512()));
}

/* One target pixel of 2 nv rows, as the first three of four bytes each.  Source points at the first
 * pixel that weighs, n_bytes before the end of its row. */
BODY void weigh_pixels(const int nv, const bool is_inside, size_t n_taps, size_t n_bytes,
                       const uint8_t *source, size_t source_stride, const int32_t *weights,
                       int32_t pixels[MR])
{
    const __m512i pairs = _mm512_broadcast_i64x4(
        _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                         -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    const __m512i low_places = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1);
    const __m512i high_places = _mm512_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3, 2, 2, 2, 2, 3, 3, 3, 3);
    __m512i low[NV], high[NV];

    UNROLL
    for (int i = 0; i < nv; i++) {
        low[i] = high[i] = _mm512_setzero_si512();
    }
    for (size_t k = 0; k < n_taps; k += STEP) {
        __m512i w = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(weights + k)));
        __m512i halves = _mm512_packs_epi32(low_of(w), high_of(w));
        __m512i w_low = _mm512_permutexvar_epi32(low_places, halves);
        __m512i w_high = _mm512_permutexvar_epi32(high_places, halves);

        UNROLL
        for (int i = 0; i < nv; i++) {
            const uint8_t *row = source + (size_t)(2 * i) * source_stride + 3 * k;
            __m512i x = load_pixels(is_inside, row, row + source_stride, n_bytes - 3 * k);
            __m512i samples = _mm512_shuffle_epi8(x, pairs);

            low[i] = vec_dot_i16(low[i], samples, w_low);
            high[i] = vec_dot_i16(high[i], samples, w_high);
        }
    }
    UNROLL
    for (int i = 0; i < nv; i++) {
        low[i] = put_together(low[i], high[i]);
    }
    UNROLL
    for (int i = 0; i < nv; i += 2) {
        _mm_storeu_si128((void *)(pixels + 2 * i), to_pixels(low[i], low[i + (nv > 1)]));
    }
}

/* The same where whole vectors of pixels would run over the end of the row. */
static __attribute__((noinline)) void weigh_last_pixels(size_t mr, size_t n_taps, size_t n_bytes,
                                                        const uint8_t *source, size_t source_stride,
                                                        const int32_t *weights, int32_t pixels[MR])
{
    for (size_t i = 0; i < mr; i += 2) {
        int32_t two[MR];

        weigh_pixels(1, false, n_taps, n_bytes, source + i * source_stride, source_stride, weights,
                     two);
        memcpy(pixels + i, two, 2 * sizeof *two);
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

/* 2 nv rows. */
BODY void rows(const int nv, size_t n, size_t n_bytes, const uint8_t *source, size_t source_stride,
               const struct omma_taps *taps, const int32_t *weights, size_t weights_stride,
               uint8_t *target, size_t target_stride)
{
    for (size_t j = 0; j < n; j++, weights += weights_stride, target += 3) {
        size_t n_taps = taps[j].n, at = 3 * (size_t)taps[j].first;
        int32_t pixels[MR];

        if (at + 3 * n_taps + 16 <= n_bytes) {
            weigh_pixels(nv, true, n_taps, n_bytes - at, source + at, source_stride, weights,
                         pixels);
        } else {
            weigh_last_pixels((size_t)(2 * nv), n_taps, n_bytes - at, source + at, source_stride,
                              weights, pixels);
        }
        UNROLL
        for (int i = 0; i < 2 * nv; i++) {
            store_pixel(target + (size_t)i * target_stride, pixels[i], j + 1 == n);
        }
    }
}

void omma_resize_rows_u8__avx512(size_t m, size_t n, size_t width, const uint8_t *source,
                                 size_t source_stride, const struct omma_taps *taps,
                                 const int32_t *weights, size_t weights_stride, uint8_t *target,
                                 size_t target_stride)
{
    for (; m >= MR; m -= MR, source += MR * source_stride, target += MR * target_stride) {
        rows(NV, n, 3 * width, source, source_stride, taps, weights, weights_stride, target,
             target_stride);
    }
    for (; m >= 2; m -= 2, source += 2 * source_stride, target += 2 * target_stride) {
        rows(1, n, 3 * width, source, source_stride, taps, weights, weights_stride, target,
             target_stride);
    }
    if (m == 1) { /* the same row twice */
        rows(1, n, 3 * width, source, 0, taps, weights, weights_stride, target, 0);
    }
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* Add two rows' samples a and b, times two pairs of weights. */
BODY void add_rows(__m512i a, __m512i b, __m512i w_low, __m512i w_high, __m512i low[4],
                   __m512i high[4])
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i ab[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};

    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i pairs = i % 2 == 0 ? _mm512_unpacklo_epi8(ab[i / 2], zero)
                                   : _mm512_unpackhi_epi8(ab[i / 2], zero);

        low[i] = vec_dot_i16(low[i], pairs, w_low);
        high[i] = vec_dot_i16(high[i], pairs, w_high);
    }
}

/* The samples from i on that the mask names. */
BODY void weigh_rows(size_t i, __mmask64 mask, size_t n_taps, const uint8_t *const *rows,
                     const int32_t *weights, uint8_t *target)
{
    __m512i low[4], high[4], samples;

    UNROLL
    for (int j = 0; j < 4; j++) {
        low[j] = _mm512_set1_epi32(HALF);
        high[j] = _mm512_setzero_si512();
    }
    for (size_t t = 0; t < n_taps; t += 2) {
        bool is_single = t + 1 == n_taps;
        int64_t pair = (uint32_t)weights[t];
        __m512i w, a = _mm512_maskz_loadu_epi8(mask, rows[t] + i), b = a;

        if (!is_single) {
            memcpy(&pair, weights + t, sizeof pair);
            b = _mm512_maskz_loadu_epi8(mask, rows[t + 1] + i);
        }
        w = _mm512_set1_epi64(pair);
        add_rows(a, b, _mm512_packs_epi32(low_of(w), low_of(w)),
                 _mm512_packs_epi32(high_of(w), high_of(w)), low, high);
    }
    UNROLL
    for (int j = 0; j < 4; j++) {
        low[j] = _mm512_srai_epi32(put_together(low[j], high[j]), OMMA_RESIZE_WEIGHT_BITS);
    }
    samples =
        _mm512_packus_epi16(_mm512_packs_epi32(low[0], low[1]), _mm512_packs_epi32(low[2], low[3]));
    _mm512_mask_storeu_epi8(target + i, mask, samples);
}

void omma_resize_columns_u8__avx512(size_t n, size_t n_taps, const uint8_t *const *rows,
                                    const int32_t *weights, uint8_t *target)
{
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK) {
        weigh_rows(i, UINT64_MAX, n_taps, rows, weights, target);
    }
    if (i < n) {
        weigh_rows(i, UINT64_MAX >> (BLOCK - (n - i)), n_taps, rows, weights, target);
    }
}

/*
 * What the GEMVs with 512-bit vectors share.
 *
 * A sum over k runs in two vectors, over the even and the odd vectors of k, added up at the end:
 * the same for every m, so that the bits of a row of y depend on no other row.
 */

/* GROUP rows of W, blocks of X_BYTES of the rows of x: 16 KB of x and 16 KB of sums for m = 8. */
enum { M = OMMA_GEMV_MAX_M, GROUP = 8, X_BYTES = 24 << 10, AHEAD_BYTES = 4096 };

/* Ask for a step's lines. */
BODY void prefetch(const char *lines, size_t n_bytes)
{
    _mm_prefetch(lines, _MM_HINT_T0);
    if (n_bytes > 64) {
        _mm_prefetch(lines + 64, _MM_HINT_T0);
    }
}

/* The sums of one row of W: the even and the odd ones of each row of x. */
struct sums {
    __m512 even[M], odd[M];
};

BODY void clear(const int m, struct sums *sums)
{
    UNROLL
    for (int i = 0; i < m; i++) {
        sums->even[i] = sums->odd[i] = _mm512_setzero_ps();
    }
}

/* The sum of sixteen lanes, halves first: the order does not depend on the compiler. */
BODY float sum_of_lanes(__m512 a)
{
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));

    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    sum = _mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1));
    return _mm_cvtss_f32(sum);
}

BODY void finish(const int m, const struct sums *sums, float *y, size_t y_stride)
{
    UNROLL
    for (int i = 0; i < m; i++) {
        y[(size_t)i * y_stride] = sum_of_lanes(_mm512_add_ps(sums->even[i], sums->odd[i]));
    }
}

/* The block of k that keeps m rows of x in L1: whole steps. */
BODY size_t k_block_of(size_t m, size_t x_element_bytes)
{
    return X_BYTES / (m * x_element_bytes) / 64 * 64;
}

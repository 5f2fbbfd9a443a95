/* Eight lanes of 32 bits in 256-bit vectors: what the tiers of AVX2 do to them whatever they hold.
 */

enum { VEC_N = 8 };

/* All bits set in the first n of eight elements. */
static inline __m256i vec_first(size_t n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), index);
}

/* v[i] lane j <-> v[j] lane i */
BODY void vec_transpose(__m256i v[VEC_N])
{
    __m256i t[VEC_N];

    /* pairs of rows, then fours, within 128 bits */
    UNROLL
    for (int i = 0; i < VEC_N; i += 2) {
        t[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL
    for (int i = 0; i < VEC_N; i += 4) {
        v[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* v[b] and v[4 + b] have in half q the column 4 q + b of rows 0 to 3 and 4 to 7 */
    UNROLL
    for (int b = 0; b < 4; b++) {
        t[b] = _mm256_permute2x128_si256(v[b], v[4 + b], 0x20);
        t[4 + b] = _mm256_permute2x128_si256(v[b], v[4 + b], 0x31);
    }
    UNROLL
    for (int i = 0; i < VEC_N; i++) {
        v[i] = t[i];
    }
}

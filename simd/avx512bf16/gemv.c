/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T of bf16, m <= 8, by vdpbf16ps with 512-bit vectors.
 *
 * W is read as it lies, once, in four streams: the rows in four parts, a row of each at a time.
 * Four long streams come faster from memory than one (Zen 4: 31 GB/s instead of 26 on two cores),
 * most of all from pages of 4 KB, and each vector of x serves four rows. Where rows are short (keys
 * of attention), four rows side by side are one stream.
 *
 * Up to four rows of x are multiplied at a time; of more the first four fetch a block of W and the
 * others find it in L1.
 *
 * A sum over k runs in one vector, in the order of k: the same for every m and n, so that the bits
 * of a row of y depend on no other row.
 */
#include "config.h"

#include "simd/kernels.h"
#include "simd/x86.h"

#if !defined(__AVX512BF16__) && !defined(OMMA_SIMDE)
#error "gemv.c of the tier avx512bf16 is compiled without its flags"
#endif

enum {
    ROWS = 4,    /* of x at a time */
    STREAMS = 4, /* rows of W at a time */
    LANES = 32,
    K_BLOCK = 1024, /* so that 4 rows of W and 8 of x stay in L1 */
    SHORT_K = 256,
    AHEAD_BYTES = 4096,
};

struct sums {
    __m512 of[ROWS][STREAMS];
};

/* x and W at the same k. */
struct operands {
    const uint16_t *x;
    size_t x_stride;
    const uint16_t *w;
    size_t w_stride; /* between the streams */
};

BODY void clear(const int m, const int n, struct sums *sums)
{
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums->of[i][j] = _mm512_setzero_ps();
        }
    }
}

/* Thirty-two elements from p on, all or those that the mask names. */
BODY void step(const int m, const int n, const bool all, __mmask32 mask, const struct operands *o,
               size_t p, __m512 sums[ROWS][STREAMS])
{
    __m512bh w[STREAMS];

    UNROLL
    for (int j = 0; j < n; j++) {
        const uint16_t *at = o->w + (size_t)j * o->w_stride + p;

        w[j] = (__m512bh)(all ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi16(mask, at));
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        const uint16_t *at = o->x + (size_t)i * o->x_stride + p;
        __m512bh x = (__m512bh)(all ? _mm512_loadu_si512(at) : _mm512_maskz_loadu_epi16(mask, at));

        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = _mm512_dpbf16_ps(sums[i][j], x, w[j]);
        }
    }
}

/* m rows of x and n of W over k elements, onto the sums; of streams fetched to end what comes later
 * is asked for. */
BODY void piece(const int m, const int n, const int fetched, const int end, size_t k,
                struct operands o, struct sums *sums)
{
    const size_t n_whole = k / LANES * LANES;
    __m512 here[ROWS][STREAMS];

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            here[i][j] = sums->of[i][j];
        }
    }
    for (size_t p = 0; p < n_whole; p += LANES) {
        UNROLL
        for (int j = fetched; j < end; j++) {
            _mm_prefetch((const char *)(o.w + (size_t)j * o.w_stride + p) + AHEAD_BYTES,
                         _MM_HINT_T1);
        }
        step(m, n, true, 0, &o, p, here);
    }
    if (n_whole < k) {
        step(m, n, false, (__mmask32)((UINT64_C(1) << (k - n_whole)) - 1), &o, n_whole, here);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums->of[i][j] = here[i][j];
        }
    }
}

/* Halves of a and of b, added up: a's eight sums, then b's. */
BODY __m512 add_halves(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
}

/* The sums of four vectors' sixteen lanes; each is added up in the same order, halves first. */
BODY __m128 sums_of_lanes(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512i every_fourth =
        _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    __m512 ab = add_halves(a, b), cd = add_halves(c, d);
    __m512 sums =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));

    sums = _mm512_add_ps(sums, _mm512_shuffle_ps(sums, sums, 0x4E));
    sums = _mm512_add_ps(sums, _mm512_shuffle_ps(sums, sums, 0xB1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(every_fourth, sums));
}

/* y of m rows of x and n rows of W: four elements side by side or apart, or one. */
BODY void finish(const int m, const int n, const struct sums *sums, float *y, size_t y_stride,
                 size_t apart)
{
    UNROLL
    for (int i = 0; i < m; i++, y += y_stride) {
        const __m512 *of = sums->of[i];

        if (n == 1) {
            _mm_store_ss(y, sums_of_lanes(of[0], of[0], of[0], of[0]));
            continue;
        }
        __m128 four = sums_of_lanes(of[0], of[1], of[2], of[3]);

        if (apart == 1) {
            _mm_storeu_ps(y, four);
        } else {
            _mm_store_ss(y, four);
            _mm_store_ss(y + apart, _mm_permute_ps(four, 1));
            _mm_store_ss(y + 2 * apart, _mm_permute_ps(four, 2));
            _mm_store_ss(y + 3 * apart, _mm_permute_ps(four, 3));
        }
    }
}

/* All m rows of x with n rows of W, whose elements of y lie apart. */
BODY void rows(const int m, const int n, size_t k, struct operands o, float *y, size_t y_stride,
               size_t apart)
{
    const int m_first = m < ROWS ? m : ROWS, m_second = m - m_first;
    const size_t block = m_second > 0 ? K_BLOCK : k;
    struct sums first, second;

    clear(m_first, n, &first);
    clear(m_second, n, &second);
    for (size_t p = 0; p < k; p += block, o.x += block, o.w += block) {
        struct operands others = o;
        size_t k_here = k - p < block ? k - p : block;

        others.x += ROWS * o.x_stride;
        if (m_second > 0) { /* memory is kept busy all the time */
            piece(m_first, n, 0, (n + 1) / 2, k_here, o, &first);
            piece(m_second, n, (n + 1) / 2, n, k_here, others, &second);
        } else {
            piece(m_first, n, 0, n, k_here, o, &first);
        }
    }
    finish(m_first, n, &first, y, y_stride, apart);
    finish(m_second, n, &second, y + ROWS * y_stride, y_stride, apart);
}

BODY void gemv(const int m, size_t n, size_t k, const uint16_t *x, size_t x_stride,
               const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    const size_t n_fours = n / STREAMS, apart = k <= SHORT_K ? 1 : n_fours;
    const size_t on = k <= SHORT_K ? STREAMS : 1;
    struct operands o = {x, x_stride, w, apart * w_stride};

    for (size_t j = 0; j < n_fours; j++, o.w += on * w_stride) {
        rows(m, STREAMS, k, o, y + on * j, y_stride, apart);
    }
    o.w = w + n_fours * STREAMS * w_stride;
    for (size_t j = n_fours * STREAMS; j < n; j++, o.w += w_stride) {
        rows(m, 1, k, o, y + j, y_stride, 0);
    }
}

void omma_gemv_bf16_bf16w_8x4__avx512bf16(size_t m, size_t n, size_t k, const uint16_t *x,
                                          size_t x_stride, const uint16_t *w, size_t w_stride,
                                          float *y, size_t y_stride)
{
    OMMA_WITH_CONSTANT_8(m, gemv, n, k, x, x_stride, w, w_stride, y, y_stride);
}

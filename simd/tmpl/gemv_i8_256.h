/*
 * The GEMV of bytes with 256-bit vectors: y[m][n] = x[m][k] W[n][k]^T, m <= 8, exactly.  A tier
 * gives, before this:
 *
 *   LANES                             elements of k in a vector, 16 or 32
 *   load_x(at), load_w(at)            so many
 *   dot(sums, w, x)                   their products onto eight sums
 *   W_PLUS_128                        whether load_w adds 128, so that 128 sum(x) comes off
 *
 * W is read as it lies, once, in four streams, as in simd/avx2/gemv.c; short rows side by side are
 * one.  Of more than four rows of x the others find the four rows of W in cache.
 */

enum { ROWS = 4, STREAMS = 4, LINE = 64, SHORT_K = 256, AHEAD_BYTES = 4096 };

/* x and W, and where four sums, or one, of a row of x go. */
struct operands {
    size_t k;
    const int8_t *x;
    size_t x_stride;
    const int8_t *w;
    size_t w_stride; /* between the streams */
    int32_t *y;
    size_t y_stride, apart;
    const int32_t *x_sums;
};

/* LANES bytes, or the first n of them, the others 0; as x or as W. */
BODY __m256i load(const bool is_w, const int8_t *at, size_t n)
{
    int8_t bytes[LANES] = {0};

    if (n < LANES) {
        memcpy(bytes, at, n);
        at = bytes;
    }
    return is_w ? load_w(at) : load_x(at);
}

/* n_here <= LANES elements from p on of m rows of x and n of W. */
BODY void step(const int m, const int n, const struct operands *o, size_t p, size_t n_here,
               __m256i sums[ROWS][STREAMS])
{
    __m256i w[STREAMS];

    UNROLL
    for (int j = 0; j < n; j++) {
        w[j] = load(true, o->w + (size_t)j * o->w_stride + p, n_here);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        __m256i x = load(false, o->x + (size_t)i * o->x_stride + p, n_here);

        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = dot(sums[i][j], w[j], x);
        }
    }
}

/* Modulo 2^32. */
BODY int32_t sum_of_lanes(__m256i a)
{
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));

    sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
    sum = _mm_add_epi32(sum, _mm_srli_epi64(sum, 32));
    return _mm_cvtsi128_si32(sum);
}

/* m rows of x by n of W. */
BODY void product(const int m, const int n, struct operands o)
{
    __m256i sums[ROWS][STREAMS];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = _mm256_setzero_si256();
        }
    }
    for (; p + LINE <= o.k; p += LINE) {
        UNROLL
        for (int j = 0; j < n; j++) {
            _mm_prefetch((const char *)(o.w + (size_t)j * o.w_stride + p) + AHEAD_BYTES,
                         _MM_HINT_T1);
        }
        UNROLL
        for (size_t q = 0; q < LINE; q += LANES) {
            step(m, n, &o, p + q, LANES, sums);
        }
    }
    for (; p + LANES <= o.k; p += LANES) {
        step(m, n, &o, p, LANES, sums);
    }
    if (p < o.k) {
        step(m, n, &o, p, o.k - p, sums);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        int32_t *y = o.y + (size_t)i * o.y_stride;
        uint32_t excess = W_PLUS_128 ? 128 * (uint32_t)o.x_sums[i] : 0;

        UNROLL
        for (int j = 0; j < n; j++) {
            y[(size_t)j * o.apart] = (int32_t)((uint32_t)sum_of_lanes(sums[i][j]) - excess);
        }
    }
}

/* Up to two rows of x by four of W, more by two and two, as the registers hold no more. */
static void with_four(size_t m, struct operands o)
{
    struct operands second = o;

    second.w += 2 * o.w_stride;
    second.y += 2 * o.apart;
    switch (m) {
    case 1:
        product(1, 4, o);
        break;
    case 2:
        product(2, 4, o);
        break;
    case 3:
        product(3, 2, o);
        product(3, 2, second);
        break;
    case 4:
        product(4, 2, o);
        product(4, 2, second);
        break;
    }
}

/* All m rows of x by four rows of W, or by one. */
static void rows(size_t m, bool is_four, struct operands o)
{
    while (m > 0) {
        size_t m_here = !is_four ? 1 : m < ROWS ? m : ROWS;

        if (is_four) {
            with_four(m_here, o);
        } else {
            product(1, 1, o);
        }
        o.x += m_here * o.x_stride;
        o.y += m_here * o.y_stride;
        o.x_sums += m_here;
        m -= m_here;
    }
}

void OMMA_TIER(omma_gemv_i8_4x4)(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                                 const int32_t *x_sums, const int8_t *w, size_t w_stride,
                                 int32_t *y, size_t y_stride)
{
    const size_t n_fours = n / STREAMS;
    const size_t apart = k <= SHORT_K ? 1 : n_fours, on = k <= SHORT_K ? STREAMS : 1;

    for (size_t j = 0; j < n_fours; j++) {
        struct operands o = {
            k,        x,     x_stride, w + on * j * w_stride, apart * w_stride, y + on * j,
            y_stride, apart, x_sums};

        rows(m, true, o);
    }
    for (size_t j = n_fours * STREAMS; j < n; j++) {
        struct operands o = {k, x, x_stride, w + j * w_stride, 0, y + j, y_stride, 0, x_sums};

        rows(m, false, o);
    }
}

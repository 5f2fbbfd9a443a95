/*
 * y[m][n] = x[m][k] W[n][k]^T, m <= 8, with W read as it lies, once, in four streams.  A tier
 * gives, before this:
 *
 *   BODY                           static, always inlined
 *   x_element, w_element, y_element
 *   factors, sums_vec              vectors of elements, and of sums
 *   STEP                           elements in a step of k
 *   load_x(at), load_w(at)         STEP elements
 *   load_first_x(at, n), load_first_w(at, n)
 *                                  the first n < STEP, the others zero
 *   no_sums(), multiply(sums, w, x)
 *   store_sums(n, sums, x_sum, y, apart)
 *                                  a row's elements of y, n of them (4 or 1), which lie apart;
 * x_sum points at its x_sums, or is NULL where there are none
 *
 * The rows of W are taken in four parts, a row of each at a time.  Four long streams come faster
 * from memory than one (Zen 4: 31 GB/s instead of 26 on two cores), most of all from pages of 4 KB,
 * and each vector of x serves four rows.  Where rows are short (keys of attention), four rows side
 * by side are one stream.
 *
 * Up to four rows of x are multiplied at a time; of more the first four fetch a block of W and the
 * others find it in L1.
 *
 * A sum over k runs in one vector, in the order of k: the same for every m and n, so that the bits
 * of a row of y depend on no other row.
 */

enum {
    ROWS = 4,             /* of x at a time */
    STREAMS = 4,          /* rows of W at a time */
    K_BLOCK_BYTES = 2048, /* so that 4 rows of W and 8 of x stay in L1 */
    SHORT_BYTES = 512,
    AHEAD_BYTES = 4096,
};

struct sums {
    sums_vec of[ROWS][STREAMS];
};

/* x and W at the same k. */
struct operands {
    const x_element *x;
    size_t x_stride;
    const w_element *w;
    size_t w_stride; /* between the streams */
};

BODY void clear(const int m, const int n, struct sums *sums)
{
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums->of[i][j] = no_sums();
        }
    }
}

/* STEP elements from p on, or the last n_last of them if it is not 0. */
BODY void step(const int m, const int n, size_t n_last, const struct operands *o, size_t p,
               sums_vec sums[ROWS][STREAMS])
{
    factors w[STREAMS];

    UNROLL
    for (int j = 0; j < n; j++) {
        const w_element *at = o->w + (size_t)j * o->w_stride + p;

        w[j] = n_last == 0 ? load_w(at) : load_first_w(at, n_last);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        const x_element *at = o->x + (size_t)i * o->x_stride + p;
        factors x = n_last == 0 ? load_x(at) : load_first_x(at, n_last);

        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = multiply(sums[i][j], w[j], x);
        }
    }
}

/* m rows of x and n of W over k elements, onto the sums; fetch: W comes from memory. */
BODY void piece(const int m, const int n, const bool fetch, size_t k, struct operands o,
                struct sums *sums)
{
    const size_t n_whole = k / STEP * STEP;
    sums_vec here[ROWS][STREAMS];

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            here[i][j] = sums->of[i][j];
        }
    }
    for (size_t p = 0; p < n_whole; p += STEP) {
        UNROLL
        for (int j = 0; fetch && j < n; j++) {
            _mm_prefetch((const char *)(o.w + (size_t)j * o.w_stride + p) + AHEAD_BYTES,
                         _MM_HINT_T1);
        }
        step(m, n, 0, &o, p, here);
    }
    if (n_whole < k) {
        step(m, n, k - n_whole, &o, n_whole, here);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums->of[i][j] = here[i][j];
        }
    }
}

/* Where y goes, and the sums of the rows of x, or NULL. */
struct result {
    y_element *y;
    size_t y_stride, apart;
    const int32_t *x_sums;
};

BODY void finish(const int m, const int n, const struct sums *sums, const struct result *result,
                 int first)
{
    UNROLL
    for (int i = 0; i < m; i++) {
        size_t row = (size_t)(first + i);

        store_sums(n, sums->of[i], result->x_sums == NULL ? NULL : result->x_sums + row,
                   result->y + row * result->y_stride, result->apart);
    }
}

/* All m rows of x with n rows of W. */
BODY void rows(const int m, const int n, size_t k, struct operands o, struct result result)
{
    const int m_first = m < ROWS ? m : ROWS, m_second = m - m_first;
    const size_t block = m_second > 0 ? K_BLOCK_BYTES / sizeof *o.x : k;
    struct sums first, second;

    clear(m_first, n, &first);
    clear(m_second, n, &second);
    for (size_t p = 0; p < k; p += block, o.x += block, o.w += block) {
        struct operands others = o;
        size_t k_here = k - p < block ? k - p : block;

        others.x += ROWS * o.x_stride;
        piece(m_first, n, true, k_here, o, &first);
        if (m_second > 0) {
            piece(m_second, n, false, k_here, others, &second);
        }
    }
    finish(m_first, n, &first, &result, 0);
    finish(m_second, n, &second, &result, ROWS);
}

BODY void gemv_of(const int m, size_t n, size_t k, struct operands o, struct result result)
{
    const bool is_short = k * sizeof *o.w <= SHORT_BYTES;
    const size_t n_fours = n / STREAMS, on = is_short ? STREAMS : 1, w_stride = o.w_stride;
    const w_element *rest = o.w + n_fours * STREAMS * w_stride;
    y_element *y = result.y;

    result.apart = is_short ? 1 : n_fours;
    o.w_stride = result.apart * w_stride;
    for (size_t j = 0; j < n_fours; j++, o.w += on * w_stride, result.y += on) {
        rows(m, STREAMS, k, o, result);
    }
    o.w = rest;
    result.y = y + n_fours * STREAMS;
    for (size_t j = n_fours * STREAMS; j < n; j++, o.w += w_stride, result.y++) {
        rows(m, 1, k, o, result);
    }
}

BODY void gemv(size_t m, size_t n, size_t k, struct operands o, struct result result)
{
    OMMA_WITH_CONSTANT_8(m, gemv_of, n, k, o, result);
}

/*
 * y[m][n] = x[m][k] W[n][k]^T, m <= 8, with W read as it lies, once, in several streams.  A tier
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
 * The rows of W are taken in eight parts, or four, a row of each at a time.  Long streams far apart
 * come faster from memory than one (Zen 4, four of them: 31 GB/s instead of 26 on two cores), most
 * of all from pages of 4 KB, and each vector of x serves as many rows.  Where rows are short (keys
 * of attention), rows side by side are one stream.
 *
 * Up to two rows of x are multiplied by eight of W at a time: memory takes longer than that, and x
 * is read the least often.  More than four, which take longer than memory, go by fours with four of
 * W.  Each lot of rows of x takes a block of W in turn, which the first one brings to L1, and asks
 * for its share of what comes later, so that memory is kept busy all the time.
 *
 * A sum over k runs in one vector, in the order of k: the same for every m and n, so that the bits
 * of a row of y depend on no other row.
 */

enum {
    FEW = 4, /* rows of x that are multiplied by twos */
    MOST_ROWS = 4,
    MOST_STREAMS = OMMA_GEMV_STREAMS,
    FOUR = 4, /* sums that are added up together */
    SHORT_BYTES = 512,
    AHEAD_BYTES = 4096,
    PAGE_BYTES = 4096,
};

/* Rows of x at a time, and of W; blocks of k so that both stay in L1. */
BODY int rows_at_a_time(const int m)
{
    return m <= FEW ? 2 : MOST_ROWS;
}

BODY int streams_of(const int m)
{
    return m <= FEW ? MOST_STREAMS : 4;
}

BODY size_t block_bytes(const int m)
{
    return m <= FEW ? 1024 : 2048;
}

struct sums {
    sums_vec of[MOST_ROWS][MOST_STREAMS];
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
               sums_vec sums[MOST_ROWS][MOST_STREAMS])
{
    factors w[MOST_STREAMS];

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

/* m rows of x and n of W over k elements, onto the sums; of streams fetched to end what comes later
 * is asked for. */
BODY void piece(const int m, const int n, const int fetched, const int end, size_t k,
                struct operands o, struct sums *sums)
{
    const size_t n_whole = k / STEP * STEP;
    sums_vec here[MOST_ROWS][MOST_STREAMS];

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            here[i][j] = sums->of[i][j];
        }
    }
    for (size_t p = 0; p < n_whole; p += STEP) {
        UNROLL
        for (int j = fetched; j < end; j++) {
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

        UNROLL
        for (int j = 0; j < n; j += FOUR) {
            store_sums(n < FOUR ? n : FOUR, sums->of[i] + j,
                       result->x_sums == NULL ? NULL : result->x_sums + row,
                       result->y + row * result->y_stride + (size_t)j * result->apart,
                       result->apart);
        }
    }
}

/* How many of m rows of x a lot has. */
BODY int rows_of_lot(const int m, const int lot)
{
    const int most = rows_at_a_time(m), before = lot * most;

    return m - before < most ? m - before : most;
}

/* A lot's part of a block. */
BODY void lot_piece(const int m, const int n, const int lot, const int n_lots, size_t k,
                    struct operands o, struct sums *sums)
{
    o.x += (size_t)(lot * rows_at_a_time(m)) * o.x_stride;
    piece(rows_of_lot(m, lot), n, n * lot / n_lots, n * (lot + 1) / n_lots, k, o, sums);
}

/* All m rows of x with n rows of W. */
BODY void rows(const int m, const int n, size_t k, struct operands o, struct result result)
{
    const int most = rows_at_a_time(m), n_lots = m > most ? 2 : 1;
    const size_t block = n_lots > 1 ? block_bytes(m) / sizeof *o.x : k;
    struct sums first, second;

    clear(rows_of_lot(m, 0), n, &first);
    clear(rows_of_lot(m, 1), n, &second);
    for (size_t p = 0; p < k; p += block, o.x += block, o.w += block) {
        size_t k_here = k - p < block ? k - p : block;

        lot_piece(m, n, 0, n_lots, k_here, o, &first);
        if (n_lots > 1) {
            lot_piece(m, n, 1, n_lots, k_here, o, &second);
        }
    }
    finish(rows_of_lot(m, 0), n, &first, &result, 0);
    finish(rows_of_lot(m, 1), n, &second, &result, most);
}

/* How many rows of W the streams lie apart: the places of streams in their pages differ where they
 * can, lest all fall into one set of the caches. */
BODY size_t rows_apart(size_t n_rows, size_t w_stride)
{
    const size_t row_bytes = w_stride * sizeof(w_element);
    bool is_better = n_rows * row_bytes % PAGE_BYTES == 0 && row_bytes % PAGE_BYTES != 0;

    return is_better && n_rows > 1 ? n_rows - 1 : n_rows;
}

BODY void gemv_of(const int m, size_t n, size_t k, struct operands o, struct result result)
{
    const bool is_short = k * sizeof *o.w <= SHORT_BYTES;
    const int n_streams = streams_of(m);
    const size_t streams = (size_t)n_streams, w_stride = o.w_stride;

    while (n >= streams) {
        size_t apart = is_short ? 1 : rows_apart(n / streams, w_stride);
        size_t turns = is_short ? n / streams : apart, on = is_short ? streams : 1;

        result.apart = apart;
        o.w_stride = apart * w_stride;
        for (size_t j = 0; j < turns; j++, o.w += on * w_stride, result.y += on) {
            rows(m, n_streams, k, o, result);
        }
        if (!is_short) { /* behind the last stream */
            o.w += (streams - 1) * apart * w_stride;
            result.y += (streams - 1) * apart;
        }
        n -= turns * streams;
    }
    for (; n > 0; n--, o.w += w_stride, result.y++) {
        rows(m, 1, k, o, result);
    }
}

BODY void gemv(size_t m, size_t n, size_t k, struct operands o, struct result result)
{
    OMMA_WITH_CONSTANT_8(m, gemv_of, n, k, o, result);
}

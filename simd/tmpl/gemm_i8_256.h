/*
 * Products of bytes with 256-bit vectors.  A panel has a row for every IN_LANE of k: 32 lanes of 32
 * bits, a column each, what lacks filled up.  A tier gives, before this:
 *
 *   IN_LANE, panel_element            elements of k in a lane, and their type there
 *   panel_value(w)                    a weight as an element of the panel
 *   load_lanes(row)                   eight lanes of panel elements from a row of the source
 *   dot(sums, w, x)                   the products of all lanes' elements onto the sums
 *   W_PLUS_128                        whether the panel holds w + 128, so that 128 sum(x) comes off
 *
 * A tile is up to MR rows by 16 columns: twelve sums, two vectors of the panel, a broadcast of x.
 */

enum { COLUMNS = OMMA_PANEL_COLUMNS, HALF = 16, LANES = 8, MR = 6, LANE_BYTES = 4 };
enum { PANEL_ROW_BYTES = COLUMNS * LANE_BYTES, STEP = LANES * IN_LANE, LINE_STEPS = 16 };

/* ---- packing ----------------------------------------------------------------------------------
 */

/* STEP elements of eight rows: eight rows of the panel, of eight columns. */
BODY void pack_block(const int8_t *source, size_t stride, char *panel)
{
    __m256i v[LANES];

    UNROLL
    for (int i = 0; i < LANES; i++) {
        v[i] = load_lanes(source + (size_t)i * stride);
    }
    vec_transpose(v);
    UNROLL
    for (int i = 0; i < LANES; i++) {
        _mm256_store_si256((void *)(panel + (size_t)i * PANEL_ROW_BYTES), v[i]);
    }
}

/* The same of k <= STEP elements of n <= 8 rows, the rest filled up. */
static void pack_rest(size_t n, size_t k, const int8_t *source, size_t stride, panel_element *panel)
{
    for (size_t p = 0; p < (k + IN_LANE - 1) / IN_LANE * IN_LANE; p++) {
        for (size_t i = 0; i < LANES; i++) {
            panel[p / IN_LANE * (COLUMNS * IN_LANE) + i * IN_LANE + p % IN_LANE] =
                panel_value(i < n && p < k ? source[i * stride + p] : 0);
        }
    }
}

BODY void pack_rows(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    for (size_t p = 0; p < k; p += STEP) {
        size_t k_here = k - p < STEP ? k - p : STEP;

        for (size_t j = 0; j < COLUMNS; j += LANES) {
            const int8_t *from = source + (j < n ? j : 0) * stride + p;
            char *to = (char *)panel + p / IN_LANE * PANEL_ROW_BYTES + j * LANE_BYTES;

            if (k_here == STEP && j + LANES <= n) {
                pack_block(from, stride, to);
            } else {
                pack_rest(j < n ? n - j : 0, k_here, from, stride, (panel_element *)(void *)to);
            }
        }
    }
}

/* ---- products ---------------------------------------------------------------------------------
 */

/* Where the sums of n <= 16 columns go; those of the rows of A, or NULL. */
struct output_i32 {
    size_t n;
    int32_t *c;
    size_t c_stride;
    const int32_t *a_sums;
    bool accumulate;
};

BODY void store_row(const struct output_i32 *output, size_t i, __m256i low, __m256i high)
{
    const size_t n = output->n;
    __m256i low_mask = vec_first(n), high_mask = vec_first(n < LANES ? 0 : n - LANES);
    int32_t *c = output->c + i * output->c_stride;

    if (W_PLUS_128 && output->a_sums != NULL) {
        __m256i excess = _mm256_slli_epi32(_mm256_set1_epi32(output->a_sums[i]), 7);

        low = _mm256_sub_epi32(low, excess);
        high = _mm256_sub_epi32(high, excess);
    }
    if (output->accumulate) {
        low = _mm256_add_epi32(low, _mm256_maskload_epi32(c, low_mask));
        high = _mm256_add_epi32(high, _mm256_maskload_epi32(c + LANES, high_mask));
    }
    _mm256_maskstore_epi32(c, low_mask, low);
    _mm256_maskstore_epi32(c + LANES, high_mask, high);
}

/* The products of the first n_bytes of a lane of mr rows of A with a row of the panel. */
BODY void step(const int mr, const size_t n_bytes, const char *a, size_t a_bytes, const char *panel,
               __m256i low[MR], __m256i high[MR])
{
    __m256i w_low = _mm256_load_si256((const void *)panel);
    __m256i w_high = _mm256_load_si256((const void *)(panel + LANES * LANE_BYTES));

    UNROLL
    for (int i = 0; i < mr; i++) {
        int32_t lane = 0;
        __m256i x;

        memcpy(&lane, a + (size_t)i * a_bytes, n_bytes);
        x = _mm256_set1_epi32(lane);
        low[i] = dot(low[i], w_low, x);
        high[i] = dot(high[i], w_high, x);
    }
}

/* mr rows by up to 16 columns over n_steps lanes of A, whose rows lie a_bytes apart, and n_last
 * bytes of another; fetch: the rows behind them are asked for meanwhile. */
BODY void tile(const int mr, const bool fetch, size_t n_steps, size_t n_last, const char *a,
               size_t a_bytes, const char *panel, const struct output_i32 *output)
{
    __m256i low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm256_setzero_si256();
    }
    for (size_t n; n_steps > 0; n_steps -= n) {
        n = !fetch || n_steps < LINE_STEPS ? n_steps : LINE_STEPS;
        UNROLL
        for (int i = 0; fetch && i < mr; i++) {
            _mm_prefetch(a + (size_t)(mr + i) * a_bytes, _MM_HINT_T1);
        }
        for (const char *end = a + n * LANE_BYTES; a != end; panel += PANEL_ROW_BYTES) {
            step(mr, LANE_BYTES, a, a_bytes, panel, low, high);
            a += LANE_BYTES;
        }
    }
    if (n_last > 0) {
        step(mr, n_last, a, a_bytes, panel, low, high);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row(output, (size_t)i, low[i], high[i]);
    }
}

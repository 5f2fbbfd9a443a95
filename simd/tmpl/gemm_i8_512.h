/*
 * Products of bytes with 512-bit vectors, beside simd/tmpl/gemm_512.h.  A tier gives, before this:
 *
 *   STEP_VECTORS                      of the panel for four k: of columns 0-15 and 16-31 in turn
 *   step_i8(w, x, &low, &high)        the products of four k with the bytes x onto the sums
 *   W_PLUS_128                        whether the panel holds w + 128, so that 128 sum(x) comes off
 *
 * Sums of bytes are exact in i32, and modulo 2^32 on the way there.
 */

enum { K_STEP = 4, LINE_BYTES = 64 };

/* Where a tile's sums go: which lanes of the two vectors of a row C has, and whether it adds them;
 * the sums of the rows of A, or NULL. */
struct output_i32 {
    int32_t *c;
    const int32_t *a_sums;
    size_t c_stride;
    __mmask16 low, high;
    bool accumulate;
};

BODY void store_row_i32(struct output_i32 output, size_t i, __m512i low, __m512i high)
{
    int32_t *c = output.c + i * output.c_stride;

    if (W_PLUS_128 && output.a_sums != NULL) {
        __m512i excess = _mm512_slli_epi32(_mm512_set1_epi32(output.a_sums[i]), 7);

        low = _mm512_sub_epi32(low, excess);
        high = _mm512_sub_epi32(high, excess);
    }
    if (output.accumulate) {
        low = _mm512_add_epi32(_mm512_maskz_loadu_epi32(output.low, c), low);
        high = _mm512_add_epi32(_mm512_maskz_loadu_epi32(output.high, c + LANES), high);
    }
    _mm512_mask_storeu_epi32(c, output.low, low);
    _mm512_mask_storeu_epi32(c + LANES, output.high, high);
}

/* Four k in every lane; the first n of them, the others zero. */
static inline __m512i broadcast_bytes(const int8_t *a, size_t n)
{
    int bytes = 0;

    memcpy(&bytes, a, n);
    return _mm512_set1_epi32(bytes);
}

/* Every third row of A: three are in reach of one pointer, so that all stay in registers. */
enum { ROWS_A_POINTER = 3, N_POINTERS = MR / ROWS_A_POINTER };

/* The products of n <= 4 k, one step of the panel. */
BODY void step_rows(const int mr, size_t n, const int8_t *const rows[N_POINTERS], size_t a_stride,
                    const char *panel, __m512i low[MR], __m512i high[MR])
{
    __m512i w[STEP_VECTORS];

    UNROLL
    for (int i = 0; i < STEP_VECTORS; i++) {
        w[i] = _mm512_load_si512(panel + i * LINE_BYTES);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        const int8_t *a = rows[i / ROWS_A_POINTER] + (size_t)(i % ROWS_A_POINTER) * a_stride;

        step_i8(w, broadcast_bytes(a, n), &low[i], &high[i]);
    }
}

BODY void tile_i8(const int mr, size_t k, const int8_t *a, size_t a_stride, const char *panel,
                  struct output_i32 output)
{
    const size_t panel_step = STEP_VECTORS * LINE_BYTES;
    const int8_t *rows[N_POINTERS], *next = a + (size_t)mr * a_stride;
    __m512i low[MR], high[MR];

    UNROLL
    for (int i = 0; i < mr; i++) {
        low[i] = high[i] = _mm512_setzero_si512();
        rows[i / ROWS_A_POINTER] = a + (size_t)(i / ROWS_A_POINTER * ROWS_A_POINTER) * a_stride;
    }
    for (size_t n_steps = k / K_STEP, n; n_steps > 0; n_steps -= n, next += LINE_BYTES) {
        n = n_steps < LINE_BYTES / K_STEP ? n_steps : LINE_BYTES / K_STEP;
        UNROLL
        for (int i = 0; i < mr; i++) { /* A need not fit in L2: the next tile's lines, each once */
            _mm_prefetch((const char *)next + (size_t)i * a_stride, _MM_HINT_T1);
        }
        for (size_t step = 0; step < n; step++, panel += panel_step) {
            step_rows(mr, K_STEP, rows, a_stride, panel, low, high);
            UNROLL
            for (int i = 0; i < mr; i += ROWS_A_POINTER) {
                rows[i / ROWS_A_POINTER] += K_STEP;
            }
        }
    }
    if (k % K_STEP != 0) {
        step_rows(mr, k % K_STEP, rows, a_stride, panel, low, high);
    }
    UNROLL
    for (int i = 0; i < mr; i++) {
        store_row_i32(output, (size_t)i, low[i], high[i]);
    }
}

void OMMA_TIER(omma_gemm_i8_12x32)(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                                   const int32_t *a_sums, const void *panel, int32_t *c,
                                   size_t c_stride, bool accumulate)
{
    struct output_i32 output = {
        .c = c,
        .a_sums = a_sums,
        .c_stride = c_stride,
        .low = (__mmask16)(n >= LANES ? 0xFFFF : (1u << n) - 1),
        .high = (__mmask16)(n <= LANES ? 0 : (1u << (n - LANES)) - 1),
        .accumulate = accumulate,
    };

    for (size_t n_tiles = (m + MR - 1) / MR, mr; n_tiles > 0; n_tiles--) {
        mr = (m + n_tiles - 1) / n_tiles;
        OMMA_WITH_CONSTANT_12(mr, tile_i8, k, a, a_stride, panel, output);
        m -= mr;
        a += mr * a_stride;
        output.c += mr * c_stride;
        output.a_sums += a_sums != NULL ? mr : 0;
    }
}

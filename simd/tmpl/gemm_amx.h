/*
 * C[m][n] = A[m][k] x panel by the tiles of AMX.  A row of the panel, 32 lanes of 32 bits, is a row
 * of two B tiles as it lies; sixteen rows of A, 64 bytes of each, are an A tile as they lie.  A
 * tier gives, before this:
 *
 *   element, sum                      types of A and C
 *   IN_LANE                           elements of A in 32 bits
 *   DOT(c, a, b)                      the instruction
 *   add_row(n, sums, c, accumulate)   n <= 32 sums of a row to C
 *
 * Blocks of 32 rows by the panel's 32 columns take four sums, so that each tile loaded serves two
 * products.  Where k is no multiple of a tile's, its rest goes through copies filled up with zero.
 * Sums pass through memory on their way to C: an element is one chain of tiles over k, whatever m,
 * n and accumulate are.
 */

enum { BLOCK_ROWS = 2 * TILE_ROWS, PANEL_ROW_BYTES = OMMA_PANEL_COLUMNS * 4 };
enum { TILE_K = TILE_ROWS * IN_LANE };

/* Rows of up to 64 bytes as a tile's rows, filled up with zero. */
static inline void copy_rows(size_t n_rows, size_t n_bytes, const void *source, size_t stride_bytes,
                             size_t room_bytes, char *room)
{
    memset(room, 0, TILE_ROWS * room_bytes);
    for (size_t i = 0; i < n_rows; i++) {
        memcpy(room + i * room_bytes, (const char *)source + i * stride_bytes, n_bytes);
    }
}

/* One step of k: A's rows lie a_bytes apart. */
static inline __attribute__((always_inline)) void step(const bool two, const void *a,
                                                       size_t a_bytes, const char *panel)
{
    _tile_loadd(B0, panel, PANEL_ROW_BYTES);
    _tile_loadd(A0, a, a_bytes);
    DOT(C00, A0, B0);
    _tile_loadd(B1, panel + TILE_ROW_BYTES, PANEL_ROW_BYTES);
    DOT(C01, A0, B1);
    if (two) {
        _tile_loadd(A1, (const char *)a + TILE_ROWS * a_bytes, a_bytes);
        DOT(C10, A1, B0);
        DOT(C11, A1, B1);
    }
}

/* Sums of m <= 32 rows over all of k; last: the rest of the panel as whole tiles. */
static inline __attribute__((always_inline)) void block(const bool two, size_t m, size_t k,
                                                        const element *a, size_t a_stride,
                                                        const char *panel, const char *last,
                                                        sum sums[BLOCK_ROWS][OMMA_PANEL_COLUMNS])
{
    const size_t n_whole = k / TILE_K * TILE_K, a_bytes = a_stride * sizeof *a;
    const size_t row_bytes = sizeof *sums;

    _tile_zero(C00);
    _tile_zero(C01);
    _tile_zero(C10);
    _tile_zero(C11);
    for (size_t p = 0; p < n_whole; p += TILE_K, panel += TILE_ROWS * PANEL_ROW_BYTES) {
        step(two, a + p, a_bytes, panel);
    }
    if (n_whole < k) {
        char rest[BLOCK_ROWS][TILE_ROW_BYTES];

        for (size_t i = 0; i < m; i += TILE_ROWS) {
            copy_rows(m - i < TILE_ROWS ? m - i : TILE_ROWS, (k - n_whole) * sizeof *a,
                      a + i * a_stride + n_whole, a_bytes, TILE_ROW_BYTES, rest[i]);
        }
        tiles_read_memory();
        step(two, rest, TILE_ROW_BYTES, last);
    }
    _tile_stored(C00, sums[0], row_bytes);
    _tile_stored(C01, sums[0] + TILE_ROWS, row_bytes);
    if (two) {
        _tile_stored(C10, sums[TILE_ROWS], row_bytes);
        _tile_stored(C11, sums[TILE_ROWS] + TILE_ROWS, row_bytes);
    }
}

static inline void gemm(size_t m, size_t n, size_t k, const element *a, size_t a_stride,
                        const void *panel, sum *c, size_t c_stride, bool accumulate)
{
    const size_t n_whole = k / TILE_K * TILE_K, rest = k - n_whole;
    char last[TILE_ROWS * PANEL_ROW_BYTES] __attribute__((aligned(64)));
    sum sums[BLOCK_ROWS][OMMA_PANEL_COLUMNS] __attribute__((aligned(64)));
    size_t n_configured = 0;

    if (rest > 0) {
        copy_rows((rest + IN_LANE - 1) / IN_LANE, PANEL_ROW_BYTES,
                  (const char *)panel + n_whole / IN_LANE * PANEL_ROW_BYTES, PANEL_ROW_BYTES,
                  PANEL_ROW_BYTES, last);
        tiles_read_memory();
    }
    for (size_t n_here; m > 0; m -= n_here, a += n_here * a_stride, c += n_here * c_stride) {
        n_here = m < BLOCK_ROWS ? m : BLOCK_ROWS;
        if (n_here != n_configured) {
            tiles_configure(n_here);
            n_configured = n_here;
        }
        if (n_here > TILE_ROWS) {
            block(true, n_here, k, a, a_stride, panel, last, sums);
        } else {
            block(false, n_here, k, a, a_stride, panel, last, sums);
        }
        for (size_t i = 0; i < n_here; i++) {
            add_row(n, sums[i], c + i * c_stride, accumulate);
        }
    }
    if (n_configured > 0) {
        _tile_release();
    }
}

/*
 * What the matrix products with 512-bit vectors share: where the sums of a tile of C go.
 *
 * A tile is up to MR rows by the panel's 32 columns: 2 MR sums in registers; a step of k takes two
 * vectors of the panel and one broadcast a row.  The rows of A are split evenly over the tiles,
 * lest a last tile of one row runs at the latency of its two chains.
 */

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 16, MR = 12 };

#define TILE   static inline __attribute__((always_inline)) void
#define UNROLL _Pragma("GCC unroll 16")

/* Where a tile's sums go: which lanes of the two vectors of a row C has, and whether it adds them.
 */
struct output {
    float *c;
    size_t c_stride;
    __mmask16 low, high;
    bool accumulate;
};

static inline struct output output_of(size_t n, float *c, size_t c_stride, bool accumulate)
{
    return (struct output){
        .c = c,
        .c_stride = c_stride,
        .low = (__mmask16)(n >= LANES ? 0xFFFF : (1u << n) - 1),
        .high = (__mmask16)(n <= LANES ? 0 : (1u << (n - LANES)) - 1),
        .accumulate = accumulate,
    };
}

TILE store_row(struct output output, size_t i, __m512 low, __m512 high)
{
    float *c = output.c + i * output.c_stride;

    if (output.accumulate) {
        low = _mm512_add_ps(_mm512_maskz_loadu_ps(output.low, c), low);
        high = _mm512_add_ps(_mm512_maskz_loadu_ps(output.high, c + LANES), high);
    }
    _mm512_mask_storeu_ps(c, output.low, low);
    _mm512_mask_storeu_ps(c + LANES, output.high, high);
}

/* tile_rows(mr, ...) with mr as a constant: a body is compiled for every height of a tile. */
#define TILE_OF_HEIGHT(mr, tile_rows, ...)                                                         \
    switch (mr) {                                                                                  \
    case 1:                                                                                        \
        tile_rows(1, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 2:                                                                                        \
        tile_rows(2, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 3:                                                                                        \
        tile_rows(3, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 4:                                                                                        \
        tile_rows(4, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 5:                                                                                        \
        tile_rows(5, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 6:                                                                                        \
        tile_rows(6, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 7:                                                                                        \
        tile_rows(7, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 8:                                                                                        \
        tile_rows(8, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 9:                                                                                        \
        tile_rows(9, __VA_ARGS__);                                                                 \
        break;                                                                                     \
    case 10:                                                                                       \
        tile_rows(10, __VA_ARGS__);                                                                \
        break;                                                                                     \
    case 11:                                                                                       \
        tile_rows(11, __VA_ARGS__);                                                                \
        break;                                                                                     \
    case 12:                                                                                       \
        tile_rows(12, __VA_ARGS__);                                                                \
        break;                                                                                     \
    }

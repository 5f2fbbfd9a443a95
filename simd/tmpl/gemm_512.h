/*
 * What the matrix products with 512-bit vectors share: where the sums of a tile of C go.
 *
 * A tile is up to MR rows by the panel's 32 columns: 2 MR sums in registers; a step of k takes two
 * vectors of the panel and one broadcast a row.  The rows of A are split evenly over the tiles,
 * lest a last tile of one row runs at the latency of its two chains.
 */

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 16, MR = 12 };

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

BODY void store_row(struct output output, size_t i, __m512 low, __m512 high)
{
    float *c = output.c + i * output.c_stride;

    if (output.accumulate) {
        low = _mm512_add_ps(_mm512_maskz_loadu_ps(output.low, c), low);
        high = _mm512_add_ps(_mm512_maskz_loadu_ps(output.high, c + LANES), high);
    }
    _mm512_mask_storeu_ps(c, output.low, low);
    _mm512_mask_storeu_ps(c + LANES, output.high, high);
}

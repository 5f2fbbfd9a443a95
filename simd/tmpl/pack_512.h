/*
 * Panels of rows with 512-bit vectors: what the packings of all tiers share.
 *
 * Rows go through transpositions of 16 rows by 16 elements of 32 bits: f32, pairs of 16-bit
 * elements, or four bytes, which are as they come what a lane of the multiply-add takes, or are
 * split and widened. What a row or the source lacks is loaded as zero, so that the fill of the
 * panel needs no care.
 */

/* A row of a panel is 32 lanes of 32 bits. */
enum { LANES = 16, LINE_BYTES = 64, ROW_BYTES = OMMA_PANEL_COLUMNS * 4 };

/* v[i] lane j <-> v[j] lane i */
BODY void transpose(__m512i v[LANES])
{
    __m512i t[LANES];

    /* pairs of rows, then fours, within 128 bits */
    UNROLL
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    UNROLL
    for (int i = 0; i < LANES; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* v[4 a + b] has in its quarter q the column 4 q + b of rows 4 a to 4 a + 3 */
    UNROLL
    for (int b = 0; b < 4; b++) {
        __m512i low01 = _mm512_shuffle_i32x4(v[b], v[4 + b], 0x88);
        __m512i odd01 = _mm512_shuffle_i32x4(v[b], v[4 + b], 0xDD);
        __m512i low23 = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0x88);
        __m512i odd23 = _mm512_shuffle_i32x4(v[8 + b], v[12 + b], 0xDD);

        t[b] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        t[8 + b] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
        t[4 + b] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
        t[12 + b] = _mm512_shuffle_i32x4(odd01, odd23, 0xDD);
    }
    UNROLL
    for (int i = 0; i < LANES; i++) {
        v[i] = t[i];
    }
}

/* What a row of the source has, and what becomes of it. */
enum kind {
    F32,         /* as it is */
    F16,         /* widened to f32 */
    PAIRS,       /* of bf16: as they are */
    PAIRS_SPLIT, /* of bf16: two f32 */
    BYTES,       /* four: as they are */
    BYTES_U8,    /* four, each with 128 added */
    BYTES_I16,   /* four: the even ones and the odd ones, widened to i16 */
    BYTES_BF16,  /* four: two pairs of bf16 */
    BYTES_F32,   /* four: each an f32 */
};

/* Elements of the source in 32 bits, and their bytes. */
BODY size_t in_lane(const enum kind kind)
{
    return kind >= BYTES ? 4 : kind == PAIRS || kind == PAIRS_SPLIT ? 2 : 1;
}

BODY size_t element_bytes(const enum kind kind)
{
    return kind == F32 ? 4 : kind >= BYTES ? 1 : 2;
}

/* Rows of the panel that come of k elements, and of a lane's. */
BODY size_t panel_rows(const enum kind kind, size_t k)
{
    switch (kind) {
    case PAIRS:
    case BYTES_BF16:
        return (k + 1) / 2;
    case BYTES:
    case BYTES_U8:
        return (k + 3) / 4;
    case BYTES_I16:
        return (k + 3) / 4 * 2;
    default:
        return k;
    }
}

/* The first n of a vector's elements, n > 0. */
BODY __mmask64 first(size_t n)
{
    return UINT64_MAX >> (64 - n);
}

BODY __m512i load_row(const enum kind kind, const char *row, __mmask64 mask)
{
    if (kind == F32) {
        return _mm512_maskz_loadu_epi32((__mmask16)mask, row);
    }
    if (kind == F16) {
        __m256i half = _mm256_maskz_loadu_epi16((__mmask16)mask, row);

        return _mm512_castps_si512(_mm512_cvtph_ps(half));
    }
    if (kind >= BYTES) {
        return _mm512_maskz_loadu_epi8(mask, row);
    }
    return _mm512_maskz_loadu_epi16((__mmask32)mask, row);
}

/* Byte i of every lane as an f32. */
BODY __m512i byte_f32(__m512i v, const int i)
{
    __m512i wide = _mm512_srai_epi32(_mm512_slli_epi32(v, (unsigned)(24 - 8 * i)), 24);

    return _mm512_castps_si512(_mm512_cvtepi32_ps(wide));
}

/* Bytes i and i + 1 of every lane as bf16, which holds them exactly. */
BODY __m512i bytes_bf16(__m512i v, const int i)
{
    return _mm512_or_si512(_mm512_srli_epi32(byte_f32(v, i), 16), byte_f32(v, i + 1));
}

/* The row of the panel that is part `part` of a transposed vector. */
BODY __m512i part_of(const enum kind kind, __m512i v, const int part)
{
    const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000);

    switch (kind) {
    case PAIRS_SPLIT:
        return part == 0 ? _mm512_slli_epi32(v, 16) : _mm512_and_si512(v, upper);
    case BYTES_U8:
        return _mm512_xor_si512(v, _mm512_set1_epi8(-128));
    case BYTES_I16:
        return _mm512_srai_epi16(part == 0 ? _mm512_slli_epi16(v, 8) : v, 8);
    case BYTES_BF16:
        return bytes_bf16(v, 2 * part);
    case BYTES_F32:
        return byte_f32(v, part);
    default:
        return v;
    }
}

/* Vector i of a transposed block to its place: panel points at the block's first row, of n_rows. */
BODY void store_vector(const enum kind kind, size_t i, __m512i v, size_t n_rows, char *panel)
{
    const int n_parts = (int)panel_rows(kind, in_lane(kind));

    UNROLL
    for (int part = 0; part < n_parts; part++) {
        size_t row = i * (size_t)n_parts + (size_t)part;

        if (row < n_rows) {
            _mm512_store_si512(panel + row * ROW_BYTES, part_of(kind, v, part));
        }
    }
}

/* The last k elements, fewer than a block has; the block goes through memory. */
static __attribute__((noinline)) void store_last(const enum kind kind, size_t k,
                                                 const __m512i v[LANES], char *panel)
{
    for (size_t i = 0; i * in_lane(kind) < k; i++) {
        store_vector(kind, i, v[i], panel_rows(kind, k), panel);
    }
}

/* Sixteen columns of zero over n_rows rows. */
BODY void clear_half(size_t n_rows, char *panel)
{
    for (size_t p = 0; p < n_rows; p++) {
        _mm512_store_si512(panel + p * ROW_BYTES, _mm512_setzero_si512());
    }
}

/* Sixteen columns of a panel from n rows of the source; without `all` n may be less than sixteen.
 */
BODY void pack_half(const enum kind kind, const bool all, size_t n, size_t k, const char *source,
                    size_t row_bytes, char *panel)
{
    const size_t step = LANES * in_lane(kind), n_rows = panel_rows(kind, step);

    for (size_t p = 0; p < k; p += step, panel += n_rows * ROW_BYTES) {
        size_t n_here = k - p < step ? k - p : step;
        __m512i v[LANES];

        UNROLL
        for (size_t i = 0; i < LANES; i++) {
            bool there = all || i < n;
            const char *row = source + (there ? i : 0) * row_bytes + p * element_bytes(kind);

            v[i] = load_row(kind, row, there ? first(n_here) : 0);
            _mm_prefetch(row + LINE_BYTES, _MM_HINT_T0);
        }
        transpose(v);
        if (n_here < step) {
            store_last(kind, n_here, v, panel);
            break;
        }
        UNROLL
        for (size_t i = 0; i < LANES; i++) {
            store_vector(kind, i, v[i], n_rows, panel);
        }
    }
}

BODY void pack_rows(const enum kind kind, size_t n, size_t k, const void *source, size_t stride,
                    void *panel)
{
    size_t row_bytes = stride * element_bytes(kind);

    for (size_t j = 0; j < OMMA_PANEL_COLUMNS; j += LANES) {
        const char *rows = source;
        char *columns = (char *)panel + j * sizeof(float);

        if (n >= j + LANES) {
            pack_half(kind, true, LANES, k, rows + j * row_bytes, row_bytes, columns);
        } else if (n > j) {
            pack_half(kind, false, n - j, k, rows + j * row_bytes, row_bytes, columns);
        } else {
            clear_half(panel_rows(kind, k), columns);
        }
    }
}

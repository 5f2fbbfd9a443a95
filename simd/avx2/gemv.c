/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T, m <= 8, with 256-bit FMA; W is read as it lies, once.
 *
 * W comes in four streams: the rows in four parts, a row of each at a time, which comes faster from
 * memory than one.  Where rows are short (keys of attention), four rows side by side are one
 * stream. Sixteen registers hold the sums of one or two rows of x with four of W, or of three or
 * four with two; of more rows than these can take, the first ones fetch a block of W and the others
 * find it in L1.
 *
 * A sum over k runs in one vector, in the order of k: the same for every m and n, so that the bits
 * of a row of y depend on no other row.
 */
#include "config.h"

#include "simd/avx2/vec.h"
#include "simd/kernels.h"

enum {
    ROWS = 4,    /* of x at a time */
    STREAMS = 4, /* rows of W at a time */
    LANES = 8,
    LINE = 64,
    K_BLOCK = 512, /* so that 4 rows of W and 8 of x stay in L1 */
    SHORT_K = 256,
    AHEAD_BYTES = 4096,
};

enum weight { WEIGHT_F32, WEIGHT_BF16, WEIGHT_F16, WEIGHT_I8 };

/* Of all rows of x with rows of W. */
struct sums {
    __m256 of[OMMA_GEMV_MAX_M][STREAMS];
};

/* x and W at the same k. */
struct operands {
    const float *x;
    size_t x_stride;
    const char *w;
    size_t w_bytes; /* between the streams */
};

BODY size_t bytes_of(const enum weight type)
{
    return type == WEIGHT_F32 ? 4 : type == WEIGHT_I8 ? 1 : 2;
}

BODY __m256 widen(const enum weight type, __m128i half)
{
    if (type == WEIGHT_F16) {
        return _mm256_cvtph_ps(half);
    }
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* The first n of eight weights as f32, the others 0. */
BODY __m256 load_weights(const enum weight type, const char *w, size_t n)
{
    if (type == WEIGHT_F32) {
        return n == LANES ? _mm256_loadu_ps((const void *)w)
                          : _mm256_maskload_ps((const void *)w, vec_first(n));
    }
    if (type == WEIGHT_I8) {
        int64_t bytes = 0;

        memcpy(&bytes, w, n);
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(bytes)));
    }
    return widen(type, n == LANES ? _mm_loadu_si128((const void *)w)
                                  : vec_u16_load_tail((const void *)w, n));
}

/* A vector of x that serves several rows of W, loaded once: gcc would load it for each. */
BODY __m256 keep(__m256 x)
{
#ifndef OMMA_SIMDE
    __asm__("" : "+x"(x));
#endif
    return x;
}

/* n_here <= 8 elements from p on of m rows of x and n of W, from the first-th of each. */
BODY void step(const int m, const int n, const enum weight type, const struct operands *o, size_t p,
               size_t n_here, __m256 sums[ROWS][STREAMS])
{
    __m256 w[STREAMS];

    UNROLL
    for (int j = 0; j < n; j++) {
        w[j] = load_weights(type, o->w + (size_t)j * o->w_bytes + p * bytes_of(type), n_here);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        const float *at = o->x + (size_t)i * o->x_stride + p;
        __m256 x =
            n_here == LANES ? _mm256_loadu_ps(at) : _mm256_maskload_ps(at, vec_first(n_here));

        x = n > 1 ? keep(x) : x;
        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = _mm256_fmadd_ps(x, w[j], sums[i][j]);
        }
    }
}

/* m rows of x and n of W over k elements, onto the sums; W is asked for so far ahead. */
BODY void piece(const int m, const int n, const enum weight type, size_t k,
                const struct operands *operands, size_t ahead_bytes, __m256 (*sums)[STREAMS])
{
    const size_t line = LINE / bytes_of(type);
    const struct operands o = *operands;
    __m256 here[ROWS][STREAMS];
    size_t p = 0;

    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            here[i][j] = sums[i][j];
        }
    }
    for (; p + line <= k; p += line) {
        UNROLL
        for (int j = 0; j < n; j++) {
            _mm_prefetch(o.w + (size_t)j * o.w_bytes + p * bytes_of(type) + ahead_bytes,
                         _MM_HINT_T1);
        }
        UNROLL
        for (size_t q = 0; q < line; q += LANES) {
            step(m, n, type, &o, p + q, LANES, here);
        }
    }
    for (; p + LANES <= k; p += LANES) {
        step(m, n, type, &o, p, LANES, here);
    }
    if (p < k) {
        step(m, n, type, &o, p, k - p, here);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < n; j++) {
            sums[i][j] = here[i][j];
        }
    }
}

/* The lanes of four sums added up, in vec_sum()'s order. */
BODY __m128 sums_of_four(const __m256 sums[STREAMS])
{
    __m128 half[STREAMS], ab, cd;

    UNROLL
    for (int j = 0; j < STREAMS; j++) {
        half[j] = _mm_add_ps(_mm256_castps256_ps128(sums[j]), _mm256_extractf128_ps(sums[j], 1));
    }
    ab = _mm_add_ps(_mm_unpacklo_ps(half[0], half[1]), _mm_unpackhi_ps(half[0], half[1]));
    cd = _mm_add_ps(_mm_unpacklo_ps(half[2], half[3]), _mm_unpackhi_ps(half[2], half[3]));
    return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

static void finish(size_t m, size_t n, const struct sums *sums, float *y, size_t y_stride,
                   size_t apart)
{
    for (size_t i = 0; i < m; i++, y += y_stride) {
        float four[STREAMS];

        if (n == 1) {
            *y = vec_sum(sums->of[i][0]);
            continue;
        }
        _mm_storeu_ps(four, sums_of_four(sums->of[i]));
        for (size_t j = 0; j < STREAMS; j++) {
            y[j * apart] = four[j];
        }
    }
}

/* A block of k: up to four rows of x with four of W, or with one. */
typedef void (*piece_fn)(size_t k, const struct operands *o, size_t ahead_bytes,
                         __m256 (*sums)[STREAMS]);

/* Pieces by rows of x. */
struct pieces {
    piece_fn with_four[ROWS], with_one[ROWS];
};

#define PIECE(name, m, n, type)                                                                    \
    static void name##_##m##x##n(size_t k, const struct operands *o, size_t ahead_bytes,           \
                                 __m256(*sums)[STREAMS])                                           \
    {                                                                                              \
        piece(m, n, type, k, o, ahead_bytes, sums);                                                \
    }

/* Four rows of W in two halves, as the registers hold no more. */
#define PIECE_OF_HALVES(name, m, type)                                                             \
    static void name##_##m##x4(size_t k, const struct operands *o, size_t ahead_bytes,             \
                               __m256(*sums)[STREAMS])                                             \
    {                                                                                              \
        two_halves(m, type, k, o, ahead_bytes, sums);                                              \
    }

#define PIECES(name, type)                                                                         \
    PIECE(name, 1, 4, type)                                                                        \
    PIECE(name, 2, 4, type)                                                                        \
    PIECE_OF_HALVES(name, 3, type)                                                                 \
    PIECE_OF_HALVES(name, 4, type)                                                                 \
    PIECE(name, 1, 1, type)                                                                        \
    PIECE(name, 2, 1, type)                                                                        \
    PIECE(name, 3, 1, type)                                                                        \
    PIECE(name, 4, 1, type)                                                                        \
    static const struct pieces name = {{name##_1x4, name##_2x4, name##_3x4, name##_4x4},           \
                                       {name##_1x1, name##_2x1, name##_3x1, name##_4x1}};

BODY void two_halves(const int m, const enum weight type, size_t k, const struct operands *o,
                     size_t ahead_bytes, __m256 (*sums)[STREAMS])
{
    struct operands second = *o;
    __m256 parts[2][ROWS][STREAMS];

    second.w += 2 * o->w_bytes;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < STREAMS; j++) {
            parts[j / 2][i][j % 2] = sums[i][j];
        }
    }
    piece(m, 2, type, k, o, ahead_bytes, parts[0]);
    piece(m, 2, type, k, &second, ahead_bytes, parts[1]);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < STREAMS; j++) {
            sums[i][j] = parts[j / 2][i][j % 2];
        }
    }
}

PIECES(pieces_f32, WEIGHT_F32)
PIECES(pieces_bf16, WEIGHT_BF16)
PIECES(pieces_f16, WEIGHT_F16)
PIECES(pieces_i8, WEIGHT_I8)

/* All m rows of x with four rows of W, or with one, whose elements of y lie apart. */
static void rows(const piece_fn pieces[ROWS], size_t m, size_t n, size_t element, size_t k,
                 struct operands o, float *y, size_t y_stride, size_t apart)
{
    const size_t m_first = m < ROWS ? m : ROWS, block = m > 2 ? K_BLOCK : k;
    struct sums sums;

    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < STREAMS; j++) {
            sums.of[i][j] = _mm256_setzero_ps();
        }
    }
    for (size_t p = 0; p < k; p += block, o.x += block, o.w += block * element) {
        struct operands others = o;
        size_t k_here = k - p < block ? k - p : block;

        others.x += ROWS * o.x_stride;
        pieces[m_first - 1](k_here, &o, AHEAD_BYTES, sums.of);
        if (m > ROWS) {
            pieces[m - ROWS - 1](k_here, &others, 0, sums.of + ROWS);
        }
    }
    finish(m, n, &sums, y, y_stride, apart);
}

static void gemv(const struct pieces *pieces, size_t element, size_t m, size_t n, size_t k,
                 const float *x, size_t x_stride, const void *w, size_t w_stride, float *y,
                 size_t y_stride)
{
    const size_t row_bytes = w_stride * element, n_fours = n / STREAMS;
    const size_t apart = k <= SHORT_K ? 1 : n_fours, on = k <= SHORT_K ? STREAMS : 1;
    struct operands o = {x, x_stride, w, apart * row_bytes};

    if (m == 0) {
        return;
    }
    for (size_t j = 0; j < n_fours; j++, o.w += on * row_bytes) {
        rows(pieces->with_four, m, STREAMS, element, k, o, y + on * j, y_stride, apart);
    }
    o.w = (const char *)w + n_fours * STREAMS * row_bytes;
    for (size_t j = n_fours * STREAMS; j < n; j++, o.w += row_bytes) {
        rows(pieces->with_one, m, 1, element, k, o, y + j, y_stride, 0);
    }
}

void omma_gemv_f32_f32w_4x4__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const float *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv(&pieces_f32, sizeof *w, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_bf16w_4x4__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                   const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv(&pieces_bf16, sizeof *w, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_f16w_4x4__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                  const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv(&pieces_f16, sizeof *w, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

void omma_gemv_f32_i8w_4x4__avx2(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                 const int8_t *w, size_t w_stride, float *y, size_t y_stride)
{
    gemv(&pieces_i8, sizeof *w, m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

/*
 * kernels.h - the kernels: one typedef a family, and the table that a caller holds.
 *
 * Words: m n k as in BLAS, C[m][n] = A[m][k] x B; strides in elements between rows; a panel is a
 * packed block of B; bf16 elements are uint16_t.  No kernel allocates, reads or writes outside the
 * elements named, needs alignment beyond its element's (panels: 64 bytes), or keeps state.  Unless
 * said otherwise inputs and outputs do not overlap.  Counts may be 0, which writes nothing.
 *
 * The scalar tier is the definition.  Other tiers may sum in another order, and exp, erf and
 * division may differ by a few units in the last place; bounds are in tests/simd.  Every tier gives
 * the same bits for one row whatever other rows are computed with it, except that omma_gemv_* and
 * omma_gemm_* differ from each other.
 */
#ifndef OMMA_SIMD_KERNELS_H
#define OMMA_SIMD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/cpu.h"

/* ---- matrix products --------------------------------------------------------------------------
 */

/* Columns of C that one panel gives; the same in all tiers, so that work is split alike. */
enum { OMMA_PANEL_COLUMNS = 32 };

/* Most rows of x that a GEMV takes. */
enum { OMMA_GEMV_MAX_M = 8 };

/* Parts of W's rows that the fastest GEMVs read side by side, a row of each at a time.  No more
 * than a hint. */
enum { OMMA_GEMV_STREAMS = 8 };

/*
 * Panels.  An f32 panel is [k][32] f32.  A bf16 panel is [(k + 1) / 2][32][2] bf16: pairs of
 * consecutive k side by side, an odd k filled up with zero.  Columns from n to 32 are zero.
 */

/* C = A B, or C += A B with accumulate; n <= 32 columns of a panel over k.  Rows of A that lie a
 * power of two of bytes apart share the sets of a cache and are slower: pad a_stride. */
typedef void (*omma_gemm_f32_fn)(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                                 const float *panel, float *c, size_t c_stride, bool accumulate);
typedef void (*omma_gemm_bf16_fn)(size_t m, size_t n, size_t k, const uint16_t *a, size_t a_stride,
                                  const uint16_t *panel, float *c, size_t c_stride,
                                  bool accumulate);

/* Pack n <= 32 rows of k elements: the panel's columns are the source's rows (weights [n][k],
 * keys). */
typedef void (*omma_pack_rows_f32_f32_fn)(size_t n, size_t k, const float *source, size_t stride,
                                          float *panel);
typedef void (*omma_pack_rows_f32_16_fn)(size_t n, size_t k, const uint16_t *source, size_t stride,
                                         float *panel); /* from bf16 or f16 */
typedef void (*omma_pack_rows_bf16_fn)(size_t n, size_t k, const uint16_t *source, size_t stride,
                                       uint16_t *panel);

/* Pack a source [k][n], n <= 32, whose columns are the panel's (values in attention). */
typedef void (*omma_pack_columns_f32_f32_fn)(size_t n, size_t k, const float *source, size_t stride,
                                             float *panel);
typedef void (*omma_pack_columns_f32_bf16_fn)(size_t n, size_t k, const uint16_t *source,
                                              size_t stride, float *panel);
typedef void (*omma_pack_columns_bf16_fn)(size_t n, size_t k, const uint16_t *source, size_t stride,
                                          uint16_t *panel);

/* y[m][n] = x[m][k] W[n][k]^T with W as it lies, m <= 8; every element of W is read once.  Rows of
 * x that begin at multiples of 64 bytes are up to twice as fast. */
typedef void (*omma_gemv_f32_f32w_fn)(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                      const float *w, size_t w_stride, float *y, size_t y_stride);
typedef void (*omma_gemv_f32_16w_fn)(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                     const uint16_t *w, size_t w_stride, float *y,
                                     size_t y_stride); /* bf16 or f16 */
typedef void (*omma_gemv_bf16_bf16w_fn)(size_t m, size_t n, size_t k, const uint16_t *x,
                                        size_t x_stride, const uint16_t *w, size_t w_stride,
                                        float *y, size_t y_stride);

/* y[m][n] += p[m][k] V[k][n], m <= 8: rows of V weighted by p, in the order of k (decode
 * attention). */
typedef void (*omma_weighted_sum_f32_fn)(size_t m, size_t n, size_t k, const float *p,
                                         size_t p_stride, const float *v, size_t v_stride, float *y,
                                         size_t y_stride);
typedef void (*omma_weighted_sum_bf16_fn)(size_t m, size_t n, size_t k, const float *p,
                                          size_t p_stride, const uint16_t *v, size_t v_stride,
                                          float *y, size_t y_stride);

/* ---- int8 --------------------------------------------------------------------------------------
 */

/*
 * Quantize a row by its largest magnitude: scale = max |x| / 127.5, q = x / scale rounded to
 * nearest even and clamped to -128 .. 127 (compressed-tensors' symmetric int8, dynamic per token);
 * returns scale and sets *sum to the sum of q.  A row of zeros has scale 0 and q 0.  x is finite.
 * Every tier gives the same bits.
 */
typedef float (*omma_quantize_i8_fn)(size_t n, const float *x, int8_t *q, int32_t *sum);

/*
 * Products of bytes -128 .. 127 in i32, exact; all k of a product together at most 65536.
 *
 * Some tiers multiply w + 128, which is unsigned, by x (vpdpbusd), and take 128 sum(x) off again:
 * so these take the sum of each row of x over all k of the product.  A panel is the tier's own:
 * panel_i8_bytes(k) bytes at most 64 (k + 3), aligned to 64, to be read by the same tier's gemm_i8
 * with the same k.
 */
typedef size_t (*omma_panel_i8_bytes_fn)(size_t k);
typedef void (*omma_pack_rows_i8_fn)(size_t n, size_t k, const int8_t *source, size_t stride,
                                     void *panel); /* n <= 32 */

/* C = A B, or C += A B.  Where K is multiplied in blocks, a_sums are those of the whole rows in one
 * of the calls and NULL in the others: C is right after the last. */
typedef void (*omma_gemm_i8_fn)(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                                const int32_t *a_sums, const void *panel, int32_t *c,
                                size_t c_stride, bool accumulate);

/* y[m][n] = x[m][k] W[n][k]^T with W as it lies, m <= 8. */
typedef void (*omma_gemv_i8_fn)(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                                const int32_t *x_sums, const int8_t *w, size_t w_stride, int32_t *y,
                                size_t y_stride);

/* y = x * (a * scales), or y += with accumulate, each step rounded to f32: i32 sums of a token of
 * scale a to values; y may be x's own place.  Every tier gives the same bits without accumulate. */
typedef void (*omma_dequantize_i32_fn)(size_t n, const int32_t *x, float a, const float *scales,
                                       float *y, bool accumulate);

/* Weights of int8 with f32 or bf16 activations: as the kernels above for 16-bit weights, without
 * the weights' scales (bytes are exact in bf16). */
typedef void (*omma_pack_rows_f32_i8_fn)(size_t n, size_t k, const int8_t *source, size_t stride,
                                         float *panel);
typedef void (*omma_pack_rows_bf16_i8_fn)(size_t n, size_t k, const int8_t *source, size_t stride,
                                          uint16_t *panel);
typedef void (*omma_gemv_f32_i8w_fn)(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                     const int8_t *w, size_t w_stride, float *y, size_t y_stride);
typedef void (*omma_gemv_bf16_i8w_fn)(size_t m, size_t n, size_t k, const uint16_t *x,
                                      size_t x_stride, const int8_t *w, size_t w_stride, float *y,
                                      size_t y_stride);
typedef void (*omma_i8_to_f32_fn)(size_t n, const int8_t *x, float *y);

/* ---- rows of n elements -----------------------------------------------------------------------
 */

typedef void (*omma_f32_to_bf16_fn)(size_t n, const float *x, uint16_t *y);
typedef void (*omma_16_to_f32_fn)(size_t n, const uint16_t *x, float *y); /* from bf16 or f16 */
typedef void (*omma_round_bf16_fn)(size_t n, const float *x, float *y);   /* y may be x */

/* y = x / sqrt(mean(x^2) + eps) * weight; y may be x */
typedef void (*omma_rms_norm_fn)(size_t n, const float *x, const float *weight, float eps,
                                 float *y);
/* y = (x - mean) / sqrt(variance + eps) * weight + bias; biased variance; y may be x */
typedef void (*omma_layer_norm_fn)(size_t n, const float *x, const float *weight, const float *bias,
                                   float eps, float *y);

/* y = x (1 + erf(x / sqrt 2)) / 2; y may be x */
typedef void (*omma_gelu_fn)(size_t n, const float *x, float *y);
/* y = gate / (1 + exp(-gate)) * up; y may be gate or up */
typedef void (*omma_silu_mul_fn)(size_t n, const float *gate, const float *up, float *y);

/* y += x */
typedef void (*omma_add_fn)(size_t n, const float *x, float *y);
/* y += scale * x */
typedef void (*omma_scale_add_fn)(size_t n, const float *scale, const float *x, float *y);
/* y = a * y */
typedef void (*omma_scale_fn)(size_t n, float a, float *y);

/* The largest element; -infinity for n = 0.  No element is NaN. */
typedef float (*omma_row_max_fn)(size_t n, const float *x);
/* y = exp((x - shift) * scale), and the sum of y; x may be -infinity; y may be x.  (x - shift) *
 * scale is at most 0; below -87 the result may be 0. */
typedef float (*omma_exp_sum_fn)(size_t n, const float *x, float shift, float scale, float *y);

/* Rotate one head in place: for j < n / 2,
 * (x[j], x[j + n/2]) -> (x[j] cos[j] - x[j + n/2] sin[j], x[j + n/2] cos[j] + x[j] sin[j]).
 * n is even; cosine and sine have n / 2 elements. */
typedef void (*omma_rope_fn)(size_t n, const float *cosine, const float *sine, float *x);

/* ---- pictures of 8-bit samples ----------------------------------------------------------------
 */

/*
 * Resampling in Pillow's fixed point: a sample of the target is 2^21 + the sum of weight * sample
 * over some samples of the source, shifted right by 22 bits (which rounds down) and clamped to
 * 0..255.  The magnitudes of one target's weights add up to less than 2^23, so that no sum, in
 * whatever order, leaves 32 bits.  All tiers give the same bytes.
 */
enum { OMMA_RESIZE_WEIGHT_BITS = 22, OMMA_RESIZE_STEP = 4 };

/* The samples or pixels that one target weighs: n from first on. */
struct omma_taps {
    uint32_t first, n;
};

/* Along m rows of RGB pixels, source [m][width][3] to target [m][n][3]; strides in bytes.  Pixel i
 * of every target row weighs the pixels taps[i] of its source row with weights[i * weights_stride],
 * of which there are taps[i].n, followed by zeros up to a multiple of OMMA_RESIZE_STEP. */
typedef void (*omma_resize_rows_fn)(size_t m, size_t n, size_t width, const uint8_t *source,
                                    size_t source_stride, const struct omma_taps *taps,
                                    const int32_t *weights, size_t weights_stride, uint8_t *target,
                                    size_t target_stride);
/* Across n_taps >= 1 rows of n samples: target[i] weighs rows[t][i] with weights[t]. */
typedef void (*omma_resize_columns_fn)(size_t n, size_t n_taps, const uint8_t *const *rows,
                                       const int32_t *weights, uint8_t *target);

/* ---- probes of the machine --------------------------------------------------------------------
 */

/* Steps of a round: a multiple of 4, 12 and 24 chains, and of the 16 rows of an AMX tile. */
enum { OMMA_PROBE_STEPS = 192 };

/*
 * Do n_rounds rounds of OMMA_PROBE_STEPS steps on values held in registers; returns how many single
 * multiply-adds were done (NULL in the table: the tier has no such instruction).  A step is what
 * adds products to a register at the least: one instruction where the tier has one that does (FMA,
 * vdpbf16ps, vpdpbusd, bfmmla, sdot, smmla; of AMX one row of A in a tile's sixteen), else the
 * shortest chain of instructions that the tier's own GEMM uses.  Steps go round over as many
 * independent chains as the latency needs, so that a core does an integer or half number of them a
 * cycle; omma_limits_* counts a peak only if it does.  The chains start from values that the
 * compiler cannot know, so it can neither merge nor drop one, and they stay finite.
 */
typedef uint64_t (*omma_probe_fn)(uint64_t n_rounds);
/* Read n_bytes (a multiple of 4096) with the widest loads, as n_streams (1, 2, 4 or 8) equal parts
 * in turns of 256 bytes; each asks for the line prefetch_bytes ahead, or for none with 0.  Returns
 * a value that depends on all bytes. */
typedef uint64_t (*omma_probe_read_fn)(const void *bytes, size_t n_bytes, size_t n_streams,
                                       size_t prefetch_bytes);

/* ---- the table --------------------------------------------------------------------------------
 */

/* A value that its owner holds and hands down; filled from simd/kernels.def. */
struct omma_kernels {
    enum omma_isa isa;

#define OMMA_FAMILY(type, name) type name;
#include "simd/families.def"
#undef OMMA_FAMILY
};

/* The scalar rows, overlaid by each tier up to isa; isa must be built and usable. */
struct omma_kernels omma_kernels_select(enum omma_isa isa);

/* Family i in the order of families.def; NULL behind the last one. */
const char *omma_kernels_family(size_t i);

/* The tier whose kernel of family i a table for isa has: isa or one it stands on; OMMA_ISA_COUNT if
 * none of them has one (the field is NULL). */
enum omma_isa omma_kernels_origin(enum omma_isa isa, size_t i);

/* A declaration of every kernel. */
#define OMMA_KERNEL(family, function, tier)                                                        \
    extern __typeof__(*((struct omma_kernels *)0)->family) function;
#include "simd/kernels.def"
#undef OMMA_KERNEL

#endif

/*
 * pack.c - panels of f32 and, for the tier that multiplies them, of bf16.
 *
 * Rows go through transpositions of 4 rows by 4 elements of 32 bits: f32, or pairs of bf16, which a
 * panel of f32 then has in two rows.  Four panel columns at a time; what is no whole block of four
 * rows is packed element by element.
 */
#include "config.h"

#include "base/bf16.h"
#include "simd/kernels.h"
#include "simd/neon/vec.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS, LANES = 4 };

#include "simd/tmpl/transpose_4.h"

/* ---- rows -------------------------------------------------------------------------------------
 */

/* From what, into what: f32 from f32, bf16, f16, bytes; bf16 from bf16, bytes. */
enum kind { F32, BF16, F16, I8, BF16_PAIRS, I8_PAIRS };

BODY bool makes_pairs(const enum kind kind)
{
    return kind == BF16_PAIRS || kind == I8_PAIRS;
}

BODY size_t source_bytes(const enum kind kind)
{
    return kind == F32 ? 4 : kind == I8 || kind == I8_PAIRS ? 1 : 2;
}

/* Elements of a row in one vector. */
BODY size_t step_of(const enum kind kind)
{
    return kind == BF16 || makes_pairs(kind) ? 2 * LANES : LANES;
}

BODY uint32x4_t load_row(const enum kind kind, const char *row)
{
    if (kind == F16) {
        return vreinterpretq_u32_f32(vec_of_f16(vld1_u16((const void *)row)));
    }
    if (kind == I8) {
        uint32_t bytes;
        int16x8_t whole;

        memcpy(&bytes, row, sizeof bytes);
        whole = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)));
        return vreinterpretq_u32_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(whole))));
    }
    if (kind == I8_PAIRS) { /* the upper halves of f32 are bf16, exactly */
        int16x8_t whole = vmovl_s8(vld1_s8((const void *)row));
        float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(whole)));
        float32x4_t high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(whole)));

        return vreinterpretq_u32_u16(
            vuzp2q_u16(vreinterpretq_u16_f32(low), vreinterpretq_u16_f32(high)));
    }
    return vld1q_u32((const void *)row);
}

/* Vector i of a transposed block to its place in the panel, whose rows are of 32 bits. */
BODY void store_row(const enum kind kind, int i, uint32x4_t v, uint32_t *panel)
{
    if (kind == BF16) {
        vst1q_u32(panel + (size_t)(2 * i) * COLUMNS, vshlq_n_u32(v, 16));
        vst1q_u32(panel + (size_t)(2 * i + 1) * COLUMNS, vandq_u32(v, vdupq_n_u32(0xFFFF0000)));
    } else {
        vst1q_u32(panel + (size_t)i * COLUMNS, v);
    }
}

/* One element as the bits of an f32. */
BODY uint32_t element(const enum kind kind, const char *at)
{
    uint16_t half;
    float value;

    if (kind == F32) {
        memcpy(&value, at, sizeof value);
    } else if (kind == I8 || kind == I8_PAIRS) {
        value = (float)*(const int8_t *)at;
    } else {
        memcpy(&half, at, sizeof half);
        value = kind == F16 ? omma_f32_of_f16(half) : omma_f32_of_bf16(half);
    }
    return omma_bits_of_f32(value);
}

/* Elements p to k of four columns, of which the source has n. */
BODY void pack_rest(const enum kind kind, size_t n, size_t p, size_t k, const char *source,
                    size_t row_bytes, uint32_t *panel)
{
    for (; p < k; p += makes_pairs(kind) ? 2 : 1) {
        uint32_t *to = panel + (makes_pairs(kind) ? p / 2 : p) * COLUMNS;

        for (size_t j = 0; j < LANES; j++) {
            const char *at = source + j * row_bytes + p * source_bytes(kind);

            if (j >= n) {
                to[j] = 0;
            } else if (makes_pairs(kind)) {
                uint32_t odd = p + 1 < k ? element(kind, at + source_bytes(kind)) : 0;

                to[j] = odd | element(kind, at) >> 16;
            } else {
                to[j] = element(kind, at);
            }
        }
    }
}

BODY void pack_rows(const enum kind kind, size_t n, size_t k, const void *source, size_t stride,
                    void *panel)
{
    const size_t step = step_of(kind), row_bytes = stride * source_bytes(kind);
    uint32_t *columns = panel;

    for (size_t j = 0; j < COLUMNS; j += LANES, columns += LANES) {
        const char *rows = (const char *)source + (j < n ? j : 0) * row_bytes;
        size_t n_here = j < n ? n - j : 0;
        size_t p = 0;

        for (; n_here >= LANES && p + step <= k; p += step) {
            uint32x4_t v[LANES];

            UNROLL
            for (int i = 0; i < LANES; i++) {
                v[i] = load_row(kind, rows + (size_t)i * row_bytes + p * source_bytes(kind));
            }
            transpose(v);
            UNROLL
            for (int i = 0; i < LANES; i++) {
                store_row(kind, i, v[i], columns + (makes_pairs(kind) ? p / 2 : p) * COLUMNS);
            }
        }
        pack_rest(kind, n_here, p, k, rows, row_bytes, columns);
    }
}

void omma_pack_rows_f32_f32__neon(size_t n, size_t k, const float *source, size_t stride,
                                  float *panel)
{
    pack_rows(F32, n, k, source, stride, panel);
}

void omma_pack_rows_f32_bf16__neon(size_t n, size_t k, const uint16_t *source, size_t stride,
                                   float *panel)
{
    pack_rows(BF16, n, k, source, stride, panel);
}

void omma_pack_rows_f32_f16__neon(size_t n, size_t k, const uint16_t *source, size_t stride,
                                  float *panel)
{
    pack_rows(F16, n, k, source, stride, panel);
}

void omma_pack_rows_f32_i8__neon(size_t n, size_t k, const int8_t *source, size_t stride,
                                 float *panel)
{
    pack_rows(I8, n, k, source, stride, panel);
}

void omma_pack_rows_bf16__neon(size_t n, size_t k, const uint16_t *source, size_t stride,
                               uint16_t *panel)
{
    pack_rows(BF16_PAIRS, n, k, source, stride, panel);
}

void omma_pack_rows_bf16_i8__neon(size_t n, size_t k, const int8_t *source, size_t stride,
                                  uint16_t *panel)
{
    pack_rows(I8_PAIRS, n, k, source, stride, panel);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

void omma_pack_columns_f32_f32__neon(size_t n, size_t k, const float *source, size_t stride,
                                     float *panel)
{
    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        memcpy(panel, source, n * sizeof *panel);
        memset(panel + n, 0, (COLUMNS - n) * sizeof *panel);
    }
}

void omma_pack_columns_f32_bf16__neon(size_t n, size_t k, const uint16_t *source, size_t stride,
                                      float *panel)
{
    const uint16x8_t zero = vdupq_n_u16(0);

    for (size_t p = 0; p < k; p++, source += stride, panel += COLUMNS) {
        size_t j = 0;

        for (; j + 2 * LANES <= n; j += 2 * LANES) {
            uint16x8_t halves = vld1q_u16(source + j);

            vst1q_f32(panel + j, vreinterpretq_f32_u16(vzip1q_u16(zero, halves)));
            vst1q_f32(panel + j + LANES, vreinterpretq_f32_u16(vzip2q_u16(zero, halves)));
        }
        for (; j < COLUMNS; j++) {
            panel[j] = j < n ? omma_f32_of_bf16(source[j]) : 0;
        }
    }
}

void omma_pack_columns_bf16__neon(size_t n, size_t k, const uint16_t *source, size_t stride,
                                  uint16_t *panel)
{
    for (size_t p = 0; p < k; p += 2, source += 2 * stride, panel += 2 * COLUMNS) {
        bool is_pair = p + 1 < k;
        const uint16_t *next = is_pair ? source + stride : source;
        size_t j = 0;

        for (; is_pair && j + 2 * LANES <= n; j += 2 * LANES) {
            uint16x8_t even = vld1q_u16(source + j), odd = vld1q_u16(next + j);

            vst1q_u16(panel + 2 * j, vzip1q_u16(even, odd));
            vst1q_u16(panel + 2 * j + 2 * LANES, vzip2q_u16(even, odd));
        }
        for (; j < COLUMNS; j++) {
            panel[2 * j] = j < n ? source[j] : 0;
            panel[2 * j + 1] = j < n && is_pair ? next[j] : 0;
        }
    }
}

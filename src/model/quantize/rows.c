/*
 * Plain C in pieces of a fixed number of lanes, which a compiler turns into vectors.  Sums are kept
 * a lane each and added in a fixed order: the same bits from every compiler.
 */
#include "model/quantize/rows.h"

#include <string.h>

#include "base/bf16.h"
#include "base/checked.h"

enum { LANES = 16 };

static const float round_by = 0x1.8p23f; /* x + r - r is x rounded to nearest even, |x| < 2^22 */

static void widen_bf16(const char *bytes, size_t n, float *values)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        uint16_t halves[LANES];
        uint32_t bits[LANES];

        memcpy(halves, bytes + i * sizeof *halves, sizeof halves);
        for (size_t j = 0; j < LANES; j++) {
            bits[j] = (uint32_t)halves[j] << 16;
        }
        memcpy(values + i, bits, sizeof bits);
    }
    for (; i < n; i++) {
        uint16_t half;

        memcpy(&half, bytes + i * sizeof half, sizeof half);
        values[i] = omma_f32_of_bf16(half);
    }
}

void omma_quantize_widen(const void *data, enum omma_dtype dtype, size_t n, float *values)
{
    const char *bytes = data;

    if (dtype == OMMA_DTYPE_F32) {
        memcpy(values, bytes, n * sizeof *values);
        return;
    }
    if (dtype == OMMA_DTYPE_BF16) {
        widen_bf16(bytes, n, values);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;

        memcpy(&half, bytes + i * sizeof half, sizeof half);
        values[i] = omma_f32_of_f16(half);
    }
}

void omma_quantize_to_bf16(const void *data, enum omma_dtype dtype, size_t n, uint16_t *values)
{
    const char *bytes = data;
    float piece[256];

    if (dtype == OMMA_DTYPE_BF16) {
        memcpy(values, bytes, n * sizeof *values);
        return;
    }
    for (size_t at = 0; at < n; at += sizeof piece / sizeof *piece) {
        size_t n_now = omma_min(n - at, sizeof piece / sizeof *piece);

        omma_quantize_widen(bytes + at * omma_dtype_bytes(dtype), dtype, n_now, piece);
        for (size_t i = 0; i < n_now; i++) {
            values[at + i] = omma_bf16_of_f32(piece[i]);
        }
    }
}

/* The bits of the largest magnitude, which order as the magnitudes do; NaN is above infinity. */
static uint32_t largest_magnitude(const float *values, size_t n)
{
    int32_t largest[LANES] = {0}, all = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        int32_t bits[LANES];

        memcpy(bits, values + i, sizeof bits);
        for (size_t j = 0; j < LANES; j++) {
            int32_t magnitude = bits[j] & 0x7FFFFFFF;

            largest[j] = magnitude > largest[j] ? magnitude : largest[j];
        }
    }
    for (; i < n; i++) {
        int32_t magnitude = (int32_t)(omma_bits_of_f32(values[i]) & 0x7FFFFFFFu);

        largest[0] = magnitude > largest[0] ? magnitude : largest[0];
    }
    for (size_t j = 0; j < LANES; j++) {
        all = largest[j] > all ? largest[j] : all;
    }
    return (uint32_t)all;
}

static uint16_t scale_of(float largest)
{
    static const uint16_t epsilon = 0x3C00; /* 2^-7 */
    uint16_t scale = omma_bf16_of_f32(largest / 127.5f);

    return scale == 0 ? epsilon : scale;
}

/* LANES values; sums and the largest error lane by lane. */
static void quantize_lanes(const float values[LANES], float scale, int8_t quantized[LANES],
                           double squares[LANES], double value_squares[LANES], float largest[LANES])
{
    float rounded[LANES], errors[LANES];

    for (size_t j = 0; j < LANES; j++) {
        float quotient = values[j] / scale;

        quotient = quotient > -128.0f ? quotient : -128.0f;
        quotient = quotient < 127.0f ? quotient : 127.0f;
        rounded[j] = quotient + round_by - round_by;
    }
    for (size_t j = 0; j < LANES; j++) {
        quantized[j] = (int8_t)(int32_t)rounded[j];
    }
    for (size_t j = 0; j < LANES; j++) {
        float error = values[j] - rounded[j] * scale;
        float magnitude = error < 0 ? -error : error;

        errors[j] = error;
        largest[j] = magnitude > largest[j] ? magnitude : largest[j];
    }
    for (size_t j = 0; j < LANES; j++) {
        squares[j] += (double)errors[j] * (double)errors[j];
        value_squares[j] += (double)values[j] * (double)values[j];
    }
}

bool omma_quantize_values(const float *values, size_t n, int8_t *quantized, uint16_t *scale,
                          struct omma_quantize_error *error)
{
    uint32_t bits = largest_magnitude(values, n);
    double squares[LANES] = {0}, value_squares[LANES] = {0};
    float largest[LANES] = {0}, stored;
    size_t i = 0;

    if (bits >= 0x7F800000u) {
        return false;
    }
    *scale = scale_of(omma_f32_of_bits(bits));
    stored = omma_f32_of_bf16(*scale);
    for (; i + LANES <= n; i += LANES) {
        quantize_lanes(values + i, stored, quantized + i, squares, value_squares, largest);
    }
    if (i < n) {
        float rest[LANES] = {0};
        int8_t rest_quantized[LANES];

        memcpy(rest, values + i, (n - i) * sizeof *rest);
        quantize_lanes(rest, stored, rest_quantized, squares, value_squares, largest);
        memcpy(quantized + i, rest_quantized, n - i);
    }
    for (size_t j = 0; j < LANES; j++) {
        error->squares += squares[j];
        error->value_squares += value_squares[j];
        error->largest = largest[j] > error->largest ? largest[j] : error->largest;
    }
    return true;
}

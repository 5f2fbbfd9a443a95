/*
 * bf16.h - bfloat16 and IEEE half, one value at a time: the definition that every kernel is held
 * against.  bf16 is the upper half of an f32.
 */
#ifndef OMMA_BASE_BF16_H
#define OMMA_BASE_BF16_H

#include <stdint.h>
#include <string.h>

static inline float omma_f32_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t omma_bits_of_f32(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float omma_f32_of_bf16(uint16_t value)
{
    return omma_f32_of_bits((uint32_t)value << 16);
}

/* To nearest, ties to even; subnormals are kept; a NaN stays a (quiet) NaN. */
static inline uint16_t omma_bf16_of_f32(float value)
{
    uint32_t bits = omma_bits_of_f32(value);

    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
        return (uint16_t)((bits >> 16) | 0x40u);
    }
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

static inline float omma_f32_round_bf16(float value)
{
    return omma_f32_of_bf16(omma_bf16_of_f32(value));
}

static inline float omma_f32_of_f16(uint16_t value)
{
    uint32_t sign = (uint32_t)(value & 0x8000u) << 16;
    uint32_t exponent = (value >> 10) & 0x1Fu;
    uint32_t mantissa = value & 0x3FFu;

    if (exponent == 31) { /* infinity, NaN */
        return omma_f32_of_bits(sign | 0x7F800000u | (mantissa << 13));
    }
    if (exponent != 0) {
        return omma_f32_of_bits(sign | ((exponent + 112u) << 23) | (mantissa << 13));
    }
    /* zero and subnormals: mantissa x 2^-24, exact in f32 */
    {
        float magnitude = (float)mantissa * 0x1p-24f;

        return omma_f32_of_bits(sign | omma_bits_of_f32(magnitude));
    }
}

#endif

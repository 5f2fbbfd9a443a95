/*
 * lanes.h - four f32 side by side in the vector type of gcc and clang: the arithmetic of plain C,
 * element by element, on every architecture, but kept in registers where a loop over an array is
 * not.
 */
#ifndef OMMA_SIMD_SCALAR_LANES_H
#define OMMA_SIMD_SCALAR_LANES_H

#include <stdint.h>
#include <string.h>

#include "base/bf16.h"

enum { LANES = 4 };

typedef float lanes __attribute__((vector_size(16)));
typedef uint32_t lanes_u32 __attribute__((vector_size(16)));

static inline lanes lanes_load(const float *x)
{
    lanes v;

    memcpy(&v, x, sizeof v);
    return v;
}

static inline lanes lanes_set(float x)
{
    return (lanes){x, x, x, x};
}

/* Four 16-bit elements, each in the low half of 32 bits. */
static inline lanes_u32 lanes_load_16(const uint16_t *x)
{
    uint16_t v __attribute__((vector_size(8)));

    memcpy(&v, x, sizeof v);
    return __builtin_convertvector(v, lanes_u32);
}

static inline lanes lanes_load_bf16(const uint16_t *x)
{
    return (lanes)(lanes_load_16(x) << 16);
}

/* As omma_f32_of_f16(): the exponent's bias is mended by an exact multiplication, which serves
 * subnormals too; infinity and NaN get f32's exponent. */
static inline lanes lanes_load_f16(const uint16_t *x)
{
    lanes_u32 half = lanes_load_16(x);
    lanes_u32 magnitude = half & 0x7FFF;
    lanes_u32 special = (lanes_u32)(magnitude > 0x7BFF) & 0x7F800000;
    lanes value = (lanes)(magnitude << 13) * 0x1p112f;

    return (lanes)((lanes_u32)value | special | (half & 0x8000) << 16);
}

static inline float lanes_sum(lanes v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

#endif

/*
 * Conversions between f32, bf16 and f16, one value at a time by base/bf16.h: to nearest, ties to
 * even, subnormals kept, NaN stays NaN.
 */
#include "config.h"

#include "base/bf16.h"
#include "simd/kernels.h"

void omma_f32_to_bf16__scalar(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = omma_bf16_of_f32(x[i]);
    }
}

void omma_bf16_to_f32__scalar(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = omma_f32_of_bf16(x[i]);
    }
}

void omma_f16_to_f32__scalar(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = omma_f32_of_f16(x[i]);
    }
}

void omma_round_bf16_f32__scalar(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = omma_f32_round_bf16(x[i]);
    }
}

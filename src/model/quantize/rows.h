/*
 * rows.h - the arithmetic of omma_model_quantize(): rows of a weight to int8 and back.
 *
 * As compressed-tensors computes a symmetric scale (calculate_qparams): the largest magnitude /
 * 127.5, rounded to bf16, and 2^-7 (bf16's epsilon) where that is 0.  A weight is then divided by
 * the scale as it is stored, in f32, rounded to nearest even and clamped to -128 .. 127.
 * compressed-tensors itself divides in the type of the weights: from bf16 the quotient is rounded
 * to bf16 first, which has 8 bits, so that near a half it may round the other way and one in ten
 * values differs by 1.
 */
#ifndef OMMA_MODEL_QUANTIZE_ROWS_H
#define OMMA_MODEL_QUANTIZE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

/* n elements, bf16, f16 or f32, that may lie at any address, as f32. */
void omma_quantize_widen(const void *data, enum omma_dtype dtype, size_t n, float *values);

/* The same, rounded to bf16. */
void omma_quantize_to_bf16(const void *data, enum omma_dtype dtype, size_t n, uint16_t *values);

/* What rounding to int8 made of some values. */
struct omma_quantize_error {
    double squares;       /* sum of (w - q s)^2 */
    double value_squares; /* sum of w^2 */
    float largest;        /* |w - q s| */
};

/* n values that share a scale, to int8 and a bf16 scale; *error takes theirs in addition.  False if
 * one is NaN or infinite.  The result depends on the values alone. */
bool omma_quantize_values(const float *values, size_t n, int8_t *quantized, uint16_t *scale,
                          struct omma_quantize_error *error);

#endif

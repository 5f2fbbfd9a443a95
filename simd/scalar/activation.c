/*
 * GELU (with erf, as InternViT and the projector have it) and SwiGLU's product, by libm.  GELU is
 * written with erfc, in double: below about -2, 1 + erf(x / sqrt 2) would cancel.
 */
#include "config.h"

#include <math.h>

#include "simd/kernels.h"

static const double sqrt_half = 0.70710678118654752;

void omma_gelu_f32__scalar(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)(0.5 * x[i] * erfc(-x[i] * sqrt_half));
    }
}

/* exp(-gate) is infinite below about -88: the quotient is then -0, as it should be. */
void omma_silu_mul_f32__scalar(size_t n, const float *gate, const float *up, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
    }
}

/* Sums and products of rows, and the rotation of one head (RoPE). */
#include "config.h"

#include "simd/kernels.h"

void omma_add_f32__scalar(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

void omma_scale_add_f32__scalar(size_t n, const float *scale, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += scale[i] * x[i];
    }
}

void omma_scale_f32__scalar(size_t n, float a, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] *= a;
    }
}

void omma_rope_f32__scalar(size_t n, const float *cosine, const float *sine, float *x)
{
    size_t half = n / 2;

    for (size_t j = 0; j < half; j++) {
        float low = x[j], high = x[j + half];

        x[j] = low * cosine[j] - high * sine[j];
        x[j + half] = high * cosine[j] + low * sine[j];
    }
}

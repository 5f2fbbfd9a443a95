/*
 * RMSNorm and LayerNorm of one row of n elements.  Sums are double, so that this is the definition
 * whatever n is; what leaves the sums is f32.  The variance takes a second pass: E[x^2] - mean^2
 * cancels where the mean is large, as it is in some channels of InternViT.
 */
#include "config.h"

#include <math.h>

#include "simd/kernels.h"

void omma_rms_norm_f32__scalar(size_t n, const float *x, const float *weight, float eps, float *y)
{
    double sum = 0;
    float factor;

    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * x[i];
    }
    factor = 1.0f / sqrtf((float)(sum / (double)n) + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * factor * weight[i];
    }
}

void omma_layer_norm_f32__scalar(size_t n, const float *x, const float *weight, const float *bias,
                                 float eps, float *y)
{
    double sum = 0, square_sum = 0;
    float mean, factor;

    for (size_t i = 0; i < n; i++) {
        sum += x[i];
    }
    mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) {
        double difference = (double)x[i] - mean;

        square_sum += difference * difference;
    }
    factor = 1.0f / sqrtf((float)(square_sum / (double)n) + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) * factor * weight[i] + bias[i];
    }
}

/* The two passes of a softmax row: its maximum, then exponentials and their sum. */
#include "config.h"

#include <math.h>

#include "simd/kernels.h"

float omma_row_max_f32__scalar(size_t n, const float *x)
{
    float max = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    return max;
}

/* The sum is double: rows of attention may have many thousand elements. */
float omma_exp_sum_f32__scalar(size_t n, const float *x, float shift, float scale, float *y)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        y[i] = expf((x[i] - shift) * scale);
        sum += y[i];
    }
    return (float)sum;
}

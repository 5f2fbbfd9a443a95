/*
 * weighted_sum.c - y[m][n] += p[m][k] V[k][n], m <= 8, in the order of k.  The definition.
 */
#include "base/bf16.h"
#include "simd/kernels.h"

void omma_weighted_sum_f32__scalar(size_t m, size_t n, size_t k, const float *p, size_t p_stride,
                                   const float *v, size_t v_stride, float *y, size_t y_stride)
{
    for (size_t t = 0; t < k; t++) {
        const float *restrict row = v + t * v_stride;

        for (size_t i = 0; i < m; i++) {
            float *restrict sums = y + i * y_stride;
            float weight = p[i * p_stride + t];

            for (size_t j = 0; j < n; j++) {
                sums[j] += weight * row[j];
            }
        }
    }
}

void omma_weighted_sum_bf16__scalar(size_t m, size_t n, size_t k, const float *p, size_t p_stride,
                                    const uint16_t *v, size_t v_stride, float *y, size_t y_stride)
{
    for (size_t t = 0; t < k; t++) {
        const uint16_t *restrict row = v + t * v_stride;

        for (size_t i = 0; i < m; i++) {
            float *restrict sums = y + i * y_stride;
            float weight = p[i * p_stride + t];

            for (size_t j = 0; j < n; j++) {
                sums[j] += weight * omma_f32_of_bf16(row[j]);
            }
        }
    }
}

/*
 * int8.c - int8 activations and weights: the definition.
 *
 * Sums of bytes are exact in i32, so order does not matter.  A panel is [k][32] bytes, columns from
 * n on zero, and w stands in it as it is: a_sums are not needed.
 */
#include "simd/kernels.h"

#include <math.h>
#include <string.h>

#include "base/bf16.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

float omma_quantize_i8__scalar(size_t n, const float *x, int8_t *q, int32_t *sum)
{
    float largest = 0, scale;

    *sum = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
    }
    scale = largest / 127.5f;
    if (scale == 0) { /* also where the quotient vanishes */
        memset(q, 0, n);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        q[i] = (int8_t)fminf(fmaxf(rintf(x[i] / scale), -128), 127);
        *sum += q[i];
    }
    return scale;
}

size_t omma_panel_i8_bytes__scalar(size_t k)
{
    return k * COLUMNS;
}

void omma_pack_rows_i8__scalar(size_t n, size_t k, const int8_t *source, size_t stride, void *panel)
{
    int8_t *bytes = panel;

    for (size_t p = 0; p < k; p++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            bytes[p * COLUMNS + j] = j < n ? source[j * stride + p] : 0;
        }
    }
}

void omma_gemm_i8_1x32__scalar(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                               const int32_t *a_sums, const void *panel, int32_t *c,
                               size_t c_stride, bool accumulate)
{
    (void)a_sums;
    for (size_t i = 0; i < m; i++) {
        const int8_t *row = panel;
        int32_t sums[COLUMNS] = {0};

        for (size_t p = 0; p < k; p++, row += COLUMNS) {
            for (size_t j = 0; j < COLUMNS; j++) {
                sums[j] += a[i * a_stride + p] * row[j];
            }
        }
        for (size_t j = 0; j < n; j++) {
            c[i * c_stride + j] = sums[j] + (accumulate ? c[i * c_stride + j] : 0);
        }
    }
}

void omma_gemv_i8__scalar(size_t m, size_t n, size_t k, const int8_t *x, size_t x_stride,
                          const int32_t *x_sums, const int8_t *w, size_t w_stride, int32_t *y,
                          size_t y_stride)
{
    (void)x_sums;
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            int32_t sum = 0;

            for (size_t p = 0; p < k; p++) {
                sum += x[i * x_stride + p] * w[j * w_stride + p];
            }
            y[i * y_stride + j] = sum;
        }
    }
}

void omma_dequantize_i32__scalar(size_t n, const int32_t *x, float a, const float *scales, float *y,
                                 bool accumulate)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)x[i] * (a * scales[i]);

        y[i] = accumulate ? y[i] + value : value;
    }
}

void omma_pack_rows_f32_i8__scalar(size_t n, size_t k, const int8_t *source, size_t stride,
                                   float *panel)
{
    for (size_t p = 0; p < k; p++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            panel[p * COLUMNS + j] = j < n ? (float)source[j * stride + p] : 0;
        }
    }
}

void omma_pack_rows_bf16_i8__scalar(size_t n, size_t k, const int8_t *source, size_t stride,
                                    uint16_t *panel)
{
    for (size_t p = 0; p < k + k % 2; p++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            float value = j < n && p < k ? (float)source[j * stride + p] : 0;

            panel[p / 2 * (2 * COLUMNS) + 2 * j + p % 2] = omma_bf16_of_f32(value);
        }
    }
}

void omma_gemv_f32_i8w__scalar(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                               const int8_t *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            float sum = 0;

            for (size_t p = 0; p < k; p++) {
                sum += x[i * x_stride + p] * (float)w[j * w_stride + p];
            }
            y[i * y_stride + j] = sum;
        }
    }
}

void omma_gemv_bf16_i8w__scalar(size_t m, size_t n, size_t k, const uint16_t *x, size_t x_stride,
                                const int8_t *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            float sum = 0;

            for (size_t p = 0; p < k; p++) {
                sum += omma_f32_of_bf16(x[i * x_stride + p]) * (float)w[j * w_stride + p];
            }
            y[i * y_stride + j] = sum;
        }
    }
}

void omma_i8_to_f32__scalar(size_t n, const int8_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)x[i];
    }
}

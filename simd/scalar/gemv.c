/*
 * gemv.c - y[m][n] = x[m][k] W[n][k]^T, m <= 8, W as it lies.  The definition.
 *
 * A sum over k runs in eight parts (k modulo 8), which are added up at the end, and then the
 * elements behind the last whole eight in order.
 */
#include "simd/kernels.h"
#include "simd/scalar/lanes.h"

enum { STEP = 2 * LANES };

static float dot_f32_f32(size_t k, const float *x, const float *w)
{
    lanes s0 = {0}, s1 = {0};
    size_t p = 0;
    float sum;

    for (; p + STEP <= k; p += STEP) {
        s0 += lanes_load(x + p) * lanes_load(w + p);
        s1 += lanes_load(x + p + LANES) * lanes_load(w + p + LANES);
    }
    sum = lanes_sum(s0 + s1);
    for (; p < k; p++) {
        sum += x[p] * w[p];
    }
    return sum;
}

static float dot_f32_bf16(size_t k, const float *x, const uint16_t *w)
{
    lanes s0 = {0}, s1 = {0};
    size_t p = 0;
    float sum;

    for (; p + STEP <= k; p += STEP) {
        s0 += lanes_load(x + p) * lanes_load_bf16(w + p);
        s1 += lanes_load(x + p + LANES) * lanes_load_bf16(w + p + LANES);
    }
    sum = lanes_sum(s0 + s1);
    for (; p < k; p++) {
        sum += x[p] * omma_f32_of_bf16(w[p]);
    }
    return sum;
}

static float dot_f32_f16(size_t k, const float *x, const uint16_t *w)
{
    lanes s0 = {0}, s1 = {0};
    size_t p = 0;
    float sum;

    for (; p + STEP <= k; p += STEP) {
        s0 += lanes_load(x + p) * lanes_load_f16(w + p);
        s1 += lanes_load(x + p + LANES) * lanes_load_f16(w + p + LANES);
    }
    sum = lanes_sum(s0 + s1);
    for (; p < k; p++) {
        sum += x[p] * omma_f32_of_f16(w[p]);
    }
    return sum;
}

static float dot_bf16_bf16(size_t k, const uint16_t *x, const uint16_t *w)
{
    lanes s0 = {0}, s1 = {0};
    size_t p = 0;
    float sum;

    for (; p + STEP <= k; p += STEP) {
        s0 += lanes_load_bf16(x + p) * lanes_load_bf16(w + p);
        s1 += lanes_load_bf16(x + p + LANES) * lanes_load_bf16(w + p + LANES);
    }
    sum = lanes_sum(s0 + s1);
    for (; p < k; p++) {
        sum += omma_f32_of_bf16(x[p]) * omma_f32_of_bf16(w[p]);
    }
    return sum;
}

void omma_gemv_f32_f32w__scalar(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                const float *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            y[i * y_stride + j] = dot_f32_f32(k, x + i * x_stride, w + j * w_stride);
        }
    }
}

void omma_gemv_f32_bf16w__scalar(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                 const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            y[i * y_stride + j] = dot_f32_bf16(k, x + i * x_stride, w + j * w_stride);
        }
    }
}

void omma_gemv_f32_f16w__scalar(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                                const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            y[i * y_stride + j] = dot_f32_f16(k, x + i * x_stride, w + j * w_stride);
        }
    }
}

void omma_gemv_bf16_bf16w__scalar(size_t m, size_t n, size_t k, const uint16_t *x, size_t x_stride,
                                  const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t i = 0; i < m; i++) {
            y[i * y_stride + j] = dot_bf16_bf16(k, x + i * x_stride, w + j * w_stride);
        }
    }
}

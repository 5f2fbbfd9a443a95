/*
 * matmul_blas.h - one panel of a product by OpenBLAS: the portable back end, and an oracle for
 * tests.
 */
#ifndef OMMA_TENSOR_MATMUL_BLAS_H
#define OMMA_TENSOR_MATMUL_BLAS_H

#include <stddef.h>

/* c[m][n] (+)= a[m][k] b[n][k]^T in f32, on the calling thread alone. */
void omma_matmul_blas(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                      size_t b_stride, float *c, size_t c_stride, int accumulate);

/* Keep OpenBLAS to one thread a call; once, before any product. */
void omma_matmul_blas_init(void);

#endif

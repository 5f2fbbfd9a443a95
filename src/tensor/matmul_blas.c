/* The only file that knows OpenBLAS. */
#include "tensor/matmul_blas.h"

#include <cblas.h>

void omma_matmul_blas_init(void)
{
    openblas_set_num_threads(1);
}

void omma_matmul_blas(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                      size_t b_stride, float *c, size_t c_stride, int accumulate)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1.0f, a,
                (int)a_stride, b, (int)b_stride, accumulate ? 1.0f : 0.0f, c, (int)c_stride);
}

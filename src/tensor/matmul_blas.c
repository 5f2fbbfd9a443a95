/*
 * The only file that knows OpenBLAS.
 *
 * A build of it without threads of its own (Debian: libopenblas0-serial) hands the same buffer to
 * callers that come at once, and their products are garbage: 40 of 12000 by four threads with
 * 0.3.21.  Which build runs is known at run time alone.  So calls of such a one take turns; the
 * lock is the process's, as OpenBLAS's own state is.
 */
#include "tensor/matmul_blas.h"

#include <cblas.h>

void omma_matmul_blas_init(void)
{
    openblas_set_num_threads(1);
}

static void multiply(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                     size_t b_stride, float *c, size_t c_stride, int accumulate)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1.0f, a,
                (int)a_stride, b, (int)b_stride, accumulate ? 1.0f : 0.0f, c, (int)c_stride);
}

void omma_matmul_blas(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *b,
                      size_t b_stride, float *c, size_t c_stride, int accumulate)
{
    if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL) {
#pragma omp critical(omma_matmul_blas)
        multiply(m, n, k, a, a_stride, b, b_stride, c, c_stride, accumulate);
    } else {
        multiply(m, n, k, a, a_stride, b, b_stride, c, c_stride, accumulate);
    }
}

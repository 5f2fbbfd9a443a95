/*
 * norm.h - LayerNorm and RMSNorm of rows, into what a product reads.
 */
#ifndef OMMA_TENSOR_NORM_H
#define OMMA_TENSOR_NORM_H

#include "platform/team.h"
#include "tensor/compute.h"

/* weight, bias: [n]; without a bias it is RMSNorm, with one LayerNorm. */
struct omma_norm {
    const float *weight;
    const float *bias;
};

/* output[m][n] = norm of x[m][n]; the rows are split over the team.  No barrier at the end.
 * Needs n floats of the thread's scratch. */
void omma_norm_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                    size_t n, const float *x, size_t x_stride, const struct omma_norm *norm,
                    float eps, const struct omma_operand *output);

/* The same of all rows, by the calling thread alone. */
void omma_norm_own_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                        size_t n, const float *x, size_t x_stride, const struct omma_norm *norm,
                        float eps, const struct omma_operand *output);

#endif

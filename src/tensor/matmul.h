/*
 * matmul.h - activations times weights, by all threads of a team.
 *
 * Every thread computes a fixed range of output columns (rows of the weight), in panels of 32, so
 * that it reads the same weights in every pass, and every output element is computed by one thread
 * in one order: the bits do not depend on the number of threads.  Up to 8 rows of x go through the
 * GEMV, which reads the weights as they lie; more through the GEMM, which packs a panel into L2 and
 * sweeps all rows over it.
 *
 * None of these ends with a barrier: outputs are complete after the next one.
 */
#ifndef OMMA_TENSOR_MATMUL_H
#define OMMA_TENSOR_MATMUL_H

#include "platform/team.h"
#include "tensor/compute.h"
#include "tensor/matrix.h"

/* What happens to y = W x + b. */
enum omma_output_kind {
    OMMA_OUTPUT_STORE,    /* f32 = y */
    OMMA_OUTPUT_OPERAND,  /* operand = y */
    OMMA_OUTPUT_GELU,     /* operand = gelu(y) */
    OMMA_OUTPUT_RESIDUAL, /* f32 += scale * y, or f32 += y without a scale */
};

struct omma_output {
    enum omma_output_kind kind;
    float *f32; /* [m][f32_stride] */
    size_t f32_stride;
    struct omma_operand operand; /* [m][...] */
    const float *scale;          /* [n_rows of the weight], NULL: 1 */
};

/* y[m][out] = x[m][in] W^T + b, handed to output. */
void omma_matmul(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                 const struct omma_operand *x, const struct omma_linear *linear,
                 const struct omma_output *output);

/* One of several products of the same x. */
struct omma_product {
    const struct omma_linear *linear;
    struct omma_output output;
};

/* The same for n products, whose rows are dealt out to the threads together; their weights have the
 * same columns. */
void omma_matmul_several(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                         const struct omma_operand *x, const struct omma_product *products,
                         size_t n);

/* output[m][ffn] = silu(gate x) * (up x), as an operand; the weights have the same shape. */
void omma_matmul_gated(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                       const struct omma_operand *x, const struct omma_linear *gate,
                       const struct omma_linear *up, const struct omma_operand *output);

/*
 * A barrier before a product of m rows of x with n linears (of a gated product: the gate alone):
 * who waits asks for the first of the weights that it will multiply then, up to a part of its L2.
 * Threads that are early, or wait for a small pass of others, so leave memory no rest.  Only where
 * m is small enough that memory is what a product waits for.
 */
void omma_matmul_barrier(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                         const struct omma_linear *const *linears, size_t n);

/* Scratch that a thread needs for any of these. */
size_t omma_matmul_scratch_bytes(void);

#endif

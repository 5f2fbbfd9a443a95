/* Row by row: f32 into the thread's scratch, then stored as an operand. */
#include "tensor/norm.h"

static void norm_range(struct omma_thread *self, const struct omma_compute *compute,
                       struct omma_range rows, size_t n, const float *x, size_t x_stride,
                       const struct omma_norm *norm, float eps, const struct omma_operand *output)
{
    float *y = (float *)(void *)self->scratch;

    for (size_t i = rows.begin; i < rows.end; i++) {
        if (norm->bias != NULL) {
            compute->kernels.layer_norm(n, x + i * x_stride, norm->weight, norm->bias, eps, y);
        } else {
            compute->kernels.rms_norm(n, x + i * x_stride, norm->weight, eps, y);
        }
        omma_operand_store_row(compute, output, i, y, n);
    }
}

void omma_norm_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                    size_t n, const float *x, size_t x_stride, const struct omma_norm *norm,
                    float eps, const struct omma_operand *output)
{
    norm_range(self, compute, omma_team_range(self, m), n, x, x_stride, norm, eps, output);
}

void omma_norm_own_rows(struct omma_thread *self, const struct omma_compute *compute, size_t m,
                        size_t n, const float *x, size_t x_stride, const struct omma_norm *norm,
                        float eps, const struct omma_operand *output)
{
    norm_range(self, compute, (struct omma_range){0, m}, n, x, x_stride, norm, eps, output);
}

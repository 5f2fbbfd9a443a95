/* Ways of computing, teams and operands for the tests of operators. */
#include "tensor/operators.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bf16.h"

const struct omma_compute *omma_test_computes(size_t *n)
{
    static struct omma_compute computes[3 * OMMA_ISA_COUNT + 1];

    *n = 0;
    for (int isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        struct omma_compute compute = {.operand = OMMA_DTYPE_F32};

        if (!omma_isa_is_built(isa) || !omma_isa_is_usable(isa)) {
            continue;
        }
        compute.kernels = omma_kernels_select(isa);
        computes[(*n)++] = compute;
        compute.round = true;
        computes[(*n)++] = compute;
        compute.round = false;
        compute.operand = OMMA_DTYPE_BF16;
        computes[(*n)++] = compute;
    }
    computes[*n] = computes[0];
    computes[(*n)++].use_blas = true;
    return computes;
}

const char *omma_test_compute_name(const struct omma_compute *compute)
{
    static char name[64];

    snprintf(name, sizeof name, "%s %s%s%s", omma_isa_name(compute->kernels.isa),
             omma_dtype_name(compute->operand), compute->round ? " rounded" : "",
             compute->use_blas ? " openblas" : "");
    return name;
}

struct omma_team *omma_test_team(size_t n_threads, size_t scratch_bytes)
{
    struct omma_team_options options = {.n_threads = n_threads, .scratch_bytes = scratch_bytes};
    struct omma_team *team = NULL;
    struct omma_error error;

    assert_ok(omma_team_create(&options, &team, &error));
    return team;
}

struct omma_operand omma_test_empty_operand(const struct omma_compute *compute, size_t m, size_t n)
{
    struct omma_operand operand = {.dtype = compute->operand,
                                   .stride = omma_operand_stride(compute, n)};

    operand.data = calloc(1, omma_operand_bytes(compute, m, n) + 1);
    assert_non_null(operand.data);
    return operand;
}

struct omma_operand omma_test_operand(const struct omma_compute *compute, uint64_t *seed, size_t m,
                                      size_t n, float *values)
{
    struct omma_operand operand = omma_test_empty_operand(compute, m, n);

    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            values[i * n + j] = (float)omma_test_uniform(seed, -1.0, 1.0);
        }
        omma_operand_store(compute, &operand, i, 0, values + i * n, n);
        for (size_t j = 0; j < n; j++) {
            values[i * n + j] = omma_test_operand_value(&operand, i, j);
        }
    }
    return operand;
}

float omma_test_operand_value(const struct omma_operand *operand, size_t row, size_t column)
{
    const void *at = omma_operand_at(operand, row, column);

    return operand->dtype == OMMA_DTYPE_BF16 ? omma_f32_of_bf16(*(const uint16_t *)at)
                                             : *(const float *)at;
}

double omma_test_operand_error(const struct omma_compute *compute)
{
    return compute->operand == OMMA_DTYPE_BF16 || compute->round ? 0x1p-8 : 0.0;
}

/* Rows between guard pages and the walk over their lengths. */
#include "config.h"

#include "simd/rows.h"

#include <string.h>

float *omma_check_room(size_t n, enum omma_check_edge edge)
{
    return omma_check_rows(1, n * sizeof(float), n * sizeof(float), edge);
}

float *omma_check_copy(size_t n, const float *x, enum omma_check_edge edge)
{
    float *copy = omma_check_room(n, edge);

    memcpy(copy, x, n * sizeof *x);
    return copy;
}

const float *omma_check_row(size_t n, enum omma_check_values values, enum omma_check_edge edge,
                            uint64_t *random)
{
    float *row = omma_check_room(n, edge);

    omma_check_fill_f32(values, n, row, random);
    omma_check_seal(row);
    return row;
}

void omma_check_lengths(const struct omma_kernels *kernels, const struct omma_kernels *definition,
                        omma_check_row_fn check)
{
    static const size_t longer[] = {255, 896, 1024, 1027, 3200, 8191};
    enum { N_SHORT = 131, N_LONGER = sizeof longer / sizeof longer[0] };
    uint64_t random = 20;

    for (size_t i = 0; i < N_SHORT + N_LONGER; i++) {
        size_t n = i < N_SHORT ? i : longer[i - N_SHORT];

        for (enum omma_check_values values = 0; values < OMMA_CHECK_N_VALUES; values++) {
            for (enum omma_check_edge edge = 0; edge < OMMA_CHECK_N_EDGES; edge++) {
                omma_check_case("n %zu, %s values, edge %d", n, omma_check_values_name(values),
                                (int)edge);
                check(kernels, definition, n, values, edge, &random);
                omma_check_release();
            }
        }
    }
}

double omma_check_sum_bound(size_t n)
{
    return ((double)n / 32 + 16) * OMMA_CHECK_UNIT;
}

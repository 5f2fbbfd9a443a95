/*
 * activation.c - GELU and SwiGLU's product against libm in double precision: every tail, and 2^17
 * values that go over all exponents of f32.
 *
 * Bounds: GELU 1.5e-6 of the result (4.7e-7 was seen above -12); the product 4 roundings.  Below
 * -88.7, e^(-gate) is infinite in f32 and what is left of the gate, at most 2.7e-37, is 0.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "base/bf16.h"
#include "simd/rows.h"

enum { N_ALL = 1 << 17 };

/* Finite values of all exponents and both signs, mantissas drawn. */
static void fill_exponents(size_t n, float *x, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t exponent = (uint32_t)(i % 510) / 2, sign = (uint32_t)i & 1;
        uint32_t mantissa = (uint32_t)omma_test_random(random) & 0x7FFFFF;

        x[i] = omma_f32_of_bits((sign << 31) | (exponent << 23) | mantissa);
    }
}

static double gelu(double x)
{
    return x / 2 * erfc(-x * M_SQRT1_2);
}

static void compare_gelu(size_t n, const float *x, const float *y)
{
    for (size_t i = 0; i < n; i++) {
        double expected = gelu(x[i]);

        omma_check_near("gelu", i, expected, y[i], 1.5e-6 * fabs(expected) + 0x1p-126);
    }
}

static double silu_mul(double gate, double up)
{
    return gate / (1 + exp(-gate)) * up;
}

static void compare_silu_mul(size_t n, const float *gate, const float *up, const float *y)
{
    for (size_t i = 0; i < n; i++) {
        double expected = silu_mul(gate[i], up[i]);
        double lost = 2.7e-37 * fabs((double)up[i]) + 0x1p-126;

        if (fabs(expected) < 3e38) { /* else the product overflows */
            omma_check_near("silu_mul", i, expected, y[i],
                            4 * OMMA_CHECK_UNIT * fabs(expected) + lost);
        }
    }
}

static void check_gelu_row(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition, size_t n,
                           enum omma_check_values values, enum omma_check_edge edge,
                           uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    float *y = omma_check_room(n, edge), *again = omma_check_copy(n, x, !edge);

    (void)definition;
    kernels->gelu(n, x, y);
    compare_gelu(n, x, y);
    kernels->gelu(n, again, again);
    omma_check_same_f32("in place, elsewhere", n, y, again);
}

static void check_silu_mul_row(const struct omma_kernels *kernels,
                               const struct omma_kernels *definition, size_t n,
                               enum omma_check_values values, enum omma_check_edge edge,
                               uint64_t *random)
{
    const float *gate = omma_check_row(n, values, edge, random);
    const float *up = omma_check_row(n, OMMA_CHECK_UNIFORM, edge, random);
    float *y = omma_check_room(n, edge);
    float *over_gate = omma_check_copy(n, gate, !edge), *over_up = omma_check_copy(n, up, edge);

    (void)definition;
    kernels->silu_mul(n, gate, up, y);
    compare_silu_mul(n, gate, up, y);
    kernels->silu_mul(n, over_gate, up, over_gate);
    omma_check_same_f32("over gate", n, y, over_gate);
    kernels->silu_mul(n, gate, over_up, over_up);
    omma_check_same_f32("over up", n, y, over_up);
}

static void check_gelu(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    static float x[N_ALL], y[N_ALL];
    const float special[] = {INFINITY, NAN};
    float got[2];
    uint64_t random = 4;

    omma_check_lengths(kernels, definition, check_gelu_row);
    omma_check_case("all exponents");
    fill_exponents(N_ALL, x, &random);
    kernels->gelu(N_ALL, x, y);
    compare_gelu(N_ALL, x, y);
    omma_check_case("-16 to 16");
    for (size_t i = 0; i < N_ALL; i++) {
        x[i] = (float)omma_test_uniform(&random, -16, 16);
    }
    kernels->gelu(N_ALL, x, y);
    compare_gelu(N_ALL, x, y);
    omma_check_case("infinity, NaN");
    kernels->gelu(2, special, got);
    if (got[0] != INFINITY || !isnan(got[1])) {
        omma_check_fail("found %g, %g", (double)got[0], (double)got[1]);
    }
}

static void check_silu_mul(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition)
{
    static float gate[N_ALL], up[N_ALL], y[N_ALL];
    const float special[] = {INFINITY, NAN, 1}, one[] = {1, 1, NAN};
    float got[3];
    uint64_t random = 5;

    omma_check_lengths(kernels, definition, check_silu_mul_row);
    omma_check_case("all exponents");
    fill_exponents(N_ALL, gate, &random);
    omma_check_fill_f32(OMMA_CHECK_UNIFORM, N_ALL, up, &random);
    kernels->silu_mul(N_ALL, gate, up, y);
    compare_silu_mul(N_ALL, gate, up, y);
    omma_check_case("-100 to 100");
    for (size_t i = 0; i < N_ALL; i++) {
        gate[i] = (float)omma_test_uniform(&random, -100, 100);
    }
    kernels->silu_mul(N_ALL, gate, up, y);
    compare_silu_mul(N_ALL, gate, up, y);
    omma_check_case("infinity, NaN");
    kernels->silu_mul(3, special, one, got);
    if (got[0] != INFINITY || !isnan(got[1]) || !isnan(got[2])) {
        omma_check_fail("found %g, %g, %g", (double)got[0], (double)got[1], (double)got[2]);
    }
}

void omma_check_gelu(void **state)
{
    (void)state;
    omma_check_tiers(check_gelu);
}

void omma_check_silu_mul(void **state)
{
    (void)state;
    omma_check_tiers(check_silu_mul);
}

/*
 * elementwise.c - sums, products and rotations.  One rounding gives the scalar tier's bits; where a
 * tier may fuse a multiplication with an addition, each has two roundings at most.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "simd/rows.h"

static void check_add_row(const struct omma_kernels *kernels, const struct omma_kernels *definition,
                          size_t n, enum omma_check_values values, enum omma_check_edge edge,
                          uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    const float *y = omma_check_row(n, values, edge, random);
    float *got = omma_check_copy(n, y, edge), *expected = omma_check_copy(n, y, edge);

    (void)definition;
    kernels->add(n, x, got);
    for (size_t i = 0; i < n; i++) {
        expected[i] = y[i] + x[i];
    }
    omma_check_same_f32("y", n, expected, got);
}

static void check_scale_row(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition, size_t n,
                            enum omma_check_values values, enum omma_check_edge edge,
                            uint64_t *random)
{
    const float a = (float)omma_test_uniform(random, -2, 2);
    const float *y = omma_check_row(n, values, edge, random);
    float *got = omma_check_copy(n, y, edge), *expected = omma_check_copy(n, y, edge);

    (void)definition;
    kernels->scale(n, a, got);
    for (size_t i = 0; i < n; i++) {
        expected[i] = a * y[i];
    }
    omma_check_same_f32("y", n, expected, got);
}

static void check_scale_add_row(const struct omma_kernels *kernels,
                                const struct omma_kernels *definition, size_t n,
                                enum omma_check_values values, enum omma_check_edge edge,
                                uint64_t *random)
{
    const float *scale = omma_check_row(n, OMMA_CHECK_UNIFORM, edge, random);
    const float *x = omma_check_row(n, values, edge, random);
    const float *y = omma_check_row(n, values, edge, random);
    float *got = omma_check_copy(n, y, edge);

    (void)definition;
    kernels->scale_add(n, scale, x, got);
    for (size_t i = 0; i < n; i++) {
        double product = (double)scale[i] * (double)x[i], expected = (double)y[i] + product;
        double bound = OMMA_CHECK_UNIT * (fabs(product) + fabs(expected)) * 1.01 + 0x1p-148;

        omma_check_near("y", i, expected, got[i], bound);
    }
}

/* n elements of cosine and sine, so a head of 2 n. */
static void check_rope_row(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition, size_t n,
                           enum omma_check_values values, enum omma_check_edge edge,
                           uint64_t *random)
{
    const float *x = omma_check_row(2 * n, values, edge, random);
    float *cosine = omma_check_room(n, edge), *sine = omma_check_room(n, edge);
    float *got = omma_check_copy(2 * n, x, edge);

    (void)definition;
    for (size_t j = 0; j < n; j++) {
        double angle = omma_test_uniform(random, -4, 4);

        cosine[j] = (float)cos(angle);
        sine[j] = (float)sin(angle);
    }
    omma_check_seal(cosine);
    omma_check_seal(sine);
    kernels->rope(2 * n, cosine, sine, got);
    for (size_t j = 0; j < n; j++) {
        double low = x[j], high = x[j + n], c = cosine[j], s = sine[j];
        double bound = OMMA_CHECK_UNIT * 2.01 * (fabs(low) + fabs(high)) + 0x1p-147;

        omma_check_near("x, first half", j, low * c - high * s, got[j], bound);
        omma_check_near("x, second half", j, high * c + low * s, got[j + n], bound);
    }
}

static void check_add(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_add_row);
}

static void check_scale(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_scale_row);
}

static void check_scale_add(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_scale_add_row);
}

static void check_rope(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_rope_row);
}

void omma_check_add(void **state)
{
    (void)state;
    omma_check_tiers(check_add);
}

void omma_check_scale(void **state)
{
    (void)state;
    omma_check_tiers(check_scale);
}

void omma_check_scale_add(void **state)
{
    (void)state;
    omma_check_tiers(check_scale_add);
}

void omma_check_rope(void **state)
{
    (void)state;
    omma_check_tiers(check_rope);
}

/*
 * convert.c - conversions between f32, bf16 and f16, bit for bit those of base/bf16.h: over all
 * 16-bit values, and over f32 of every upper half with the lower halves that decide about rounding.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "base/bf16.h"
#include "simd/rows.h"

enum { N_HALVES = 65536, MAX_TAIL = 130 };

/* From 16 bits: all values, then every tail at both edges. */
static void check_widening(const struct omma_kernels *kernels, omma_16_to_f32_fn convert,
                           float (*convert_one)(uint16_t value))
{
    static uint16_t x[N_HALVES];
    static float y[N_HALVES], expected[N_HALVES];
    uint64_t random = 3;

    (void)kernels;
    omma_check_case("all values");
    for (size_t i = 0; i < N_HALVES; i++) {
        x[i] = (uint16_t)i;
        expected[i] = convert_one(x[i]);
    }
    convert(N_HALVES, x, y);
    for (size_t i = 0; i < N_HALVES; i++) {
        /* Hardware makes a signalling NaN of f16 quiet. */
        if (!(isnan(y[i]) && isnan(expected[i]))) {
            omma_check_same_f32("y", 1, &expected[i], &y[i]);
        }
    }
    for (size_t n = 0; n <= MAX_TAIL; n++) {
        for (enum omma_check_edge edge = 0; edge < OMMA_CHECK_N_EDGES; edge++) {
            uint16_t *row = omma_check_rows(1, n * sizeof *row, n * sizeof *row, edge);
            float *got = omma_check_room(n, edge);

            omma_check_case("n %zu, edge %d", n, (int)edge);
            omma_check_fill_f16(OMMA_CHECK_WIDE, n, row, &random);
            omma_check_seal(row);
            convert(n, row, got);
            for (size_t i = 0; i < n; i++) {
                expected[i] = convert_one(row[i]);
            }
            omma_check_same_f32("y", n, expected, got);
            omma_check_release();
        }
    }
}

static void check_bf16_to_f32(const struct omma_kernels *kernels,
                              const struct omma_kernels *definition)
{
    (void)definition;
    check_widening(kernels, kernels->bf16_to_f32, omma_f32_of_bf16);
}

static void check_f16_to_f32(const struct omma_kernels *kernels,
                             const struct omma_kernels *definition)
{
    (void)definition;
    check_widening(kernels, kernels->f16_to_f32, omma_f32_of_f16);
}

/* Every upper half, NaN, infinities and subnormals among them, with a lower half. */
static void fill_upper_halves(uint32_t lower, float *x)
{
    for (size_t i = 0; i < N_HALVES; i++) {
        x[i] = omma_f32_of_bits(((uint32_t)i << 16) | lower);
    }
}

static const uint32_t lower_halves[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x5A5A};

static void check_rounding_of_all(const struct omma_kernels *kernels,
                                  const struct omma_kernels *definition)
{
    static float x[N_HALVES], y[N_HALVES], expected[N_HALVES];
    static uint16_t y16[N_HALVES], expected16[N_HALVES];

    (void)definition;
    for (size_t k = 0; k < sizeof lower_halves / sizeof lower_halves[0]; k++) {
        fill_upper_halves(lower_halves[k], x);
        for (size_t i = 0; i < N_HALVES; i++) {
            expected16[i] = omma_bf16_of_f32(x[i]);
            expected[i] = omma_f32_of_bf16(expected16[i]);
        }
        omma_check_case("every upper half above %#x", (unsigned)lower_halves[k]);
        kernels->f32_to_bf16(N_HALVES, x, y16);
        omma_check_same_16("y", N_HALVES, expected16, y16);
        kernels->round_bf16(N_HALVES, x, y);
        omma_check_same_f32("rounded", N_HALVES, expected, y);
        kernels->round_bf16(N_HALVES, x, x);
        omma_check_same_f32("rounded in place", N_HALVES, expected, x);
    }
}

static void check_rounding_of_row(const struct omma_kernels *kernels,
                                  const struct omma_kernels *definition, size_t n,
                                  enum omma_check_values values, enum omma_check_edge edge,
                                  uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    float *y = omma_check_room(n, edge), *expected = omma_check_room(n, edge);
    uint16_t *y16 = omma_check_rows(1, n * sizeof *y16, n * sizeof *y16, edge);
    uint16_t *expected16 = omma_check_rows(1, n * sizeof *y16, n * sizeof *y16, edge);

    (void)definition;
    for (size_t i = 0; i < n; i++) {
        expected16[i] = omma_bf16_of_f32(x[i]);
        expected[i] = omma_f32_of_bf16(expected16[i]);
    }
    kernels->f32_to_bf16(n, x, y16);
    omma_check_same_16("y", n, expected16, y16);
    kernels->round_bf16(n, x, y);
    omma_check_same_f32("rounded", n, expected, y);
}

static void check_rounding(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition)
{
    check_rounding_of_all(kernels, definition);
    omma_check_lengths(kernels, definition, check_rounding_of_row);
}

void omma_check_bf16_to_f32(void **state)
{
    (void)state;
    omma_check_tiers(check_bf16_to_f32);
}

void omma_check_f16_to_f32(void **state)
{
    (void)state;
    omma_check_tiers(check_f16_to_f32);
}

void omma_check_round_bf16(void **state)
{
    (void)state;
    omma_check_tiers(check_rounding);
}

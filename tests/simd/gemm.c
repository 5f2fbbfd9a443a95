/*
 * gemm.c - the matrix products against sums in double.
 *
 * Bound: a sum of K products in f32, in any order, each product rounded or fused, is within
 * (K + 8) 2^-24 sum |a b| of the exact one (with accumulate, c is one term more); so two tiers
 * agree within twice that.  Below 2^-126 rounding is absolute: 2^-149 for each product and sum.
 * vdpbf16ps flushes: it reads subnormal bf16 as zero, which drops at most |a b| for each product
 * with such a factor, and writes zero for a subnormal sum, which loses at most 2^-126 a step.
 * bfdot and bfmmla flush as well, and round to odd: by up to 2^-23 of the result, but twice for a
 * pair of products (their sum, and that with the one before), which is no more in all.
 */
#include "config.h"

#include "simd/check.h"

#include <math.h>
#include <stdlib.h>

#include "base/bf16.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

struct shape {
    size_t m, n, k;
};

static const struct shape shapes[] = {
    {0, 5, 3},     {1, 1, 1},    {1, 32, 2},   {2, 31, 3},   {3, 16, 4},
    {4, 17, 5},    {5, 15, 16},  {6, 32, 17},  {7, 1, 31},   {8, 2, 33},
    {9, 32, 64},   {10, 32, 0},  {11, 24, 7},  {12, 32, 65}, {13, 32, 32},
    {14, 30, 18},  {15, 32, 50}, {16, 9, 100}, {23, 32, 34}, {24, 8, 6},
    {25, 32, 129}, {29, 3, 11},  {37, 32, 9},  {61, 32, 48}, {3, 32, 1031}};

/* One product, as both types see it. */
struct problem {
    struct shape shape;
    enum omma_check_edge edge;
    bool accumulate;
    size_t a_stride, c_stride;
    const float *a_f32, *panel_f32; /* one pair or the other */
    const uint16_t *a_bf16, *panel_bf16;
    float *start; /* what C holds before */
};

static void multiply(const struct omma_kernels *kernels, const struct problem *problem, size_t row,
                     size_t m, size_t n, float *c, size_t c_stride)
{
    size_t k = problem->shape.k, a_stride = problem->a_stride;

    if (problem->a_f32 != NULL) {
        kernels->gemm_f32(m, n, k, problem->a_f32 + row * a_stride, a_stride, problem->panel_f32, c,
                          c_stride, problem->accumulate);
    } else {
        kernels->gemm_bf16(m, n, k, problem->a_bf16 + row * a_stride, a_stride, problem->panel_bf16,
                           c, c_stride, problem->accumulate);
    }
}

static void factors(const struct problem *problem, size_t i, size_t j, size_t p, float *a, float *b)
{
    if (problem->a_f32 != NULL) {
        *a = problem->a_f32[i * problem->a_stride + p];
        *b = problem->panel_f32[p * COLUMNS + j];
    } else {
        *a = omma_f32_of_bf16(problem->a_bf16[i * problem->a_stride + p]);
        *b = omma_f32_of_bf16(problem->panel_bf16[(p / 2 * COLUMNS + j) * 2 + p % 2]);
    }
}

static void check_element(const struct problem *problem, size_t i, size_t j, float got)
{
    size_t k = problem->shape.k;
    bool flushes = problem->a_bf16 != NULL;
    double sum = problem->accumulate ? (double)problem->start[i * problem->shape.n + j] : 0;
    double magnitude = fabs(sum), dropped = 0;

    for (size_t p = 0; p < k; p++) {
        float a, b;

        factors(problem, i, j, p, &a, &b);
        sum += (double)a * (double)b;
        magnitude += fabs((double)a * (double)b);
        if (flushes && (fabsf(a) < 0x1p-126f || fabsf(b) < 0x1p-126f)) {
            dropped += fabs((double)a * (double)b);
        }
    }
    omma_check_near("c", i * problem->shape.n + j, sum, (double)got,
                    (double)(k + 8) * OMMA_CHECK_UNIT * magnitude + dropped +
                        (double)(2 * k + 2) * (flushes ? 0x1p-126 : 0x1p-149));
}

/* The same row alone, in another place, and a part of its columns: the same bits. */
static void check_row_alone(const struct omma_kernels *kernels, const struct problem *problem,
                            size_t i, const float *row)
{
    size_t n = problem->shape.n;
    float alone[COLUMNS + 1];

    for (size_t part = n; part > 0; part /= 3) {
        memcpy(alone + 1, problem->start + i * n, part * sizeof *alone);
        multiply(kernels, problem, i, 1, part, alone + 1, part);
        omma_check_same_f32("c of the row alone", part, row, alone + 1);
    }
}

static void check_problem(const struct omma_kernels *kernels, const struct problem *problem)
{
    size_t m = problem->shape.m, n = problem->shape.n, stride = problem->c_stride;
    float *c = omma_check_rows(m, n * sizeof *c, stride * sizeof *c, problem->edge);

    for (size_t i = 0; problem->accumulate && i < m; i++) {
        memcpy(c + i * stride, problem->start + i * n, n * sizeof *c);
    }
    multiply(kernels, problem, 0, m, n, c, stride);
    omma_check_gaps(c, m, n * sizeof *c, stride * sizeof *c);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            check_element(problem, i, j, c[i * stride + j]);
        }
        check_row_alone(kernels, problem, i, c + i * stride);
    }
}

/* Random factors; the panel's columns from n on and the odd end of its k are zero. */
static void draw_f32(struct problem *problem, enum omma_check_values values, uint64_t *random)
{
    size_t k = problem->shape.k, stride = problem->a_stride;
    float *a = omma_check_rows(problem->shape.m, k * sizeof *a, stride * sizeof *a, problem->edge);
    float *panel =
        omma_check_rows(k, COLUMNS * sizeof *panel, COLUMNS * sizeof *panel, OMMA_CHECK_END);

    for (size_t i = 0; i < problem->shape.m; i++) {
        omma_check_fill_f32(values, k, a + i * stride, random);
    }
    for (size_t p = 0; p < k; p++) {
        memset(panel + p * COLUMNS, 0, COLUMNS * sizeof *panel);
        omma_check_fill_f32(values, problem->shape.n, panel + p * COLUMNS, random);
    }
    omma_check_seal(a);
    omma_check_seal(panel);
    problem->a_f32 = a;
    problem->panel_f32 = panel;
}

static void draw_bf16(struct problem *problem, enum omma_check_values values, uint64_t *random)
{
    size_t k = problem->shape.k, n = problem->shape.n, stride = problem->a_stride;
    uint16_t *a =
        omma_check_rows(problem->shape.m, k * sizeof *a, stride * sizeof *a, problem->edge);
    size_t pair_bytes = (size_t)COLUMNS * 2 * sizeof(uint16_t);
    uint16_t *panel = omma_check_rows((k + 1) / 2, pair_bytes, pair_bytes, OMMA_CHECK_END);

    for (size_t i = 0; i < problem->shape.m; i++) {
        omma_check_fill_bf16(values, k, a + i * stride, random);
    }
    for (size_t p = 0; p < k; p += 2) {
        uint16_t *pair = panel + p * COLUMNS;

        memset(pair, 0, pair_bytes);
        omma_check_fill_bf16(values, 2 * n, pair, random);
        for (size_t j = 0; p + 1 == k && j < n; j++) {
            pair[2 * j + 1] = 0;
        }
    }
    omma_check_seal(a);
    omma_check_seal(panel);
    problem->a_bf16 = a;
    problem->panel_bf16 = panel;
}

static void check_shape(const struct omma_kernels *kernels, struct shape shape, unsigned variant,
                        enum omma_check_values values, bool is_bf16)
{
    uint64_t random = 1000 * shape.m + shape.k + variant;
    struct problem problem = {.shape = shape,
                              .edge = variant % 2,
                              .accumulate = variant / 2 % 2 != 0,
                              .a_stride = shape.k + variant % 3,
                              .c_stride = shape.n + variant / 2 % 3};

    omma_check_case("m %zu n %zu k %zu%s, %s values", shape.m, shape.n, shape.k,
                    problem.accumulate ? " accumulate" : "", omma_check_values_name(values));
    if (is_bf16) {
        draw_bf16(&problem, values, &random);
    } else {
        draw_f32(&problem, values, &random);
    }
    problem.start = malloc((shape.m * shape.n + 1) * sizeof *problem.start);
    assert_non_null(problem.start);
    omma_check_fill_f32(values, shape.m * shape.n, problem.start, &random);
    check_problem(kernels, &problem);
    free(problem.start);
    omma_check_release();
}

static void check_shapes(const struct omma_kernels *kernels, bool is_bf16)
{
    unsigned variant = 0;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (enum omma_check_values values = 0; values < OMMA_CHECK_N_VALUES; values++) {
            check_shape(kernels, shapes[i], variant++, values, is_bf16);
        }
        /* every other variant on the next shape, so that values meet all edges */
        variant++;
    }
}

static void check_gemm_f32(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, false);
}

static void check_gemm_bf16(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, true);
}

void omma_check_gemm_f32(void **state)
{
    (void)state;
    omma_check_tiers(check_gemm_f32);
}

void omma_check_gemm_bf16(void **state)
{
    (void)state;
    omma_check_tiers(check_gemm_bf16);
}

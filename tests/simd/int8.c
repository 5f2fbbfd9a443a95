/*
 * int8.c - products of bytes against sums in 64 bits, exact; the quantiser and what goes back to
 * f32 against the definition, all bits.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd/rows.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

struct shape {
    size_t m, n, k;
};

static const struct shape shapes[] = {
    {0, 5, 3},     {1, 1, 1},    {1, 32, 2},    {2, 31, 3},    {3, 16, 4},   {4, 17, 5},
    {5, 15, 16},   {6, 32, 17},  {7, 1, 31},    {8, 2, 33},    {9, 32, 64},  {10, 32, 0},
    {11, 24, 7},   {12, 32, 65}, {13, 32, 63},  {14, 30, 66},  {15, 32, 50}, {16, 9, 100},
    {23, 32, 34},  {24, 8, 127}, {25, 32, 129}, {29, 3, 1111}, {37, 32, 9},  {61, 32, 48},
    {3, 32, 4099}, {4, 7, 257},  {8, 13, 515},  {1, 6, 1030},  {33, 17, 128}};

/* Bytes of a product: [n_rows][k]; sums may be NULL. */
static int8_t *draw_bytes(size_t n_rows, size_t k, size_t stride, enum omma_check_edge edge,
                          enum omma_check_values values, int32_t *sums, uint64_t *random)
{
    int8_t *bytes = omma_check_rows(n_rows, k, stride, edge);

    for (size_t i = 0; i < n_rows; i++) {
        omma_check_fill_i8(values, k, bytes + i * stride, random);
        for (size_t p = 0; sums != NULL && p < k; p++) {
            sums[i] += bytes[i * stride + p];
        }
    }
    omma_check_seal(bytes);
    return bytes;
}

/* One product A W^T, by the GEMM in one block or two, or by the GEMV. */
struct problem {
    struct shape shape;
    const int8_t *a, *w;
    size_t a_stride, w_stride, c_stride;
    int32_t *a_sums, *start, *expected; /* [m], [m][n], [m][n] */
    bool accumulate;
};

static void expect(struct problem *problem)
{
    size_t n = problem->shape.n;

    for (size_t i = 0; i < problem->shape.m; i++) {
        for (size_t j = 0; j < n; j++) {
            int64_t sum = problem->accumulate ? problem->start[i * n + j] : 0;

            for (size_t p = 0; p < problem->shape.k; p++) {
                sum += (int64_t)problem->a[i * problem->a_stride + p] *
                       problem->w[j * problem->w_stride + p];
            }
            problem->expected[i * n + j] = (int32_t)sum;
        }
    }
}

static void compare(const struct problem *problem, const int32_t *c)
{
    size_t m = problem->shape.m, n = problem->shape.n, stride = problem->c_stride;

    omma_check_gaps(c, m, n * sizeof *c, stride * sizeof *c);
    for (size_t i = 0; i < m; i++) {
        omma_check_same_i32("c", n, problem->expected + i * n, c + i * stride);
    }
}

/* C of k elements from first on; the sums go with the first block. */
static void multiply_block(const struct omma_kernels *kernels, const struct problem *problem,
                           size_t first, size_t k, int32_t *c)
{
    size_t n_bytes = kernels->panel_i8_bytes(k);
    void *panel = omma_check_rows(1, (n_bytes + 63) / 64 * 64, 0, OMMA_CHECK_END);

    if (n_bytes > 64 * (k + 3)) {
        omma_check_fail("a panel of k %zu takes %zu bytes", k, n_bytes);
    }
    kernels->pack_rows_i8(problem->shape.n, k, problem->w + first, problem->w_stride, panel);
    omma_check_seal(panel);
    kernels->gemm_i8(problem->shape.m, problem->shape.n, k, problem->a + first, problem->a_stride,
                     first == 0 ? problem->a_sums : NULL, panel, c, problem->c_stride,
                     problem->accumulate || first > 0);
}

static void check_gemm(const struct omma_kernels *kernels, const struct problem *problem,
                       enum omma_check_edge edge, size_t block)
{
    size_t m = problem->shape.m, n = problem->shape.n, k = problem->shape.k;
    size_t c_stride = problem->c_stride;
    int32_t *c = omma_check_rows(m, n * sizeof *c, c_stride * sizeof *c, edge);

    for (size_t i = 0; problem->accumulate && i < m; i++) {
        memcpy(c + i * c_stride, problem->start + i * n, n * sizeof *c);
    }
    for (size_t first = 0; first == 0 || first < k; first += block) {
        multiply_block(kernels, problem, first, k - first < block ? k - first : block, c);
    }
    compare(problem, c);
}

static void check_shape(const struct omma_kernels *kernels, struct shape shape, unsigned variant,
                        enum omma_check_values values, bool is_gemv)
{
    enum omma_check_edge edge = variant % OMMA_CHECK_N_EDGES;
    uint64_t random = 1000 * shape.m + shape.k + variant;
    int32_t sums[64] = {0}, *room;
    struct problem problem = {
        .shape = shape,
        .a_stride = shape.k + variant % 3,
        .w_stride = shape.k + variant / 2 % 5,
        .c_stride = shape.n + variant / 2 % 3,
        .a_sums = sums,
        .accumulate = !is_gemv && variant / 2 % 2 != 0,
    };

    omma_check_case("m %zu n %zu k %zu%s, %s values", shape.m, shape.n, shape.k,
                    problem.accumulate ? " accumulate" : "", omma_check_values_name(values));
    problem.a = draw_bytes(shape.m, shape.k, problem.a_stride, edge, values, sums, &random);
    problem.w = draw_bytes(shape.n, shape.k, problem.w_stride, edge, values, NULL, &random);
    room = malloc((2 * shape.m * shape.n + 1) * sizeof *room);
    assert_non_null(room);
    problem.start = room;
    problem.expected = room + shape.m * shape.n;
    for (size_t i = 0; i < shape.m * shape.n; i++) {
        problem.start[i] = (int32_t)(omma_test_random(&random) % 2000000) - 1000000;
    }
    expect(&problem);
    if (is_gemv) {
        int32_t *y =
            omma_check_rows(shape.m, shape.n * sizeof *y, problem.c_stride * sizeof *y, edge);

        kernels->gemv_i8(shape.m, shape.n, shape.k, problem.a, problem.a_stride, sums, problem.w,
                         problem.w_stride, y, problem.c_stride);
        compare(&problem, y);
    } else {
        check_gemm(kernels, &problem, edge, shape.k + 1);
        check_gemm(kernels, &problem, edge, (shape.k / 2 + 4) / 4 * 4);
    }
    free(room);
    omma_check_release();
}

static void check_shapes(const struct omma_kernels *kernels, bool is_gemv)
{
    unsigned variant = 0;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (enum omma_check_values values = 0; values < OMMA_CHECK_N_VALUES; values++, variant++) {
            if (!is_gemv || shapes[i].m <= OMMA_GEMV_MAX_M) {
                check_shape(kernels, shapes[i], variant, values, is_gemv);
            }
        }
        variant++;
    }
}

static void check_gemm_i8(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, false);
}

static void check_gemv_i8(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, true);
}

/* What the definition must do, stated once more: nothing else says what is right. */
static void check_quantized(size_t n, const float *x, const int8_t *q, float scale, int32_t sum)
{
    float largest = 0;
    int32_t total = 0;

    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(x[i]));
        total += q[i];
    }
    assert_true(scale == largest / 127.5f);
    assert_int_equal(sum, total);
    for (size_t i = 0; i < n && scale > 0; i++) {
        double exact = (double)x[i] / (double)scale;

        if (exact < 126.5 && exact > -127.5) {
            omma_check_near("q", i, exact, q[i], 0.5 + 1e-5);
        }
    }
}

static void check_quantize_row(const struct omma_kernels *kernels,
                               const struct omma_kernels *definition, size_t n,
                               enum omma_check_values values, enum omma_check_edge edge,
                               uint64_t *random)
{
    const float *x = omma_check_row(n, values, edge, random);
    int8_t *q = omma_check_rows(1, n, n, edge), *expected = omma_check_rows(1, n, n, edge);
    int32_t sum = -1, expected_sum = -1;
    float scale = kernels->quantize_i8(n, x, q, &sum);
    float expected_scale = definition->quantize_i8(n, x, expected, &expected_sum);

    omma_check_same_f32("scale", 1, &expected_scale, &scale);
    for (size_t i = 0; i < n; i++) {
        if (q[i] != expected[i]) {
            omma_check_fail("q[%zu]: expected %d, found %d", i, expected[i], q[i]);
        }
    }
    omma_check_same_i32("sum", 1, &expected_sum, &sum);
    check_quantized(n, x, q, scale, sum);
}

static void check_quantize_i8(const struct omma_kernels *kernels,
                              const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_quantize_row);
}

static void check_dequantize_row(const struct omma_kernels *kernels,
                                 const struct omma_kernels *definition, size_t n,
                                 enum omma_check_values values, enum omma_check_edge edge,
                                 uint64_t *random)
{
    const float *scales = omma_check_row(n, values, edge, random);
    const float *start = omma_check_row(n, values, edge, random);
    int32_t *x = omma_check_rows(1, n * sizeof *x, n * sizeof *x, edge);
    float *y = omma_check_room(n, edge), *expected = omma_check_room(n, edge);
    float *sum = omma_check_copy(n, start, edge), a = 0.75f;

    for (size_t i = 0; i < n; i++) {
        x[i] = (int32_t)(omma_test_random(random) % (1u << 31)) - (1 << 30);
    }
    definition->dequantize_i32(n, x, a, scales, expected, false);
    kernels->dequantize_i32(n, x, a, scales, sum, true);
    for (size_t i = 0; i < n; i++) {
        /* the last product may be fused with the sum */
        omma_check_near(
            "sum", i, (double)start[i] + (double)x[i] * (double)(a * scales[i]), (double)sum[i],
            4 * OMMA_CHECK_UNIT * (fabs((double)start[i]) + fabs((double)expected[i])) + 0x1p-148);
    }
    kernels->dequantize_i32(n, x, a, scales, y, false);
    omma_check_same_f32("y", n, expected, y);
    kernels->dequantize_i32(n, x, a, scales, (float *)(void *)x, false);
    omma_check_same_f32("y in the place of x", n, expected, (float *)(void *)x);
}

static void check_dequantize_i32(const struct omma_kernels *kernels,
                                 const struct omma_kernels *definition)
{
    omma_check_lengths(kernels, definition, check_dequantize_row);
}

static void check_i8_to_f32(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition)
{
    uint64_t random = 5;

    (void)definition;
    for (size_t n = 0; n <= 300; n++) {
        enum omma_check_edge edge = n % OMMA_CHECK_N_EDGES;
        int8_t *x = draw_bytes(1, n, n, edge, OMMA_CHECK_UNIFORM, NULL, &random);
        float *y = omma_check_room(n, edge);

        omma_check_case("n %zu", n);
        kernels->i8_to_f32(n, x, y);
        for (size_t i = 0; i < n; i++) {
            omma_check_near("y", i, x[i], (double)y[i], 0);
        }
        omma_check_release();
    }
}

void omma_check_quantize_i8(void **state)
{
    (void)state;
    omma_check_tiers(check_quantize_i8);
}

void omma_check_gemm_i8(void **state)
{
    (void)state;
    omma_check_tiers(check_gemm_i8);
}

void omma_check_gemv_i8(void **state)
{
    (void)state;
    omma_check_tiers(check_gemv_i8);
}

void omma_check_dequantize_i32(void **state)
{
    (void)state;
    omma_check_tiers(check_dequantize_i32);
}

void omma_check_i8_to_f32(void **state)
{
    (void)state;
    omma_check_tiers(check_i8_to_f32);
}

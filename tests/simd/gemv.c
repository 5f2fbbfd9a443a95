/*
 * gemv.c - y = x W^T and weighted sums against sums in double.  The bounds are those of gemm.c.
 */
#include "config.h"

#include "simd/check.h"

#include <math.h>

#include "base/bf16.h"

struct shape {
    size_t m, n, k;
};

static const struct shape shapes[] = {
    {1, 1, 1},   {1, 3, 2},    {2, 5, 7},     {3, 4, 8},    {4, 7, 15},  {5, 2, 16},
    {6, 3, 17},  {7, 6, 31},   {8, 5, 32},    {1, 9, 33},   {2, 4, 47},  {3, 3, 48},
    {4, 2, 63},  {8, 8, 64},   {5, 3, 65},    {6, 2, 96},   {7, 3, 97},  {8, 4, 127},
    {1, 5, 0},   {4, 17, 129}, {3, 2, 1003},  {1, 4, 100},  {3, 3, 124}, {8, 2, 192},
    {4, 5, 260}, {2, 3, 1004}, {8, 11, 1667}, {8, 9, 1668}, {2, 9, 6337}};

static const struct shape sum_shapes[] = {
    {1, 1, 1},   {1, 64, 9},   {2, 15, 3},  {3, 16, 64}, {4, 17, 65},  {5, 31, 7},
    {6, 32, 33}, {7, 33, 5},   {8, 48, 66}, {8, 63, 11}, {7, 64, 129}, {3, 65, 10},
    {2, 80, 70}, {1, 128, 63}, {4, 97, 8},  {5, 5, 0},   {8, 130, 4},  {6, 129, 201},
};

enum type { TYPE_F32, TYPE_BF16, TYPE_F16, TYPE_I8 };

/* x [m][k] and W [n][k], or p [m][k] and V [k][n]. */
struct problem {
    struct shape shape;
    enum type x_type, w_type;
    bool is_weighted_sum;
    const void *x, *w;
    size_t x_stride, w_stride, y_stride;
    const float *start; /* [m][y_stride]: what y holds before */
};

static void multiply(const struct omma_kernels *kernels, const struct problem *problem, size_t row,
                     size_t m, float *y)
{
    size_t n = problem->shape.n, k = problem->shape.k;
    size_t x_stride = problem->x_stride, w_stride = problem->w_stride, y_stride = problem->y_stride;
    const float *x = (const float *)problem->x + row * x_stride;
    const void *w = problem->w;

    if (problem->w_type == TYPE_I8) {
        if (problem->x_type == TYPE_BF16) {
            kernels->gemv_bf16_i8w(m, n, k, (const uint16_t *)problem->x + row * x_stride, x_stride,
                                   w, w_stride, y, y_stride);
        } else {
            kernels->gemv_f32_i8w(m, n, k, x, x_stride, w, w_stride, y, y_stride);
        }
    } else if (problem->x_type == TYPE_BF16) {
        kernels->gemv_bf16_bf16w(m, n, k, (const uint16_t *)problem->x + row * x_stride, x_stride,
                                 w, w_stride, y, y_stride);
    } else if (problem->is_weighted_sum && problem->w_type == TYPE_F32) {
        kernels->weighted_sum_f32(m, n, k, x, x_stride, w, w_stride, y, y_stride);
    } else if (problem->is_weighted_sum) {
        kernels->weighted_sum_bf16(m, n, k, x, x_stride, w, w_stride, y, y_stride);
    } else if (problem->w_type == TYPE_F32) {
        kernels->gemv_f32_f32w(m, n, k, x, x_stride, w, w_stride, y, y_stride);
    } else {
        (problem->w_type == TYPE_BF16 ? kernels->gemv_f32_bf16w : kernels->gemv_f32_f16w)(
            m, n, k, x, x_stride, w, w_stride, y, y_stride);
    }
}

static double value(enum type type, const void *values, size_t at)
{
    switch (type) {
    case TYPE_F32:
        return (double)((const float *)values)[at];
    case TYPE_BF16:
        return (double)omma_f32_of_bf16(((const uint16_t *)values)[at]);
    case TYPE_I8:
        return ((const int8_t *)values)[at];
    case TYPE_F16:
        break;
    }
    return (double)omma_f32_of_f16(((const uint16_t *)values)[at]);
}

static void check_element(const struct problem *problem, size_t i, size_t j, float got)
{
    size_t k = problem->shape.k;
    bool flushes = problem->x_type == TYPE_BF16;
    double sum = problem->is_weighted_sum ? (double)problem->start[i * problem->y_stride + j] : 0;
    double magnitude = fabs(sum), dropped = 0;

    for (size_t p = 0; p < k; p++) {
        size_t w_at =
            problem->is_weighted_sum ? p * problem->w_stride + j : j * problem->w_stride + p;
        double x = value(problem->x_type, problem->x, i * problem->x_stride + p);
        double w = value(problem->w_type, problem->w, w_at);

        sum += x * w;
        magnitude += fabs(x * w);
        if (flushes && (fabs(x) < 0x1p-126 || fabs(w) < 0x1p-126)) {
            dropped += fabs(x * w);
        }
    }
    omma_check_near("y", i * problem->shape.n + j, sum, (double)got,
                    (double)(k + 8) * OMMA_CHECK_UNIT * magnitude + dropped +
                        (double)(2 * k + 8) * (flushes ? 0x1p-126 : 0x1p-149));
}

static void check_problem(const struct omma_kernels *kernels, struct problem *problem,
                          enum omma_check_edge edge, enum omma_check_values values,
                          uint64_t *random)
{
    size_t m = problem->shape.m, n = problem->shape.n, stride = problem->y_stride;
    float *start = omma_check_rows(m, stride * sizeof *start, stride * sizeof *start, edge);
    float *y = omma_check_rows(m, n * sizeof *y, stride * sizeof *y, edge);
    float *alone = omma_check_rows(1, n * sizeof *y, stride * sizeof *y, OMMA_CHECK_END);

    omma_check_fill_f32(values, m * stride, start, random);
    problem->start = start;
    for (size_t i = 0; problem->is_weighted_sum && i < m; i++) {
        memcpy(y + i * stride, start + i * stride, n * sizeof *y);
    }
    multiply(kernels, problem, 0, m, y);
    omma_check_gaps(y, m, n * sizeof *y, stride * sizeof *y);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            check_element(problem, i, j, y[i * stride + j]);
        }
        memcpy(alone, start + i * stride, n * sizeof *y);
        multiply(kernels, problem, i, 1, alone);
        omma_check_same_f32("y of the row alone", n, alone, y + i * stride);
    }
}

static void *draw(enum type type, size_t n_rows, size_t n_columns, size_t stride,
                  enum omma_check_edge edge, enum omma_check_values values, uint64_t *random)
{
    size_t element = type == TYPE_F32 ? 4 : type == TYPE_I8 ? 1 : 2;
    char *rows = omma_check_rows(n_rows, n_columns * element, stride * element, edge);

    for (size_t i = 0; i < n_rows; i++) {
        void *row = rows + i * stride * element;

        if (type == TYPE_F32) {
            omma_check_fill_f32(values, n_columns, row, random);
        } else if (type == TYPE_BF16) {
            omma_check_fill_bf16(values, n_columns, row, random);
        } else if (type == TYPE_I8) {
            omma_check_fill_i8(values, n_columns, row, random);
        } else {
            omma_check_fill_f16(values, n_columns, row, random);
        }
    }
    omma_check_seal(rows);
    return rows;
}

static void check_shape(const struct omma_kernels *kernels, struct problem problem,
                        unsigned variant, enum omma_check_values values)
{
    struct shape shape = problem.shape;
    enum omma_check_edge edge = variant % OMMA_CHECK_N_EDGES;
    uint64_t random = 1000 * shape.n + shape.k + variant;
    size_t w_rows = problem.is_weighted_sum ? shape.k : shape.n;
    size_t w_columns = problem.is_weighted_sum ? shape.n : shape.k;

    omma_check_case("m %zu n %zu k %zu, %s values", shape.m, shape.n, shape.k,
                    omma_check_values_name(values));
    problem.x_stride = shape.k + variant % 3;
    problem.w_stride = w_columns + variant / 2 % 3;
    problem.y_stride = shape.n + variant % 2;
    problem.x = draw(problem.x_type, shape.m, shape.k, problem.x_stride, edge, values, &random);
    problem.w = draw(problem.w_type, w_rows, w_columns, problem.w_stride, edge, values, &random);
    check_problem(kernels, &problem, edge, values, &random);
    omma_check_release();
}

static void check_shapes(const struct omma_kernels *kernels, struct problem problem)
{
    const struct shape *list = problem.is_weighted_sum ? sum_shapes : shapes;
    size_t n_shapes = problem.is_weighted_sum ? sizeof sum_shapes / sizeof *sum_shapes
                                              : sizeof shapes / sizeof *shapes;
    unsigned variant = 0;

    for (size_t i = 0; i < n_shapes; i++) {
        problem.shape = list[i];
        for (enum omma_check_values values = 0; values < OMMA_CHECK_N_VALUES; values++) {
            check_shape(kernels, problem, variant++, values);
        }
        variant++;
    }
}

static void check_gemv_f32(const struct omma_kernels *kernels,
                           const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, (struct problem){.x_type = TYPE_F32, .w_type = TYPE_F32});
    check_shapes(kernels, (struct problem){.x_type = TYPE_F32, .w_type = TYPE_BF16});
    check_shapes(kernels, (struct problem){.x_type = TYPE_F32, .w_type = TYPE_F16});
    check_shapes(kernels, (struct problem){.x_type = TYPE_F32, .w_type = TYPE_I8});
}

static void check_gemv_bf16(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition)
{
    (void)definition;
    check_shapes(kernels, (struct problem){.x_type = TYPE_BF16, .w_type = TYPE_BF16});
    check_shapes(kernels, (struct problem){.x_type = TYPE_BF16, .w_type = TYPE_I8});
}

static void check_weighted_sum(const struct omma_kernels *kernels,
                               const struct omma_kernels *definition)
{
    struct problem problem = {.x_type = TYPE_F32, .w_type = TYPE_F32, .is_weighted_sum = true};

    (void)definition;
    check_shapes(kernels, problem);
    problem.w_type = TYPE_BF16;
    check_shapes(kernels, problem);
}

void omma_check_gemv_f32(void **state)
{
    (void)state;
    omma_check_tiers(check_gemv_f32);
}

void omma_check_gemv_bf16(void **state)
{
    (void)state;
    omma_check_tiers(check_gemv_bf16);
}

void omma_check_weighted_sum(void **state)
{
    (void)state;
    omma_check_tiers(check_weighted_sum);
}

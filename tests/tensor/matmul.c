/*
 * Products against sums in double: every way of computing, every type of weight, GEMV and GEMM, odd
 * shapes, every output; and the same bits from any number of threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "base/checked.h"
#include "tensor/matmul.h"
#include "tensor/operators.h"

struct problem {
    const struct omma_compute *compute;
    size_t m, n, k;
    float *x; /* values of operand */
    struct omma_operand operand;
    struct omma_linear linear, up;
    void *i8_memory; /* of the operand's int8 form */
    void *plain;     /* of its other form */
    float *w;        /* values of linear.weight */
    float *w_up;
    float *bias, *scale;
};

static void *make_weight(uint64_t *seed, enum omma_dtype dtype, size_t n, float *values)
{
    char *data = malloc(n * omma_dtype_bytes(dtype));

    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        float value = (float)omma_test_uniform(seed, -1.0, 1.0);

        if (dtype == OMMA_DTYPE_F32) {
            ((float *)(void *)data)[i] = values[i] = value;
        } else if (dtype == OMMA_DTYPE_BF16) {
            ((uint16_t *)(void *)data)[i] = omma_bf16_of_f32(value);
            values[i] = omma_f32_round_bf16(value);
        } else {
            uint16_t bits = (uint16_t)(omma_test_random(seed) & 0xBBFFu); /* |value| < 2 */

            ((uint16_t *)(void *)data)[i] = bits;
            values[i] = omma_f32_of_f16(bits);
        }
    }
    return data;
}

/* int8 weights with scales for each group of columns, or each row for 0. */
static struct omma_matrix make_i8_weight(uint64_t *seed, size_t n, size_t k, size_t group,
                                         float *values)
{
    struct omma_matrix w = {
        .dtype = OMMA_DTYPE_I8, .n_rows = n, .n_columns = k, .scales_stride = n + 3};
    int8_t *data = malloc(n * k);
    float *scales;

    w.group = group > 0 ? group : k;
    scales = malloc(k / w.group * w.scales_stride * sizeof *scales);
    assert_true(data != NULL && scales != NULL);
    for (size_t i = 0; i < k / w.group * w.scales_stride; i++) {
        scales[i] = (float)omma_test_uniform(seed, 0.002, 0.01);
    }
    for (size_t i = 0; i < n * k; i++) {
        data[i] = (int8_t)(omma_test_random(seed) & 0xFF);
        values[i] = (float)data[i] * scales[i % k / w.group * w.scales_stride + i / k];
    }
    w.data = data;
    w.scales = scales;
    return w;
}

static float *make_floats(uint64_t *seed, size_t n)
{
    float *values = malloc(n * sizeof *values);

    for (size_t i = 0; i < n; i++) {
        values[i] = (float)omma_test_uniform(seed, -1.0, 1.0);
    }
    return values;
}

static struct problem make_problem(const struct omma_compute *compute, enum omma_dtype dtype,
                                   size_t m, size_t n, size_t k)
{
    uint64_t seed = m * 1000003 + n * 1009 + k;
    struct problem p = {.compute = compute, .m = m, .n = n, .k = k};

    p.x = malloc(m * k * sizeof *p.x);
    p.w = malloc(n * k * sizeof *p.w);
    p.w_up = malloc(n * k * sizeof *p.w_up);
    p.operand = omma_test_operand(compute, &seed, m, k, p.x);
    p.plain = p.operand.data;
    p.bias = make_floats(&seed, n);
    p.scale = make_floats(&seed, n);
    p.linear.weight = (struct omma_matrix){
        .data = make_weight(&seed, dtype, n * k, p.w), .dtype = dtype, .n_rows = n, .n_columns = k};
    p.linear.bias = p.bias;
    p.up.weight = (struct omma_matrix){.data = make_weight(&seed, dtype, n * k, p.w_up),
                                       .dtype = dtype,
                                       .n_rows = n,
                                       .n_columns = k};
    return p;
}

/* The same with int8 weights; where compute takes int8 activations, x holds the values of those. */
static struct problem make_i8_problem(const struct omma_compute *compute, size_t group, size_t m,
                                      size_t n, size_t k)
{
    struct problem p = make_problem(compute, OMMA_DTYPE_F32, m, n, k);
    const struct omma_matrix *readers[] = {&p.linear.weight, &p.up.weight};
    uint64_t seed = m + n + k + group;

    free((void *)p.linear.weight.data);
    free((void *)p.up.weight.data);
    p.linear.weight = make_i8_weight(&seed, n, k, group, p.w);
    p.up.weight = make_i8_weight(&seed, n, k, group, p.w_up);
    if (!compute->int8_activations) {
        return p;
    }
    p.i8_memory = aligned_alloc(64, omma_round_up(omma_i8_rows_bytes(m, k, group), 64));
    p.operand.i8 = omma_i8_rows_carve(p.i8_memory, m, k, group);
    p.operand = omma_operand_for(compute, &p.operand, readers, 2);
    assert_null(p.operand.data);
    for (size_t i = 0; i < m; i++) {
        omma_operand_store_row(compute, &p.operand, i, p.x + i * k, k);
        for (size_t j = 0; j < k; j++) {
            p.x[i * k + j] =
                (float)p.operand.i8.data[i * p.operand.i8.stride + j] * p.operand.i8.scales[i];
        }
    }
    return p;
}

static void free_problem(struct problem *p)
{
    free(p->i8_memory);
    free((void *)p->linear.weight.scales);
    free((void *)p->up.weight.scales);
    free(p->x);
    free(p->w);
    free(p->w_up);
    free(p->plain);
    free(p->bias);
    free(p->scale);
    free((void *)p->linear.weight.data);
    free((void *)p->up.weight.data);
}

/* x row i times w row j in double, and the bound of the kernels' agreement (sum |a b|). */
static double exact(const struct problem *p, const float *w, size_t i, size_t j, double *bound)
{
    double sum = 0.0, absolute = 0.0;

    for (size_t l = 0; l < p->k; l++) {
        double product = (double)p->x[i * p->k + l] * w[j * p->k + l];

        sum += product;
        absolute += fabs(product);
    }
    *bound = 2.0 * (double)(p->k + 8) * 0x1p-24 * absolute + 1e-30;
    return sum;
}

struct call {
    const struct problem *p;
    const struct omma_output *output;
    const struct omma_operand *gated; /* instead of output */
};

static void run(struct omma_thread *self, void *argument)
{
    const struct call *call = argument;
    const struct problem *p = call->p;

    if (call->gated != NULL) {
        omma_matmul_gated(self, p->compute, p->m, &p->operand, &p->linear, &p->up, call->gated);
    } else {
        omma_matmul(self, p->compute, p->m, &p->operand, &p->linear, call->output);
    }
}

static void check_close(const struct problem *p, const char *what, size_t i, size_t j, double got,
                        double want, double bound)
{
    if (!(fabs(got - want) <= bound)) {
        fail_msg("%s, %s, m %zu n %zu k %zu: row %zu column %zu: %.9g, expected %.9g +- %.3g",
                 omma_test_compute_name(p->compute), what, p->m, p->n, p->k, i, j, got, want,
                 bound);
    }
}

static void check_store_and_residual(struct omma_team *team, const struct problem *p)
{
    float *y = calloc(p->m * p->n, sizeof *y);
    struct omma_output output = {.kind = OMMA_OUTPUT_STORE, .f32 = y, .f32_stride = p->n};
    struct call call = {.p = p, .output = &output};

    omma_team_run(team, run, &call);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double bound, want = exact(p, p->w, i, j, &bound) + p->bias[j];

            check_close(p, "store", i, j, y[i * p->n + j], want, bound + 1e-6);
            y[i * p->n + j] = 1.0f;
        }
    }
    output.kind = OMMA_OUTPUT_RESIDUAL;
    output.scale = p->scale;
    omma_team_run(team, run, &call);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double bound, want = exact(p, p->w, i, j, &bound) + p->bias[j];

            check_close(p, "residual", i, j, y[i * p->n + j], 1.0 + p->scale[j] * want,
                        bound + 1e-6 * (1.0 + fabs(want)));
        }
    }
    free(y);
}

static void check_gelu_and_gated(struct omma_team *team, const struct problem *p)
{
    struct omma_operand got = omma_test_empty_operand(p->compute, p->m, p->n);
    struct omma_output output = {.kind = OMMA_OUTPUT_GELU, .operand = got};
    struct call call = {.p = p, .output = &output};
    double rounding = omma_test_operand_error(p->compute);

    omma_team_run(team, run, &call);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double bound, y = exact(p, p->w, i, j, &bound) + p->bias[j];
            double want = y * (1.0 + erf(y / sqrt(2.0))) / 2.0;

            check_close(p, "gelu", i, j, omma_test_operand_value(&got, i, j), want,
                        1.2 * bound + 2e-6 * (1.0 + fabs(y)) + rounding * fabs(want));
        }
    }
    ((struct problem *)p)->linear.bias = NULL;
    call.gated = &got;
    omma_team_run(team, run, &call);
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < p->n; j++) {
            double bound, bound_up;
            double gate = exact(p, p->w, i, j, &bound), up = exact(p, p->w_up, i, j, &bound_up);
            double want = gate / (1.0 + exp(-gate)) * up;

            check_close(p, "gated", i, j, omma_test_operand_value(&got, i, j), want,
                        1.2 * (bound * fabs(up) + bound_up * fabs(gate) + bound * bound_up) +
                            4e-6 * (1e-3 + fabs(want)) + rounding * fabs(want));
        }
    }
    ((struct problem *)p)->linear.bias = p->bias;
    free(got.data);
}

static const size_t shapes[][3] = {
    {1, 1, 1},   {1, 32, 64},  {1, 33, 130}, {2, 70, 31},   {8, 40, 96},
    {9, 65, 33}, {13, 31, 77}, {64, 96, 50}, {37, 64, 260},
};

static void test_outputs(void **state)
{
    static const enum omma_dtype dtypes[] = {OMMA_DTYPE_BF16, OMMA_DTYPE_F16, OMMA_DTYPE_F32};
    struct omma_team *team = omma_test_team(2, omma_matmul_scratch_bytes());
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    (void)state;
    for (size_t c = 0; c < n_computes; c++) {
        /* bf16 operands go with bf16 weights alone */
        size_t n_dtypes = computes[c].operand == OMMA_DTYPE_BF16 ? 1 : 3;

        for (size_t d = 0; d < n_dtypes; d++) {
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
                struct problem p =
                    make_problem(&computes[c], dtypes[d], shapes[s][0], shapes[s][1], shapes[s][2]);

                check_store_and_residual(team, &p);
                check_gelu_and_gated(team, &p);
                free_problem(&p);
            }
        }
    }
    omma_team_destroy(&team);
}

/* int8 weights, with int8 activations and without, a scale a row and in groups; K of several
 * blocks.
 */
static void test_int8(void **state)
{
    static const size_t i8_shapes[][4] = {{1, 33, 130, 0},   {5, 70, 128, 64},  {8, 40, 256, 128},
                                          {9, 65, 33, 0},    {13, 31, 192, 64}, {37, 64, 384, 128},
                                          {14, 35, 9100, 0}, {11, 100, 8300, 0}};
    struct omma_team *team = omma_test_team(2, omma_matmul_scratch_bytes());
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    (void)state;
    for (size_t c = 0; c < 2 * n_computes; c++) {
        struct omma_compute compute = computes[c / 2];

        compute.int8_activations = c % 2 == 0;
        for (size_t s = 0; s < sizeof i8_shapes / sizeof *i8_shapes; s++) {
            const size_t *shape = i8_shapes[s];
            struct problem p = make_i8_problem(&compute, shape[3], shape[0], shape[1], shape[2]);

            check_store_and_residual(team, &p);
            check_gelu_and_gated(team, &p);
            free_problem(&p);
        }
    }
    omma_team_destroy(&team);
}

/* An operand that two kinds of weights read has both forms; rows that were written in pieces give
 * the bits of rows that were written whole. */
struct pieces {
    const struct omma_compute *compute;
    const struct omma_operand *operand;
    const float *x;
    size_t m, k;
};

static void quantize_pieces(struct omma_thread *self, void *argument)
{
    const struct pieces *p = argument;
    struct omma_range rows = omma_team_range(self, p->m);

    for (size_t i = rows.begin; i < rows.end; i++) {
        for (size_t j = 0; j < p->k; j += 32) {
            omma_operand_store(p->compute, p->operand, i, j, p->x + i * p->k + j,
                               omma_min(32, p->k - j));
        }
    }
    omma_team_barrier(self);
    omma_quantize_rows(self, p->compute, p->m, p->k, p->operand);
}

static void test_both_forms(void **state)
{
    struct omma_team *team = omma_test_team(3, omma_matmul_scratch_bytes());
    size_t n_computes, m = 7, k = 300;
    struct omma_compute compute = omma_test_computes(&n_computes)[0];
    uint64_t seed = 5;
    float scale = 1, *x = make_floats(&seed, m * k);
    const struct omma_matrix i8 = {.scales = &scale}, plain = {0};
    const struct omma_matrix *readers[] = {&i8, &plain};
    struct omma_operand whole, pieces, both[2];
    void *memory[2];

    (void)state;
    compute.int8_activations = true;
    for (size_t i = 0; i < 2; i++) {
        both[i] = omma_test_empty_operand(&compute, m, k);
        memory[i] = calloc(1, omma_i8_rows_bytes(m, k, 64));
        both[i].i8 = omma_i8_rows_carve(memory[i], m, k, 64);
        both[i].pieces_stride = omma_pieces_stride(k);
        both[i].pieces = calloc(m * both[i].pieces_stride, sizeof(float));
        assert_true(memory[i] != NULL && both[i].pieces != NULL);
    }
    whole = omma_operand_for(&compute, &both[0], readers, 2);
    pieces = omma_operand_for(&compute, &both[1], readers, 2);
    assert_non_null(whole.data);
    assert_non_null(whole.i8.data);
    for (size_t i = 0; i < m; i++) {
        omma_operand_store_row(&compute, &whole, i, x + i * k, k);
    }
    omma_team_run(team, quantize_pieces, &(struct pieces){&compute, &pieces, x, m, k});
    assert_memory_equal(whole.data, pieces.data, omma_operand_bytes(&compute, m, k));
    assert_memory_equal(memory[0], memory[1], omma_i8_rows_bytes(m, k, 64));
    assert_true(whole.i8.scales[m - 1] > 0);
    assert_null(omma_operand_for(&compute, &both[0], readers, 1).data);
    assert_null(omma_operand_for(&compute, &both[0], readers + 1, 1).i8.data);
    for (size_t i = 0; i < 2; i++) {
        free(both[i].data);
        free(both[i].pieces);
        free(memory[i]);
    }
    free(x);
    omma_team_destroy(&team);
}

/* K of several blocks, more rows than a strip holds. */
static void test_blocks(void **state)
{
    struct omma_team *team = omma_test_team(2, omma_matmul_scratch_bytes());
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    (void)state;
    for (size_t c = 0; c < n_computes; c++) {
        struct problem deep = make_problem(&computes[c], OMMA_DTYPE_BF16, 11, 35, 4500);
        struct problem deeper = make_problem(&computes[c], OMMA_DTYPE_BF16, 13, 170, 8300);
        struct problem tall = make_problem(&computes[c], OMMA_DTYPE_BF16, 1070, 33, 9);

        check_store_and_residual(team, &deep);
        check_store_and_residual(team, &deeper); /* two panels at a time, and an odd one */
        check_gelu_and_gated(team, &deeper);
        check_store_and_residual(team, &tall);
        free_problem(&deep);
        free_problem(&deeper);
        free_problem(&tall);
    }
    omma_team_destroy(&team);
}

static void test_bits_for_any_number_of_threads(void **state)
{
    static const size_t n_threads[] = {1, 2, 3, 4, 8};
    static const size_t ms[] = {1, 5, 50};
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    (void)state;
    for (size_t t = 0; t < sizeof n_threads / sizeof *n_threads; t++) {
        struct omma_team *team = omma_test_team(n_threads[t], omma_matmul_scratch_bytes());
        struct omma_team *alone = omma_test_team(1, omma_matmul_scratch_bytes());

        for (size_t c = 0; c < n_computes * 3; c++) {
            size_t k = c % 3 == 2 ? 8300 : 150; /* two panels at a time; how many are odd differs */
            struct problem p = make_problem(&computes[c / 3], OMMA_DTYPE_BF16, ms[c % 3], 300, k);
            size_t bytes = p.m * p.n * sizeof(float);
            float *one = calloc(1, bytes), *many = calloc(1, bytes);
            struct omma_output output = {.kind = OMMA_OUTPUT_STORE, .f32_stride = p.n};
            struct call call = {.p = &p, .output = &output};

            output.f32 = one;
            omma_team_run(alone, run, &call);
            output.f32 = many;
            omma_team_run(team, run, &call);
            assert_memory_equal(one, many, bytes);
            free(one);
            free(many);
            free_problem(&p);
        }
        omma_team_destroy(&team);
        omma_team_destroy(&alone);
    }
}

/* Copies of a matrix's rows, each of its own memory; the last part is left out. */
static void cut(struct omma_matrix *w, struct omma_matrix_part *parts, size_t n_parts)
{
    size_t row_bytes = w->n_columns * omma_dtype_bytes(w->dtype);

    for (size_t i = 0; i < n_parts; i++) {
        size_t n_bytes = (parts[i + 1].first_row - parts[i].first_row) * row_bytes;
        void *copy = malloc(n_bytes + 1);

        memcpy(copy, (const char *)w->data + parts[i].first_row * row_bytes, n_bytes);
        parts[i].data = copy;
    }
    w->parts = parts;
}

/* Weights in parts give the bits that they give in one piece; what lies outside of the parts is not
 * read. */
static void test_parts(void **state)
{
    static const size_t ms[] = {1, 8, 100};
    size_t n_computes, n_bytes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);
    struct omma_team *team = omma_test_team(3, omma_matmul_scratch_bytes());

    (void)state;
    for (size_t c = 0; c < 3 * n_computes; c++) {
        struct problem p = make_problem(&computes[c / 3], OMMA_DTYPE_BF16, ms[c % 3], 300, 150);
        struct omma_matrix_part w[] = {{0, NULL}, {96, NULL}, {96, NULL}, {288, NULL}, {300, NULL}};
        struct omma_matrix_part up[] = {{0, NULL}, {256, NULL}, {300, NULL}};
        struct omma_operand whole = omma_test_empty_operand(p.compute, p.m, p.n);
        struct omma_operand parts = omma_test_empty_operand(p.compute, p.m, p.n);
        struct call call = {.p = &p, .gated = &whole};

        n_bytes = omma_operand_bytes(p.compute, p.m, p.n);
        omma_team_run(team, run, &call);
        cut(&p.linear.weight, w, 4);
        cut(&p.up.weight, up, 2);
        memset((void *)p.linear.weight.data, 0, p.n * p.k * 2);
        memset((void *)p.up.weight.data, 0, p.n * p.k * 2);
        call.gated = &parts;
        omma_team_run(team, run, &call);
        assert_memory_equal(whole.data, parts.data, n_bytes);
        for (size_t i = 0; i < 4; i++) {
            free((void *)w[i].data);
        }
        free((void *)up[0].data);
        free((void *)up[1].data);
        free(whole.data);
        free(parts.data);
        free_problem(&p);
    }
    omma_team_destroy(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_both_forms),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_bits_for_any_number_of_threads),
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

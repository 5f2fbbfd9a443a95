/*
 * Attention against softmax in double: every way of computing, grouped heads, causal and full, one
 * query and many, keys in f32 and bf16, several blocks of keys; and the same bits from any number
 * of threads and any split of a prompt.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "tensor/attention.h"
#include "tensor/operators.h"

struct problem {
    const struct omma_compute *compute;
    struct omma_attention a;
    float *q, *k, *v; /* values; k, v: [n_kv_heads][n_keys][head_dim] */
    void *k_data, *v_data;
};

static void *store_keys(enum omma_dtype dtype, float *values, size_t n)
{
    char *data = malloc(n * omma_dtype_bytes(dtype));

    for (size_t i = 0; i < n; i++) {
        if (dtype == OMMA_DTYPE_BF16) {
            ((uint16_t *)(void *)data)[i] = omma_bf16_of_f32(values[i]);
            values[i] = omma_f32_round_bf16(values[i]);
        } else {
            ((float *)(void *)data)[i] = values[i];
        }
    }
    return data;
}

static struct problem make_problem(const struct omma_compute *compute, enum omma_dtype kv_dtype,
                                   size_t n_queries, size_t n_keys, size_t n_heads,
                                   size_t n_kv_heads, size_t head_dim, bool causal)
{
    uint64_t seed = n_queries * 7919 + n_keys * 31 + head_dim;
    size_t n = n_kv_heads * n_keys * head_dim;
    struct problem p = {.compute = compute};

    p.q = malloc(n_queries * n_heads * head_dim * sizeof *p.q);
    p.k = malloc(n * sizeof *p.k);
    p.v = malloc(n * sizeof *p.v);
    for (size_t i = 0; i < n; i++) {
        p.k[i] = (float)omma_test_uniform(&seed, -2.0, 2.0);
        p.v[i] = (float)omma_test_uniform(&seed, -1.0, 1.0);
    }
    p.k_data = store_keys(kv_dtype, p.k, n);
    p.v_data = store_keys(kv_dtype, p.v, n);
    p.a = (struct omma_attention){
        .n_queries = n_queries,
        .n_keys = n_keys,
        .n_heads = n_heads,
        .n_kv_heads = n_kv_heads,
        .head_dim = head_dim,
        .scale = 1.0f / sqrtf((float)head_dim),
        .causal = causal,
        .first_position = causal ? n_keys - n_queries : 0,
        .q = omma_test_operand(compute, &seed, n_queries, n_heads * head_dim, p.q),
        .k = p.k_data,
        .v = p.v_data,
        .kv_stride = head_dim,
        .kv_head_stride = n_keys * head_dim,
        .kv_dtype = kv_dtype,
        .output = omma_test_empty_operand(compute, n_queries, n_heads * head_dim),
        .partials = malloc(omma_attention_partials(n_heads, head_dim, n_keys) * sizeof(float)),
    };
    return p;
}

static void free_problem(struct problem *p)
{
    free(p->q);
    free(p->k);
    free(p->v);
    free(p->k_data);
    free(p->v_data);
    free(p->a.q.data);
    free(p->a.output.data);
    free(p->a.partials);
}

static void run(struct omma_thread *self, void *argument)
{
    const struct problem *p = argument;

    omma_attention(self, p->compute, &p->a, 1);
}

/* The output of one query of one head, in double. */
static void exact(const struct problem *p, size_t query, size_t head, double *y)
{
    const struct omma_attention *a = &p->a;
    size_t kv_head = head / (a->n_heads / a->n_kv_heads), hd = a->head_dim;
    size_t n = a->causal ? a->first_position + query + 1 : a->n_keys;
    const float *q = p->q + (query * a->n_heads + head) * hd;
    double sum = 0.0;

    memset(y, 0, hd * sizeof *y);
    for (size_t i = 0; i < n; i++) {
        const float *k = p->k + (kv_head * a->n_keys + i) * hd;
        double score = 0.0, weight;

        for (size_t d = 0; d < hd; d++) {
            score += (double)q[d] * k[d];
        }
        weight = exp(score * a->scale);
        sum += weight;
        for (size_t d = 0; d < hd; d++) {
            y[d] += weight * p->v[(kv_head * a->n_keys + i) * hd + d];
        }
    }
    for (size_t d = 0; d < hd; d++) {
        y[d] /= sum;
    }
}

static void check(struct omma_team *team, struct problem *p)
{
    const struct omma_attention *a = &p->a;
    /* probabilities and outputs are rounded to bf16 where operands are */
    double tolerance = omma_test_operand_error(p->compute) > 0.0 ? 0x1p-7 : 4e-6;
    double y[256];

    omma_team_run(team, run, p);
    for (size_t query = 0; query < a->n_queries; query++) {
        for (size_t head = 0; head < a->n_heads; head++) {
            exact(p, query, head, y);
            for (size_t d = 0; d < a->head_dim; d++) {
                double got = omma_test_operand_value(&a->output, query, head * a->head_dim + d);

                if (!(fabs(got - y[d]) <= tolerance)) {
                    fail_msg("%s: queries %zu keys %zu heads %zu/%zu of %zu, kv %s: query %zu head "
                             "%zu [%zu]: %.9g, expected %.9g",
                             omma_test_compute_name(p->compute), a->n_queries, a->n_keys,
                             a->n_heads, a->n_kv_heads, a->head_dim, omma_dtype_name(a->kv_dtype),
                             query, head, d, got, y[d]);
                }
            }
        }
    }
}

static const struct shape {
    size_t n_queries, n_keys, n_heads, n_kv_heads, head_dim;
    bool causal;
} shapes[] = {
    {1, 1, 2, 1, 64, true},     {1, 700, 14, 2, 64, true}, {1, 1100, 16, 1, 32, true},
    {1, 513, 5, 5, 128, true},  {2, 2, 3, 1, 64, true},    {7, 7, 4, 2, 128, true},
    {70, 300, 6, 2, 64, true},  {90, 90, 7, 1, 32, true},  {257, 257, 2, 2, 64, false},
    {33, 290, 2, 1, 80, false}, {40, 600, 8, 1, 16, true}, {9, 265, 3, 3, 6, false},
};

static void test_against_double(void **state)
{
    struct omma_team *team = omma_test_team(2, omma_attention_scratch_bytes(128));
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);

    (void)state;
    for (size_t c = 0; c < n_computes; c++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const struct shape *h = &shapes[s];

            for (int bf16 = computes[c].operand == OMMA_DTYPE_BF16; bf16 < 2; bf16++) {
                struct problem p = make_problem(
                    &computes[c], bf16 ? OMMA_DTYPE_BF16 : OMMA_DTYPE_F32, h->n_queries, h->n_keys,
                    h->n_heads, h->n_kv_heads, h->head_dim, h->causal);

                check(team, &p);
                free_problem(&p);
            }
        }
    }
    omma_team_destroy(&team);
}

static void test_bits_for_any_number_of_threads(void **state)
{
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);
    struct omma_team *alone = omma_test_team(1, omma_attention_scratch_bytes(128));

    (void)state;
    for (size_t n_threads = 2; n_threads <= 8; n_threads += n_threads / 2) {
        struct omma_team *team = omma_test_team(n_threads, omma_attention_scratch_bytes(128));

        for (size_t c = 0; c < 2 * n_computes; c++) {
            size_t n_queries = c % 2 == 0 ? 1 : 200;
            struct problem p =
                make_problem(&computes[c / 2], OMMA_DTYPE_BF16, n_queries, 1200, 14, 2, 64, true);
            size_t bytes = omma_operand_bytes(p.compute, n_queries, 14 * 64);
            void *one = malloc(bytes);

            omma_team_run(alone, run, &p);
            memcpy(one, p.a.output.data, bytes);
            memset(p.a.output.data, 0, bytes);
            omma_team_run(team, run, &p);
            assert_memory_equal(one, p.a.output.data, bytes);
            free(one);
            free_problem(&p);
        }
        omma_team_destroy(&team);
    }
    omma_team_destroy(&alone);
}

/* A query's bits do not depend on the queries that come with it. */
static void test_bits_for_any_chunk(void **state)
{
    size_t n_computes;
    const struct omma_compute *computes = omma_test_computes(&n_computes);
    struct omma_team *team = omma_test_team(2, omma_attention_scratch_bytes(128));

    (void)state;
    for (size_t c = 0; c < n_computes; c++) {
        struct problem p = make_problem(&computes[c], OMMA_DTYPE_BF16, 300, 300, 6, 2, 64, true);
        size_t row_bytes = p.a.output.stride * omma_dtype_bytes(p.a.output.dtype);
        char *whole = malloc(300 * row_bytes);

        omma_team_run(team, run, &p);
        memcpy(whole, p.a.output.data, 300 * row_bytes);
        p.a.first_position = 123;
        p.a.n_queries = 300 - 123;
        p.a.q.data = omma_operand_at(&p.a.q, 123, 0);
        omma_team_run(team, run, &p);
        assert_memory_equal(whole + 123 * row_bytes, p.a.output.data, (300 - 123) * row_bytes);
        p.a.q.data = (char *)p.a.q.data - 123 * row_bytes;
        free(whole);
        free_problem(&p);
    }
    omma_team_destroy(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_double),
        cmocka_unit_test(test_bits_for_any_number_of_threads),
        cmocka_unit_test(test_bits_for_any_chunk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

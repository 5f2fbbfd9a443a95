/* Which threads read a head's keys and values. */
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "model/language/kv_cache.h"
#include "support/support.h"
#include "tensor/attention.h"
#include "tensor/operators.h"

static void test_readers(void **state)
{
    struct omma_kv_cache cache = {.n_kv_heads = 8};

    (void)state;
    for (size_t head = 0; head < 8; head++) {
        assert_int_equal(omma_kv_cache_reader(&cache, head, 8), head);
        assert_int_equal(omma_kv_cache_reader(&cache, head, 1), 0);
        assert_int_equal(omma_kv_cache_reader(&cache, head, 2), head / 4);
        assert_int_equal(omma_kv_cache_reader(&cache, head, 64) / 32, head / 4); /* two nodes */
    }
    cache.n_kv_heads = 1; /* most threads read parts of it */
    assert_int_equal(omma_kv_cache_reader(&cache, 0, 6), 3);
}

enum {
    N_SEQUENCES = 3,
    N_THREADS = 8,
    N_HEADS = 8,
    N_KV_HEADS = 4,
    HEAD_DIM = 64,
    CAPACITY = 2000
};

/* The kernels have no room for an argument: what watch_gemv() counts. */
static struct {
    struct omma_kernels kernels;
    const struct omma_team *team;
    const struct omma_kv_cache *caches;
    atomic_size_t n_own, n_foreign;
} watch;

static void watch_gemv(size_t m, size_t n, size_t k, const float *x, size_t x_stride,
                       const uint16_t *w, size_t w_stride, float *y, size_t y_stride)
{
    size_t own = omma_team_node_of(watch.team, (size_t)omp_get_thread_num());

    for (size_t i = 0; i < N_SEQUENCES; i++) {
        const struct omma_kv_cache *cache = &watch.caches[i];
        size_t offset = (size_t)((const char *)w - cache->data);

        if ((const char *)w >= cache->data && offset < cache->n_bytes) {
            size_t head = offset / (CAPACITY * HEAD_DIM * sizeof *w) % N_KV_HEADS;
            size_t reader = omma_kv_cache_reader(cache, head, N_THREADS);
            bool is_own = omma_team_node_of(watch.team, reader) == own;

            atomic_fetch_add(is_own ? &watch.n_own : &watch.n_foreign, n);
        }
    }
    watch.kernels.gemv_f32_bf16w(m, n, k, x, x_stride, w, w_stride, y, y_stride);
}

struct call {
    const struct omma_compute *compute;
    const struct omma_attention *attentions;
};

static void attend(struct omma_thread *self, void *argument)
{
    const struct call *call = argument;

    omma_attention(self, call->compute, call->attentions, N_SEQUENCES);
}

/* Decoding several sequences, each node's threads read the heads that are bound to it. */
static void test_each_node_reads_its_heads(void **state)
{
    static const size_t n_keys[N_SEQUENCES] = {100, 1999, 700};
    struct omma_language_config config = {
        .n_layers = 1, .n_kv_heads = N_KV_HEADS, .head_dim = HEAD_DIM};
    struct omma_topology_options machine = {.synthetic = "package:2 [numa(memory=1GB)] core:4 1"};
    struct omma_team_options options = {.machine = &machine,
                                        .scratch_bytes = omma_attention_scratch_bytes(HEAD_DIM)};
    struct omma_kv_cache caches[N_SEQUENCES];
    struct omma_attention attentions[N_SEQUENCES];
    struct omma_compute compute;
    struct call call = {&compute, attentions};
    float values[N_HEADS * HEAD_DIM];
    struct omma_team *team = NULL;
    struct omma_error error;
    size_t n_computes;
    uint64_t seed = 1;

    (void)state;
    compute = *omma_test_computes(&n_computes);
    compute.operand = OMMA_DTYPE_F32;
    assert_ok(omma_team_create(&options, &team, &error));
    watch.kernels = compute.kernels;
    watch.team = team;
    watch.caches = caches;
    compute.kernels.gemv_f32_bf16w = watch_gemv;
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        size_t n_partials = omma_attention_partials(N_HEADS, HEAD_DIM, n_keys[i]);

        assert_ok(omma_kv_cache_init(&config, OMMA_DTYPE_BF16, CAPACITY, &caches[i], &error));
        attentions[i] = (struct omma_attention){
            .n_queries = 1,
            .n_keys = n_keys[i],
            .n_heads = N_HEADS,
            .n_kv_heads = N_KV_HEADS,
            .head_dim = HEAD_DIM,
            .scale = 0.125f,
            .q = omma_test_operand(&compute, &seed, 1, N_HEADS * HEAD_DIM, values),
            .k = omma_kv_cache_keys(&caches[i], 0),
            .v = omma_kv_cache_values(&caches[i], 0),
            .kv_stride = HEAD_DIM,
            .kv_head_stride = CAPACITY * HEAD_DIM,
            .kv_dtype = OMMA_DTYPE_BF16,
            .output = omma_test_empty_operand(&compute, 1, N_HEADS * HEAD_DIM),
            .partials = malloc(n_partials * sizeof(float)),
        };
    }
    omma_team_run(team, attend, &call);
    assert_int_equal(atomic_load(&watch.n_foreign), 0);
    assert_int_equal(atomic_load(&watch.n_own), N_KV_HEADS * (100 + 1999 + 700));
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        free(attentions[i].q.data);
        free(attentions[i].output.data);
        free(attentions[i].partials);
        omma_kv_cache_fini(&caches[i]);
    }
    omma_team_destroy(&team);
}

/* Binding changes nothing that is there, on any machine. */
static void test_binding(void **state)
{
    static const struct omma_topology_options machines[] = {
        {0}, {.synthetic = "package:2 [numa(memory=1GB)] core:4 1"}};
    struct omma_language_config config = {.n_layers = 3, .n_kv_heads = 5, .head_dim = 64};
    struct omma_error error;

    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        struct omma_team_options options = {.n_threads = 7, .machine = &machines[i]};
        struct omma_kv_cache cache;
        struct omma_team *team = NULL;

        assert_ok(omma_team_create(&options, &team, &error));
        assert_ok(omma_kv_cache_init(&config, OMMA_DTYPE_BF16, 100, &cache, &error));
        omma_kv_cache_bind(&cache, team);
        for (size_t at = 0; at < cache.n_bytes; at++) {
            assert_int_equal(cache.data[at], 0);
            cache.data[at] = 1;
        }
        omma_kv_cache_fini(&cache);
        omma_team_destroy(&team);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_each_node_reads_its_heads),
        cmocka_unit_test(test_binding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which threads read a head's keys and values. */
#include "model/language/kv_cache.h"
#include "support/support.h"

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
        cmocka_unit_test(test_binding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

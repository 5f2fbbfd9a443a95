/* Opening a folder's files, config and weights with every allocation failing once, and from one on:
 * OMMA_STATUS_RESOURCES, and nothing is left (the sanitizers watch for that).  The allocators are
 * the linker's --wrap here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/binding.h"
#include "model/checkpoint.h"
#include "support/checkpoint.h"
#include "support/failing_allocations.h"
#include "support/support.h"

static enum omma_status open_all(const char *dir, struct omma_error *error)
{
    struct omma_arena arena = {0};
    struct omma_checkpoint *checkpoint = NULL;
    struct omma_config config;
    struct omma_weights weights;
    struct omma_binding binding;
    enum omma_status status;

    OMMA_TRY_OR(status, out, omma_checkpoint_open(dir, NULL, &checkpoint, error));
    OMMA_TRY_OR(status, out, omma_config_read(dir, &arena, &config, error));
    status = omma_weights_bind(checkpoint, &config, &arena, &weights, &binding, error);
out:
    omma_checkpoint_close(&checkpoint);
    omma_arena_free(&arena);
    return status;
}

/* How many allocations there are: the first plan under which none fails. */
static size_t sweep(const char *dir, bool persists)
{
    for (size_t n = 0;; n++) {
        struct omma_error error = {0};
        enum omma_status status;

        omma_test_fail_allocations(n, persists);
        status = open_all(dir, &error);
        if (!omma_test_end_failing()) {
            assert_ok(status);
            return n;
        }
        if (status != OMMA_STATUS_RESOURCES) {
            fail_msg("allocation %zu: %s: %s", n, omma_status_name(status), error.message);
        }
        assert_int_equal(error.status, OMMA_STATUS_RESOURCES);
        assert_true(error.message[0] != '\0');
    }
}

static void test_every_allocation_may_fail(void **state)
{
    struct omma_test_checkpoint checkpoint;

    (void)state;
    for (size_t n_shards = 1; n_shards <= 2; n_shards++) {
        char *dir = omma_test_folder();
        size_t n;

        omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
        json_object_set_new(checkpoint.config, "system_message", json_string("Hi"));
        omma_test_checkpoint_write(&checkpoint, dir, n_shards);
        omma_test_checkpoint_free(&checkpoint);
        n = sweep(dir, false);
        assert_true(n > 20);
        assert_int_equal(sweep(dir, true), n);
        free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

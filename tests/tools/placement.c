/* Lines that tell where weights lie. */
#include "tools/placement.h" /* first: cmocka has a macro fail() */
#include "support/support.h"

static void test_lines(void **state)
{
    static const struct {
        struct omma_node_placement placement;
        const char *line;
    } cases[] = {
        {{.node = 1,
          .n_threads = 4,
          .weight_bytes = 1234567,
          .copied_bytes = 2097152,
          .huge_bytes = 1048576,
          .n_pages = 300,
          .n_local = 300},
         "node 1: 4 threads read 1.2 MB of weights, 100.0 % of it local; copies, 50 % in huge "
         "pages"},
        {{.n_threads = 32,
          .weight_bytes = 8000000000,
          .n_pages = 1000,
          .n_local = 123,
          .n_remote = 877},
         "node 0: 32 threads read 8000.0 MB of weights, 12.3 % of it local"},
        {{.n_threads = 2,
          .weight_bytes = 4096000,
          .n_pages = 1000,
          .n_local = 50,
          .n_remote = 50,
          .n_absent = 900},
         "node 0: 2 threads read 4.1 MB of weights, 50.0 % of it local as far as it is mapped "
         "(10.0 %)"},
        {{.n_threads = 2, .weight_bytes = 4096000, .n_pages = 1000, .n_absent = 1000},
         "node 0: 2 threads read 4.1 MB of weights, none of it mapped yet"},
        {{.node = 3, .n_threads = 1},
         "node 3: 1 threads read 0.0 MB of weights, none of it mapped yet"},
    };
    char line[PLACEMENT_LINE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        placement_line(&cases[i].placement, line);
        assert_string_equal(line, cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

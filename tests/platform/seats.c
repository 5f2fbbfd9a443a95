/* Which cores the threads of a team get, on machines that hwloc makes up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/seats.h"
#include "support/support.h"

/* "PU:node ..." of each seat */
static void assert_seats(const struct omma_topology_options *options, size_t n_threads,
                         const char *expected)
{
    struct omma_topology *topology;
    struct omma_seat seats[64];
    struct omma_error error;
    char found[512] = "";

    assert_in_range(n_threads, 1, 64);
    assert_ok(omma_topology_open(options, &topology, &error));
    assert_ok(omma_seats_plan(topology, n_threads, seats, &error));
    for (size_t i = 0; i < n_threads; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%zu:%zu", i > 0 ? " " : "",
                 omma_topology_pu(topology, seats[i].core),
                 omma_topology_node_number(topology, seats[i].node));
        assert_int_equal(seats[i].cache, omma_topology_cache(topology, seats[i].core));
    }
    assert_string_equal(found, expected);
    omma_topology_close(&topology);
}

static void test_all_cores(void **state)
{
    struct omma_topology_options smt = {.synthetic = "package:2 [numa(memory=1GB)] core:2 pu:2"};
    struct omma_topology_options one = {.synthetic = "core:1 1"};

    (void)state;
    assert_seats(&smt, 4, "0:0 2:0 4:1 6:1");
    assert_seats(&smt, 8, "0:0 0:0 2:0 2:0 4:1 4:1 6:1 6:1"); /* siblings are left alone */
    assert_seats(&smt, 5, "0:0 0:0 2:0 4:1 6:1");
    assert_seats(&one, 3, "0:0 0:0 0:0");
}

static void test_fewer_threads_than_cores(void **state)
{
    struct omma_topology_options two = {
        .synthetic = "package:2 [numa(memory=1GB)] l3:2(size=32MB) core:4 1"};
    struct omma_topology_options uneven = {.synthetic = "package:3 [numa(memory=1GB)] core:4 1",
                                           .mask = "0-1,4-10"};

    (void)state;
    assert_seats(&two, 1, "0:0");
    assert_seats(&two, 2, "0:0 4:0"); /* one node, both of its caches */
    assert_seats(&two, 4, "0:0 2:0 4:0 6:0");
    assert_seats(&two, 8, "0:0 1:0 2:0 3:0 4:0 5:0 6:0 7:0");
    assert_seats(&two, 10, "0:0 1:0 3:0 4:0 6:0 8:1 9:1 11:1 12:1 14:1"); /* both alike */
    assert_seats(&uneven, 2, "4:1 6:1");                                  /* the largest node */
    assert_seats(&uneven, 4, "4:1 5:1 6:1 7:1");
    assert_seats(&uneven, 5, "4:1 5:1 6:1 8:2 9:2"); /* the fewest nodes */
    assert_seats(&uneven, 8, "0:0 1:0 4:1 5:1 6:1 8:2 9:2 10:2");
}

static void test_quota(void **state)
{
    char *root = omma_test_folder();
    struct omma_topology_options options = {.synthetic = "package:2 [numa(memory=1GB)] core:4 1",
                                            .root = root};

    (void)state;
    omma_test_put(root, "proc/self/cgroup", "0::/\n");
    omma_test_put(root, "sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_seats(&options, 4, "0:0 2:0 4:1 6:1");
    assert_seats(&options, 2, "0:0 4:1");
    free(root);
}

static void test_cores_without_memory(void **state)
{
    char *path = omma_test_source("tests/data/machines/odd-nodes.xml");
    struct omma_topology_options options = {.xml_path = path, .mask = "0-9"};

    (void)state;
    assert_seats(&options, 10, "0:0 1:0 2:0 3:0 4:2 5:2 6:2 7:2 8:2 9:2");
    assert_seats(&options, 3, "4:2 6:2 8:2");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_cores),
        cmocka_unit_test(test_fewer_threads_than_cores),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_cores_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Cores, masks and caches of machines that hwloc makes up. */
#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/topology.h"
#include "support/support.h"

static struct omma_topology *open_synthetic(const char *synthetic, const char *mask,
                                            const char *root)
{
    struct omma_topology_options options = {.synthetic = synthetic, .mask = mask, .root = root};
    struct omma_topology *topology;
    struct omma_error error;

    assert_ok(omma_topology_open(&options, &topology, &error));
    return topology;
}

static void test_one_pu_a_core(void **state)
{
    struct omma_topology *topology = open_synthetic("package:2 core:4 pu:2", NULL, NULL);

    (void)state;
    assert_int_equal(omma_topology_n_cores(topology), 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(omma_topology_pu(topology, i), 2 * i);
    }
    assert_false(omma_topology_bind(topology, 0)); /* not this machine */
    assert_false(omma_topology_unbind(topology));
    omma_topology_close(&topology);
    assert_null(topology);
    omma_topology_close(&topology);
}

static void test_mask(void **state)
{
    struct omma_topology *topology = open_synthetic("package:2 core:4 pu:2", "3,6-7,13,400", NULL);
    struct omma_topology_options none = {.synthetic = "core:2 pu:1", .mask = "7"};
    struct omma_error error;

    (void)state;
    assert_int_equal(omma_topology_n_cores(topology), 3);
    assert_int_equal(omma_topology_pu(topology, 0), 3);
    assert_int_equal(omma_topology_pu(topology, 1), 6);
    assert_int_equal(omma_topology_pu(topology, 2), 13);
    omma_topology_close(&topology);
    assert_fails(OMMA_STATUS_USAGE, "no PU", omma_topology_open(&none, &topology, &error));
    assert_null(topology);
}

static void test_caches(void **state)
{
    struct omma_topology *topology =
        open_synthetic("package:1 l3:3(size=33554432) l2:4(size=1048576) core:1 pu:1", NULL, NULL);

    (void)state;
    assert_int_equal(omma_topology_l2_bytes(topology), 1 << 20);
    assert_int_equal(omma_topology_l3_bytes(topology), 3 << 25);
    omma_topology_close(&topology);
    topology =
        open_synthetic("package:1 l3:3(size=33554432) l2:4(size=1048576) core:1 pu:1", "4-8", NULL);
    assert_int_equal(omma_topology_l3_bytes(topology), 2 << 25);
    omma_topology_close(&topology);
    topology = open_synthetic("core:4 pu:1", NULL, NULL);
    assert_int_equal(omma_topology_l2_bytes(topology), 0);
    assert_int_equal(omma_topology_l3_bytes(topology), 0);
    omma_topology_close(&topology);
    assert_true(omma_topology_page_bytes() >= 4096);
}

/* A machine that lstopo recorded. */
static void test_recorded_machine(void **state)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "machine.xml");
    struct omma_topology_options options = {.xml_path = path, .mask = "0-7"};
    struct omma_topology *topology;
    struct omma_error error;
    hwloc_topology_t machine;

    (void)state;
    assert_int_equal(hwloc_topology_init(&machine), 0);
    assert_int_equal(hwloc_topology_set_synthetic(machine, "package:2 core:3 pu:2"), 0);
    assert_int_equal(hwloc_topology_load(machine), 0);
    assert_int_equal(hwloc_topology_export_xml(machine, path, 0), 0);
    hwloc_topology_destroy(machine);

    assert_ok(omma_topology_open(&options, &topology, &error));
    assert_int_equal(omma_topology_n_cores(topology), 4);
    assert_int_equal(omma_topology_pu(topology, 3), 6);
    assert_false(omma_topology_bind(topology, 0));
    omma_topology_close(&topology);
    free(path);
    free(folder);
}

static void test_descriptions_that_are_none(void **state)
{
    struct omma_topology_options bad = {.synthetic = "what:ever"};
    struct omma_topology_options bad_mask = {.synthetic = "core:2 pu:1", .mask = "one"};
    struct omma_topology_options lost = {.xml_path = "/nonexistent/machine.xml"};
    struct omma_topology *topology;
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "what:ever", omma_topology_open(&bad, &topology, &error));
    assert_fails(OMMA_STATUS_USAGE, "mask", omma_topology_open(&bad_mask, &topology, &error));
    assert_fails(OMMA_STATUS_USAGE, "machine.xml", omma_topology_open(&lost, &topology, &error));
    assert_null(topology);
}

/* A thread bound to a core runs there alone, and gets its mask back. */
static void test_this_machine(void **state)
{
    char *root = omma_test_folder();
    struct omma_topology_options options = {.root = root}; /* no quota */
    struct omma_topology *topology;
    struct omma_error error;
    cpu_set_t before, bound, after;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_ok(omma_topology_open(&options, &topology, &error));
    assert_in_range(omma_topology_n_cores(topology), 1, (size_t)CPU_COUNT(&before));
    for (size_t i = 0; i < omma_topology_n_cores(topology); i++) {
        size_t pu = omma_topology_pu(topology, i);

        assert_true(CPU_ISSET(pu, &before));
        assert_true(omma_topology_bind(topology, i));
        assert_int_equal(sched_getaffinity(0, sizeof bound, &bound), 0);
        assert_int_equal(CPU_COUNT(&bound), 1);
        assert_true(CPU_ISSET(pu, &bound));
    }
    assert_true(omma_topology_unbind(topology));
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    omma_topology_close(&topology);
    free(root);
}

static void test_quota(void **state)
{
    char *root = omma_test_folder();
    struct omma_topology *topology;

    (void)state;
    omma_test_put(root, "proc/self/cgroup", "0::/\n");
    omma_test_put(root, "sys/fs/cgroup/cpu.max", "350000 100000\n");
    topology = open_synthetic("package:1 core:4 pu:2", NULL, root);
    assert_int_equal(omma_topology_n_cores(topology), 3);
    omma_topology_close(&topology);
    topology = open_synthetic("package:1 core:4 pu:2", "0-3", root);
    assert_int_equal(omma_topology_n_cores(topology), 2);
    omma_topology_close(&topology);
    free(root);
}

/* The nodes of cores 0, 1, ... by the operating system's numbers, as one text. */
static void assert_nodes(const struct omma_topology *topology, const char *expected)
{
    char found[256] = "";

    for (size_t i = 0; i < omma_topology_n_mask_cores(topology); i++) {
        size_t node = omma_topology_node(topology, i);

        assert_in_range(node, 0, omma_topology_n_nodes(topology) - 1);
        assert_true(i == 0 || node >= omma_topology_node(topology, i - 1));
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%zu:%zu", i > 0 ? " " : "",
                 omma_topology_pu(topology, i), omma_topology_node_number(topology, node));
    }
    assert_string_equal(found, expected);
}

static void test_nodes(void **state)
{
    static const struct {
        const char *machine, *mask, *nodes; /* PU:node of each core */
    } cases[] = {
        {"package:1 core:3 pu:2", NULL, "0:0 2:0 4:0"},
        {"package:2 [numa(memory=16GB)] core:2 pu:2", NULL, "0:0 2:0 4:1 6:1"},
        {"package:2 [numa(memory=16GB)] core:2 pu:2", "1,5-7", "1:0 5:1 6:1"},
        {"package:2 [numa(memory=16GB)] core:3 1", "3-5", "3:1 4:1 5:1"}, /* a cpuset: one node */
        {"package:2 group:2 [numa(memory=16GB)] core:2 1", NULL, "0:0 1:0 2:1 3:1 4:2 5:2 6:3 7:3"},
        /* cores numbered across the nodes, as on many servers */
        {"package:2 [numa(memory=16GB)] core:2 pu:2(indexes=package:core)", NULL,
         "0:0 2:0 1:1 3:1"},
        /* fast memory beside the ordinary; a CXL node for all */
        {"package:2 [numa(memory=64GB)] [numa(memory=16GB)] core:2 1", NULL, "0:0 1:0 2:2 3:2"},
        {"[numa(memory=256GB)] package:2 [numa(memory=16GB)] core:2 1", NULL, "0:0 1:0 2:1 3:1"},
        {"[numa(memory=256GB)] package:2 [numa(memory=0)] core:2 1", NULL, "0:2 1:2 2:2 3:2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_topology *topology = open_synthetic(cases[i].machine, cases[i].mask, NULL);

        assert_nodes(topology, cases[i].nodes);
        omma_topology_close(&topology);
    }
}

/* tests/data/machines/odd-nodes.xml: node 1 has cores but no memory, node 3 memory but no cores. */
static void test_node_without_memory(void **state)
{
    char *path = omma_test_source("tests/data/machines/odd-nodes.xml");
    struct omma_topology_options options = {.xml_path = path};
    struct omma_topology *topology;
    struct omma_error error;

    (void)state;
    assert_ok(omma_topology_open(&options, &topology, &error));
    assert_int_equal(omma_topology_n_nodes(topology), 2);
    assert_nodes(topology, "0:0 1:0 2:0 3:0 4:2 5:2 6:2 7:2 8:2 9:2 10:2 11:2");
    omma_topology_close(&topology);
    options.mask = "4-5"; /* the cores without memory alone */
    assert_ok(omma_topology_open(&options, &topology, &error));
    assert_nodes(topology, "4:2 5:2");
    omma_topology_close(&topology);
    free(path);
}

static void test_shared_caches(void **state)
{
    struct omma_topology *topology = open_synthetic(
        "package:2 [numa(memory=16GB)] l3:2(size=32MB) l2:2(size=1MB) core:1 pu:2", NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(omma_topology_cache(topology, i), i / 2 * 4);
    }
    omma_topology_close(&topology);
    /* an L3 over two nodes is none of theirs */
    topology = open_synthetic("l3:1(size=32MB) group:2 [numa(memory=16GB)] core:2 1", NULL, NULL);
    assert_int_not_equal(omma_topology_cache(topology, 0), omma_topology_cache(topology, 2));
    omma_topology_close(&topology);
}

static void test_chosen_cpus(void **state)
{
    struct omma_topology_options options = {
        .synthetic = "package:2 [numa(memory=16GB)] core:4 pu:2", .mask = "0-13", .cpus = "13,2-5"};
    static const struct {
        const char *cpus, *message;
    } bad[] = {
        {"14", "expected some of 0-13, which this process may use, found 14: offline, or outside"},
        {"0-40", "found 14: offline"},
        {"99", "found 99: this machine has no such CPU"},
        {"", "expected numbers of CPUs, such as 0-3,8, found \"\""},
        {"3-1", "found \"3-1\""},
        {"1,", "found \"1,\""},
        {"1-", "found \"1-\""},
        {"0x1", "found \"0x1\""},
        {"-1", "found \"-1\""},
        {"1 2", "found \"1 2\""},
        {"99999999999999999999", "found \"9999"},
    };
    struct omma_topology *topology;
    struct omma_error error;

    (void)state;
    assert_ok(omma_topology_open(&options, &topology, &error));
    assert_nodes(topology, "2:0 4:0 13:1");
    omma_topology_close(&topology);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.cpus = bad[i].cpus;
        assert_fails(OMMA_STATUS_USAGE, bad[i].message,
                     omma_topology_open(&options, &topology, &error));
        assert_null(topology);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_pu_a_core),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_caches),
        cmocka_unit_test(test_recorded_machine),
        cmocka_unit_test(test_descriptions_that_are_none),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_node_without_memory),
        cmocka_unit_test(test_shared_caches),
        cmocka_unit_test(test_chosen_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

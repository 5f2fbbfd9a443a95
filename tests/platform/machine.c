/* What is told of a machine: files of a made-up /proc and /sys beside hwloc's description of its
 * cores. */
#include <stdlib.h>
#include <string.h>

#include "platform/machine.h"
#include "support/support.h"

static void put_machine(const char *root)
{
    omma_test_put(root, "proc/cpuinfo",
                  "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n"
                  "model name\t: AMD EPYC 9654\n");
    omma_test_put(
        root, "proc/meminfo",
        "MemTotal:       2000000 kB\nMemFree:         300000 kB\nMemAvailable:   1500000 kB\n"
        "HugePages_Free:       7\nHugepagesize:       2048 kB\n");
    omma_test_put(root, "proc/sys/kernel/numa_balancing", "1\n");
    omma_test_put(root, "proc/sys/vm/zone_reclaim_mode", "0\n");
    omma_test_put(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    omma_test_put(root, "sys/devices/system/cpu/offline", "5,9-11\n");
    omma_test_put(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    omma_test_put(root, "sys/devices/system/node/node1/meminfo",
                  "Node 1 MemTotal:        1000000 kB\nNode 1 MemFree:          250000 kB\n"
                  "Node 1 HugePages_Total:     9\nNode 1 HugePages_Free:      3\n");
    omma_test_put(root, "proc/self/cgroup", "0::/\n");
    omma_test_put(root, "sys/fs/cgroup/cpu.max", "300000 100000\n");
    omma_test_put(root, "sys/fs/cgroup/memory.max", "1073741824\n");
}

static struct omma_machine *describe(const char *root, const char *cpus)
{
    const struct omma_topology_options options = {
        .synthetic =
            "package:2 numa:1 l3:1(size=33554432) core:4 l2:1(size=1048576) l1d:1(size=32768) pu:2",
        .root = root,
        .cpus = cpus,
    };
    struct omma_machine *machine = NULL;
    struct omma_error error = {0};

    assert_ok(omma_machine_describe(&options, &machine, &error));
    return machine;
}

static void test_all_that_is_told(void **state)
{
    char *root = omma_test_folder();
    struct omma_machine *machine;

    (void)state;
    put_machine(root);
    machine = describe(root, NULL);
    assert_string_equal(machine->cpu, "AMD EPYC 9654");
    assert_int_equal(machine->n_packages, 2);
    assert_int_equal(machine->n_cores, 8);
    assert_int_equal(machine->n_cpus, 16);
    assert_int_equal(machine->n_allowed_cores, 8);
    assert_int_equal(machine->n_usable_cores, 3);
    assert_int_equal(machine->l1_bytes, 32768);
    assert_int_equal(machine->l2_bytes, 1048576);
    assert_int_equal(machine->l3_bytes, 2 * 33554432);
    assert_int_equal(machine->memory_bytes, 2048000000);
    assert_int_equal(machine->available_bytes, 1536000000);
    assert_int_equal(machine->memory_limit_bytes, 1073741824);
    assert_string_equal(machine->huge_pages, "madvise");
    assert_string_equal(machine->governor, "powersave");
    assert_string_equal(machine->offline_cpus, "5,9-11");
    assert_true(machine->numa_balancing);
    assert_false(machine->zone_reclaim);
    assert_int_equal(machine->n_nodes, 2);
    assert_int_equal(machine->nodes[1].number, 1);
    assert_int_equal(machine->nodes[1].n_cores, 4);
    assert_string_equal(machine->nodes[0].cpus, "0,2,4,6");
    assert_string_equal(machine->nodes[1].cpus, "8,10,12,14");
    assert_int_equal(machine->nodes[1].memory_bytes, 1024000000);
    assert_int_equal(machine->nodes[1].free_bytes, 256000000);
    assert_int_equal(machine->nodes[1].huge_page_bytes, 2097152);
    assert_int_equal(machine->nodes[1].free_huge_pages, 3);
    assert_int_equal(machine->nodes[0].memory_bytes, 0);
    omma_machine_close(&machine);
    assert_null(machine);
    free(root);
}

static void test_chosen_cpus(void **state)
{
    char *root = omma_test_folder();
    struct omma_machine *machine = describe(root, "8-15");

    (void)state;
    assert_int_equal(machine->n_cores, 8);
    assert_int_equal(machine->n_allowed_cores, 4);
    assert_int_equal(machine->n_nodes, 1);
    assert_int_equal(machine->nodes[0].number, 1);
    omma_machine_close(&machine);
    free(root);
}

static void test_nothing_is_told(void **state)
{
    char *root = omma_test_folder();
    struct omma_machine *machine = describe(root, NULL);

    (void)state;
    assert_int_equal(machine->n_usable_cores, 8);
    assert_int_equal(machine->memory_bytes, 0);
    assert_true(machine->memory_limit_bytes == UINT64_MAX);
    assert_string_equal(machine->huge_pages, "");
    assert_string_equal(machine->governor, "");
    assert_string_equal(machine->offline_cpus, "");
    assert_false(machine->numa_balancing);
    omma_machine_close(&machine);
    free(root);
}

static void test_files_that_make_no_sense(void **state)
{
    char *root = omma_test_folder();
    struct omma_machine *machine;

    (void)state;
    omma_test_put(root, "proc/meminfo", "MemTotal:\nMemAvailable: lots\n");
    omma_test_put(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise");
    omma_test_put(root, "proc/sys/kernel/numa_balancing", "");
    machine = describe(root, NULL);
    assert_int_equal(machine->memory_bytes, 0);
    assert_int_equal(machine->available_bytes, 0);
    assert_string_equal(machine->huge_pages, "");
    assert_false(machine->numa_balancing);
    omma_machine_close(&machine);
    free(root);
}

/* Runs of CPU numbers, and a list longer than its room. */
static void test_lists_of_cpus(void **state)
{
    struct omma_topology_options options = {.synthetic = "package:1 core:6 pu:1",
                                            .root = "/nowhere"};
    struct omma_machine *machine = NULL;
    struct omma_error error = {0};

    (void)state;
    options.cpus = "0-2,5";
    assert_ok(omma_machine_describe(&options, &machine, &error));
    assert_string_equal(machine->nodes[0].cpus, "0-2,5");
    omma_machine_close(&machine);
    options.synthetic = "package:1 core:600 pu:2";
    options.cpus = NULL;
    assert_ok(omma_machine_describe(&options, &machine, &error));
    assert_true(strlen(machine->nodes[0].cpus) < sizeof machine->nodes[0].cpus);
    assert_non_null(strstr(machine->nodes[0].cpus, "0,2,4,"));
    assert_string_equal(strchr(machine->nodes[0].cpus, '\0') - 3, "...");
    omma_machine_close(&machine);
}

static void test_this_machine(void **state)
{
    struct omma_machine *machine = NULL;
    struct omma_error error = {0};

    (void)state;
    assert_ok(omma_machine_open(NULL, &machine, &error));
    assert_true(machine->n_usable_cores >= 1 &&
                machine->n_usable_cores <= machine->n_allowed_cores);
    assert_true(machine->memory_bytes > machine->available_bytes);
    assert_true(machine->nodes[0].n_cores >= 1 && machine->nodes[0].cpus[0] != '\0');
    omma_machine_close(&machine);
    assert_int_equal(omma_machine_open("elephant", &machine, &error), OMMA_STATUS_USAGE);
    assert_null(machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_told), cmocka_unit_test(test_chosen_cpus),
        cmocka_unit_test(test_nothing_is_told),  cmocka_unit_test(test_files_that_make_no_sense),
        cmocka_unit_test(test_lists_of_cpus),    cmocka_unit_test(test_this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Quotas and limits of made-up control groups. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/cgroup.h"
#include "support/support.h"

static void test_quota_of_version_2(void **state)
{
    char *root = omma_test_folder();

    (void)state;
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    omma_test_put(root, "proc/self/cgroup", "0::/slice/service\n");
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    omma_test_put(root, "sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    omma_test_put(root, "sys/fs/cgroup/slice/cpu.max", "350000 100000\n");
    assert_int_equal(omma_cgroup_cores(root), 3);
    omma_test_put(root, "sys/fs/cgroup/slice/service/cpu.max", "50000 100000\n");
    assert_int_equal(omma_cgroup_cores(root), 1);
    omma_test_put(root, "sys/fs/cgroup/slice/service/cpu.max", "500000 100000\n");
    assert_int_equal(omma_cgroup_cores(root), 3);

    omma_test_put(root, "sys/fs/cgroup/cpu.max", "100000 100000\n"); /* a container's own group */
    omma_test_put(root, "proc/self/cgroup", "0::/../outside\n");
    assert_int_equal(omma_cgroup_cores(root), 1);
    free(root);
}

static void test_quota_of_version_1(void **state)
{
    char *root = omma_test_folder();

    (void)state;
    omma_test_put(root, "proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/docker/12ab\n0::/\n");
    omma_test_put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    omma_test_put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    omma_test_put(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "270000\n");
    assert_int_equal(omma_cgroup_cores(root), 2);
    omma_test_put(root, "sys/fs/cgroup/cpu,cpuacct/docker/12ab/cpu.cfs_quota_us", "150000\n");
    omma_test_put(root, "sys/fs/cgroup/cpu,cpuacct/docker/12ab/cpu.cfs_period_us", "100000\n");
    assert_int_equal(omma_cgroup_cores(root), 1);

    free(root);
    root = omma_test_folder(); /* the controllers are mounted under their short name */
    omma_test_put(root, "proc/self/cgroup", "4:cpuacct,cpu:/\n");
    omma_test_put(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
    omma_test_put(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(omma_cgroup_cores(root), 4);

    omma_test_put(root, "proc/self/cgroup", "4:cpuacct,cpuset:/\n"); /* not the controller */
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    free(root);
}

static void test_quota_that_makes_no_sense(void **state)
{
    static const char *const texts[] = {"",      "\n",       "200000\n",      "200000 0\n",
                                        "x y\n", "0 1000\n", "-5 1000\n",     "200000 -1\n",
                                        "max\n", "1e5 x\n",  "200000 junk\n", " \n"};
    char *root = omma_test_folder();

    (void)state;
    omma_test_put(root, "proc/self/cgroup", "no colon\nx:\n1:cpu:\n0::/\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        omma_test_put(root, "sys/fs/cgroup/cpu.max", texts[i]);
        assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    }
    omma_test_put(root, "sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_int_equal(omma_cgroup_cores(root), 2);
    free(root);
}

static void test_memory(void **state)
{
    char *root = omma_test_folder();

    (void)state;
    assert_true(omma_cgroup_memory_bytes(root) == SIZE_MAX);
    omma_test_put(root, "proc/self/cgroup", "0::/a/b\n");
    omma_test_put(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_true(omma_cgroup_memory_bytes(root) == SIZE_MAX);
    omma_test_put(root, "sys/fs/cgroup/a/memory.max", "8589934592\n");
    assert_true(omma_cgroup_memory_bytes(root) == (size_t)8 << 30);
    omma_test_put(root, "sys/fs/cgroup/a/b/memory.max", "4096\n");
    assert_int_equal(omma_cgroup_memory_bytes(root), 4096);
    omma_test_put(root, "sys/fs/cgroup/a/b/memory.max", "-1\n");
    assert_true(omma_cgroup_memory_bytes(root) == (size_t)8 << 30);
    free(root);

    root = omma_test_folder();
    omma_test_put(root, "proc/self/cgroup", "4:memory:/docker/12ab\n1:cpu:/\n");
    omma_test_put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
    assert_int_equal(omma_cgroup_memory_bytes(root), 1 << 30);
    assert_true(omma_cgroup_cores(root) == SIZE_MAX);
    free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota_of_version_2),
        cmocka_unit_test(test_quota_of_version_1),
        cmocka_unit_test(test_quota_that_makes_no_sense),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Memory of this machine's nodes, and what files of made-up ones tell. */
#include <stdlib.h>
#include <string.h>

#include "platform/node_memory.h"
#include "support/support.h"

static void test_memory_of_a_node(void **state)
{
    struct omma_topology *topology;
    struct omma_node_memory memory;
    struct omma_error error;

    (void)state;
    assert_ok(omma_topology_open(NULL, &topology, &error));
    for (size_t node = 0; node < omma_topology_n_nodes(topology); node++) {
        size_t number = omma_topology_node_number(topology, node);
        struct omma_page_count before = {0}, after = {0};

        assert_ok(omma_node_memory_init(topology, node, 5000000, "a test", &memory, &error));
        assert_int_equal((uintptr_t)memory.bytes % (2 << 20), 0);
        assert_int_equal(memory.n_bytes, 6 << 20);
        assert_int_equal(omma_node_memory_huge_bytes(memory.bytes, memory.n_bytes), 0);
        if (omma_node_memory_count(memory.bytes, memory.n_bytes, 1, number, &before, &error) !=
            OMMA_OK) {
            print_message("%s\n", error.message);
            skip();
        }
        assert_int_equal(before.n_asked, memory.n_bytes / omma_topology_page_bytes());
        assert_int_equal(before.n_absent, before.n_asked);
        memset(memory.bytes, 1, memory.n_bytes);
        assert_ok(omma_node_memory_count(memory.bytes, memory.n_bytes, 3, number, &after, &error));
        assert_int_equal(after.n_asked, (before.n_asked + 2) / 3);
        assert_int_equal(after.n_local, after.n_asked);
        assert_int_equal(after.n_remote + after.n_absent, 0);
        assert_ok(omma_node_memory_count(memory.bytes + 4000, 5000, 1, number + 1, &after, &error));
        assert_int_equal(after.n_remote, 3);
        assert_in_range(omma_node_memory_huge_bytes(memory.bytes, memory.n_bytes), 0,
                        memory.n_bytes);
        omma_node_memory_fini(&memory);
        assert_null(memory.bytes);
    }
    assert_ok(omma_node_memory_init(topology, 0, 0, "nothing", &memory, &error));
    assert_null(memory.bytes);
    assert_fails(OMMA_STATUS_RESOURCES, "for the moon",
                 omma_node_memory_init(topology, 0, SIZE_MAX / 4, "the moon", &memory, &error));
    assert_fails(OMMA_STATUS_RESOURCES, "for the moon",
                 omma_node_memory_init(topology, 0, SIZE_MAX, "the moon", &memory, &error));
    omma_topology_close(&topology);
}

static void test_available(void **state)
{
    char *root = omma_test_folder();

    (void)state;
    assert_true(omma_node_memory_available(root, 0) == UINT64_MAX);
    omma_test_put(root, "proc/meminfo", "MemTotal: 9 kB\nMemFree:  1 kB\nMemAvailable:   7 kB\n");
    assert_true(omma_node_memory_available(root, 0) == UINT64_MAX);
    omma_test_put(root, "sys/devices/system/node/has_memory", "2\n");
    assert_int_equal(omma_node_memory_available(root, 2), 7 * 1024);
    omma_test_put(root, "sys/devices/system/node/has_memory", "0,2\n");
    assert_true(omma_node_memory_available(root, 2) == UINT64_MAX);
    omma_test_put(root, "sys/devices/system/node/node2/meminfo",
                  "Node 2 MemTotal:  99 kB\nNode 2 MemFree:   3 kB\nNode 2 Active(file):  4 kB\n"
                  "Node 2 Active:  88 kB\njunk\nNode 2 SReclaimable: 5 kB\n");
    assert_int_equal(omma_node_memory_available(root, 2), 12 * 1024);
    free(root);
    assert_true(omma_node_memory_available("", 0) > 0);
}

static void test_populate(void **state)
{
    static const char text[10000] = "a text of several pages";

    (void)state;
    omma_node_memory_populate(text + 1, sizeof text - 1);
    assert_string_equal(text, "a text of several pages");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_of_a_node),
        cmocka_unit_test(test_available),
        cmocka_unit_test(test_populate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

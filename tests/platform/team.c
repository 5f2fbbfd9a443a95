/* Teams: every thread runs, ranges cover, barriers order; threads that cannot be had are an error.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/team.h"
#include "platform/topology.h"
#include "support/support.h"

enum { ROUNDS = 2000, MOST = 8 };

struct board {
    size_t n_threads;
    unsigned values[MOST]; /* plain: the barrier alone orders them */
    atomic_size_t n_faults;
    size_t covered[1000];
};

static void rounds(struct omma_thread *self, void *argument)
{
    struct board *board = argument;

    for (unsigned round = 1; round <= ROUNDS; round++) {
        board->values[self->index] = round;
        omma_team_barrier(self);
        for (size_t i = 0; i < board->n_threads; i++) {
            if (board->values[i] != round) {
                atomic_fetch_add(&board->n_faults, 1);
            }
        }
        omma_team_barrier(self);
    }
}

static void cover(struct omma_thread *self, void *argument)
{
    struct board *board = argument;
    struct omma_range range = omma_team_range(self, 1000);

    for (size_t i = range.begin; i < range.end; i++) {
        board->covered[i]++;
    }
    memset(self->scratch, (int)self->index, self->scratch_bytes);
    omma_team_barrier(self);
    for (size_t i = 0; i < self->scratch_bytes; i++) {
        if (self->scratch[i] != (char)self->index) {
            atomic_fetch_add(&board->n_faults, 1);
        }
    }
}

static void count_own_cpus(struct omma_thread *self, void *argument)
{
    int *n_cpus = argument;
    cpu_set_t mask;

    n_cpus[self->index] = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : -1;
}

/* Threads hold one core each; the caller only while it works, so that it can start others
 * elsewhere. */
static void test_binding(void **state)
{
    struct omma_team_options options = {0};
    struct omma_topology *topology;
    struct omma_team *first, *second;
    struct omma_error error;
    cpu_set_t before, after;
    int n_cpus[CPU_SETSIZE] = {0};
    size_t n_threads;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_ok(omma_team_create(&options, &first, &error));
    assert_ok(omma_team_create(&options, &second, &error));
    n_threads = omma_team_n_threads(first);
    assert_int_equal(omma_team_n_threads(second), n_threads);
    omma_team_run(first, count_own_cpus, n_cpus);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));

    assert_ok(omma_topology_open(NULL, &topology, &error));
    assert_int_equal(omma_topology_n_cores(topology), n_threads);
    for (size_t i = 0; i < n_threads && omma_topology_bind(topology, i); i++) {
        int expected;

        assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
        expected = CPU_COUNT(&after); /* more than 1 under a quota: topology.h */
        assert_int_equal(n_cpus[i], expected);
    }
    omma_topology_unbind(topology);
    omma_topology_close(&topology);
    omma_team_destroy(&second);
    omma_team_destroy(&first);
}

static void test_threads_meet(void **state)
{
    struct omma_error error;

    (void)state;
    for (size_t n = 1; n <= MOST; n++) {
        struct omma_team_options options = {.n_threads = n, .scratch_bytes = 1000};
        struct board board = {.n_threads = n};
        struct omma_team *team = NULL;

        assert_ok(omma_team_create(&options, &team, &error));
        assert_int_equal(omma_team_n_threads(team), n);
        omma_team_run(team, rounds, &board);
        omma_team_run(team, cover, &board);
        assert_int_equal(atomic_load(&board.n_faults), 0);
        for (size_t i = 0; i < 1000; i++) {
            assert_int_equal(board.covered[i], 1);
        }
        omma_team_destroy(&team);
        assert_null(team);
    }
}

static void count_warning(void *user, enum omma_log_level level, const char *message)
{
    *(int *)user += level == OMMA_LOG_WARNING && strstr(message, "more threads than cores") != NULL;
}

static void test_too_many_threads_warn(void **state)
{
    int n_warnings = 0;
    struct omma_log log = {count_warning, &n_warnings};
    struct omma_team_options options = {.n_threads = 300, .log = &log};
    struct omma_team *team = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_team_create(&options, &team, &error));
    assert_int_equal(n_warnings, 1);
    omma_team_destroy(&team);
    options.n_threads = 1000000;
    assert_fails(OMMA_STATUS_USAGE, "threads", omma_team_create(&options, &team, &error));
}

/* J1: no room for the threads' stacks. */
static void test_threads_that_cannot_start(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    (void)state;
    print_message("AddressSanitizer reserves more than any limit on address space allows\n");
    skip();
#else
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        struct rlimit limit = {512 << 20, 512 << 20};
        struct omma_team_options options = {.n_threads = 1000};
        struct omma_team *team = NULL;
        struct omma_error error = {0};

        setrlimit(RLIMIT_AS, &limit);
        _exit(omma_team_create(&options, &team, &error) == OMMA_STATUS_RESOURCES &&
                      strstr(error.message, "ulimit") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#endif
}

static void note_node(struct omma_thread *self, void *argument)
{
    size_t *nodes = argument;
    struct omma_range mine = omma_team_range(self, 101);
    struct omma_range node = omma_team_node_range(self->team, self->node, 101);

    nodes[self->index] = mine.begin >= node.begin && mine.end <= node.end ? self->node : SIZE_MAX;
}

/* A machine that is made up, whose cores cannot be bound to any more than one that went offline:
 * work goes on, and threads know their nodes. */
static void test_nodes(void **state)
{
    struct omma_topology_options machine = {.synthetic = "package:3 [numa(memory=1GB)] core:4 1",
                                            .mask = "0-2,4-5,8"};
    struct omma_team_options options = {.machine = &machine};
    struct omma_team *team = NULL;
    struct omma_error error;
    struct board board = {.n_threads = 6};
    static const size_t first[] = {0, 3, 5}, n_threads[] = {3, 2, 1};
    size_t nodes[6], end = 0;

    (void)state;
    assert_ok(omma_team_create(&options, &team, &error));
    assert_int_equal(omma_team_n_threads(team), 6);
    assert_int_equal(omma_team_n_nodes(team), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct omma_team_node *node = omma_team_node(team, i);
        struct omma_range range = omma_team_node_range(team, i, 101);

        assert_int_equal(node->topology_node, i);
        assert_int_equal(node->first_thread, first[i]);
        assert_int_equal(node->n_threads, n_threads[i]);
        assert_int_equal(range.begin, end);
        end = range.end;
    }
    assert_int_equal(end, 101);
    omma_team_run(team, note_node, nodes);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(nodes[i], i < 3 ? 0 : i < 5 ? 1 : 2);
    }
    omma_team_run(team, rounds, &board);
    assert_int_equal(atomic_load(&board.n_faults), 0);
    omma_team_destroy(&team);
}

static void note_range(struct omma_thread *self, void *argument)
{
    struct omma_range *ranges = argument;

    ranges[self->index] = omma_team_range(self, 101);
}

/* Threads of another team's: a node's items stay with its threads. */
static void test_parts_of_a_team(void **state)
{
    struct omma_topology_options machine = {.synthetic = "package:3 [numa(memory=1GB)] core:4 1",
                                            .mask = "0-2,4-5,8"};
    static const struct {
        size_t n_threads, threads[3], borders[4];
    } parts[] = {
        {3, {0, 3, 5}, {0, 50, 84, 101}}, /* one of each node, which have 3, 2 and 1 */
        {2, {0, 3}, {0, 50, 101}},        /* node 1's has node 2's items too */
        {3, {1, 2, 5}, {0, 42, 84, 101}}, /* node 0's have node 1's */
        {2, {3, 4}, {0, 50, 101}},        /* node 1's have all */
        {1, {5}, {0, 101}},
    };
    struct omma_team_options options = {.machine = &machine};
    struct omma_team *team = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_team_create(&options, &team, &error));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct omma_team_options of = {
            .n_threads = parts[i].n_threads, .of = team, .of_threads = parts[i].threads};
        struct omma_team *part = NULL;
        struct omma_range ranges[3];

        assert_ok(omma_team_create(&of, &part, &error));
        omma_team_run(part, note_range, ranges);
        for (size_t k = 0; k < parts[i].n_threads; k++) {
            assert_int_equal(ranges[k].begin, parts[i].borders[k]);
            assert_int_equal(ranges[k].end, parts[i].borders[k + 1]);
        }
        omma_team_destroy(&part);
    }
    omma_team_destroy(&team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_that_cannot_start), /* before this process has any */
        cmocka_unit_test(test_binding),
        cmocka_unit_test(test_threads_meet),
        cmocka_unit_test(test_too_many_threads_warn),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_parts_of_a_team),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

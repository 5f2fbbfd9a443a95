/*
 * Barriers over machines that are made up: the shape of the tree, and that all threads meet, many
 * more of them than this machine has cores, spinning and asleep.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "platform/barrier.h"
#include "support/support.h"

enum { MOST = 48 };

/* n seats: caches of n_cache threads, nodes of n_caches caches */
static void make_seats(struct omma_seat *seats, size_t n, size_t n_cache, size_t n_caches)
{
    for (size_t i = 0; i < n; i++) {
        seats[i] = (struct omma_seat){i, i / (n_cache * n_caches), i / n_cache};
    }
}

static void test_depth(void **state)
{
    static const struct {
        size_t n, n_cache, n_caches, depth, last_depth;
    } cases[] = {
        {1, 1, 1, 0, 0},   {2, 8, 8, 1, 1}, /* one cache */
        {2, 1, 8, 1, 1},                    /* a cache each */
        {2, 1, 1, 1, 1},                    /* a node each */
        {16, 8, 2, 2, 2},                   /* two caches of a node */
        {32, 8, 2, 3, 3},                   /* two such nodes */
        {9, 8, 8, 2, 1},                    /* one is alone with its cache */
        {17, 8, 2, 3, 1},                   /* one is alone on its node */
        {40, 40, 1, 2, 2},                  /* a large cache is cut: 13 or 14 threads a group */
    };
    struct omma_seat seats[MOST];
    struct omma_error error;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_barrier *barrier = NULL;

        make_seats(seats, cases[i].n, cases[i].n_cache, cases[i].n_caches);
        assert_ok(omma_barrier_create(seats, cases[i].n, 0, &barrier, &error));
        assert_int_equal(omma_barrier_depth(barrier, 0), cases[i].depth);
        assert_int_equal(omma_barrier_depth(barrier, cases[i].n - 1), cases[i].last_depth);
        omma_barrier_destroy(&barrier);
        assert_null(barrier);
    }
}

struct board {
    struct omma_barrier *barrier;
    size_t n_threads, n_rounds;
    size_t values[MOST]; /* plain: the barrier alone orders them */
    atomic_size_t n_faults;
};

struct player {
    struct board *board;
    size_t index;
};

static void *play(void *argument)
{
    struct player *self = argument;
    struct board *board = self->board;

    for (size_t round = 1; round <= board->n_rounds; round++) {
        board->values[self->index] = round;
        omma_barrier_wait(board->barrier, self->index, NULL, NULL);
        for (size_t i = 0; i < board->n_threads; i++) {
            if (board->values[i] != round) {
                atomic_fetch_add(&board->n_faults, 1);
            }
        }
        omma_barrier_wait(board->barrier, self->index, NULL, NULL);
    }
    return NULL;
}

static void meet(size_t n, size_t n_cache, size_t n_caches, uint32_t n_spins, size_t n_rounds)
{
    struct board board = {.n_threads = n, .n_rounds = n_rounds};
    struct omma_seat seats[MOST];
    struct player players[MOST];
    pthread_t threads[MOST];
    struct omma_error error;

    make_seats(seats, n, n_cache, n_caches);
    assert_ok(omma_barrier_create(seats, n, n_spins, &board.barrier, &error));
    for (size_t i = 0; i < n; i++) {
        players[i] = (struct player){&board, i};
        assert_int_equal(pthread_create(&threads[i], NULL, play, &players[i]), 0);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&board.n_faults), 0);
    omma_barrier_destroy(&board.barrier);
}

static void test_threads_meet(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 9; n++) {
        meet(n, 2, 2, 50, 400);
    }
    meet(2, 1, 1, 20000, 20000); /* two cores that spin */
    meet(8, 2, 2, 0, 1000);      /* all asleep */
    meet(MOST, MOST, 1, 20, 50);
    meet(MOST, 4, 3, 20, 50);
}

enum { IDLE_CALLS = 5 };

/* The first of two threads waits, with little to do. */
struct early {
    struct omma_barrier *barrier;
    atomic_size_t n_calls;
};

static bool idle(void *argument)
{
    struct early *early = argument;

    return atomic_fetch_add(&early->n_calls, 1) + 1 < IDLE_CALLS;
}

static void *wait_early(void *argument)
{
    struct early *early = argument;

    omma_barrier_wait(early->barrier, 0, idle, early);
    return NULL;
}

static void test_idle_until_done(void **state)
{
    struct early early = {0};
    struct omma_seat seats[2];
    struct omma_error error;
    pthread_t thread;

    (void)state;
    make_seats(seats, 2, 1, 1);
    assert_ok(omma_barrier_create(seats, 2, 1000, &early.barrier, &error));
    assert_int_equal(pthread_create(&thread, NULL, wait_early, &early), 0);
    while (atomic_load(&early.n_calls) < IDLE_CALLS) {
    }
    omma_barrier_wait(early.barrier, 1, idle,
                      &early); /* the last to come has nothing to wait for */
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&early.n_calls), IDLE_CALLS);
    omma_barrier_destroy(&early.barrier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_threads_meet),
        cmocka_unit_test(test_idle_until_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

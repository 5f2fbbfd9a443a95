/*
 * The team keeps one struct omma_thread for each OpenMP thread, on cache lines of its own, and
 * scratch that its owner touches first, so that the pages lie at its node.
 *
 * libgomp ends the process when it cannot start a thread, so creation starts that many once by
 * itself, where failure is an answer.
 */
#include "platform/team.h"

#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "platform/barrier.h"
#include "platform/seats.h"

enum {
    MAX_THREADS = 4096,
    SPINS = 20000, /* half a millisecond to a whole one before a waiting thread sleeps */
    SPINS_OVERSUBSCRIBED = 50,
};

struct member {
    _Alignas(64) struct omma_thread thread;
};

struct omma_team {
    struct omma_barrier *barrier;
    struct omma_topology *topology;
    const struct omma_team *of; /* whose topology it is; NULL: its own */
    struct omma_seat *seats;    /* [n_threads] */
    struct member *members;     /* [n_threads] */
    struct omma_team_node *nodes;
    size_t n_threads, n_nodes;
    size_t scratch_bytes;
    char *scratch; /* all threads', page-aligned parts of one mapping */
    size_t scratch_stride;
};

struct starter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n_started;
    bool release;
};

static void *start_and_wait(void *argument)
{
    struct starter *starter = argument;

    pthread_mutex_lock(&starter->lock);
    while (!starter->release) {
        pthread_cond_wait(&starter->changed, &starter->lock);
    }
    pthread_mutex_unlock(&starter->lock);
    return NULL;
}

/* Whether n threads can live at the same time, besides the caller. */
static enum omma_status try_threads(size_t n, struct omma_error *error)
{
    struct starter starter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    pthread_t *threads = calloc(n + 1, sizeof *threads);
    int failure = 0;

    if (threads == NULL) {
        return omma_fail_memory(error, n * sizeof *threads, "threads");
    }
    while (starter.n_started < n && failure == 0) {
        failure = pthread_create(&threads[starter.n_started], NULL, start_and_wait, &starter);
        starter.n_started += failure == 0;
    }
    pthread_mutex_lock(&starter.lock);
    starter.release = true;
    pthread_cond_broadcast(&starter.changed);
    pthread_mutex_unlock(&starter.lock);
    for (size_t i = 0; i < starter.n_started; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
    if (failure != 0) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "cannot start thread %zu of %zu: %s (limits: ulimit -u, ulimit -v)",
                         starter.n_started + 2, n + 1, strerror(failure));
    }
    return OMMA_OK;
}

static void bind_thread(struct omma_thread *self, void *argument)
{
    struct omma_team *team = argument;

    omma_topology_bind(team->topology, team->seats[self->index].core);
}

void omma_team_settle(struct omma_team *team)
{
    omma_team_run(team, bind_thread, team);
}

static void settle(struct omma_thread *self, void *argument)
{
    struct omma_team *team = argument;

    bind_thread(self, argument);
    if (self->scratch != NULL) {
        memset(self->scratch, 0, team->scratch_bytes);
    }
}

static enum omma_status take_scratch(struct omma_team *team, struct omma_error *error)
{
    size_t page = omma_topology_page_bytes();
    size_t total;

    team->scratch_stride = omma_round_up(team->scratch_bytes, page);
    if (team->scratch_bytes == 0) {
        return OMMA_OK;
    }
    if (!omma_checked_multiply(team->scratch_stride, team->n_threads, &total)) {
        return omma_fail(error, OMMA_STATUS_RESOURCES, "scratch of %zu threads overflows",
                         team->n_threads);
    }
    team->scratch = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (team->scratch == MAP_FAILED) {
        team->scratch = NULL;
        return omma_fail_memory(error, total, "the threads' scratch");
    }
    return OMMA_OK;
}

static enum omma_status check_region(struct omma_team *team, struct omma_error *error)
{
    size_t n_got = 0;

    omp_set_dynamic(0);
#pragma omp parallel num_threads((int)team->n_threads)
    {
#pragma omp single
        n_got = (size_t)omp_get_num_threads();
    }
    if (n_got != team->n_threads) {
        return omma_fail(error, OMMA_STATUS_RESOURCES,
                         "OpenMP gives %zu threads of %zu (OMP_THREAD_LIMIT?)", n_got,
                         team->n_threads);
    }
    return OMMA_OK;
}

static enum omma_status choose_number(struct omma_team *team,
                                      const struct omma_team_options *options,
                                      struct omma_error *error)
{
    size_t n_cores = omma_topology_n_cores(team->topology);

    team->n_threads = options->n_threads != 0 ? options->n_threads : n_cores;
    if (team->n_threads > MAX_THREADS) {
        return omma_fail(error, OMMA_STATUS_USAGE, "threads: expected at most %d, found %zu",
                         MAX_THREADS, team->n_threads);
    }
    if (team->n_threads > n_cores) {
        omma_log_warning(options->log,
                         "%zu threads on %zu cores: more threads than cores only slow each other",
                         team->n_threads, n_cores);
    }
    return OMMA_OK;
}

/* Seats and nodes as the other team has them. */
static void borrow_seats(struct omma_team *team, const size_t *threads)
{
    const struct omma_team *of = team->of;

    team->n_nodes = of->n_nodes;
    for (size_t i = 0; i < of->n_nodes; i++) {
        team->nodes[i] = (struct omma_team_node){.topology_node = of->nodes[i].topology_node};
    }
    for (size_t i = 0; i < team->n_threads; i++) {
        struct omma_team_node *node = &team->nodes[of->members[threads[i]].thread.node];

        team->seats[i] = of->seats[threads[i]];
        if (node->n_threads++ == 0) {
            node->first_thread = i;
        }
    }
}

/* Nodes that neighbouring seats have. */
static void find_nodes(struct omma_team *team)
{
    for (size_t i = 0; i < team->n_threads; i++) {
        if (i == 0 || team->seats[i].node != team->seats[i - 1].node) {
            team->nodes[team->n_nodes++] =
                (struct omma_team_node){.topology_node = team->seats[i].node, .first_thread = i};
        }
        team->nodes[team->n_nodes - 1].n_threads++;
    }
}

static size_t node_of(const struct omma_team *team, size_t thread)
{
    size_t node = 0;

    while (thread - team->nodes[node].first_thread >= team->nodes[node].n_threads) {
        node++;
    }
    return node;
}

/* Seats, the barrier over them, and which threads make a node. */
static enum omma_status seat_threads(struct omma_team *team,
                                     const struct omma_team_options *options,
                                     struct omma_error *error)
{
    size_t n_nodes =
        team->of != NULL ? omma_max(team->n_threads, team->of->n_nodes) : team->n_threads;
    bool is_crowded = team->n_threads > omma_topology_n_cores(team->topology);

    team->seats = calloc(team->n_threads, sizeof *team->seats);
    team->nodes = calloc(n_nodes, sizeof *team->nodes);
    team->members = aligned_alloc(64, team->n_threads * sizeof *team->members);
    if (team->seats == NULL || team->nodes == NULL || team->members == NULL) {
        return omma_fail_memory(error, team->n_threads * sizeof *team->members, "a team");
    }
    if (team->of != NULL) {
        borrow_seats(team, options->of_threads);
    } else {
        OMMA_TRY(omma_seats_plan(team->topology, team->n_threads, team->seats, error));
        find_nodes(team);
    }
    OMMA_TRY(omma_barrier_create(team->seats, team->n_threads,
                                 is_crowded ? SPINS_OVERSUBSCRIBED : SPINS, &team->barrier, error));
    for (size_t i = 0; i < team->n_threads; i++) {
        team->members[i].thread = (struct omma_thread){
            .index = i,
            .n_threads = team->n_threads,
            .node = node_of(team, i),
            .team = team,
            .scratch = team->scratch == NULL ? NULL : team->scratch + i * team->scratch_stride,
            .scratch_bytes = team->scratch_bytes,
        };
    }
    return OMMA_OK;
}

enum omma_status omma_team_create(const struct omma_team_options *options, struct omma_team **team,
                                  struct omma_error *error)
{
    enum omma_status status;
    struct omma_team *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a team");
    }
    made->scratch_bytes = options->scratch_bytes;
    made->of = options->of;
    if (made->of != NULL) {
        made->topology = made->of->topology;
    } else {
        OMMA_TRY_OR(status, fail, omma_topology_open(options->machine, &made->topology, error));
    }
    OMMA_TRY_OR(status, fail, choose_number(made, options, error));
    OMMA_TRY_OR(status, fail, try_threads(made->n_threads - 1, error));
    OMMA_TRY_OR(status, fail, take_scratch(made, error));
    OMMA_TRY_OR(status, fail, seat_threads(made, options, error));
    OMMA_TRY_OR(status, fail, check_region(made, error));
    omma_team_run(made, settle, made);
    *team = made;
    return OMMA_OK;

fail:
    omma_team_destroy(&made);
    return status;
}

void omma_team_destroy(struct omma_team **team)
{
    struct omma_team *gone = *team;

    if (gone == NULL) {
        return;
    }
    if (gone->scratch != NULL) {
        munmap(gone->scratch, gone->scratch_stride * gone->n_threads);
    }
    if (gone->of == NULL) {
        omma_topology_close(&gone->topology);
    }
    omma_barrier_destroy(&gone->barrier);
    free(gone->seats);
    free(gone->nodes);
    free(gone->members);
    free(gone);
    *team = NULL;
}

size_t omma_team_n_threads(const struct omma_team *team)
{
    return team->n_threads;
}

size_t omma_team_n_nodes(const struct omma_team *team)
{
    return team->n_nodes;
}

const struct omma_team_node *omma_team_node(const struct omma_team *team, size_t node)
{
    return &team->nodes[node];
}

size_t omma_team_node_of(const struct omma_team *team, size_t thread)
{
    return team->members[thread].thread.node;
}

const struct omma_topology *omma_team_topology(const struct omma_team *team)
{
    return team->topology;
}

void omma_team_run(struct omma_team *team, omma_team_work_fn work, void *argument)
{
    omma_topology_bind(team->topology, team->seats[0].core);
#pragma omp parallel num_threads((int)team->n_threads)
    work(&team->members[omp_get_thread_num()].thread, argument);
    omma_topology_unbind(team->topology);
}

void omma_team_barrier(struct omma_thread *self)
{
    omma_team_barrier_idle(self, NULL, NULL);
}

void omma_team_barrier_idle(struct omma_thread *self, omma_idle_fn idle, void *argument)
{
    omma_barrier_wait(self->team->barrier, self->index, idle, argument);
}

/* Where the items of threads below `thread` end. */
static size_t border(size_t n, size_t thread, size_t n_threads)
{
    return n * thread / n_threads;
}

/* Of a team of another's threads: a node's items are those that it has there, where the other's
 * weights lie, and those of nodes behind it of which no thread is here; its threads share them. */
static struct omma_range range_of_part(const struct omma_thread *self, size_t n)
{
    const struct omma_team *team = self->team, *of = team->of;
    const struct omma_team_node *node = &team->nodes[self->node];
    size_t next = self->node + 1, in_node = self->index - node->first_thread, begin, end;

    while (next < team->n_nodes && team->nodes[next].n_threads == 0) {
        next++;
    }
    begin =
        node->first_thread == 0 ? 0 : border(n, of->nodes[self->node].first_thread, of->n_threads);
    end = next == team->n_nodes ? n : border(n, of->nodes[next].first_thread, of->n_threads);
    n = end - begin;
    return (struct omma_range){begin + border(n, in_node, node->n_threads),
                               begin + border(n, in_node + 1, node->n_threads)};
}

struct omma_range omma_team_range(const struct omma_thread *self, size_t n)
{
    if (self->team->of != NULL) {
        return range_of_part(self, n);
    }
    return (struct omma_range){border(n, self->index, self->n_threads),
                               border(n, self->index + 1, self->n_threads)};
}

struct omma_range omma_team_node_range(const struct omma_team *team, size_t node, size_t n)
{
    const struct omma_team_node *threads = &team->nodes[node];

    return (struct omma_range){
        border(n, threads->first_thread, team->n_threads),
        border(n, threads->first_thread + threads->n_threads, team->n_threads)};
}

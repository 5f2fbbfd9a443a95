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
#include "platform/topology.h"

enum {
    MAX_THREADS = 4096,
    SPINS = 20000, /* about half a millisecond before a waiting thread sleeps */
    SPINS_OVERSUBSCRIBED = 50,
};

struct member {
    _Alignas(64) struct omma_thread thread;
};

struct omma_team {
    struct omma_barrier barrier;
    struct omma_topology *topology;
    struct member *members;
    size_t n_threads;
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

static void settle(struct omma_thread *self, void *argument)
{
    struct omma_team *team = argument;

    omma_topology_bind(team->topology, self->index);
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

enum omma_status omma_team_create(const struct omma_team_options *options, struct omma_team **team,
                                  struct omma_error *error)
{
    enum omma_status status;
    struct omma_team *made = aligned_alloc(64, omma_round_up(sizeof *made, 64));
    size_t n_cores;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a team");
    }
    memset(made, 0, sizeof *made);
    OMMA_TRY_OR(status, fail, omma_topology_open(NULL, &made->topology, error));
    n_cores = omma_topology_n_cores(made->topology);
    made->n_threads = options->n_threads != 0 ? options->n_threads : n_cores;
    made->scratch_bytes = options->scratch_bytes;
    if (made->n_threads > MAX_THREADS) {
        status = omma_fail(error, OMMA_STATUS_USAGE, "threads: expected at most %d, found %zu",
                           MAX_THREADS, made->n_threads);
        goto fail;
    }
    if (made->n_threads > n_cores) {
        omma_log_warning(options->log,
                         "%zu threads on %zu cores: more threads than cores only slow each other",
                         made->n_threads, n_cores);
    }
    OMMA_TRY_OR(status, fail, try_threads(made->n_threads - 1, error));
    OMMA_TRY_OR(status, fail, take_scratch(made, error));
    made->members = aligned_alloc(64, made->n_threads * sizeof *made->members);
    if (made->members == NULL) {
        status = omma_fail_memory(error, made->n_threads * sizeof *made->members, "a team");
        goto fail;
    }
    for (size_t i = 0; i < made->n_threads; i++) {
        made->members[i].thread = (struct omma_thread){
            .index = i,
            .n_threads = made->n_threads,
            .team = made,
            .scratch = made->scratch == NULL ? NULL : made->scratch + i * made->scratch_stride,
            .scratch_bytes = made->scratch_bytes,
        };
    }
    omma_barrier_init(&made->barrier, (uint32_t)made->n_threads,
                      made->n_threads > n_cores ? SPINS_OVERSUBSCRIBED : SPINS);
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
    omma_topology_close(&gone->topology);
    free(gone->members);
    free(gone);
    *team = NULL;
}

size_t omma_team_n_threads(const struct omma_team *team)
{
    return team->n_threads;
}

void omma_team_run(struct omma_team *team, omma_team_work_fn work, void *argument)
{
    omma_topology_bind(team->topology, 0);
#pragma omp parallel num_threads((int)team->n_threads)
    work(&team->members[omp_get_thread_num()].thread, argument);
    omma_topology_unbind(team->topology);
}

void omma_team_barrier(struct omma_thread *self)
{
    if (self->n_threads > 1) {
        omma_barrier_wait(&self->team->barrier);
    }
}

struct omma_range omma_team_range(const struct omma_thread *self, size_t n)
{
    return (struct omma_range){n * self->index / self->n_threads,
                               n * (self->index + 1) / self->n_threads};
}

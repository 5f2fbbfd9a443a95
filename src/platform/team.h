/*
 * team.h - the threads that compute together: one OpenMP parallel region for a whole forward pass.
 *
 * omma_team_run(team, work, argument) equals, but for the order in time,
 *
 *     for (size_t i = 0; i < n_threads; i++) work(&threads[i], argument);
 *
 * with omma_team_barrier() as the only meeting point inside.  All threads call the same operators
 * in the same order; an operator says whether it ends with a barrier.  Each thread is bound to one
 * physical core of those that the process may use, threads of a NUMA node being neighbours
 * (seats.h).  Work is split by omma_team_range(), which depends on the number of threads alone; no
 * result may depend on it.
 */
#ifndef OMMA_PLATFORM_TEAM_H
#define OMMA_PLATFORM_TEAM_H

#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "platform/barrier.h"
#include "platform/topology.h"

struct omma_team;

/* What one thread of a team knows; lives as long as the team. */
struct omma_thread {
    size_t index, n_threads;
    size_t node; /* of the team, the one that omma_team_node() tells of */
    struct omma_team *team;
    char *scratch; /* its own memory, 64-byte aligned, touched first by it */
    size_t scratch_bytes;
};

struct omma_team_options {
    size_t n_threads;           /* 0: one for each physical core allowed */
    size_t scratch_bytes;       /* a thread; 0: none */
    const struct omma_log *log; /* told when there are more threads than cores; may be NULL */
    const struct omma_topology_options *machine; /* NULL: this one, all of it */
    /* a team on the cores of some threads of another, which outlives it; NULL: none */
    const struct omma_team *of;
    const size_t *of_threads; /* [n_threads], growing */
};

/* A NUMA node of a team, by the memory that its threads are nearest to.  A team of another's
 * threads has the other's nodes. */
struct omma_team_node {
    size_t topology_node;           /* its number in the team's topology */
    size_t first_thread, n_threads; /* consecutive; n_threads 0: only the other has any there */
};

enum omma_status omma_team_create(const struct omma_team_options *options, struct omma_team **team,
                                  struct omma_error *error);
void omma_team_destroy(struct omma_team **team);

size_t omma_team_n_threads(const struct omma_team *team);

/* How many nodes, at least one; node < n_nodes, which lives as long as the team; that of a thread.
 */
size_t omma_team_n_nodes(const struct omma_team *team);
const struct omma_team_node *omma_team_node(const struct omma_team *team, size_t node);
size_t omma_team_node_of(const struct omma_team *team, size_t thread);

/* Where it runs; lives as long as the team. */
const struct omma_topology *omma_team_topology(const struct omma_team *team);

typedef void (*omma_team_work_fn)(struct omma_thread *self, void *argument);

/* Run work on every thread and wait for all.  One caller at a time, always the same thread (OpenMP
 * keeps its workers by caller); one that runs several teams calls omma_team_settle() between them.
 * The caller, who is thread 0, is bound meanwhile only: what it starts elsewhere, threads and
 * programs, would inherit its one core. */
void omma_team_run(struct omma_team *team, omma_team_work_fn work, void *argument);

/* Bind the threads to their cores once more: before the first run after the caller ran another
 * team, as OpenMP gives both the same workers. */
void omma_team_settle(struct omma_team *team);

/* Wait until all threads of the team are here.  What they wrote before is seen by all after. */
void omma_team_barrier(struct omma_thread *self);

/* The same; a thread that waits calls idle (barrier.h) until it returns false. */
void omma_team_barrier_idle(struct omma_thread *self, omma_idle_fn idle, void *argument);

/* The half-open range of n items that belongs to this thread: contiguous, sizes differ by one item.
 * In a team of another's threads the sizes do so within a node: its threads share the items that
 * the other's have there, and those of nodes behind it that have no thread here. */
struct omma_range {
    size_t begin, end;
};

struct omma_range omma_team_range(const struct omma_thread *self, size_t n);

/* The part of range that falls on n items from first on, counted from the first of them: for a
 * range over the items of several lists, one after the other. */
static inline struct omma_range omma_range_within(struct omma_range range, size_t first, size_t n)
{
    size_t begin = range.begin > first ? range.begin - first : 0;
    size_t end = range.end > first ? range.end - first : 0;

    return (struct omma_range){begin < n ? begin : n, end < n ? end : n};
}

/* What of n items belongs to all threads of a node together. */
struct omma_range omma_team_node_range(const struct omma_team *team, size_t node, size_t n);

#endif

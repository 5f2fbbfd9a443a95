/*
 * barrier.h - the meeting point of a team: spin for a moment, then sleep.
 *
 * Threads meet in a tree that follows the machine: those that share a cache, then a node's caches,
 * then the nodes.  Each group has cache lines of its own, so a thread that waits reads a line that
 * no one outside of its group writes, and a line crosses to another node once a meeting.
 *
 * Spinning makes a barrier cost about a microsecond while all threads run; sleeping (futex) leaves
 * the core to others when one of them is late, as under a cgroup quota, with more threads than
 * cores, or when a core goes offline.
 */
#ifndef OMMA_PLATFORM_BARRIER_H
#define OMMA_PLATFORM_BARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "platform/seats.h"

struct omma_barrier;

/* For threads 0 .. n_threads - 1 on these seats, which spin n_spins times before they sleep. */
enum omma_status omma_barrier_create(const struct omma_seat *seats, size_t n_threads,
                                     uint32_t n_spins, struct omma_barrier **barrier,
                                     struct omma_error *error);
void omma_barrier_destroy(struct omma_barrier **barrier);

/* What a thread does while it waits: a little at a time; false once there is nothing left. */
typedef bool (*omma_idle_fn)(void *argument);

/* Returns when all threads are here.  idle may be NULL.  What they wrote before, all see after. */
void omma_barrier_wait(struct omma_barrier *barrier, size_t thread, omma_idle_fn idle,
                       void *argument);

/* Steps of the tree from a thread to the top: 0 for a thread alone, 1 for one flat group. */
size_t omma_barrier_depth(const struct omma_barrier *barrier, size_t thread);

#endif

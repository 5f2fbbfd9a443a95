/*
 * seats.h - which core each thread of a team has.
 *
 * As many threads as cores, or more: thread i sits on core i * n_cores / n_threads.  Fewer: they
 * are spread evenly over the fewest nodes that hold them, and in a node over its cores at equal
 * distances, so that all caches and the memory channels behind them take part.  Under a quota all
 * nodes are used, as threads are bound to no core there (topology.h).
 *
 * Threads of a node are neighbours: a range of work is a range of a node's threads too.
 */
#ifndef OMMA_PLATFORM_SEATS_H
#define OMMA_PLATFORM_SEATS_H

#include "platform/topology.h"

struct omma_seat {
    size_t core;  /* of the topology */
    size_t node;  /* of the topology; not below that of the seat before */
    size_t cache; /* seats with equal node and cache share a cache, and are neighbours */
};

/* seats[n_threads]; n_threads >= 1 */
enum omma_status omma_seats_plan(const struct omma_topology *topology, size_t n_threads,
                                 struct omma_seat *seats, struct omma_error *error);

#endif

/*
 * barrier.h - the meeting point of a team: spin for a moment, then sleep.
 *
 * Spinning makes a barrier cost about a microsecond while all threads run; sleeping (futex) leaves
 * the core to others when one of them is late, as under a cgroup quota or with more threads than
 * cores.
 */
#ifndef OMMA_PLATFORM_BARRIER_H
#define OMMA_PLATFORM_BARRIER_H

#include <stdatomic.h>
#include <stdint.h>

struct omma_barrier {
    _Alignas(64) _Atomic uint32_t n_arrived; /* in this generation */
    _Alignas(64) _Atomic uint32_t
        generation; /* grows when all have arrived; what sleepers wait on */
    _Atomic uint32_t n_sleeping;
    uint32_t n_threads;
    uint32_t n_spins; /* before sleeping */
};

void omma_barrier_init(struct omma_barrier *barrier, uint32_t n_threads, uint32_t n_spins);

/* Returns when n_threads threads are here.  What they wrote before, all see after. */
void omma_barrier_wait(struct omma_barrier *barrier);

#endif

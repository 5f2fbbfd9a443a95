/*
 * cores.h - who computes on which cores: the language side (the engine's thread and its teams) or
 * the vision side (the pool's).
 *
 * Each side has cores of its own, and uses all while the other has nothing to do.  Cores change
 * hands between two passes of the language side and between two layers of the vision side: who
 * comes back to work waits for that at most.
 *
 * One lock guards it all; nobody holds it while computing.
 */
#ifndef OMMA_ENGINE_CORES_H
#define OMMA_ENGINE_CORES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum omma_side { OMMA_SIDE_LANGUAGE, OMMA_SIDE_VISION, OMMA_N_SIDES };

struct omma_cores {
    pthread_mutex_t *lock; /* guards what follows */
    pthread_cond_t *changed;
    struct {
        bool has_work; /* it computes now or will before long: its own cores are not lent */
        bool computes, has_all;
        bool claims_all;
    } sides[OMMA_N_SIDES];
};

/* Which threads of the team of all cores each side has: both thread 0 if there is only one. */
struct omma_thread_split {
    size_t n_threads, n_language, n_vision;
    size_t *all, *language, *vision; /* [n_threads], [n_language], [n_vision], growing */
};

/* n_vision of n_threads, at equal distances, so that each node and cache has of both. */
enum omma_status omma_thread_split_init(size_t n_threads, size_t n_vision,
                                        struct omma_thread_split *split, struct omma_error *error);
void omma_thread_split_fini(struct omma_thread_split *split);

void omma_cores_init(struct omma_cores *cores, pthread_mutex_t *lock, pthread_cond_t *changed);

/* Tell whether a side has something to do. */
void omma_cores_set_work(struct omma_cores *cores, enum omma_side side, bool has_work);

/* The side computes until omma_cores_end(), on all cores if it is told so: because the other has
 * nothing to do, or because it needs_all and waited for the other. */
bool omma_cores_begin(struct omma_cores *cores, enum omma_side side, bool needs_all);
void omma_cores_end(struct omma_cores *cores, enum omma_side side);

#endif

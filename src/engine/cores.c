/* Cores that change hands, and which threads they are. */
#include "engine/cores.h"

#include <stdlib.h>

enum omma_status omma_thread_split_init(size_t n_threads, size_t n_vision,
                                        struct omma_thread_split *split, struct omma_error *error)
{
    size_t *threads = calloc(3 * n_threads, sizeof *threads);

    if (threads == NULL) {
        return omma_fail_memory(error, 3 * n_threads * sizeof *threads, "threads");
    }
    *split = (struct omma_thread_split){.n_threads = n_threads,
                                        .all = threads,
                                        .language = threads + n_threads,
                                        .vision = threads + 2 * n_threads};
    for (size_t i = 0; i < n_threads; i++) {
        bool is_vision = (i + 1) * n_vision / n_threads > i * n_vision / n_threads;

        split->all[i] = i;
        if (is_vision) {
            split->vision[split->n_vision++] = i;
        }
        if (!is_vision || n_threads == 1) {
            split->language[split->n_language++] = i;
        }
    }
    return OMMA_OK;
}

void omma_thread_split_fini(struct omma_thread_split *split)
{
    free(split->all);
    *split = (struct omma_thread_split){0};
}

void omma_cores_init(struct omma_cores *cores, pthread_mutex_t *lock, pthread_cond_t *changed)
{
    *cores = (struct omma_cores){.lock = lock, .changed = changed};
}

void omma_cores_set_work(struct omma_cores *cores, enum omma_side side, bool has_work)
{
    pthread_mutex_lock(cores->lock);
    cores->sides[side].has_work = has_work;
    pthread_mutex_unlock(cores->lock);
}

static enum omma_side other_side(enum omma_side side)
{
    return side == OMMA_SIDE_LANGUAGE ? OMMA_SIDE_VISION : OMMA_SIDE_LANGUAGE;
}

bool omma_cores_begin(struct omma_cores *cores, enum omma_side side, bool needs_all)
{
    enum omma_side other = other_side(side);
    bool has_all;

    pthread_mutex_lock(cores->lock);
    cores->sides[side].has_work = true;
    cores->sides[side].claims_all = needs_all;
    while (cores->sides[other].has_all || cores->sides[other].claims_all ||
           (needs_all && cores->sides[other].computes)) {
        pthread_cond_wait(cores->changed, cores->lock);
    }
    has_all = needs_all || (!cores->sides[other].has_work && !cores->sides[other].computes);
    cores->sides[side].claims_all = false;
    cores->sides[side].computes = true;
    cores->sides[side].has_all = has_all;
    pthread_mutex_unlock(cores->lock);
    return has_all;
}

void omma_cores_end(struct omma_cores *cores, enum omma_side side)
{
    pthread_mutex_lock(cores->lock);
    cores->sides[side].computes = cores->sides[side].has_all = false;
    pthread_cond_broadcast(cores->changed);
    pthread_mutex_unlock(cores->lock);
}

/* Shares of threads for nodes, then cores for the shares. */
#include "platform/seats.h"

#include <stdlib.h>

#include "base/checked.h"

struct share {
    size_t first_core, n_cores; /* of the node */
    size_t n_threads;
};

static struct omma_seat seat_at(const struct omma_topology *topology, size_t core)
{
    return (struct omma_seat){core, omma_topology_node(topology, core),
                              omma_topology_cache(topology, core)};
}

static void count_cores(const struct omma_topology *topology, struct share *shares)
{
    for (size_t i = 0; i < omma_topology_n_mask_cores(topology); i++) {
        struct share *share = &shares[omma_topology_node(topology, i)];

        if (share->n_cores++ == 0) {
            share->first_core = i;
        }
    }
}

static int by_size(const void *a, const void *b)
{
    const struct share *one = a, *other = b;

    return one->n_cores < other->n_cores ? 1 : one->n_cores > other->n_cores ? -1 : 0;
}

static int by_first_core(const void *a, const void *b)
{
    const struct share *one = a, *other = b;

    return one->first_core < other->first_core ? -1 : 1;
}

/* Deal threads one by one to the fewest nodes, largest first, that hold them: each to that with the
 * fewest threads so far that has a core left. */
static void deal(struct share *shares, size_t n_nodes, size_t n_threads)
{
    size_t n_used = 0, n_cores = 0;

    qsort(shares, n_nodes, sizeof *shares, by_size);
    while (n_cores < n_threads) {
        n_cores += shares[n_used++].n_cores;
    }
    for (size_t t = 0; t < n_threads; t++) {
        struct share *best = NULL;

        for (size_t i = 0; i < n_used; i++) {
            if (shares[i].n_threads < shares[i].n_cores &&
                (best == NULL || shares[i].n_threads < best->n_threads)) {
                best = &shares[i];
            }
        }
        best->n_threads++;
    }
    qsort(shares, n_nodes, sizeof *shares, by_first_core);
}

enum omma_status omma_seats_plan(const struct omma_topology *topology, size_t n_threads,
                                 struct omma_seat *seats, struct omma_error *error)
{
    size_t n_cores = omma_topology_n_mask_cores(topology);
    size_t n_nodes = omma_topology_n_nodes(topology), n = 0;
    bool has_quota = omma_topology_n_cores(topology) < n_cores;
    struct share *shares;

    if (n_threads >= n_cores || has_quota) {
        for (size_t i = 0; i < n_threads; i++) {
            seats[i] = seat_at(topology, i * n_cores / n_threads);
        }
        return OMMA_OK;
    }
    shares = calloc(n_nodes, sizeof *shares);
    if (shares == NULL) {
        return omma_fail_memory(error, n_nodes * sizeof *shares, "the threads' cores");
    }
    count_cores(topology, shares);
    deal(shares, n_nodes, n_threads);
    for (size_t i = 0; i < n_nodes; i++) {
        const struct share *share = &shares[i];

        for (size_t t = 0; t < share->n_threads; t++) {
            seats[n++] =
                seat_at(topology, share->first_core + t * share->n_cores / share->n_threads);
        }
    }
    free(shares);
    return OMMA_OK;
}

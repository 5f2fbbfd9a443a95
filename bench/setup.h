/*
 * setup.h - what the benches of the lower layers start from: a team, a tier's kernels, the limits.
 */
#ifndef OMMA_BENCH_SETUP_H
#define OMMA_BENCH_SETUP_H

#include "platform/limits.h"
#include "simd/kernels.h"

struct bench_setup {
    struct omma_team *team;
    struct omma_kernels kernels;
    struct omma_limits limits;
};

/* From the arguments [THREADS [TIER]]: one thread a core and the best tier without them, or for 0
 * and an empty word.  Prints what is wrong and returns an exit code other than 0. */
int bench_setup_open(int n_arguments, char **arguments, size_t scratch_bytes,
                     struct bench_setup *setup);
void bench_setup_close(struct bench_setup *setup);

/* CPU, tier, threads and limits, a line each. */
void bench_setup_print(const struct bench_setup *setup);

#endif

/*
 * limits.h - what the machine can do: the speed of reading memory and of multiply-adds, against
 * which everything else is measured.
 */
#ifndef OMMA_PLATFORM_LIMITS_H
#define OMMA_PLATFORM_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "platform/team.h"

/* The kernels that measure (simd/kernels.h, probe_*); NULL: the tier has none, its rate is 0. */
struct omma_limits_probes {
    uint64_t (*f32_fma)(uint64_t n_rounds);  /* returns the multiply-adds done */
    uint64_t (*bf16_dot)(uint64_t n_rounds); /* the same */
    uint64_t (*i8_dot)(uint64_t n_rounds);   /* the same */
    size_t steps_per_round;                  /* OMMA_PROBE_STEPS */
    uint64_t (*read)(const void *bytes, size_t n_bytes, size_t n_streams, size_t prefetch_bytes);
};

/* The kind of pages that weights lie in. */
enum omma_limits_memory {
    OMMA_LIMITS_FILE, /* pages of a file, mapped read-only */
    OMMA_LIMITS_HUGE, /* anonymous memory that asks for huge pages */
};

struct omma_limits_options {
    const char *isa;     /* a word for limits->isa */
    const void *weights; /* memory of the model to read, where it is large enough; else pages of
                            `memory` are made */
    size_t weights_bytes;
    enum omma_limits_memory memory;
    const struct omma_topology
        *topology; /* not NULL: pages that are made come from its node `node` */
    size_t node;
    const struct omma_known_peaks *known_peaks; /* NULL: the row of this CPU and isa */
    size_t read_bytes; /* 0: 8 times what all L3 caches hold, 256 MiB at least, a quarter of the
                          available memory at most */
};

/*
 * Measure on all threads of the team together.  Threads read contiguous parts, which they touched
 * first, in several patterns (streams a thread, prefetch); the pattern with the best median pass is
 * taken.  A pass lasts from the first thread's start to the last one's end.
 *
 * Peaks are the best of many passes of 3 ms, each beside a chain of dependent additions on the same
 * cores, which tells their clock: one addition a cycle.  They count beside a row of what is known:
 * a neighbour on the other half of a core halves them, and leaves that chain as it is.
 *
 * Fails with OMMA_STATUS_RESOURCES if the memory cannot be had.
 */
enum omma_status omma_limits_of_team(struct omma_team *team,
                                     const struct omma_limits_probes *probes,
                                     const struct omma_limits_options *options,
                                     struct omma_limits *limits, struct omma_error *error);

/* Read again, in the pattern and as many bytes as *limits says; renews the read bandwidth in it. */
enum omma_status omma_limits_read_of_team(struct omma_team *team,
                                          const struct omma_limits_probes *probes,
                                          const struct omma_limits_options *options,
                                          struct omma_limits *limits, struct omma_error *error);

#endif

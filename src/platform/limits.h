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
    uint64_t (*f32_fma)(uint64_t n_rounds);              /* returns the multiply-adds done */
    uint64_t (*bf16_dot)(uint64_t n_rounds);             /* the same */
    uint64_t (*read)(const void *bytes, size_t n_bytes); /* n_bytes: a multiple of 4096 */
};

/*
 * Measure on all threads of the team together, for about a second.  Threads read contiguous parts
 * of read_bytes of anonymous memory that they touched first; 0 takes 8 times what all L3 caches
 * hold, 256 MiB at least, a quarter of the available memory at most.  A rate is that of the best of
 * several passes, from the first thread's start to the last one's end.
 *
 * Fails with OMMA_STATUS_RESOURCES if the memory cannot be had.
 */
enum omma_status omma_limits_of_team(struct omma_team *team,
                                     const struct omma_limits_probes *probes, size_t read_bytes,
                                     struct omma_limits *limits, struct omma_error *error);

#endif

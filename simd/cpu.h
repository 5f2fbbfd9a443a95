/*
 * cpu.h - which kernels this CPU and operating system can run.
 *
 * A tier is a bundle of instruction sets, not a bit; simd/tiers.def has them, and what each stands
 * on.
 */
#ifndef OMMA_SIMD_CPU_H
#define OMMA_SIMD_CPU_H

#include <stdbool.h>
#include <stddef.h>

enum omma_isa {
#define OMMA_ISA_TIER(tier, name, parent) OMMA_ISA_##tier,
#include "simd/tiers.def"
#undef OMMA_ISA_TIER
    OMMA_ISA_COUNT
};

/* "scalar", "avx2", ... */
const char *omma_isa_name(enum omma_isa isa);

/* The tier called name; OMMA_ISA_COUNT if there is none. */
enum omma_isa omma_isa_of_name(const char *name);

/* Whether isa is the tier, or stands on it: whether it has the tier's instructions. */
bool omma_isa_contains(enum omma_isa isa, enum omma_isa tier);

/* Whether omma was built with the tier's kernels. */
bool omma_isa_is_built(enum omma_isa isa);

/* Whether the CPU has the tier and the operating system keeps its registers.  For amx the process
 * asks Linux for leave to use the tiles. */
bool omma_isa_is_usable(enum omma_isa isa);

/* The best tier that is built and usable. */
enum omma_isa omma_isa_best(void);

#endif

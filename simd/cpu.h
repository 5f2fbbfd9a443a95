/*
 * cpu.h - which kernels this CPU and operating system can run.
 *
 * A tier is a bundle of instruction sets, not a bit; each stands on those below it.
 */
#ifndef OMMA_SIMD_CPU_H
#define OMMA_SIMD_CPU_H

#include <stdbool.h>
#include <stddef.h>

enum omma_isa {
    OMMA_ISA_SCALAR,
    OMMA_ISA_AVX2,       /* AVX2, FMA, F16C, BMI2 */
    OMMA_ISA_AVX512BF16, /* the above and AVX-512 F, BW, DQ, VL, BF16 */
    OMMA_ISA_COUNT
};

/* "scalar", "avx2", "avx512bf16" */
const char *omma_isa_name(enum omma_isa isa);

/* The tier called name; OMMA_ISA_COUNT if there is none. */
enum omma_isa omma_isa_of_name(const char *name);

/* Whether omma was built with the tier's kernels. */
bool omma_isa_is_built(enum omma_isa isa);

/* Whether the CPU has the tier and the operating system keeps its registers (XCR0). */
bool omma_isa_is_usable(enum omma_isa isa);

/* The best tier that is built and usable. */
enum omma_isa omma_isa_best(void);

#endif

/* cpuid and the state that the operating system keeps, through the compiler's own tables. */
#include "simd/cpu.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "config.h"

static const char *const names[OMMA_ISA_COUNT] = {
    [OMMA_ISA_SCALAR] = "scalar",
    [OMMA_ISA_AVX2] = "avx2",
    [OMMA_ISA_AVX512BF16] = "avx512bf16",
};

const char *omma_isa_name(enum omma_isa isa)
{
    return names[isa];
}

enum omma_isa omma_isa_of_name(const char *name)
{
    for (int isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        if (strcmp(names[isa], name) == 0) {
            return isa;
        }
    }
    return OMMA_ISA_COUNT;
}

bool omma_isa_is_built(enum omma_isa isa)
{
    switch (isa) {
    case OMMA_ISA_SCALAR:
        return true;
    case OMMA_ISA_AVX2:
#ifdef OMMA_TIER_AVX2
        return true;
#else
        return false;
#endif
    case OMMA_ISA_AVX512BF16:
#ifdef OMMA_TIER_AVX512BF16
        return true;
#else
        return false;
#endif
    case OMMA_ISA_COUNT:
        break;
    }
    return false;
}

#if defined(OMMA_SIMDE)
/* tests/simd/kernels_simde: any CPU runs the tiers, in software. */
static bool has_avx2(void)
{
    return true;
}

static bool has_avx512bf16(void)
{
    return true;
}
#elif defined(__x86_64__)
/* clang before 17 does not know the name "f16c". */
static bool has_f16c(void)
{
    unsigned a, b, c = 0, d;

    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

/* __builtin_cpu_supports() counts AVX and AVX-512 only if XCR0 says that their registers are kept.
 */
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c() &&
           __builtin_cpu_supports("bmi2");
}

static bool has_avx512bf16(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bf16");
}
#else
static bool has_avx2(void)
{
    return false;
}

static bool has_avx512bf16(void)
{
    return false;
}
#endif

bool omma_isa_is_usable(enum omma_isa isa)
{
    switch (isa) {
    case OMMA_ISA_SCALAR:
        return true;
    case OMMA_ISA_AVX2:
        return has_avx2();
    case OMMA_ISA_AVX512BF16:
        return has_avx512bf16();
    case OMMA_ISA_COUNT:
        break;
    }
    return false;
}

enum omma_isa omma_isa_best(void)
{
    int isa = OMMA_ISA_COUNT - 1;

    while (!omma_isa_is_built(isa) || !omma_isa_is_usable(isa)) {
        isa--;
    }
    return isa;
}

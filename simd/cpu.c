/*
 * What the CPU has, from cpuid or the auxiliary vector, and what the operating system keeps.
 *
 * Written out where the compilers' __builtin_cpu_supports() lacks a name: gcc 12 and clang 14 know
 * neither "avxvnni" nor "amx-tile" both.
 */
#include "simd/cpu.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "config.h"

static const char *const names[OMMA_ISA_COUNT] = {
#define OMMA_ISA_TIER(tier, name, parent) [OMMA_ISA_##tier] = (name),
#include "simd/tiers.def"
#undef OMMA_ISA_TIER
};

static const enum omma_isa parents[OMMA_ISA_COUNT] = {
#define OMMA_ISA_TIER(tier, name, parent) [OMMA_ISA_##tier] = OMMA_ISA_##parent,
#include "simd/tiers.def"
#undef OMMA_ISA_TIER
};

static const bool built[OMMA_ISA_COUNT] = {
    [OMMA_ISA_SCALAR] = true,
#ifdef OMMA_TIER_AVX2
    [OMMA_ISA_AVX2] = true,
#endif
#ifdef OMMA_TIER_AVXVNNI
    [OMMA_ISA_AVXVNNI] = true,
#endif
#ifdef OMMA_TIER_AVX512
    [OMMA_ISA_AVX512] = true,
#endif
#ifdef OMMA_TIER_AVX512VNNI
    [OMMA_ISA_AVX512VNNI] = true,
#endif
#ifdef OMMA_TIER_AVX512BF16
    [OMMA_ISA_AVX512BF16] = true,
#endif
#ifdef OMMA_TIER_AMX
    [OMMA_ISA_AMX] = true,
#endif
#ifdef OMMA_TIER_NEON
    [OMMA_ISA_NEON] = true,
#endif
#ifdef OMMA_TIER_NEONDOT
    [OMMA_ISA_NEONDOT] = true,
#endif
#ifdef OMMA_TIER_NEONBF16
    [OMMA_ISA_NEONBF16] = true,
#endif
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

bool omma_isa_contains(enum omma_isa isa, enum omma_isa tier)
{
    while (isa != tier && isa != OMMA_ISA_SCALAR) {
        isa = parents[isa];
    }
    return isa == tier;
}

bool omma_isa_is_built(enum omma_isa isa)
{
    return built[isa];
}

#if defined(OMMA_SIMDE)
/* tests/simd/kernels_simde: any CPU runs the tiers that are compiled in, in software. */
static bool has(enum omma_isa isa)
{
    (void)isa;
    return true;
}
#elif defined(__x86_64__)
/* Registers of cpuid's leaf, all 0 if there is no such leaf. */
struct cpuid {
    unsigned a, b, c, d;
};

static struct cpuid cpuid(unsigned leaf, unsigned subleaf)
{
    struct cpuid found = {0, 0, 0, 0};

    if (__get_cpuid_count(leaf, subleaf, &found.a, &found.b, &found.c, &found.d) == 0) {
        return (struct cpuid){0, 0, 0, 0};
    }
    return found;
}

static bool has_amx(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    const unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, amx_int8 = 1u << 25;
    const unsigned all = amx_bf16 | amx_tile | amx_int8;

    /* Linux gives the tiles to a process that asks, since 5.16; without XCR0's bits it refuses. */
    return (cpuid(7, 0).d & all) == all &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* Whether the CPU has what the tier adds to its parent.  __builtin_cpu_supports() counts AVX and
 * AVX-512 only if XCR0 says that their registers are kept. */
static bool has(enum omma_isa isa)
{
    const unsigned f16c = 1u << 29, avx_vnni = 1u << 4;

    switch (isa) {
    case OMMA_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2") && (cpuid(1, 0).c & f16c) != 0;
    case OMMA_ISA_AVXVNNI:
        return (cpuid(7, 1).a & avx_vnni) != 0;
    case OMMA_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case OMMA_ISA_AVX512VNNI:
        return __builtin_cpu_supports("avx512vnni");
    case OMMA_ISA_AVX512BF16:
        return __builtin_cpu_supports("avx512bf16");
    case OMMA_ISA_AMX:
        return has_amx();
    default:
        return false;
    }
}
#elif defined(__aarch64__)
/* Every 64-bit Arm has NEON. */
static bool has(enum omma_isa isa)
{
    const unsigned long asimddp = 1ul << 20, i8mm = 1ul << 13, bf16 = 1ul << 14;

    switch (isa) {
    case OMMA_ISA_NEON:
        return true;
    case OMMA_ISA_NEONDOT:
        return (getauxval(AT_HWCAP) & asimddp) != 0;
    case OMMA_ISA_NEONBF16:
        return (getauxval(AT_HWCAP2) & (i8mm | bf16)) == (i8mm | bf16);
    default:
        return false;
    }
}
#else
static bool has(enum omma_isa isa)
{
    (void)isa;
    return false;
}
#endif

bool omma_isa_is_usable(enum omma_isa isa)
{
    while (isa != OMMA_ISA_SCALAR && has(isa)) {
        isa = parents[isa];
    }
    return isa == OMMA_ISA_SCALAR;
}

enum omma_isa omma_isa_best(void)
{
    int isa = OMMA_ISA_COUNT - 1;

    while (!omma_isa_is_built(isa) || !omma_isa_is_usable(isa)) {
        isa--;
    }
    return isa;
}

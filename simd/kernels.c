/* The table: rows of simd/kernels.def, a tier over those it stands on. */
#include "config.h"

#include "simd/kernels.h"

struct omma_kernels omma_kernels_select(enum omma_isa isa)
{
    struct omma_kernels kernels = {.isa = isa};

#define OMMA_KERNEL(family, function, tier)                                                        \
    if (omma_isa_contains(isa, tier)) {                                                            \
        kernels.family = function;                                                                 \
    }
#include "simd/kernels.def"
#undef OMMA_KERNEL
    return kernels;
}

static const char *const families[] = {
#define OMMA_FAMILY(type, name) #name,
#include "simd/families.def"
#undef OMMA_FAMILY
    NULL,
};

enum {
#define OMMA_FAMILY(type, name) FAMILY_##name,
#include "simd/families.def"
#undef OMMA_FAMILY
    N_FAMILIES,
};

const char *omma_kernels_family(size_t i)
{
    return i < N_FAMILIES ? families[i] : NULL;
}

enum omma_isa omma_kernels_origin(enum omma_isa isa, size_t i)
{
    enum omma_isa origin = OMMA_ISA_COUNT;

#define OMMA_KERNEL(family, function, tier)                                                        \
    if (FAMILY_##family == i && omma_isa_contains(isa, tier)) {                                    \
        origin = (tier);                                                                           \
    }
#include "simd/kernels.def"
#undef OMMA_KERNEL
    return origin;
}

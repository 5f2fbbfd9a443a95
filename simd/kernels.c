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

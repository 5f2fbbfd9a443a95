/* The table: rows of simd/kernels.def, tier over tier. */
#include "config.h"

#include "simd/kernels.h"

struct omma_kernels omma_kernels_select(enum omma_isa isa)
{
    struct omma_kernels kernels = {.isa = isa};

#define OMMA_KERNEL(family, function, tier)                                                        \
    if ((tier) <= isa) {                                                                           \
        kernels.family = function;                                                                 \
    }
#include "simd/kernels.def"
#undef OMMA_KERNEL
    return kernels;
}

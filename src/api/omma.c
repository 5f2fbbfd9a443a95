/* Calls of the public header that belong to no layer below: the version, tiers and kernels. */
#include "api/omma.h"

#include "config.h"
#include "simd/kernels.h"

const char *omma_version(void)
{
    return PACKAGE_VERSION;
}

const char *omma_isa_tier(size_t i, bool *usable)
{
    for (int isa = OMMA_ISA_COUNT - 1; isa >= 0; isa--) {
        if (omma_isa_is_built(isa) && i-- == 0) {
            if (usable != NULL) {
                *usable = omma_isa_is_usable(isa);
            }
            return omma_isa_name(isa);
        }
    }
    return NULL;
}

const char *omma_kernel_family(size_t i, const char *isa, const char **tier)
{
    const char *family = omma_kernels_family(i);
    enum omma_isa origin = OMMA_ISA_COUNT;

    if (family != NULL && omma_isa_of_name(isa) != OMMA_ISA_COUNT) {
        origin = omma_kernels_origin(omma_isa_of_name(isa), i);
    }
    if (tier != NULL) {
        *tier = origin != OMMA_ISA_COUNT ? omma_isa_name(origin) : NULL;
    }
    return family;
}

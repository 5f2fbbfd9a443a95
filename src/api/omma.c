/* Calls of the public header that belong to no layer below: the version and the list of tiers. */
#include "api/omma.h"

#include "config.h"
#include "simd/cpu.h"

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

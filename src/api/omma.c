/* Calls of the public header that belong to no layer below: the version and the list of tiers. */
#include "api/omma.h"

#include "config.h"
#include "simd/cpu.h"

const char *omma_version(void)
{
    return PACKAGE_VERSION;
}

/* Best first. */
static const char *const built_tiers[] = {
#ifdef OMMA_TIER_AVX512BF16
    "avx512bf16",
#endif
#ifdef OMMA_TIER_AVX2
    "avx2",
#endif
    "scalar",
    NULL,
};

const char *const *omma_isa_names(size_t *usable)
{
    if (usable != NULL) {
        size_t n = sizeof built_tiers / sizeof *built_tiers - 1;

        *usable = 0;
        for (size_t i = 0; i < n; i++) {
            *usable += omma_isa_is_usable(omma_isa_of_name(built_tiers[i]));
        }
    }
    return built_tiers;
}

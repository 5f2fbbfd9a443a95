/* probe.c - the probes count what they say and read every byte. */
#include "config.h"

#include "simd/check.h"

#include <string.h>

static void check_probes(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    unsigned char *bytes = omma_check_rows(1, 3 * 4096, 3 * 4096, OMMA_CHECK_END);
    uint64_t clean;

    (void)definition;
    assert_true(kernels->probe_f32_fma(7) >= 7);
    assert_true(kernels->probe_f32_fma(14) == 2 * kernels->probe_f32_fma(7));
    if (kernels->probe_bf16_dot != NULL) {
        assert_true(kernels->probe_bf16_dot(14) == 2 * kernels->probe_bf16_dot(7));
    } else {
        assert_true(!omma_isa_contains(kernels->isa, OMMA_ISA_AVX512BF16));
    }
    memset(bytes, 0x5A, 3 * 4096);
    clean = kernels->probe_read(bytes, 3 * 4096);
    for (size_t i = 0; i < 3 * 4096; i++) {
        bytes[i] ^= 0x10;
        if (kernels->probe_read(bytes, 3 * 4096) == clean) {
            omma_check_fail("byte %zu is not read", i);
        }
        bytes[i] ^= 0x10;
    }
}

void omma_check_probe(void **state)
{
    (void)state;
    omma_check_tiers(check_probes);
}

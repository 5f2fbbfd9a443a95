/* probe.c - the probes count what they say and read every byte. */
#include "config.h"

#include "simd/check.h"

#include <string.h>

enum { N_BYTES = 3 * 4096 };

/* Multiply-adds in proportion to the rounds, as many in each step. */
static void check_count(omma_probe_fn probe)
{
    uint64_t per_round = probe(1);

    assert_true(per_round > 0);
    assert_true(per_round % OMMA_PROBE_STEPS == 0);
    assert_true(probe(3) == 3 * per_round);
}

static void check_read(const struct omma_kernels *kernels, size_t n_streams, size_t prefetch_bytes)
{
    unsigned char *bytes = omma_check_rows(1, N_BYTES, N_BYTES, OMMA_CHECK_END);
    uint64_t clean;

    memset(bytes, 0x5A, N_BYTES);
    clean = kernels->probe_read(bytes, N_BYTES, n_streams, prefetch_bytes);
    for (size_t i = 0; i < N_BYTES; i++) {
        bytes[i] ^= 0x10;
        if (kernels->probe_read(bytes, N_BYTES, n_streams, prefetch_bytes) == clean) {
            omma_check_fail("byte %zu is not read as one of %zu streams", i, n_streams);
        }
        bytes[i] ^= 0x10;
    }
}

static void check_probes(const struct omma_kernels *kernels, const struct omma_kernels *definition)
{
    const omma_probe_fn probes[] = {kernels->probe_f32_fma, kernels->probe_bf16_dot,
                                    kernels->probe_i8_dot};

    (void)definition;
    assert_non_null(kernels->probe_f32_fma);
    assert_true((kernels->probe_bf16_dot != NULL) >=
                omma_isa_contains(kernels->isa, OMMA_ISA_AVX512BF16));
    assert_true((kernels->probe_i8_dot != NULL) >= omma_isa_contains(kernels->isa, OMMA_ISA_AVX2));
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        if (probes[i] != NULL) {
            check_count(probes[i]);
        }
    }
    for (size_t n_streams = 1; n_streams <= 8; n_streams *= 2) {
        check_read(kernels, n_streams, 0);
        check_read(kernels, n_streams, 2048);
    }
}

void omma_check_probe(void **state)
{
    (void)state;
    omma_check_tiers(check_probes);
}

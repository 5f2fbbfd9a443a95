/*
 * pack.c - panels, element by element: all bits.
 */
#include "config.h"

#include "simd/check.h"

#include "base/bf16.h"

enum { COLUMNS = OMMA_PANEL_COLUMNS };

enum type { TYPE_F32, TYPE_BF16, TYPE_F16, TYPE_I8 };

/* How a family packs: from what into what, and whether the panel's columns are the source's rows.
 */
struct packing {
    enum type from;
    bool to_bf16;
    bool of_rows;
};

static const size_t sizes_n[] = {1, 2, 3, 7, 15, 16, 17, 24, 31, 32};
static const size_t sizes_k[] = {0,  1,  2,  3,  8,  15, 16, 17, 30, 31,
                                 32, 33, 47, 48, 49, 63, 64, 65, 101};

static void pack(const struct omma_kernels *kernels, struct packing packing, size_t n, size_t k,
                 const void *source, size_t stride, void *panel)
{
    if (packing.from == TYPE_I8 && packing.to_bf16) {
        kernels->pack_rows_bf16_i8(n, k, source, stride, panel);
    } else if (packing.from == TYPE_I8) {
        kernels->pack_rows_f32_i8(n, k, source, stride, panel);
    } else if (packing.to_bf16) {
        (packing.of_rows ? kernels->pack_rows_bf16 : kernels->pack_columns_bf16)(n, k, source,
                                                                                 stride, panel);
    } else if (packing.from == TYPE_F32) {
        (packing.of_rows ? kernels->pack_rows_f32_f32
                         : kernels->pack_columns_f32_f32)(n, k, source, stride, panel);
    } else if (!packing.of_rows) {
        kernels->pack_columns_f32_bf16(n, k, source, stride, panel);
    } else {
        (packing.from == TYPE_BF16 ? kernels->pack_rows_f32_bf16
                                   : kernels->pack_rows_f32_f16)(n, k, source, stride, panel);
    }
}

/* Element k, column j of the panel that must come out, as the bits of an f32 or bf16. */
static uint32_t expected(struct packing packing, size_t n, size_t k, const void *source,
                         size_t stride, size_t p, size_t j)
{
    size_t at = packing.of_rows ? j * stride + p : p * stride + j;
    uint16_t half;

    if (j >= n || p >= k) {
        return 0;
    }
    if (packing.from == TYPE_F32) {
        return ((const uint32_t *)source)[at];
    }
    if (packing.from == TYPE_I8) {
        uint32_t bits = omma_bits_of_f32(((const int8_t *)source)[at]);

        return packing.to_bf16 ? bits >> 16 : bits;
    }
    half = ((const uint16_t *)source)[at];
    if (packing.to_bf16) {
        return half;
    }
    return omma_bits_of_f32(packing.from == TYPE_BF16 ? omma_f32_of_bf16(half)
                                                      : omma_f32_of_f16(half));
}

static void check_panel(struct packing packing, size_t n, size_t k, const void *source,
                        size_t stride, const void *panel)
{
    size_t n_rows = packing.to_bf16 ? (k + 1) / 2 * 2 : k;

    for (size_t p = 0; p < n_rows; p++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            uint32_t want = expected(packing, n, k, source, stride, p, j);
            uint32_t got = packing.to_bf16
                               ? ((const uint16_t *)panel)[(p / 2 * COLUMNS + j) * 2 + p % 2]
                               : ((const uint32_t *)panel)[p * COLUMNS + j];

            if (want != got) {
                omma_check_fail("k %zu, column %zu: expected %#x, found %#x", p, j, want, got);
            }
        }
    }
}

/* Any bits; a half that is NaN would become another NaN in some tiers, so there is none. */
static void fill(enum type from, size_t n_bytes, unsigned char *bytes, uint64_t *random)
{
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = (unsigned char)omma_test_random(random);
    }
    for (size_t i = 0; from == TYPE_F16 && i < n_bytes; i += 2) {
        if ((bytes[i + 1] & 0x7C) == 0x7C) {
            bytes[i] = 0;
            bytes[i + 1] &= 0xFC;
        }
    }
}

static void check_case(const struct omma_kernels *kernels, struct packing packing, size_t n,
                       size_t k, unsigned variant)
{
    uint64_t random = variant;
    size_t element = packing.from == TYPE_F32 ? 4 : packing.from == TYPE_I8 ? 1 : 2;
    size_t n_rows = packing.of_rows ? n : k, row = packing.of_rows ? k : n;
    size_t stride = row + variant % 3;
    size_t panel_row = COLUMNS * sizeof(float);
    size_t n_panel_rows = packing.to_bf16 ? (k + 1) / 2 : k;
    unsigned char *source =
        omma_check_rows(n_rows, row * element, stride * element, variant % OMMA_CHECK_N_EDGES);
    void *panel = omma_check_rows(n_panel_rows, panel_row, panel_row, OMMA_CHECK_END);

    omma_check_case("n %zu k %zu", n, k);
    for (size_t i = 0; i < n_rows; i++) {
        fill(packing.from, row * element, source + i * stride * element, &random);
    }
    omma_check_seal(source);
    pack(kernels, packing, n, k, source, stride, panel);
    check_panel(packing, n, k, source, stride, panel);
    omma_check_release();
}

static void check_packing(const struct omma_kernels *kernels, struct packing packing)
{
    unsigned variant = 0;

    for (size_t i = 0; i < sizeof sizes_n / sizeof *sizes_n; i++) {
        for (size_t j = 0; j < sizeof sizes_k / sizeof *sizes_k; j++) {
            check_case(kernels, packing, sizes_n[i], sizes_k[j], variant++);
        }
    }
}

static void check_pack_rows(const struct omma_kernels *kernels,
                            const struct omma_kernels *definition)
{
    (void)definition;
    check_packing(kernels, (struct packing){.from = TYPE_F32, .of_rows = true});
    check_packing(kernels, (struct packing){.from = TYPE_BF16, .of_rows = true});
    check_packing(kernels, (struct packing){.from = TYPE_F16, .of_rows = true});
    check_packing(kernels, (struct packing){.from = TYPE_BF16, .to_bf16 = true, .of_rows = true});
    check_packing(kernels, (struct packing){.from = TYPE_I8, .of_rows = true});
    check_packing(kernels, (struct packing){.from = TYPE_I8, .to_bf16 = true, .of_rows = true});
}

static void check_pack_columns(const struct omma_kernels *kernels,
                               const struct omma_kernels *definition)
{
    (void)definition;
    check_packing(kernels, (struct packing){.from = TYPE_F32});
    check_packing(kernels, (struct packing){.from = TYPE_BF16});
    check_packing(kernels, (struct packing){.from = TYPE_BF16, .to_bf16 = true});
}

void omma_check_pack_rows(void **state)
{
    (void)state;
    omma_check_tiers(check_pack_rows);
}

void omma_check_pack_columns(void **state)
{
    (void)state;
    omma_check_tiers(check_pack_columns);
}

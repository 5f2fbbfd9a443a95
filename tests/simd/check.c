/* Tiers, guard pages, values and comparisons for the tests of the kernels.  A test program is one
 * thread, so the case at hand and the memory given out stand in static variables. */
#include "config.h"

#include "simd/check.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bf16.h"

static const char *tier_name = "";
static char case_text[256];

/* A guard page was touched: fail as any comparison does, out of the handler as cmocka's own. */
static void on_fault(int number)
{
    (void)number;
    omma_check_fail("memory outside the elements named was read or written");
}

/* Stands for any kernel: arguments are left where they are, and 0 comes back. */
static size_t nothing(void)
{
    return 0;
}

static enum omma_isa only_tier = OMMA_ISA_COUNT; /* all */
static size_t replaced = SIZE_MAX;               /* no family */

void omma_check_only(enum omma_isa tier, size_t family)
{
    only_tier = tier;
    replaced = family;
}

static void replace(struct omma_kernels *kernels)
{
    static const size_t offsets[] = {
#define OMMA_FAMILY(type, name) offsetof(struct omma_kernels, name),
#include "simd/families.def"
#undef OMMA_FAMILY
    };
    size_t (*const kernel)(void) = nothing;

    if (replaced < sizeof offsets / sizeof *offsets) {
        memcpy((char *)kernels + offsets[replaced], &kernel, sizeof kernel);
    }
}

void omma_check_tiers(void (*check)(const struct omma_kernels *kernels,
                                    const struct omma_kernels *definition))
{
    struct omma_kernels definition = omma_kernels_select(OMMA_ISA_SCALAR);
    struct sigaction fault = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    sigaction(SIGSEGV, &fault, NULL);

    for (enum omma_isa isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        struct omma_kernels kernels;

        if (!omma_isa_is_built(isa) || !omma_isa_is_usable(isa) ||
            (only_tier != OMMA_ISA_COUNT && isa != only_tier)) {
            continue;
        }
        kernels = omma_kernels_select(isa);
        replace(&kernels);
        tier_name = omma_isa_name(isa);
        case_text[0] = '\0';
        check(&kernels, &definition);
        omma_check_release();
    }
}

void omma_check_case(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

void omma_check_fail(const char *format, ...)
{
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fail_msg("%s: %s: %s", tier_name, case_text, message);
    abort(); /* fail_msg() does not return */
}

struct block {
    void *pages;
    size_t n_pages_bytes;
    void *rows;
};

static struct block blocks[32];
static size_t n_blocks;

void *omma_check_rows(size_t n_rows, size_t row_bytes, size_t stride_bytes,
                      enum omma_check_edge edge)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t n_bytes = n_rows == 0 ? 0 : (n_rows - 1) * stride_bytes + row_bytes;
    size_t inner = (n_bytes + page - 1) / page * page;
    struct block *block = &blocks[n_blocks];

    assert_true(n_blocks < sizeof blocks / sizeof *blocks);
    block->n_pages_bytes = inner + 2 * page;
    block->pages = mmap(NULL, block->n_pages_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block->pages == MAP_FAILED ||
        (inner != 0 && mprotect((char *)block->pages + page, inner, PROT_READ | PROT_WRITE) != 0)) {
        omma_check_fail("no memory between guard pages: %s", strerror(errno));
    }
    block->rows = (char *)block->pages + page + (edge == OMMA_CHECK_END ? inner - n_bytes : 0);
    memset(block->rows, 0xFF, n_bytes);
    n_blocks++;
    return block->rows;
}

void omma_check_seal(const void *rows)
{
    for (size_t i = 0; i < n_blocks; i++) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        if (blocks[i].rows == rows && blocks[i].n_pages_bytes > 2 * page) {
            assert_int_equal(mprotect((char *)blocks[i].pages + page,
                                      blocks[i].n_pages_bytes - 2 * page, PROT_READ),
                             0);
        }
    }
}

void omma_check_gaps(const void *rows, size_t n_rows, size_t row_bytes, size_t stride_bytes)
{
    for (size_t i = 0; i + 1 < n_rows; i++) {
        const unsigned char *gap = (const unsigned char *)rows + i * stride_bytes + row_bytes;

        for (size_t j = 0; j < stride_bytes - row_bytes; j++) {
            if (gap[j] != 0xFF) {
                omma_check_fail("byte %zu behind the end of row %zu was written", j, i);
            }
        }
    }
}

void omma_check_release(void)
{
    while (n_blocks > 0) {
        n_blocks--;
        munmap(blocks[n_blocks].pages, blocks[n_blocks].n_pages_bytes);
    }
}

const char *omma_check_values_name(enum omma_check_values values)
{
    static const char *const names[OMMA_CHECK_N_VALUES] = {
        [OMMA_CHECK_UNIFORM] = "uniform", [OMMA_CHECK_INTEGER] = "integer",
        [OMMA_CHECK_WIDE] = "wide",       [OMMA_CHECK_HUGE] = "huge",
        [OMMA_CHECK_TINY] = "tiny",       [OMMA_CHECK_SUBNORMAL] = "subnormal",
        [OMMA_CHECK_ZERO] = "zero",       [OMMA_CHECK_CANCEL] = "cancelling",
    };

    return names[values];
}

/* +-1.f x 2^exponent with the exponent drawn from low to high. */
static float power(int low, int high, uint64_t *random)
{
    uint64_t bits = omma_test_random(random);
    int exponent = low + (int)((bits >> 32) % (uint64_t)(high - low + 1));
    float value = ldexpf(1 + (float)(bits & 0x7FFFFF) * 0x1p-23f, exponent);

    return (bits >> 63) != 0 ? -value : value;
}

/* The value at position i; previous is the one before it. */
static float draw(enum omma_check_values values, size_t i, float previous, uint64_t *random)
{
    switch (values) {
    case OMMA_CHECK_UNIFORM:
        return (float)omma_test_uniform(random, -1, 1);
    case OMMA_CHECK_INTEGER:
        return (float)(omma_test_random(random) % 9) - 4;
    case OMMA_CHECK_WIDE:
        return power(-40, 40, random);
    case OMMA_CHECK_HUGE:
        return power(50, 56, random);
    case OMMA_CHECK_TINY:
        return power(-70, -61, random);
    case OMMA_CHECK_SUBNORMAL:
        return omma_test_random(random) % 4 == 0 ? power(-1, 1, random) : power(-140, -127, random);
    case OMMA_CHECK_ZERO:
        return omma_test_random(random) % 2 == 0 ? 0.f : -0.f;
    case OMMA_CHECK_CANCEL:
        return i % 2 == 0 ? power(-2, 12, random) : -previous;
    case OMMA_CHECK_N_VALUES:
        break;
    }
    return NAN;
}

void omma_check_fill_f32(enum omma_check_values values, size_t n, float *x, uint64_t *random)
{
    float value = 0;

    for (size_t i = 0; i < n; i++) {
        value = draw(values, i, value, random);
        x[i] = value;
    }
}

void omma_check_fill_bf16(enum omma_check_values values, size_t n, uint16_t *x, uint64_t *random)
{
    float value = 0;

    for (size_t i = 0; i < n; i++) {
        value = draw(values, i, value, random);
        x[i] = omma_bf16_of_f32(value);
    }
}

/* The half next to the value, towards zero: enough to draw from. */
static uint16_t f16_of_f32(float value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    float magnitude = fminf(fabsf(value), 65504);
    uint16_t half;

    if (magnitude < 0x1p-14f) {
        half = (uint16_t)(magnitude * 0x1p24f);
    } else {
        half = (uint16_t)((omma_bits_of_f32(magnitude) >> 13) - (112u << 10));
    }
    return sign | half;
}

void omma_check_fill_f16(enum omma_check_values values, size_t n, uint16_t *x, uint64_t *random)
{
    float value = 0;

    for (size_t i = 0; i < n; i++) {
        value = draw(values, i, value, random);
        if (values == OMMA_CHECK_SUBNORMAL) {
            x[i] = (uint16_t)(omma_test_random(random) & 0x83FF);
        } else {
            x[i] = f16_of_f32(value);
        }
    }
}

void omma_check_fill_i8(enum omma_check_values values, size_t n, int8_t *x, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = omma_test_random(random) >> 32;

        switch (values) {
        case OMMA_CHECK_HUGE:
            x[i] = (bits & 1) != 0 ? 127 : -128;
            break;
        case OMMA_CHECK_TINY:
        case OMMA_CHECK_SUBNORMAL:
            x[i] = (int8_t)((int)(bits % 3) - 1);
            break;
        case OMMA_CHECK_ZERO:
            x[i] = 0;
            break;
        case OMMA_CHECK_CANCEL:
            x[i] = i % 2 == 0 ? (int8_t)((int)(bits % 255) - 127) : (int8_t)-x[i - 1];
            break;
        default:
            x[i] = (int8_t)((int)(bits % 256) - 128);
            break;
        }
    }
}

void omma_check_same_f32(const char *what, size_t n, const float *expected, const float *got)
{
    for (size_t i = 0; i < n; i++) {
        if (omma_bits_of_f32(expected[i]) != omma_bits_of_f32(got[i])) {
            omma_check_fail("%s[%zu]: expected %a, found %a", what, i, (double)expected[i],
                            (double)got[i]);
        }
    }
}

void omma_check_same_i32(const char *what, size_t n, const int32_t *expected, const int32_t *got)
{
    for (size_t i = 0; i < n; i++) {
        if (expected[i] != got[i]) {
            omma_check_fail("%s[%zu]: expected %d, found %d", what, i, expected[i], got[i]);
        }
    }
}

void omma_check_same_16(const char *what, size_t n, const uint16_t *expected, const uint16_t *got)
{
    for (size_t i = 0; i < n; i++) {
        if (expected[i] != got[i]) {
            omma_check_fail("%s[%zu]: expected %#06x, found %#06x", what, i, expected[i], got[i]);
        }
    }
}

void omma_check_near(const char *what, size_t index, double expected, double got, double bound)
{
    if (!(fabs(got - expected) <= bound)) {
        omma_check_fail("%s[%zu]: expected %.9g, found %.9g, off by %.3g, allowed %.3g", what,
                        index, expected, got, fabs(got - expected), bound);
    }
}

/*
 * coverage.c - what is not tested: every row of kernels.def is in a table that the tests get, and
 * every kernel has a test (checked.def) which fails if the kernel does nothing.
 *
 * Each kernel is tried in a process of its own, with the table of its tier in which it is replaced.
 */
#include "config.h"

#include "simd/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 120 /* that a kernel which does nothing may keep its test busy */ };

enum {
#define OMMA_FAMILY(type, name) FAMILY_##name,
#include "simd/families.def"
#undef OMMA_FAMILY
    N_FAMILIES
};

typedef void (*test_fn)(void **state);

/* The tests by family. */
static const test_fn tests[N_FAMILIES] = {
#define OMMA_CHECKED(family, check) [FAMILY_##family] = omma_check_##check,
#include "simd/checked.def"
#undef OMMA_CHECKED
};

struct row {
    const char *function;
    size_t family;
    enum omma_isa tier;
};

static const struct row rows[] = {
#define OMMA_KERNEL(family, function, tier) {#function, FAMILY_##family, tier},
#include "simd/kernels.def"
#undef OMMA_KERNEL
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static void on_abort(int number)
{
    (void)number;
    _exit(EXIT_FAILURE);
}

/* Whether the test passes on one tier, with the family's kernel replaced (N_FAMILIES: none is). */
static bool passes(test_fn test, enum omma_isa tier, size_t family)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        void *state = NULL;

        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* else it would go on with the next test */
        signal(SIGABRT, on_abort);
        alarm(SECONDS);
        omma_check_only(tier, family);
        test(&state);
        _exit(EXIT_SUCCESS);
    }
    assert_true(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        fail_msg("%s: the test does not end in %d s", omma_isa_name(tier), SECONDS);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* All rows of the file are compiled in, and none hides another of its tier and family. */
void omma_check_rows_of_tiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        for (size_t j = i + 1; j < N_ROWS; j++) {
            if (rows[j].family == rows[i].family && rows[j].tier == rows[i].tier) {
                fail_msg("%s hides %s", rows[j].function, rows[i].function);
            }
        }
    }
#ifdef OMMA_SIMDE
    char *path = omma_test_source("simd/kernels.def");
    char *text = omma_test_read(path, NULL);
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, "\nOMMA_KERNEL(")) != NULL; at++) {
        n++;
    }
    if (n != N_ROWS) {
        fail_msg("kernels.def has %zu rows, of which kernels_simde tests %d: is a tier missing in "
                 "tests/simd/Makefile.inc?",
                 n, (int)N_ROWS);
    }
    free(text);
    free(path);
#endif
}

/* The test of every kernel finds out if it does nothing. */
void omma_check_kernels_of_tiers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        const char *family = omma_kernels_family(rows[i].family);

        if (tests[rows[i].family] == NULL) {
            fail_msg("no test of the family %s: say in tests/simd/checked.def which it is", family);
        }
        if (!omma_isa_is_usable(rows[i].tier)) {
            continue;
        }
        if (passes(tests[rows[i].family], rows[i].tier, rows[i].family)) {
            fail_msg("the test of %s passes with a kernel that does nothing", rows[i].function);
        }
    }
    for (enum omma_isa isa = 0; isa < OMMA_ISA_COUNT; isa++) {
        if (omma_isa_is_built(isa) && omma_isa_is_usable(isa) &&
            !passes(omma_check_i8_to_f32, isa, N_FAMILIES)) {
            fail_msg("%s: a test fails with the kernels as they are", omma_isa_name(isa));
        }
    }
}

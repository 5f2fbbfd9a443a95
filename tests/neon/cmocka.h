/*
 * cmocka.h - as much of cmocka as tests/simd uses, for make check-neon, which cross-builds without
 * a cmocka for Arm.  A failure ends the program.
 */
#ifndef OMMA_TESTS_NEON_CMOCKA_H
#define OMMA_TESTS_NEON_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>

#define print_message(...) printf(__VA_ARGS__)
#define skip()             exit(77)

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)

#define assert_true(expression)                                                                    \
    do {                                                                                           \
        if (!(expression)) {                                                                       \
            fail_msg("not true: %s", #expression);                                                 \
        }                                                                                          \
    } while (0)

#define assert_non_null(pointer) assert_true((pointer) != NULL)

#define assert_int_equal(a, b)                                                                     \
    do {                                                                                           \
        long long a_ = (a), b_ = (b);                                                              \
        if (a_ != b_) {                                                                            \
            fail_msg("%s: %lld, expected %s: %lld", #a, a_, #b, b_);                               \
        }                                                                                          \
    } while (0)

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }

#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    omma_run_tests(sizeof(tests) / sizeof *(tests), tests)

static inline int omma_run_tests(size_t n, const struct CMUnitTest *tests)
{
    void *state = NULL;

    for (size_t i = 0; i < n; i++) {
        printf("%s ... ", tests[i].name);
        fflush(stdout);
        tests[i].run(&state);
        puts("ok");
    }
    return 0;
}

#endif

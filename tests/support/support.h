/*
 * support.h - what every test needs: cmocka with its prerequisites, and where the data lies.
 */
#ifndef OMMA_TESTS_SUPPORT_H
#define OMMA_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

/* A path of the source tree ("tests/data/x"), to be freed. */
char *omma_test_source(const char *relative);

/* A path of the reference data beside the project ("reference/tiles.jsonl"), to be freed; NULL if
 * it is not there: OMMA_TEST_NEED_SHARED skips the test then. */
char *omma_test_shared(const char *relative);

#define OMMA_TEST_NEED_SHARED(path, relative)                                                      \
    char *path = omma_test_shared(relative);                                                       \
    do {                                                                                           \
        if (path == NULL) {                                                                        \
            print_message("needs %s of the reference data beside the project\n", relative);        \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* A new empty folder, its path to be freed; it is removed, with all that is in it, at exit. */
char *omma_test_folder(void);

/* "DIR/NAME", to be freed. */
char *omma_test_join(const char *dir, const char *name);

/* The whole file, with a NUL behind it; fails the test if it cannot be read. */
char *omma_test_read(const char *path, size_t *n_bytes);
void omma_test_write(const char *path, const void *bytes, size_t n_bytes);

/* Write the text to ROOT/PATH, making the folders between. */
void omma_test_put(const char *root, const char *path, const char *text);

/* Copy a file, or all files of a folder (not below it). */
void omma_test_copy(const char *from, const char *to);
void omma_test_copy_folder(const char *from, const char *to);

/* A small deterministic generator for test data (splitmix64). */
uint64_t omma_test_random(uint64_t *state);
/* uniform in [low, high) */
double omma_test_uniform(uint64_t *state, double low, double high);

/* The expression must be OMMA_OK; prints the message of `error` (a struct omma_error in scope) if
 * not. */
#define assert_ok(expression)                                                                      \
    do {                                                                                           \
        enum omma_status got_ = (expression);                                                      \
        if (got_ != OMMA_OK) {                                                                     \
            fail_msg("%s: %s: %s", #expression, omma_status_name(got_), error.message);            \
        }                                                                                          \
    } while (0)

/* The expression must fail with the status and a message that contains the text. */
#define assert_fails(expected, text, expression)                                                   \
    do {                                                                                           \
        enum omma_status got_ = (expression);                                                      \
        if (got_ != (expected)) {                                                                  \
            fail_msg("%s: %s, expected %s", #expression, omma_status_name(got_),                   \
                     omma_status_name(expected));                                                  \
        }                                                                                          \
        if (strstr(error.message, (text)) == NULL) {                                               \
            fail_msg("message \"%s\" lacks \"%s\"", error.message, (text));                        \
        }                                                                                          \
    } while (0)

#endif

/*
 * status.h - how failures travel in the program: the library's statuses and struct omma_error,
 * filled in where the fault is known best and printed once, by main().
 */
#ifndef OMMA_TOOLS_STATUS_H
#define OMMA_TOOLS_STATUS_H

#include "api/omma.h"

/* Exit codes that are no status of the library. */
enum {
    EXIT_SOME_FAILED = 1,  /* some of several items failed; each was reported where it stood */
    EXIT_INTERRUPTED = 130 /* 128 + SIGINT */
};

/* Fill *error and return status. */
enum omma_status fail(struct omma_error *error, enum omma_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for memory that cannot be had. */
enum omma_status fail_memory(struct omma_error *error);

/* Return from the calling function with the status of an expression that is not OMMA_OK. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum omma_status try_status_ = (expression);                                               \
        if (try_status_ != OMMA_OK) {                                                              \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

/* The same where something must be released first: sets `status` and jumps to `label`. */
#define TRY_OR(status, label, expression)                                                          \
    do {                                                                                           \
        (status) = (expression);                                                                   \
        if ((status) != OMMA_OK) {                                                                 \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#endif

/*
 * status.h - how a failure travels: a status returned, and a message filled in once, where the
 * fault is known best.
 *
 * Every function that can fail takes a `struct omma_error *error` last.  It may be NULL.
 */
#ifndef OMMA_BASE_STATUS_H
#define OMMA_BASE_STATUS_H

#include <stdarg.h>

#include "api/omma.h"

/* Fill *error (if not NULL) with the message and return status: `return omma_fail(...)`.
 * A message too long is cut at a character's boundary and ends in "...". */
enum omma_status omma_fail(struct omma_error *error, enum omma_status status, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));

/* The same for "out of memory: N bytes for WHAT". */
enum omma_status omma_fail_memory(struct omma_error *error, size_t n_bytes, const char *what);

/* Return from the calling function with the status of an expression that is not OMMA_OK. */
#define OMMA_TRY(expression)                                                                       \
    do {                                                                                           \
        enum omma_status omma_try_status_ = (expression);                                          \
        if (omma_try_status_ != OMMA_OK) {                                                         \
            return omma_try_status_;                                                               \
        }                                                                                          \
    } while (0)

/* The same where something must be released first: sets `status` and jumps to `label`. */
#define OMMA_TRY_OR(status, label, expression)                                                     \
    do {                                                                                           \
        (status) = (expression);                                                                   \
        if ((status) != OMMA_OK) {                                                                 \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#endif

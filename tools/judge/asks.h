/*
 * asks.h - questions on their way to an OpenAI-compatible server, many at a time, and what became
 * of each.
 *
 * A question is a line {"id", "url", and the members of a chat request}; what it becomes is a line
 * {"id", "text", "model", "usage", "tries"} or {"id", "error", "status", "tries"} of standard
 * output, in any order.  Refusals for now (429, 408, 5xx), broken connections, and replies without
 * an answer are tried again after a pause that doubles and is never shorter than Retry-After says.
 * TLS certificates are verified; redirections are not followed, so that the key goes to nobody
 * else.
 */
#ifndef OMMA_TOOLS_JUDGE_ASKS_H
#define OMMA_TOOLS_JUDGE_ASKS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/status.h"

struct asks_settings {
    const char *url;     /* of lines that have none; NULL: they must */
    const char *key;     /* NULL: none */
    const char *ca_file; /* NULL: the system's authorities */
    size_t n_parallel;   /* requests at a time */
    size_t n_tries;      /* of one question, at least 1 */
    double timeout_s;    /* of one request */
    double pause_s;      /* before the second try */
};

struct asks;

/* The settings' texts must outlive it. */
enum omma_status asks_create(const struct asks_settings *settings, struct asks **asks,
                             struct omma_error *error);
void asks_destroy(struct asks **asks);

/* A line of n bytes.  A bad one is answered with an error at once. */
enum omma_status asks_add(struct asks *asks, const char *line, size_t n_bytes,
                          struct omma_error *error);

/* How many have no answer yet. */
size_t asks_waiting(const struct asks *asks);

/* Go on, for a second at most, or until the descriptor is readable: *is_readable then.  Descriptor
 * -1: none.  OMMA_STATUS_OUTPUT if standard output is closed. */
enum omma_status asks_step(struct asks *asks, int descriptor, bool *is_readable,
                           struct omma_error *error);

#endif

/*
 * jsonl.h - one JSON object a line in, one a line out, in the same order.
 */
#ifndef OMMA_TOOLS_JSONL_H
#define OMMA_TOOLS_JSONL_H

#include "tools/json_out.h"

/* Fill the line that answers the value of one line; a failure answers {"error": ...} instead. */
typedef enum omma_status (*jsonl_fn)(void *user, const json_t *value, struct json_out *answer,
                                     struct omma_error *error);

/* All lines of standard input to standard output.  Returns the exit code: EXIT_SOME_FAILED if a
 * line gave an error, a status if reading or writing failed. */
int jsonl_run(jsonl_fn each, void *user, struct omma_error *error);

#endif

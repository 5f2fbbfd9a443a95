/*
 * output.h - standard output, with every failure noticed: a closed pipe or a full disk ends the
 * command with OMMA_STATUS_OUTPUT.
 */
#ifndef OMMA_TOOLS_OUTPUT_H
#define OMMA_TOOLS_OUTPUT_H

#include "tools/status.h"

/* Write now; not held back in a buffer. */
enum omma_status output_write(const char *bytes, size_t n_bytes, struct omma_error *error);

/* The same for whole characters of text that a model wrote: on a terminal, control characters that
 * could steer it (all but newline and tab) are shown as U+FFFD. */
enum omma_status output_write_text(const char *text, size_t n_bytes, struct omma_error *error);

/* Write what stdio still holds and tell whether all writes so far went well. */
enum omma_status output_flush(struct omma_error *error);

#endif

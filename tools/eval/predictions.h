/*
 * predictions.h - the answers of a run as VLMEvalKit writes them: {model}_{suite}.tsv.
 */
#ifndef OMMA_TOOLS_EVAL_PREDICTIONS_H
#define OMMA_TOOLS_EVAL_PREDICTIONS_H

#include "tools/batch/journal.h"
#include "tools/eval/table.h"

/* Write the rows numbers [n] of the table, in this order, with what the journal has of them, to the
 * file at path, which appears whole or not at all: all columns but `image`, as pandas gives them
 * back, and `prediction`; a row that failed says so as VLMEvalKit does, so that it may ask it
 * again. *n_failed: how many did. */
enum omma_status predictions_write(const struct table *table, struct journal *journal,
                                   const uint64_t *numbers, size_t n, const char *path,
                                   size_t *n_failed, struct omma_error *error);

#endif

/*
 * export.h - a journal's rows as lines of JSON, in the order of the input.
 */
#ifndef OMMA_TOOLS_BATCH_EXPORT_H
#define OMMA_TOOLS_BATCH_EXPORT_H

#include "tools/batch/journal.h"

struct export_counts {
    size_t n_rows, n_failed; /* the latter are among the former */
};

/* All rows to the file at path, which appears whole or not at all: each result, with its timings as
 * the last member if has_timings and it did not fail. */
enum omma_status export_rows(struct journal *journal, const char *path, bool has_timings,
                             struct export_counts *counts, struct omma_error *error);

#endif

/*
 * suite_rows.h - rows of a suite as rows of a run.  What a journal keeps of one is
 *
 *     {"index", "prediction", "finish_reason", "usage"}      and, from run to run another, times
 *     {"index", "error": {"code", "message"}}
 */
#ifndef OMMA_TOOLS_EVAL_SUITE_ROWS_H
#define OMMA_TOOLS_EVAL_SUITE_ROWS_H

#include "tools/batch/runner.h"
#include "tools/eval/prompt.h"

struct suite_rows {
    struct suite_rules rules;
    size_t max_tokens; /* of an answer */
};

/* The source of a runner; a row's number is the table's.  *rows must outlive it. */
struct row_source suite_rows_source(struct suite_rows *rows);

#endif

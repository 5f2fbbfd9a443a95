/*
 * suite_run.h - `omma eval SUITE.tsv`: a suite asked, row by row, into a folder:
 *
 *     answers.journal         what is kept of each row from the moment it exists
 *     MODEL_SUITE.tsv         the suite's columns but the pictures, and `prediction`: VLMEvalKit's
 *                             own scorer takes it
 *     manifest.json           what was run, and how
 *
 * and the reports of report.h.
 */
#ifndef OMMA_TOOLS_EVAL_SUITE_RUN_H
#define OMMA_TOOLS_EVAL_SUITE_RUN_H

#include "tools/batch/run.h"
#include "tools/eval/judge.h"

#define SUITE_NOT_SHUFFLED SIZE_MAX

struct suite_run_values {
    struct run_values run;
    const char *data;
    struct option_list categories;
    size_t limit, shuffle; /* 0: all; SUITE_NOT_SHUFFLED */
    bool has_cot, strict;
    struct judge_settings judge;
};

struct suite_run_request {
    const struct suite_run_values *values;
    const struct option_row *rows; /* of the command, with RUN_OPTIONS */
    const struct option_result *options;
    const char *path, *suite; /* one may be NULL; suite without a path is looked up in data */
    const char *output;       /* the folder */
    bool is_json;
    struct messages *messages;
};

/* The exit code: a status, 1 if rows failed, 128 and a signal. */
int suite_run(const struct suite_run_request *request, struct omma_error *error);

#endif

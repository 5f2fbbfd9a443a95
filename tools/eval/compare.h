/*
 * compare.h - two runs of one suite, row by row: is the difference of their scores more than
 * chance?
 */
#ifndef OMMA_TOOLS_EVAL_COMPARE_H
#define OMMA_TOOLS_EVAL_COMPARE_H

#include "tools/eval/score.h"

/* A row that both runs have, and whose verdict is not the same; places in the runs' rows. */
struct compare_change {
    size_t first, second;
};

struct eval_comparison {
    size_t n_rows;                      /* that both have */
    size_t n_only_first, n_only_second; /* that one has alone, left out of everything else */
    size_t n_first_hits, n_second_hits; /* among those of both */
    size_t n_first_better, n_second_better;
    size_t n_other_answer;          /* the verdict is the same, but not the prediction */
    struct compare_change *changes; /* by the order of the first run */
    size_t n_changes;
};

/* OMMA_STATUS_USAGE if the runs cannot be compared: scored by different rules, an index twice, or
 * rows of the same index with another question or answer. */
enum omma_status eval_compare(const struct scores *first, const struct scores *second,
                              struct eval_comparison *comparison, struct omma_error *error);
void eval_comparison_close(struct eval_comparison *comparison);

/* One side, for reports. */
struct compare_side {
    const char *path;
    const struct scores *scores;
};

/* To standard output. */
enum omma_status compare_report_runs(const struct compare_side sides[2],
                                     const struct eval_comparison *comparison, bool is_json,
                                     struct omma_error *error);

#endif

/*
 * against.h - two models on the same prompts: how far the second one's distributions over the next
 * token are from the first one's.
 *
 * Rows are those of omma batch.  Both models read the row's prompt and the same answer behind it:
 * the row's member "answer", or what the first model answers greedily; and for every token of that
 * the two distributions are compared.
 */
#ifndef OMMA_COMPARE_AGAINST_H
#define OMMA_COMPARE_AGAINST_H

#include "tools/batch/input.h"
#include "tools/chat/picture_in.h"
#include "tools/compare/comparison.h"

struct against_settings {
    const struct compare_subject *first, *second;
    const struct input *input;
    const struct media_folder *media;
    struct picture_bounds bounds;
    size_t max_tokens; /* of an answer */
    size_t n_parallel; /* rows that the first model answers side by side */
    struct messages *messages;
};

struct against_row {
    size_t line;
    char *problem;     /* why it was not compared; NULL: it was */
    size_t n_prompt;   /* tokens */
    bool is_given;     /* the answer is the row's own */
    size_t first, n;   /* its tokens among all */
    size_t n_same_top; /* of them */
};

struct against {
    struct against_row *rows; /* [n_rows] */
    size_t n_rows, n_failed;
    double *divergences; /* [n]: of the tokens of all rows, one row behind the other */
    size_t n, capacity;
    size_t n_same_top;
};

/* What is wrong with a row is told there.  OMMA_STATUS_USAGE if the models' tokens differ.
 * *against must be closed whatever is returned. */
enum omma_status against_run(const struct against_settings *settings, struct against *against,
                             struct omma_error *error);
void against_close(struct against *against);

/* Where token i of all stands. */
const struct against_row *against_row_of(const struct against *against, size_t i);

/* To standard output. */
enum omma_status against_report_text(const struct against *against, struct omma_error *error);
enum omma_status against_report_json(const struct against_settings *settings,
                                     const struct against *against, struct omma_error *error);

#endif

/*
 * score.h - a file of predictions scored as VLMEvalKit e8e78f0 scores it, without a
 * judge or with one that somebody else asks.
 *
 * The file is VLMEvalKit's {model}_{suite}.tsv: the suite's columns but the pictures, and
 * `prediction`.  As there, the name of the suite decides the rule.
 */
#ifndef OMMA_TOOLS_EVAL_SCORE_H
#define OMMA_TOOLS_EVAL_SCORE_H

#include "tools/eval/match.h"
#include "tools/eval/table.h"

enum score_rule {
    SCORE_MULTIPLE_CHOICE,
    SCORE_MMMU,     /* multiple choice, open questions among them */
    SCORE_CIRCULAR, /* groups of a question with its options in turn; all must be right */
    SCORE_MATHVISTA,
};

/* "multiple choice", ... */
const char *score_rule_name(enum score_rule rule);

/* What of the reference's scoring the rule leaves out, a sentence for reports. */
const char *score_rule_note(enum score_rule rule);

/* The rule of a suite, by its name.  OMMA_STATUS_USAGE for one whose scoring is not here. */
enum omma_status score_rule_of(const char *suite, enum score_rule *rule, struct omma_error *error);

/* In the order of reports. */
enum score_kind {
    SCORE_OVERALL,
    SCORE_L2_CATEGORY,
    SCORE_CATEGORY,
    SCORE_TASK,
    SCORE_SKILL,
};

const char *score_kind_name(enum score_kind kind);

/* The rows of one name, of one split or of all. */
struct score_group {
    enum score_kind kind;
    char *name;  /* "Overall" of SCORE_OVERALL */
    char *split; /* "": of all */
    size_t n_rows, n_hits, n_undecided;
};

/* What was scored: a row, or a group of circular ones, under its first. */
struct score_row {
    char *index;
    size_t number;  /* of the row in the table */
    size_t decider; /* the row that decided: another one of a circular group */
    struct match_result result;
    bool is_unanswered; /* the run says that there is no answer */
};

struct scores {
    struct table table;
    enum score_rule rule;
    struct score_row *rows; /* in the order of the file */
    size_t n_rows, rows_capacity;
    size_t n_unanswered;        /* of these rows */
    struct score_group *groups; /* sorted by kind, name and split */
    size_t n_groups, groups_capacity;
};

/* A prediction that no rule decides, as a judge is asked about it. */
struct score_doubt {
    enum score_rule rule;
    size_t number; /* of the row in the table */
    struct slice question, prediction;
    const struct match_choices *choices; /* none of MathVista's */
};

/* The judge's answer number i, from 0, about a row; *has_answer is false if there is none.  The
 * next one is asked for if this one decides nothing, which MathVista's always does.  *answer is
 * used before the next call. */
typedef enum omma_status (*score_judge_fn)(void *user, const struct score_doubt *doubt, size_t i,
                                           struct slice *answer, bool *has_answer,
                                           struct omma_error *error);

struct score_judge {
    score_judge_fn answer; /* NULL: there is no judge */
    void *user;
};

/* Score a file.  OMMA_STATUS_USAGE if it lacks a column, or has a row that cannot be scored.  The
 * table stays open until scores_close(), for the texts of rows. */
enum omma_status scores_open(const char *path, const char *suite, struct scores *scores,
                             struct omma_error *error);
/* The same with a judge for rows that are undecided. */
enum omma_status scores_open_judged(const char *path, const char *suite,
                                    const struct score_judge *judge, struct scores *scores,
                                    struct omma_error *error);
void scores_close(struct scores *scores);

/* A cell of a row of the table, by the column's name, to be released; empty where there is none. */
enum omma_status scores_cell(const struct scores *scores, size_t number, const char *name,
                             struct text *text, struct omma_error *error);

/* Of all rows; its numbers are 0 if there are none. */
struct score_group scores_overall(const struct scores *scores);

/* What the texts of an answer say that VLMEvalKit writes where there is none. */
#define SCORE_NO_ANSWER "Failed to obtain answer via API"

#endif

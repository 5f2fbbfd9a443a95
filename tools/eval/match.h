/*
 * match.h - what a prediction answers, by the rules of VLMEvalKit e8e78f0, which ask no judge:
 * vlmeval/utils/matching_util.py and post_check() of vlmeval/dataset/utils/mathvista.py, quirks
 * included.  The variable VERBOSE, which changes one rule there, counts as unset.
 */
#ifndef OMMA_TOOLS_EVAL_MATCH_H
#define OMMA_TOOLS_EVAL_MATCH_H

#include "tools/eval/pytext.h"

/* An option; letters are 'A' to 'Z', each at most once and in their order. */
struct match_choice {
    char letter;
    struct slice text;
};

struct match_choices {
    const struct match_choice *items;
    size_t n_items; /* at most 26 */
};

/* What decided. */
enum match_rule {
    MATCH_NONE,     /* nothing: a judge would be asked */
    MATCH_REFUSED,  /* a refusal or a "Z": answers 'Z' */
    MATCH_LETTER,   /* the one letter of an option among the words */
    MATCH_SENTENCE, /* "answer is X" */
    MATCH_TEXT,     /* the one option whose text occurs */
    MATCH_NUMBER,   /* MathVista: int() or float() of the answer */
    MATCH_CONSTANT, /* MathVista: an answer that is no number, which "None" is compared with */
    MATCH_JUDGE,    /* a judge's answer, by the rules above */
};

/* "letter", "answer is", ... for reports. */
const char *match_rule_name(enum match_rule rule);

struct match {
    char letter; /* 0: none */
    enum match_rule rule;
};

/* can_infer().  Only memory can lack. */
enum omma_status match_infer(struct slice prediction, const struct match_choices *choices,
                             struct match *match, struct omma_error *error);

/* A value of a table as pandas has it. */
enum match_kind {
    MATCH_MISSING,        /* NaN; its text is "nan" */
    MATCH_TEXT_VALUE,     /* str */
    MATCH_INTEGER_VALUE,  /* int: the text has its digits */
    MATCH_FLOATING_VALUE, /* float or bool: text is str() of it, number its value */
};

struct match_value {
    enum match_kind kind;
    struct slice text; /* str() of it */
    double number;
};

struct match_result {
    enum match_rule rule; /* MATCH_NONE: a judge would be asked */
    char letter;          /* of multiple choice; 0: none */
    bool is_hit;          /* false if nothing decided */
};

/* Multiple choice as mcq_vanilla_eval() scores it without a model: an undecided prediction answers
 * 'Z'.  In a circular suite each row of a group is a row of this kind, and the group a hit if all
 * are. */
enum omma_status match_multiple_choice(const struct match_choices *choices,
                                       const struct match_value *answer, struct slice prediction,
                                       struct match_result *result, struct omma_error *error);

/* The same after MMMU_preproc(), for suites with MMMU in their names: a question without an option
 * A is given the answer as A and "Other Answers" as B. */
enum omma_status match_mmmu(const struct match_choices *choices, const struct match_value *answer,
                            struct slice prediction, struct match_result *result,
                            struct omma_error *error);

/* What MMMU_preproc() makes of the options; items: room for all 26 letters. */
struct match_choices match_mmmu_choices(const struct match_choices *choices,
                                        const struct match_value *answer,
                                        struct match_choice *items);

/* A row of MathVista. */
struct match_question {
    struct slice question_type, answer_type;
    struct match_choices choices; /* of the column `choices`, for "multi_choice" */
    struct match_value answer, answer_option;
};

/* MathVista's rule part: what post_check() takes from the prediction before the judge is asked, and
 * whether post_check() then finds it right.  As there, a right 0 is not taken. */
enum omma_status match_mathvista(const struct match_question *question,
                                 const struct match_value *prediction, struct match_result *result,
                                 struct omma_error *error);

/* post_check() of what a judge extracted, which decides in any case; a right 0 is right here. */
enum omma_status match_mathvista_judged(const struct match_question *question, struct slice answer,
                                        struct match_result *result, struct omma_error *error);

#endif

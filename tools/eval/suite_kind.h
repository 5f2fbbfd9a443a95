/*
 * suite_kind.h - how VLMEvalKit e8e78f0 asks a suite, by its name.
 */
#ifndef OMMA_TOOLS_EVAL_SUITE_KIND_H
#define OMMA_TOOLS_EVAL_SUITE_KIND_H

/* How build_prompt() asks. */
enum suite_kind {
    KIND_CHOICE,   /* hint, question and options */
    KIND_QUESTION, /* the question and, but for some suites, what to answer with */
    KIND_YES_NO,
    KIND_BARE, /* the question alone */
    KIND_OWN,  /* in a way of the suite's own, which is not here */
};

/* A name that VLMEvalKit does not know is multiple choice. */
enum suite_kind suite_kind_of(const char *suite);

#endif

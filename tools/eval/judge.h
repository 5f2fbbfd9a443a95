/*
 * judge.h - predictions that no rule decides, put before a server by omma-judge(1).
 *
 * Answers are kept beside the file of predictions, in PREDICTIONS.judge, a journal (journal.h) of
 * what was answered, by the digest of who was asked and what: nothing is asked twice, also after
 * rows have changed, and scoring once more needs no server.
 */
#ifndef OMMA_TOOLS_EVAL_JUDGE_H
#define OMMA_TOOLS_EVAL_JUDGE_H

#include "tools/batch/journal.h"
#include "tools/eval/score.h"
#include "tools/message.h"

struct judge_settings {
    const char *url; /* NULL: no judge */
    const char *model;
    const char *key_file; /* NULL: as omma-judge has it */
    size_t parallel;      /* requests at a time */
    size_t tries;         /* of one question */
};

#define JUDGE_DEFAULTS                                                                             \
    {                                                                                              \
        .model = "gpt-4o-mini-2024-07-18", .parallel = 4, .tries = 5                               \
    }

struct judge; /* opaque */

/* Open the journal and ask what is not in it yet.  Questions that got no answer are named in a
 * warning and stay undecided; the same command asks them again.  OMMA_STATUS_USAGE if there is no
 * omma-judge. */
enum omma_status judge_open(const char *predictions, const char *suite,
                            const struct judge_settings *settings, struct messages *messages,
                            struct judge **judge, struct omma_error *error);
void judge_close(struct judge **judge);

/* What it answered, for scores_open_judged(). */
struct score_judge judge_answers(struct judge *judge);

#endif

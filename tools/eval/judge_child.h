/*
 * judge_child.h - omma-judge(1) as a child process that is fed lines and gives lines.
 */
#ifndef OMMA_TOOLS_EVAL_JUDGE_CHILD_H
#define OMMA_TOOLS_EVAL_JUDGE_CHILD_H

#include <sys/types.h>

#include "tools/eval/judge.h"

struct judge_child {
    pid_t pid;
    int input, output; /* its ends; -1: closed */
    struct text line;  /* what of its output is no whole line yet */
};

/* Lines for it, one a call, without the newline and to be released; bytes NULL: there are no more.
 */
typedef enum omma_status (*judge_feed_fn)(void *user, struct text *line, struct omma_error *error);
/* A line that it wrote. */
typedef enum omma_status (*judge_take_fn)(void *user, const char *line, size_t n_bytes,
                                          struct omma_error *error);
/* After all lines that came at once. */
typedef enum omma_status (*judge_pause_fn)(void *user, struct omma_error *error);

/* Run it to its end: omma-judge lies in the folder of this program. */
enum omma_status judge_child_run(const struct judge_settings *settings, judge_feed_fn feed,
                                 judge_take_fn take, judge_pause_fn pause, void *user,
                                 struct omma_error *error);

#endif

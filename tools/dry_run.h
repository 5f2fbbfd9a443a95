/*
 * dry_run.h - what a request would take, told instead of computed: tiles, tokens, memory, and about
 * how long it would take here.
 */
#ifndef OMMA_TOOLS_DRY_RUN_H
#define OMMA_TOOLS_DRY_RUN_H

#include "tools/message.h"

struct dry_run {
    const struct omma_model_info *model;
    struct omma_engine *engine;          /* whose limits are measured, which takes about a second */
    size_t n_pictures, n_tiles;          /* thumbnails among them */
    size_t prompt_tokens, answer_tokens; /* the latter at most */
    size_t n_context;                    /* of a session */
    size_t n_parallel;                   /* requests side by side; the times are of one alone */
};

/* A few lines on standard output, or a JSON object.  OMMA_STATUS_PROMPT, after them, if the prompt
 * does not fit into the context. */
enum omma_status dry_run_tell(const struct dry_run *run, bool json, struct messages *messages,
                              struct omma_error *error);

#endif

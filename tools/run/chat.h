/*
 * chat.h - the conversation of omma run; without -p of many turns, from a terminal or a pipe.
 */
#ifndef OMMA_TOOLS_RUN_CHAT_H
#define OMMA_TOOLS_RUN_CHAT_H

#include "tools/message.h"
#include "tools/run/answer.h"
#include "tools/run/conversation.h"
#include "tools/run/pictures.h"
#include "tools/text_in.h"

struct chat {
    const struct omma_model *model;
    struct omma_session *session;
    /* What every request has; its conversation holds system and special alone. */
    const struct omma_request *request;
    struct messages *messages;
    struct pictures *pictures;
    struct conversation conversation;
    size_t n_placed;      /* pictures that stand in a turn already */
    bool was_interrupted; /* by the Ctrl-C that came last; another one ends the program */
};

/* Answer a question about the pictures that were added since the last one, and all before it: both
 * are appended to the conversation, unless it fails or the answer is empty.  *answer is filled as
 * far as it came, also on failure; release with answer_release(). */
enum omma_status chat_ask(struct chat *chat, const struct text *question, bool is_printed,
                          struct answer *answer, struct omma_error *error);

/* Until end of input.  Returns the exit code: EXIT_SOME_FAILED if input was no terminal and a line
 * of it failed, 128 + n after signal n. */
int chat_run(struct chat *chat, struct omma_error *error);

#endif

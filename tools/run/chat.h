/*
 * chat.h - omma run without -p: a conversation of many turns, from a terminal or a pipe.
 */
#ifndef OMMA_TOOLS_RUN_CHAT_H
#define OMMA_TOOLS_RUN_CHAT_H

#include "tools/message.h"
#include "tools/run/conversation.h"
#include "tools/run/pictures.h"

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

/* Until end of input.  Returns the exit code: EXIT_SOME_FAILED if input was no terminal and a line
 * of it failed, 128 + n after signal n. */
int chat_run(struct chat *chat, struct omma_error *error);

#endif

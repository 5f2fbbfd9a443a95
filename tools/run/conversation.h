/*
 * conversation.h - the turns of a conversation, with their texts.
 */
#ifndef OMMA_TOOLS_RUN_CONVERSATION_H
#define OMMA_TOOLS_RUN_CONVERSATION_H

#include "tools/status.h"

struct conversation {
    struct omma_turn *turns; /* their texts are owned */
    size_t n_turns;
};

/* Append a copy of the text. */
enum omma_status conversation_add(struct conversation *conversation, enum omma_role role,
                                  const char *bytes, size_t n_bytes, struct omma_error *error);

/* Keep the first n turns. */
void conversation_truncate(struct conversation *conversation, size_t n);

/* Drop all. */
void conversation_clear(struct conversation *conversation);

#endif

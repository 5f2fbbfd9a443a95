/* A growing list of turns. */
#include "tools/run/conversation.h"

#include <stdlib.h>
#include <string.h>

enum omma_status conversation_add(struct conversation *conversation, enum omma_role role,
                                  const char *bytes, size_t n_bytes, struct omma_error *error)
{
    size_t n = conversation->n_turns;
    struct omma_turn *turns = realloc(conversation->turns, (n + 1) * sizeof *turns);
    char *text;

    if (turns == NULL) {
        return fail_memory(error);
    }
    conversation->turns = turns;
    text = malloc(n_bytes + 1);
    if (text == NULL) {
        return fail_memory(error);
    }
    memcpy(text, bytes, n_bytes);
    text[n_bytes] = '\0';
    turns[n] = (struct omma_turn){.role = role, .text = text, .n_bytes = n_bytes};
    conversation->n_turns = n + 1;
    return OMMA_OK;
}

void conversation_truncate(struct conversation *conversation, size_t n)
{
    while (conversation->n_turns > n) {
        free((char *)conversation->turns[--conversation->n_turns].text);
    }
}

void conversation_clear(struct conversation *conversation)
{
    conversation_truncate(conversation, 0);
    free(conversation->turns);
    conversation->turns = NULL;
}

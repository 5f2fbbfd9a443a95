/*
 * token_list.h - ids that come one after another.
 */
#ifndef OMMA_LANGUAGE_TOKEN_LIST_H
#define OMMA_LANGUAGE_TOKEN_LIST_H

#include "base/status.h"

/* All zeroes is an empty list. */
struct omma_token_list {
    int32_t *ids; /* [capacity], from malloc */
    size_t n_tokens, capacity;
};

/* Make room for n_more further ids. */
enum omma_status omma_token_list_reserve(struct omma_token_list *list, size_t n_more,
                                         struct omma_error *error);

/* Append n_times the same id. */
enum omma_status omma_token_list_add(struct omma_token_list *list, int32_t id, size_t n_times,
                                     struct omma_error *error);

void omma_token_list_free(struct omma_token_list *list);

/* Hand the ids over to tokens; the list is empty then. */
void omma_token_list_give(struct omma_token_list *list, struct omma_tokens *tokens);

#endif

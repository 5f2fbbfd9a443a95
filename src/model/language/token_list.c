/* A growing array of ids, doubled when full. */
#include "model/language/token_list.h"

#include <stdlib.h>

#include "base/checked.h"

enum omma_status omma_token_list_reserve(struct omma_token_list *list, size_t n_more,
                                         struct omma_error *error)
{
    size_t needed, n_bytes;
    int32_t *ids;

    if (list->capacity - list->n_tokens >= n_more) {
        return OMMA_OK;
    }
    if (!omma_checked_add(list->n_tokens, n_more, &needed) ||
        !omma_checked_multiply(omma_max(needed, omma_max(64, 2 * list->capacity)),
                               sizeof *list->ids, &n_bytes)) {
        return omma_fail_memory(error, SIZE_MAX, "tokens");
    }
    ids = realloc(list->ids, n_bytes);
    if (ids == NULL) {
        return omma_fail_memory(error, n_bytes, "tokens");
    }
    list->ids = ids;
    list->capacity = n_bytes / sizeof *ids;
    return OMMA_OK;
}

enum omma_status omma_token_list_add(struct omma_token_list *list, int32_t id, size_t n_times,
                                     struct omma_error *error)
{
    OMMA_TRY(omma_token_list_reserve(list, n_times, error));
    for (size_t i = 0; i < n_times; i++) {
        list->ids[list->n_tokens++] = id;
    }
    return OMMA_OK;
}

void omma_token_list_free(struct omma_token_list *list)
{
    free(list->ids);
    *list = (struct omma_token_list){0};
}

void omma_token_list_give(struct omma_token_list *list, struct omma_tokens *tokens)
{
    tokens->ids = list->ids;
    tokens->n_tokens = list->n_tokens;
    *list = (struct omma_token_list){0};
}

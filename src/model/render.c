/* omma_render(): a conversation with its pictures, as ids, with what the model's config says. */
#include <stdlib.h>

#include "model/language/chat_template.h"
#include "model/model.h"

enum omma_status omma_render(const struct omma_model *model,
                             const struct omma_conversation *conversation,
                             struct omma_tokens *tokens, struct omma_error *error)
{
    enum omma_status status;
    size_t *n_image_tokens;

    if (model->tokenizer == NULL) {
        return omma_fail(error, OMMA_STATUS_USAGE,
                         "%s: this model has no tokenizer: give ids instead of text",
                         model->info.path);
    }
    n_image_tokens = calloc(conversation->n_images + 1, sizeof *n_image_tokens);
    if (n_image_tokens == NULL) {
        return omma_fail_memory(error, conversation->n_images * sizeof *n_image_tokens, "a prompt");
    }
    for (size_t i = 0; i < conversation->n_images; i++) {
        n_image_tokens[i] =
            omma_image_info(conversation->images[i])->grid.n_tiles * model->config.tokens_per_tile;
    }
    status = omma_chat_template_render(model->tokenizer, conversation, n_image_tokens,
                                       model->config.system_message, tokens, error);
    free(n_image_tokens);
    return status;
}

/*
 * chat_template.h - the template internvl2_5: a conversation as ids, control tokens from the
 * template alone.
 *
 * Text between control tokens is tokenized run by run, template and user text together, so that a
 * conversation without specials gives the reference's ids.  Where an image stands, <img>, 256
 * context ids a tile and </img> are placed structurally.
 */
#ifndef OMMA_LANGUAGE_CHAT_TEMPLATE_H
#define OMMA_LANGUAGE_CHAT_TEMPLATE_H

#include "api/omma.h"
#include "model/language/tokenizer.h"

/* n_image_tokens[n_images]: context ids of each picture.  default_system: the system message for
 * conversation->system NULL; NULL: the template's own. */
enum omma_status omma_chat_template_render(const struct omma_tokenizer *tokenizer,
                                           const struct omma_conversation *conversation,
                                           const size_t *n_image_tokens, const char *default_system,
                                           struct omma_tokens *tokens, struct omma_error *error);

#endif

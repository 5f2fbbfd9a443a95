/*
 * tokenizer_text.h - text to ids in parts, for those who put prompts together.
 */
#ifndef OMMA_LANGUAGE_TOKENIZER_TEXT_H
#define OMMA_LANGUAGE_TOKENIZER_TEXT_H

#include "model/language/token_list.h"
#include "model/language/tokenizer.h"

/* Which added tokens' names in a text become the tokens. */
enum omma_recognise {
    OMMA_RECOGNISE_NONE,
    OMMA_RECOGNISE_MARKUP, /* <ref> <box> <quad> and their ends: what answers consist of */
    OMMA_RECOGNISE_ALL,
};

/* Check a text that comes from outside: valid UTF-8, shorter than 2^31 bytes and, if special is
 * OMMA_SPECIAL_REJECT, without any added token's name.  name stands for the text in messages. */
enum omma_status omma_tokenizer_check_text(const struct omma_tokenizer *tokenizer, const char *name,
                                           const char *text, size_t n_bytes,
                                           enum omma_special special, struct omma_error *error);

/* Append the ids of one run of text, valid UTF-8, which is normalised and split by itself. */
enum omma_status omma_tokenizer_append(const struct omma_tokenizer *tokenizer, const char *text,
                                       size_t n_bytes, enum omma_recognise recognise,
                                       struct omma_token_list *list, struct omma_error *error);

#endif

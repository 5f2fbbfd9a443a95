/*
 * tokenizer_build.h - a vocabulary and its merges, as either form of file has them, to tables.
 */
#ifndef OMMA_LANGUAGE_TOKENIZER_BUILD_H
#define OMMA_LANGUAGE_TOKENIZER_BUILD_H

#include "model/language/bpe.h"
#include "model/language/tokenizer_source.h"
#include "model/language/vocabulary.h"

/* One form, and where its parts come from. */
struct omma_tokenizer_form {
    const char *vocab_path, *vocab_field;      /* for messages; field "" or "model.vocab: " */
    const char *merges_path, *merges_field;    /* "line" or "model.merges, entry" */
    const struct omma_source_file *vocab_file; /* or NULL and: */
    json_t *vocab;
    const struct omma_source_file *merges_file; /* lines; or NULL and: */
    json_t *merges;                             /* ["a b"] or [["a", "b"]] */
    const struct omma_added_tokens *added;
};

/* Both tables are to be freed by the caller, after a failure too. */
enum omma_status omma_tokenizer_build(const struct omma_tokenizer_form *form,
                                      struct omma_vocabulary *vocabulary, struct omma_bpe *bpe,
                                      struct omma_error *error);

#endif

/*
 * tokenizer_files.h - the files of a tokenizer to the tables that encoding needs.
 *
 * Read are vocab.json and merges.txt with added_tokens.json and tokenizer_config.json; or
 * tokenizer.json; where both forms lie there, they must agree.  special_tokens_map.json and
 * tokenizer_config.json say what decoding leaves out.  Chat templates are never executed.
 */
#ifndef OMMA_LANGUAGE_TOKENIZER_FILES_H
#define OMMA_LANGUAGE_TOKENIZER_FILES_H

#include "model/language/bpe.h"
#include "model/language/vocabulary.h"

/* Both tables are to be freed by the caller, after a failure too. */
enum omma_status omma_tokenizer_files_read(const char *dir, struct omma_vocabulary *vocabulary,
                                           struct omma_bpe *bpe, struct omma_error *error);

#endif

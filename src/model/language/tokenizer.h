/*
 * tokenizer.h - the Qwen2 tokenizer: NFC, pre-tokenizer, byte-level BPE, added tokens.
 *
 * Immutable after opening; any number of threads may use one.
 */
#ifndef OMMA_LANGUAGE_TOKENIZER_H
#define OMMA_LANGUAGE_TOKENIZER_H

#include "api/omma.h"

struct omma_token_trie;

/* Ids that the template and the engine need, by the names of their added tokens; -1: not there. */
struct omma_template_ids {
    int32_t end_of_text; /* <|endoftext|> */
    int32_t im_start;    /* <|im_start|> */
    int32_t im_end;      /* <|im_end|> */
    int32_t image_start; /* <img> */
    int32_t image_end;   /* </img> */
    int32_t context;     /* <IMG_CONTEXT> */
};

const struct omma_template_ids *omma_tokenizer_template_ids(const struct omma_tokenizer *tokenizer);

/* Its tokens as a trie, made when it is first asked for (0.1 s for 150,000 tokens) and owned by it.
 */
enum omma_status omma_tokenizer_trie(const struct omma_tokenizer *tokenizer,
                                     const struct omma_token_trie **trie, struct omma_error *error);

/* Largest id + 1. */
size_t omma_tokenizer_n_ids(const struct omma_tokenizer *tokenizer);

/* Memory that the tokenizer holds. */
size_t omma_tokenizer_memory_bytes(const struct omma_tokenizer *tokenizer);

/* Whether decoding an answer leaves the id out (skip_special_tokens of the reference). */
bool omma_tokenizer_is_skipped(const struct omma_tokenizer *tokenizer, int32_t id);

#endif

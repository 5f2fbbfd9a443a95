/*
 * pretokenizer.h - text to pieces, by Qwen2's regular expression (spec 6.1, step 3).
 */
#ifndef OMMA_LANGUAGE_PRETOKENIZER_H
#define OMMA_LANGUAGE_PRETOKENIZER_H

#include "base/status.h"

/* The expression as tokenizer.json writes it. */
extern const char omma_pretokenizer_expression[];

struct omma_pretokenizer; /* immutable: any number of threads may use one */

enum omma_status omma_pretokenizer_create(struct omma_pretokenizer **pretokenizer,
                                          struct omma_error *error);
void omma_pretokenizer_destroy(struct omma_pretokenizer **pretokenizer);

struct omma_pretokenizer_scan; /* memory of one thread */

enum omma_status omma_pretokenizer_scan_create(const struct omma_pretokenizer *pretokenizer,
                                               struct omma_pretokenizer_scan **scan,
                                               struct omma_error *error);
void omma_pretokenizer_scan_destroy(struct omma_pretokenizer_scan **scan);

/* The piece that begins at text[at], at < n_bytes: *end is where it ends, > at.  text must be valid
 * UTF-8 and at a character's first byte.  text[0, n_bytes) is all that lookahead sees. */
enum omma_status omma_pretokenizer_next(struct omma_pretokenizer_scan *scan, const char *text,
                                        size_t n_bytes, size_t at, size_t *end,
                                        struct omma_error *error);

#endif

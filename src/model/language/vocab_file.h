/*
 * vocab_file.h - vocab.json, one JSON object of names and ids, read pair by pair.
 *
 * jansson would make some 300 bytes and four allocations of each of 150,000 pairs, which is most of
 * the time that opening a tokenizer takes; this keeps none.
 */
#ifndef OMMA_LANGUAGE_VOCAB_FILE_H
#define OMMA_LANGUAGE_VOCAB_FILE_H

#include "format/json_pull.h"
#include "model/language/tokenizer_source.h"

struct omma_vocab_pair {
    const char *name; /* [n_name] without escapes, no NUL behind it; until the next call */
    size_t n_name;
    size_t id;
};

struct omma_vocab_file {
    const struct omma_source_file *file;
    struct omma_json_pull pull;
    bool has_more; /* whether a comma was read */
    char *name;    /* [file->n_bytes] a name whose escapes were resolved */
};

/* file must outlive the reader. */
enum omma_status omma_vocab_file_begin(const struct omma_source_file *file,
                                       struct omma_vocab_file *reader, struct omma_error *error);
void omma_vocab_file_end(struct omma_vocab_file *reader);

/* The next pair, or *found false at the end of the file.  Whatever is not JSON, and any value but
 * an integer, is OMMA_STATUS_MODEL with its offset.  Names may come twice. */
enum omma_status omma_vocab_file_next(struct omma_vocab_file *reader, struct omma_vocab_pair *pair,
                                      bool *found, struct omma_error *error);

#endif

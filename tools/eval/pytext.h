/*
 * pytext.h - what Python makes of a text: str.split(), str.lower(), len(), int(), float(), which
 * the rules of VLMEvalKit are written in.
 *
 * Texts are UTF-8 without a NUL behind them; a byte that begins no character counts as one.
 * Properties of characters are those of utf8proc's version of Unicode, which may know some that a
 * Python does not, and the other way round.
 */
#ifndef OMMA_TOOLS_EVAL_PYTEXT_H
#define OMMA_TOOLS_EVAL_PYTEXT_H

#include "tools/status.h"
#include "tools/text_in.h"

/* A text that belongs to somebody else. */
struct slice {
    const char *bytes;
    size_t n_bytes;
};

struct slice slice_of(const char *string);
bool slice_equals(struct slice a, struct slice b);
bool slice_is(struct slice text, const char *string);

/* part in text; nothing is in everything. */
bool slice_contains(struct slice text, struct slice part);

/* str.split(): the next word at or behind *at, which moves behind it; false at the end.  The
 * characters of separators (ASCII) divide words as white space does. */
bool pytext_next_word(struct slice text, const char *separators, size_t *at, struct slice *word);

/* len(): characters. */
size_t pytext_length(struct slice text);

/* str.lower(), final sigma included; to be released. */
enum omma_status pytext_lower(struct slice text, struct text *lower, struct omma_error *error);

/* int(): *digits is its value in decimal without needless zeros ("-12", "0"), to be released, or
 * NULL where int() raises ValueError. */
enum omma_status pytext_int(struct slice text, char **digits, struct omma_error *error);

/* float(): *is_number is false where it raises ValueError. */
enum omma_status pytext_float(struct slice text, bool *is_number, double *value,
                              struct omma_error *error);

/* A character of category Nd, which \d matches: its digit; -1 for any other. */
int pytext_digit(uint32_t character);

#endif

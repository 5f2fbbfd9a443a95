/*
 * column.h - what pandas' read_csv makes of the cells of a column.
 *
 * Suites are read by VLMEvalKit with pandas, which turns a column of numbers into numbers: an
 * option "007" is shown to the model as 7, and as 7.0 if another row has none.  Prompts and scores
 * that are to equal the reference's need the same.  The rules are those of pandas' C parser
 * (pandas 3.1, pandas/_libs/parsers.pyx: _convert_tokens, and src/parser/tokenizer.c: str_to_int64,
 * str_to_uint64, precise_xstrtod).
 */
#ifndef OMMA_TOOLS_EVAL_COLUMN_H
#define OMMA_TOOLS_EVAL_COLUMN_H

#include "tools/text_in.h"

enum column_kind {
    COLUMN_MISSING,      /* no cell has a value */
    COLUMN_INTEGER,      /* int64 */
    COLUMN_UNSIGNED,     /* uint64 */
    COLUMN_REAL,         /* float64 */
    COLUMN_INTEGER_REAL, /* integers, read as such and shown as float64, for some cells are missing
                          */
    COLUMN_BOOLEAN,
    COLUMN_BOOLEAN_OBJECT, /* booleans, some cells are missing */
    COLUMN_TEXT,
    COLUMN_LARGE, /* integers of any length */
    COLUMN_RAW,   /* text in which the words for missing values are text too */
};

/* What a column can be after the cells so far; start with {0}. */
struct column_guess {
    bool has_value, has_missing;
    bool is_not_integer, is_not_large, is_not_real, is_not_boolean;
    bool is_unsigned, is_large;      /* one integer is beyond int64, beyond uint64 */
    bool has_unsigned, has_negative; /* above int64; below 0 */
};

/* A cell without its quotes. */
void column_guess_add(struct column_guess *guess, const char *cell, size_t n_bytes);
enum column_kind column_guess_end(const struct column_guess *guess);

/* pandas reads large files in parts of so many rows, and guesses in each. */
size_t column_rows_of_part(size_t n_columns);

/* Replace the kinds of a column's parts, [n], by those under which they stand together. */
void column_join(enum column_kind *kinds, size_t n);

/* Whether a cell is one of the words for missing values. */
bool column_is_missing_word(const char *cell, size_t n_bytes);

/* What Python's str() gives of the cell, to be released.  *has_value is false, and text empty, if
 * it is missing. */
enum omma_status column_text(enum column_kind kind, const char *cell, size_t n_bytes,
                             struct text *text, bool *has_value, struct omma_error *error);

/* str() of a float, as Python writes it ("1.0", "1e+16", "inf"); returns the number of bytes. */
enum { COLUMN_REAL_BYTES = 32 };
size_t column_real(double value, char text[COLUMN_REAL_BYTES]);

#endif

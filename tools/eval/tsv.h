/*
 * tsv.h - records of tab-separated cells, quoted as csv files are, as pandas' C parser reads them.
 *
 * A record ends with LF, CR or CR LF.  A quote opens a quoted cell only at its beginning; inside, a
 * tab or line end is text and "" a quote; what stands behind the closing quote is added as it is.
 * Records that are empty or of spaces alone are passed over.
 */
#ifndef OMMA_TOOLS_EVAL_TSV_H
#define OMMA_TOOLS_EVAL_TSV_H

#include "tools/text_in.h"

/* Over bytes that stay where they are; start with tsv_begin(). */
struct tsv {
    const char *begin, *end, *at;
    const char *line_feed; /* the next one from `at` on, or `end` */
    const char *line_end;  /* the first carriage return before it, or itself */
};

/* As it lies in the file. */
struct tsv_cell {
    const char *bytes; /* with its quotes */
    size_t n_bytes;
    bool is_quoted, is_last; /* of its record */
};

struct tsv tsv_begin(const char *bytes, size_t n_bytes);

/* Pass over empty records; false at the end. */
bool tsv_next_record(struct tsv *tsv);

/* The next cell of the record.  False: its quote is not closed. */
bool tsv_next_cell(struct tsv *tsv, struct tsv_cell *cell);

/* The text of a cell: bytes [cell->n_bytes], returns how many of them there are. */
size_t tsv_unquote(const struct tsv_cell *cell, char *bytes);

#endif

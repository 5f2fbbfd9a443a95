/*
 * table.h - a suite's TSV file, read where it lies; its cells as pandas gives them.
 *
 * Opening reads the file once, mapped, for where rows begin and what its columns are (column.h).
 * Nothing is kept in memory but that: a row is read again when it is due.
 */
#ifndef OMMA_TOOLS_EVAL_TABLE_H
#define OMMA_TOOLS_EVAL_TABLE_H

#include <sys/stat.h>

#include "tools/eval/column.h"
#include "tools/eval/tsv.h"

enum { TABLE_MAX_COLUMNS = 4096 };

struct table {
    char *path;
    int descriptor;
    struct stat stat;
    const char *bytes; /* the file, mapped while it is opened; NULL afterwards */
    size_t n_bytes;
    char **names; /* [n_columns]; a second "A" is "A.1", one without a name "Unnamed: 3" */
    size_t n_columns;
    size_t *offsets; /* [n_rows] */
    size_t n_rows, capacity;
    size_t rows_of_part;
    enum column_kind *kinds; /* [parts][n_columns], of rows_of_part rows each */
};

/* table_column() of a name that is none; its cells are missing. */
#define TABLE_NO_COLUMN SIZE_MAX

/* A regular file.  OMMA_STATUS_USAGE, with the row and the offset, if it cannot be read or is no
 * such table: no header, a row that has more cells than the header, a quote that is not closed. */
enum omma_status table_open(const char *path, struct table *table, struct omma_error *error);
void table_close(struct table *table);

/* The column of that name, or TABLE_NO_COLUMN. */
size_t table_column(const struct table *table, const char *name);

/* A row of the file, in memory; release with table_row_free(). */
struct table_row {
    size_t number; /* from 0 */
    char *bytes;
    size_t n_bytes;
};

/* From any thread.  OMMA_STATUS_CHANGED if the file is not the one any more that was opened. */
enum omma_status table_row_read(const struct table *table, size_t number, struct table_row *row,
                                struct omma_error *error);
void table_row_free(struct table_row *row);

/* A cell as Python's str() shows it, to be released; *has_value is false if it is missing.
 * OMMA_STATUS_USAGE if it is no UTF-8. */
enum omma_status table_cell(const struct table *table, const struct table_row *row, size_t column,
                            struct text *text, bool *has_value, struct omma_error *error);

#endif

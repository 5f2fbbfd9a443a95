/* Pages that were passed are let go, so that a file of gigabytes takes none of the memory that a
 * model needs. */
#include "tools/eval/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/file_piece.h"
#include "tools/utf8.h"

enum { WINDOW_BYTES = 64 << 20, LONGEST_NUMBER = 4096 };

/* Opening, a row at a time. */
struct reader {
    struct table *table;
    struct tsv tsv;
    struct column_guess *guesses; /* [n_columns] */
    bool *is_unnamed;             /* [n_columns] */
    size_t n_parts, capacity;     /* whose kinds are known */
    size_t released;              /* bytes of the file that were let go */
};

static enum omma_status fail_file(const char *path, int number, struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE, "%s: %s", path, strerror(number));
}

static enum omma_status fail_row(const struct reader *reader, const char *what, size_t expected,
                                 size_t found, size_t offset, struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE, "%s: row %zu, at byte %zu: expected %s%zu, found %zu",
                reader->table->path, reader->table->n_rows + 1, offset, what, expected, found);
}

static enum omma_status fail_quote(const struct reader *reader, size_t offset,
                                   struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE, "%s: row %zu, at byte %zu: a quote that is not closed",
                reader->table->path, reader->table->n_rows + 1, offset);
}

/* ------------------------------------------------------------------------------------------------
 * The header
 * --------------------------------------------------------------------------------------------- */

static enum omma_status add_name(struct reader *reader, const struct tsv_cell *cell,
                                 struct omma_error *error)
{
    struct table *table = reader->table;
    char *name = malloc(cell->n_bytes + 1);

    if (name == NULL) {
        return fail_memory(error);
    }
    name[tsv_unquote(cell, name)] = '\0';
    reader->is_unnamed[table->n_columns] = name[0] == '\0';
    if (name[0] == '\0') {
        free(name);
        if (asprintf(&name, "Unnamed: %zu", table->n_columns) < 0) {
            return fail_memory(error);
        }
    }
    table->names[table->n_columns++] = name;
    return OMMA_OK;
}

/* A name that another column has already: with the first number behind it that no column has. */
static enum omma_status rename_column(struct table *table, size_t column, struct omma_error *error)
{
    char *name = table->names[column], *other = NULL;

    for (size_t n = 1; other == NULL || table_column(table, other) != TABLE_NO_COLUMN; n++) {
        free(other);
        if (asprintf(&other, "%s.%zu", name, n) < 0) {
            return fail_memory(error);
        }
    }
    table->names[column] = other;
    free(name);
    return OMMA_OK;
}

/* Columns with a name of their own keep it before those without. */
static enum omma_status rename_columns(const struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;

    for (int unnamed = 0; unnamed < 2; unnamed++) {
        for (size_t i = 0; i < table->n_columns; i++) {
            bool is_taken = false;

            for (size_t k = 0; k < table->n_columns && reader->is_unnamed[i] == unnamed; k++) {
                bool is_earlier = reader->is_unnamed[k] == unnamed ? k < i : unnamed != 0;

                is_taken |= is_earlier && strcmp(table->names[k], table->names[i]) == 0;
            }
            if (is_taken) {
                TRY(rename_column(table, i, error));
            }
        }
    }
    return OMMA_OK;
}

static enum omma_status read_header(struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;
    struct tsv_cell cell = {0};

    table->names = calloc(TABLE_MAX_COLUMNS, sizeof *table->names);
    reader->guesses = calloc(TABLE_MAX_COLUMNS, sizeof *reader->guesses);
    reader->is_unnamed = calloc(TABLE_MAX_COLUMNS, sizeof *reader->is_unnamed);
    if (table->names == NULL || reader->guesses == NULL || reader->is_unnamed == NULL) {
        return fail_memory(error);
    }
    if (!tsv_next_record(&reader->tsv)) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected a line with the names of columns, found "
                    "an empty file",
                    table->path);
    }
    while (!cell.is_last) {
        size_t offset = (size_t)(reader->tsv.at - table->bytes);

        if (table->n_columns == TABLE_MAX_COLUMNS) {
            return fail(error, OMMA_STATUS_USAGE, "%s: expected at most %d columns", table->path,
                        TABLE_MAX_COLUMNS);
        }
        if (!tsv_next_cell(&reader->tsv, &cell)) {
            return fail_quote(reader, offset, error);
        }
        TRY(add_name(reader, &cell, error));
    }
    TRY(rename_columns(reader, error));
    table->rows_of_part = column_rows_of_part(table->n_columns);
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Rows
 * --------------------------------------------------------------------------------------------- */

static enum omma_status end_part(struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;
    enum column_kind *kinds;

    if (reader->n_parts == reader->capacity) {
        reader->capacity = 2 * reader->capacity + 1;
        kinds = realloc(table->kinds, reader->capacity * table->n_columns * sizeof *kinds);
        if (kinds == NULL) {
            return fail_memory(error);
        }
        table->kinds = kinds;
    }
    kinds = table->kinds + reader->n_parts * table->n_columns;
    for (size_t i = 0; i < table->n_columns; i++) {
        kinds[i] = column_guess_end(&reader->guesses[i]);
        reader->guesses[i] = (struct column_guess){0};
    }
    reader->n_parts++;
    return OMMA_OK;
}

static void guess(struct column_guess *guess, const struct tsv_cell *cell)
{
    char bytes[LONGEST_NUMBER];

    if (!cell->is_quoted || cell->n_bytes > sizeof bytes) {
        column_guess_add(guess, cell->bytes, cell->n_bytes);
    } else {
        column_guess_add(guess, bytes, tsv_unquote(cell, bytes));
    }
}

static enum omma_status read_row(struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;
    size_t offset = (size_t)(reader->tsv.at - table->bytes), n_cells = 0;
    struct tsv_cell cell = {0};

    if (table->n_rows == table->capacity) {
        size_t capacity = 2 * table->capacity + 1024;
        size_t *grown = realloc(table->offsets, capacity * sizeof *grown);

        if (grown == NULL) {
            return fail_memory(error);
        }
        table->offsets = grown;
        table->capacity = capacity;
    }
    while (!cell.is_last) {
        if (!tsv_next_cell(&reader->tsv, &cell)) {
            return fail_quote(reader, (size_t)(reader->tsv.at - table->bytes), error);
        }
        if (n_cells < table->n_columns) {
            guess(&reader->guesses[n_cells], &cell);
        }
        n_cells++;
    }
    if (n_cells > table->n_columns) {
        return fail_row(reader, "cells up to the header's ", table->n_columns, n_cells, offset,
                        error);
    }
    for (size_t i = n_cells; i < table->n_columns; i++) {
        column_guess_add(&reader->guesses[i], "", 0);
    }
    table->offsets[table->n_rows++] = offset;
    return table->n_rows % table->rows_of_part == 0 ? end_part(reader, error) : OMMA_OK;
}

static void let_go(struct reader *reader)
{
    size_t at = (size_t)(reader->tsv.at - reader->table->bytes) & ~((size_t)WINDOW_BYTES - 1);

    if (at > reader->released) {
        madvise((char *)reader->table->bytes + reader->released, at - reader->released,
                MADV_DONTNEED);
        reader->released = at;
    }
}

/* The kinds of each column, which lie n_columns apart. */
static enum omma_status join_parts(struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;
    enum column_kind *kinds = malloc((reader->n_parts + 1) * sizeof *kinds);

    if (kinds == NULL) {
        return fail_memory(error);
    }
    for (size_t c = 0; c < table->n_columns; c++) {
        for (size_t i = 0; i < reader->n_parts; i++) {
            kinds[i] = table->kinds[i * table->n_columns + c];
        }
        column_join(kinds, reader->n_parts);
        for (size_t i = 0; i < reader->n_parts; i++) {
            table->kinds[i * table->n_columns + c] = kinds[i];
        }
    }
    free(kinds);
    return OMMA_OK;
}

static enum omma_status read_rows(struct reader *reader, struct omma_error *error)
{
    struct table *table = reader->table;

    TRY(read_header(reader, error));
    while (tsv_next_record(&reader->tsv)) {
        TRY(read_row(reader, error));
        let_go(reader);
    }
    if (table->n_rows % table->rows_of_part != 0) {
        TRY(end_part(reader, error));
    }
    return join_parts(reader, error);
}

static enum omma_status map(const char *path, struct table *table, struct omma_error *error)
{
    void *bytes;

    table->path = strdup(path);
    if (table->path == NULL) {
        return fail_memory(error);
    }
    table->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (table->descriptor < 0 || fstat(table->descriptor, &table->stat) != 0) {
        return fail_file(path, errno, error);
    }
    if (!S_ISREG(table->stat.st_mode)) {
        return fail(error, OMMA_STATUS_USAGE, "%s: expected a regular file", path);
    }
    if (table->stat.st_size == 0) {
        return OMMA_OK; /* told as a file without a header */
    }
    bytes = mmap(NULL, (size_t)table->stat.st_size, PROT_READ, MAP_PRIVATE, table->descriptor, 0);
    if (bytes == MAP_FAILED) {
        return fail_file(path, errno, error);
    }
    table->bytes = bytes;
    table->n_bytes = (size_t)table->stat.st_size;
    madvise(bytes, table->n_bytes, MADV_SEQUENTIAL);
    return OMMA_OK;
}

static void unmap(struct table *table)
{
    if (table->bytes != NULL) {
        munmap((char *)table->bytes, table->n_bytes);
        table->bytes = NULL;
    }
}

enum omma_status table_open(const char *path, struct table *table, struct omma_error *error)
{
    struct reader reader = {.table = table};
    enum omma_status status;

    *table = (struct table){.descriptor = -1};
    status = map(path, table, error);
    if (status == OMMA_OK) {
        reader.tsv = tsv_begin(table->bytes, table->n_bytes);
        status = read_rows(&reader, error);
    }
    free(reader.guesses);
    free(reader.is_unnamed);
    unmap(table);
    if (status != OMMA_OK) {
        table_close(table);
    }
    return status;
}

void table_close(struct table *table)
{
    if (table->descriptor >= 0) {
        close(table->descriptor);
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        free(table->names[i]);
    }
    free(table->names);
    free(table->offsets);
    free(table->kinds);
    free(table->path);
    *table = (struct table){.descriptor = -1};
}

/* ------------------------------------------------------------------------------------------------
 * Cells
 * --------------------------------------------------------------------------------------------- */

size_t table_column(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (strcmp(table->names[i], name) == 0) {
            return i;
        }
    }
    return TABLE_NO_COLUMN;
}

enum omma_status table_row_read(const struct table *table, size_t number, struct table_row *row,
                                struct omma_error *error)
{
    size_t offset = table->offsets[number];
    size_t end = number + 1 < table->n_rows ? table->offsets[number + 1] : table->n_bytes;

    *row = (struct table_row){.number = number, .n_bytes = end - offset};
    return file_piece_read(table->descriptor, &table->stat, table->path, offset, row->n_bytes,
                           &row->bytes, error);
}

void table_row_free(struct table_row *row)
{
    free(row->bytes);
    *row = (struct table_row){0};
}

static enum omma_status check_utf8(const struct table *table, size_t number, size_t column,
                                   const struct text *text, struct omma_error *error)
{
    for (size_t i = 0, n; i < text->n_bytes; i += n) {
        n = utf8_character(text->bytes + i, text->n_bytes - i, NULL);
        if (n == 0) {
            return fail(error, OMMA_STATUS_USAGE,
                        "%s: row %zu, column %s: expected UTF-8, found byte 0x%02x at %zu",
                        table->path, number + 1, table->names[column],
                        (unsigned char)text->bytes[i], i);
        }
    }
    return OMMA_OK;
}

/* The text of a cell of that kind. */
static enum omma_status show_cell(const struct tsv_cell *cell, enum column_kind kind,
                                  struct text *text, bool *has_value, struct omma_error *error)
{
    char *bytes;
    enum omma_status status;

    if (!cell->is_quoted) {
        return column_text(kind, cell->bytes, cell->n_bytes, text, has_value, error);
    }
    bytes = malloc(cell->n_bytes);
    if (bytes == NULL) {
        return fail_memory(error);
    }
    status = column_text(kind, bytes, tsv_unquote(cell, bytes), text, has_value, error);
    free(bytes);
    return status;
}

enum omma_status table_cell(const struct table *table, const struct table_row *row, size_t column,
                            struct text *text, bool *has_value, struct omma_error *error)
{
    struct tsv tsv = tsv_begin(row->bytes, row->n_bytes);
    struct tsv_cell cell = {0};
    enum omma_status status;

    *text = (struct text){0};
    *has_value = false;
    if (column == TABLE_NO_COLUMN) {
        return OMMA_OK;
    }
    for (size_t i = 0; i <= column; i++) {
        if (cell.is_last || !tsv_next_cell(&tsv, &cell)) {
            cell = (struct tsv_cell){.bytes = "", .is_last = true}; /* a row may have fewer cells */
        }
    }
    status = show_cell(&cell,
                       table->kinds[row->number / table->rows_of_part * table->n_columns + column],
                       text, has_value, error);
    if (status == OMMA_OK) {
        status = check_utf8(table, row->number, column, text, error);
    }
    if (status != OMMA_OK) {
        text_free(text);
    }
    return status;
}

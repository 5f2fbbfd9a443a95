/* Rows are found by bisection; of an index that is there twice the last one counts. */
#include "tools/eval/pictures.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_REFERENCE = 64 }; /* characters */

static int by_index(const void *a, const void *b)
{
    const struct picture_place *one = a, *other = b;
    int order = strcmp(one->index, other->index);

    return order != 0 ? order : (one->row > other->row) - (one->row < other->row);
}

static enum omma_status read_cell(const struct table *table, size_t number, size_t column,
                                  struct text *text, struct omma_error *error)
{
    struct table_row row;
    bool has_value;
    enum omma_status status;

    *text = (struct text){0};
    TRY(table_row_read(table, number, &row, error));
    status = table_cell(table, &row, column, text, &has_value, error);
    table_row_free(&row);
    return status;
}

enum omma_status pictures_open(const struct table *table, struct pictures *pictures,
                               struct omma_error *error)
{
    size_t column = table_column(table, "index");

    *pictures = (struct pictures){.table = table, .image_column = table_column(table, "image")};
    if (pictures->image_column == TABLE_NO_COLUMN || column == TABLE_NO_COLUMN) {
        return OMMA_OK;
    }
    pictures->places = calloc(table->n_rows + 1, sizeof *pictures->places);
    if (pictures->places == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < table->n_rows; i++) {
        struct text text;
        enum omma_status status = read_cell(table, i, column, &text, error);

        if (status != OMMA_OK) {
            pictures_close(pictures);
            return status;
        }
        if (text.bytes != NULL) {
            pictures->places[pictures->n_places++] = (struct picture_place){text.bytes, i};
        }
    }
    qsort(pictures->places, pictures->n_places, sizeof *pictures->places, by_index);
    return OMMA_OK;
}

void pictures_close(struct pictures *pictures)
{
    for (size_t i = 0; i < pictures->n_places; i++) {
        free(pictures->places[i].index);
    }
    free(pictures->places);
    *pictures = (struct pictures){0};
}

/* The last row with that index. */
static bool find_row(const struct pictures *pictures, const char *index, size_t *row)
{
    size_t low = 0, high = pictures->n_places;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(pictures->places[middle].index, index) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || strcmp(pictures->places[low - 1].index, index) != 0) {
        return false;
    }
    *row = pictures->places[low - 1].row;
    return true;
}

static bool is_reference(const struct text *cell)
{
    return cell->n_bytes > 0 &&
           pytext_length((struct slice){cell->bytes, cell->n_bytes}) <= MAX_REFERENCE;
}

/* The cell that a cell of at most 64 characters stands for, in its place. */
static enum omma_status follow(const struct pictures *pictures, const char *index,
                               struct text *cell, struct omma_error *error)
{
    struct text target = {0};
    size_t row;

    if (find_row(pictures, cell->bytes, &row)) {
        TRY(read_cell(pictures->table, row, pictures->image_column, &target, error));
    }
    if (target.n_bytes == 0 || is_reference(&target)) {
        text_free(&target);
        return fail(
            error, OMMA_STATUS_USAGE,
            "%s: index %s: image: expected a picture, or the index of a row with one, found \"%s\"",
            pictures->table->path, index, cell->bytes);
    }
    text_free(cell);
    *cell = target;
    return OMMA_OK;
}

/* A list, or else one; the cell is taken over. */
static enum omma_status split(const struct pictures *pictures, const char *index, struct text *cell,
                              struct literal_list *list, struct omma_error *error)
{
    bool is_list;

    if (cell->bytes[0] == '[' && cell->bytes[cell->n_bytes - 1] == ']') {
        TRY(literal_list_parse((struct slice){cell->bytes, cell->n_bytes}, list, &is_list, error));
        return is_list
                   ? OMMA_OK
                   : fail(error, OMMA_STATUS_USAGE, "%s: index %s: image: expected a list of texts",
                          pictures->table->path, index);
    }
    list->items = malloc(sizeof *list->items);
    if (list->items == NULL) {
        return fail_memory(error);
    }
    list->items[list->n_items++] = *cell;
    *cell = (struct text){0};
    return OMMA_OK;
}

enum omma_status pictures_find(const struct pictures *pictures, const char *index,
                               struct literal_list *list, struct omma_error *error)
{
    struct text cell;
    size_t row;
    enum omma_status status = OMMA_OK;

    *list = (struct literal_list){0};
    if (!find_row(pictures, index, &row)) {
        return OMMA_OK;
    }
    TRY(read_cell(pictures->table, row, pictures->image_column, &cell, error));
    if (is_reference(&cell)) {
        status = follow(pictures, index, &cell, error);
    }
    if (status == OMMA_OK && cell.n_bytes > 0) {
        status = split(pictures, index, &cell, list, error);
    }
    text_free(&cell);
    return status;
}

/*
 * pictures.h - the pictures of a suite's rows, as base64, by the rows' index.
 *
 * As VLMEvalKit e8e78f0 finds them (vlmeval/dataset/image_base.py): the cell `image` is a picture,
 * a list of them written as Python writes it, or, with at most 64 characters, the index of another
 * row, whose cell it stands for.
 */
#ifndef OMMA_TOOLS_EVAL_PICTURES_H
#define OMMA_TOOLS_EVAL_PICTURES_H

#include "tools/eval/literal.h"
#include "tools/eval/table.h"

/* A row by its index. */
struct picture_place {
    char *index;
    size_t row;
};

struct pictures {
    const struct table *table;
    size_t image_column;
    struct picture_place *places; /* sorted by index and row */
    size_t n_places;
};

/* Reads every row's index.  The table must stay open.  One without `image` has no pictures. */
enum omma_status pictures_open(const struct table *table, struct pictures *pictures,
                               struct omma_error *error);
void pictures_close(struct pictures *pictures);

/* The pictures of the row with that index, to be released by literal_list_free(); none if there is
 * no such row, or it has none.  OMMA_STATUS_USAGE for a list or a reference that is none. */
enum omma_status pictures_find(const struct pictures *pictures, const char *index,
                               struct literal_list *list, struct omma_error *error);

#endif

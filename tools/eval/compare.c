/* Rows are paired by their index.  What they ask must be the same, read again from both files. */
#include "tools/eval/compare.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a run by their index. */
struct place {
    const char *index;
    size_t row;
};

static int by_index(const void *a, const void *b)
{
    return strcmp(((const struct place *)a)->index, ((const struct place *)b)->index);
}

static enum omma_status sort_rows(const struct scores *scores, struct place **places,
                                  struct omma_error *error)
{
    *places = calloc(scores->n_rows + 1, sizeof **places);
    if (*places == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < scores->n_rows; i++) {
        (*places)[i] = (struct place){scores->rows[i].index, i};
    }
    qsort(*places, scores->n_rows, sizeof **places, by_index);
    for (size_t i = 1; i < scores->n_rows; i++) {
        if (strcmp((*places)[i - 1].index, (*places)[i].index) == 0) {
            return fail(error, OMMA_STATUS_USAGE, "%s: two rows have the index %s",
                        scores->table.path, (*places)[i].index);
        }
    }
    return OMMA_OK;
}

/* The cells of one column in two rows; *is_same also if neither file has the column. */
static enum omma_status compare_cells(const struct scores *const sides[2],
                                      const struct table_row rows[2], const char *name,
                                      bool *is_same, struct omma_error *error)
{
    struct text texts[2] = {0};
    bool has_value[2] = {false, false};
    enum omma_status status = OMMA_OK;

    for (int i = 0; i < 2 && status == OMMA_OK; i++) {
        size_t column = table_column(&sides[i]->table, name);

        if (column != TABLE_NO_COLUMN) {
            status =
                table_cell(&sides[i]->table, &rows[i], column, &texts[i], &has_value[i], error);
        }
    }
    *is_same = has_value[0] == has_value[1] &&
               slice_equals((struct slice){texts[0].bytes, texts[0].n_bytes},
                            (struct slice){texts[1].bytes, texts[1].n_bytes});
    text_free(&texts[0]);
    text_free(&texts[1]);
    return status;
}

/* Whether the predictions of two rows are the same, which must ask the same. */
static enum omma_status compare_rows(const struct scores *const sides[2],
                                     const struct score_row *const scored[2], bool *is_same,
                                     struct omma_error *error)
{
    static const char *const names[] = {"question", "answer", "answer_option"};
    struct table_row rows[2] = {0};
    enum omma_status status = OMMA_OK;

    for (int i = 0; i < 2; i++) {
        TRY_OR(status, done, table_row_read(&sides[i]->table, scored[i]->number, &rows[i], error));
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY_OR(status, done, compare_cells(sides, rows, names[i], is_same, error));
        if (!*is_same) {
            status = fail(error, OMMA_STATUS_USAGE,
                          "%s and %s: index %s: another %s; expected runs of the same suite",
                          sides[0]->table.path, sides[1]->table.path, scored[0]->index, names[i]);
            goto done;
        }
    }
    status = compare_cells(sides, rows, "prediction", is_same, error);
done:
    table_row_free(&rows[0]);
    table_row_free(&rows[1]);
    return status;
}

static enum omma_status compare_pair(const struct scores *const sides[2], size_t first,
                                     size_t second, struct eval_comparison *comparison,
                                     struct omma_error *error)
{
    const struct score_row *const rows[2] = {&sides[0]->rows[first], &sides[1]->rows[second]};
    bool is_first = rows[0]->result.is_hit, is_second = rows[1]->result.is_hit, is_same;

    TRY(compare_rows(sides, rows, &is_same, error));
    comparison->n_rows++;
    comparison->n_first_hits += is_first;
    comparison->n_second_hits += is_second;
    comparison->n_first_better += is_first && !is_second;
    comparison->n_second_better += is_second && !is_first;
    comparison->n_other_answer += is_first == is_second && !is_same;
    if (is_first != is_second) {
        comparison->changes[comparison->n_changes++] = (struct compare_change){first, second};
    }
    return OMMA_OK;
}

enum omma_status eval_compare(const struct scores *first, const struct scores *second,
                              struct eval_comparison *comparison, struct omma_error *error)
{
    const struct scores *const sides[2] = {first, second};
    struct place *places = NULL, *others = NULL;
    enum omma_status status;

    *comparison = (struct eval_comparison){0};
    if (first->rule != second->rule) {
        return fail(error, OMMA_STATUS_USAGE, "%s is scored as %s, %s as %s", first->table.path,
                    score_rule_name(first->rule), second->table.path,
                    score_rule_name(second->rule));
    }
    TRY_OR(status, done, sort_rows(first, &others, error));
    TRY_OR(status, done, sort_rows(second, &places, error));
    comparison->changes = calloc(first->n_rows + 1, sizeof *comparison->changes);
    if (comparison->changes == NULL) {
        status = fail_memory(error);
        goto done;
    }
    for (size_t i = 0; i < first->n_rows; i++) {
        const struct place wanted = {first->rows[i].index, 0};
        const struct place *found =
            bsearch(&wanted, places, second->n_rows, sizeof *places, by_index);

        if (found == NULL) {
            comparison->n_only_first++;
        } else {
            TRY_OR(status, done, compare_pair(sides, i, found->row, comparison, error));
        }
    }
    comparison->n_only_second = second->n_rows - comparison->n_rows;
    if (comparison->n_rows == 0) {
        status = fail(error, OMMA_STATUS_USAGE, "%s and %s: no index is in both", first->table.path,
                      second->table.path);
    }
done:
    free(places);
    free(others);
    if (status != OMMA_OK) {
        eval_comparison_close(comparison);
    }
    return status;
}

void eval_comparison_close(struct eval_comparison *comparison)
{
    free(comparison->changes);
    *comparison = (struct eval_comparison){0};
}

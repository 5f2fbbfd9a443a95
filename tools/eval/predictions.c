/* Cells are quoted as pandas' to_csv(sep="\t") quotes them: where they must be. */
#include "tools/eval/predictions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/batch/replacement.h"
#include "tools/eval/score.h"

/* What the journal has: a text for each row of the table, NULL for none. */
struct answers {
    char **texts; /* [n] */
    bool *has_failed;
    size_t n;
};

static enum omma_status take(void *user, const struct journal_row *row, struct omma_error *error)
{
    struct answers *answers = user;
    json_t *result;
    const char *text;

    if (row->number >= answers->n) {
        return OMMA_OK;
    }
    result = json_loads(row->result, 0, NULL);
    text = json_string_value(json_object_get(result, "prediction"));
    answers->has_failed[row->number] = text == NULL;
    answers->texts[row->number] = strdup(text != NULL ? text : SCORE_NO_ANSWER ".");
    json_decref(result);
    return answers->texts[row->number] != NULL ? OMMA_OK : fail_memory(error);
}

static void write_cell(FILE *out, const char *bytes, size_t n_bytes)
{
    bool is_quoted = false;

    for (size_t i = 0; i < n_bytes && !is_quoted; i++) {
        is_quoted = strchr("\t\"\n\r", bytes[i]) != NULL && bytes[i] != '\0';
    }
    if (!is_quoted) {
        fwrite(bytes, 1, n_bytes, out);
        return;
    }
    putc('"', out);
    for (size_t i = 0; i < n_bytes; i++) {
        if (bytes[i] == '"') {
            putc('"', out);
        }
        putc(bytes[i], out);
    }
    putc('"', out);
}

static void write_header(const struct table *table, size_t image, FILE *out)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        if (i != image) {
            write_cell(out, table->names[i], strlen(table->names[i]));
            putc('\t', out);
        }
    }
    fputs("prediction\n", out);
}

static enum omma_status write_row(const struct table *table, size_t number, size_t image,
                                  const char *prediction, FILE *out, struct omma_error *error)
{
    enum omma_status status = OMMA_OK;
    struct table_row row;

    TRY(table_row_read(table, number, &row, error));
    for (size_t i = 0; status == OMMA_OK && i < table->n_columns; i++) {
        struct text text = {0};
        bool has_value;

        if (i == image) {
            continue;
        }
        status = table_cell(table, &row, i, &text, &has_value, error);
        if (status == OMMA_OK) {
            write_cell(out, text.bytes, text.n_bytes);
            putc('\t', out);
        }
        text_free(&text);
    }
    table_row_free(&row);
    write_cell(out, prediction, strlen(prediction));
    putc('\n', out);
    return status;
}

static enum omma_status write_all(const struct table *table, const struct answers *answers,
                                  const uint64_t *numbers, size_t n, const char *path,
                                  size_t *n_failed, struct omma_error *error)
{
    size_t image = table_column(table, "image");
    struct replacement file = {0};
    struct omma_error other;
    enum omma_status status;

    *n_failed = 0;
    TRY(replacement_begin(path, &file, error));
    write_header(table, image, file.stream);
    status = OMMA_OK;
    for (size_t i = 0; status == OMMA_OK && i < n; i++) {
        const char *text = answers->texts[numbers[i]];

        if (text == NULL) {
            status = fail(error, OMMA_STATUS_INTERNAL, "row %llu has no answer",
                          (unsigned long long)numbers[i] + 1);
        } else {
            *n_failed += answers->has_failed[numbers[i]];
            status = write_row(table, numbers[i], image, text, file.stream, error);
        }
    }
    if (status != OMMA_OK) {
        replacement_end(&file, false, &other);
        return status;
    }
    return replacement_end(&file, true, error);
}

enum omma_status predictions_write(const struct table *table, struct journal *journal,
                                   const uint64_t *numbers, size_t n, const char *path,
                                   size_t *n_failed, struct omma_error *error)
{
    struct answers answers = {.texts = calloc(table->n_rows + 1, sizeof *answers.texts),
                              .has_failed = calloc(table->n_rows + 1, sizeof *answers.has_failed),
                              .n = table->n_rows};
    enum omma_status status;

    if (answers.texts == NULL || answers.has_failed == NULL) {
        status = fail_memory(error);
    } else {
        status = journal_each(journal, take, &answers, error);
    }
    if (status == OMMA_OK) {
        status = write_all(table, &answers, numbers, n, path, n_failed, error);
    }
    for (size_t i = 0; answers.texts != NULL && i < table->n_rows; i++) {
        free(answers.texts[i]);
    }
    free(answers.texts);
    free(answers.has_failed);
    return status;
}

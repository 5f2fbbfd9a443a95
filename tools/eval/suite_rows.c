/* A row to a prompt, an answer to what is kept of it. */
#include "tools/eval/suite_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json_out.h"

/* What a row's request points to. */
struct asked_row {
    struct text index;
    struct suite_prompt prompt;
    struct omma_turn turn;
};

static enum omma_status read_index(const struct table *table, const struct table_row *row,
                                   struct text *index, struct omma_error *error)
{
    bool has_value;

    return table_cell(table, row, table_column(table, "index"), index, &has_value, error);
}

/* The prompt of a row, or why it has none. */
static enum omma_status ask(const struct suite_rows *rows, const struct table_row *table_row,
                            struct row *row, struct omma_error *error)
{
    struct asked_row *asked = row->owned;
    struct omma_error row_error;
    enum omma_status status;

    TRY(read_index(rows->rules.table, table_row, &asked->index, error));
    status = suite_prompt_make(&rows->rules, table_row, &asked->prompt, &row_error);
    if (status == OMMA_STATUS_PROMPT || status == OMMA_STATUS_IMAGE ||
        status == OMMA_STATUS_USAGE) {
        problem_set(&row->problem, 400, omma_status_name(status), NULL, "%s", row_error.message);
        return OMMA_OK;
    }
    if (status != OMMA_OK) {
        *error = row_error;
        return status;
    }
    asked->turn = (struct omma_turn){OMMA_ROLE_USER, asked->prompt.text, asked->prompt.n_bytes};
    row->request = (struct omma_request){
        .conversation = {.turns = &asked->turn,
                         .n_turns = 1,
                         .images = (const struct omma_image *const *)asked->prompt.images,
                         .n_images = asked->prompt.n_images,
                         .special = OMMA_SPECIAL_REFERENCE,
                         .image_mark = SUITE_IMAGE_MARK},
        .max_new_tokens = rows->max_tokens,
    };
    return OMMA_OK;
}

static enum omma_status prepare(void *user, struct row *row, struct omma_error *error)
{
    const struct suite_rows *rows = user;
    struct table_row table_row;
    enum omma_status status;

    row->owned = calloc(1, sizeof(struct asked_row));
    if (row->owned == NULL) {
        return fail_memory(error);
    }
    TRY(table_row_read(rows->rules.table, row->number, &table_row, error));
    status = ask(rows, &table_row, row, error);
    table_row_free(&table_row);
    return status;
}

static void release(void *user, struct row *row)
{
    struct asked_row *asked = row->owned;

    (void)user;
    if (asked != NULL) {
        suite_prompt_free(&asked->prompt);
        text_free(&asked->index);
        free(asked);
        row->owned = NULL;
    }
}

static json_t *json_of_usage(const struct row *row)
{
    const struct asked_row *asked = row->owned;
    size_t n_tiles = 0;

    for (size_t i = 0; i < asked->prompt.n_images; i++) {
        n_tiles += omma_image_info(asked->prompt.images[i])->grid.n_tiles;
    }
    return json_pack("{sI sI sI sI}", "prompt_tokens", (json_int_t)row->usage.prompt_tokens,
                     "completion_tokens", (json_int_t)row->usage.completion_tokens, "image_tokens",
                     (json_int_t)row->usage.image_tokens, "tiles", (json_int_t)n_tiles);
}

static enum omma_status describe(void *user, struct row *row, struct omma_error *error)
{
    const struct asked_row *asked = row->owned;
    const struct omma_timings *timings = &row->timings;
    json_t *index = json_out_text(asked->index.bytes, asked->index.n_bytes), *result, *times;

    (void)user;
    if (row->problem.status != 0) {
        result =
            json_pack("{so s{ss so}}", "index", index, "error", "code", row->problem.code,
                      "message", json_out_text(row->problem.message, strlen(row->problem.message)));
        times = json_object();
    } else {
        result = json_pack("{so so ss so}", "index", index, "prediction",
                           json_out_text(row->text, row->n_text), "finish_reason",
                           omma_finish_name(row->finish), "usage", json_of_usage(row));
        times = json_pack("{sf sf sf sf sf}", "queue_s", timings->queue_s, "encode_s",
                          timings->encode_s, "prefill_s", timings->prefill_s, "decode_s",
                          timings->decode_s, "total_s", timings->total_s);
    }
    row->result = result != NULL ? json_dumps(result, JSON_COMPACT) : NULL;
    row->timings_text =
        times != NULL ? json_dumps(times, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(result);
    json_decref(times);
    return row->result != NULL && row->timings_text != NULL ? OMMA_OK : fail_memory(error);
}

static void name(void *user, uint64_t number, char *name, size_t capacity)
{
    (void)user;
    snprintf(name, capacity, "row %llu", (unsigned long long)number + 1);
}

struct row_source suite_rows_source(struct suite_rows *rows)
{
    return (struct row_source){
        .user = rows, .prepare = prepare, .describe = describe, .release = release, .name = name};
}

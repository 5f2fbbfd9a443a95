/* Shards are opened as tables; their rows are copied as they are written. */
#include "tools/eval/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/batch/replacement.h"
#include "tools/eval/table.h"
#include "tools/json_out.h"

/* A shard in its place: number - 1. */
struct shard {
    const struct run_folder *run; /* NULL: not found yet */
    struct table table;
};

struct merge {
    struct shard *shards;
    size_t n_shards;
};

static enum omma_status number_of(const struct run_folder *run, const json_t *object,
                                  const char *name, size_t low, size_t high, size_t *number,
                                  struct omma_error *error)
{
    const json_t *value = json_object_get(object, name);
    json_int_t found = json_integer_value(value);

    if (!json_is_integer(value) || found < (json_int_t)low || found > (json_int_t)high) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: its manifest: %s: expected a number from %zu to %zu", run->predictions,
                    name, low, high);
    }
    *number = (size_t)found;
    return OMMA_OK;
}

/* Put each run where its number says. */
static enum omma_status place_shards(const struct run_folder *runs, size_t n_runs,
                                     struct merge *merge, struct omma_error *error)
{
    for (size_t i = 0; i < n_runs; i++) {
        const json_t *shard = json_object_get(runs[i].manifest, "shard");
        size_t number, of;

        if (shard == NULL) {
            return fail(error, OMMA_STATUS_USAGE, "%s: no shard of a run", runs[i].predictions);
        }
        TRY(number_of(&runs[i], shard, "of", 1, SIZE_MAX >> 1, &of, error));
        if (of != n_runs) {
            return fail(error, OMMA_STATUS_USAGE,
                        "%s: one of %zu shards; expected all of them, found %zu",
                        runs[i].predictions, of, n_runs);
        }
        TRY(number_of(&runs[i], shard, "number", 1, of, &number, error));
        if (merge->shards[number - 1].run != NULL) {
            return fail(error, OMMA_STATUS_USAGE, "%s and %s: both are shard %zu of %zu",
                        merge->shards[number - 1].run->predictions, runs[i].predictions, number,
                        of);
        }
        merge->shards[number - 1].run = &runs[i];
    }
    return OMMA_OK;
}

/* A copy of what must be the same in all manifests. */
static json_t *common_part(const json_t *manifest)
{
    json_t *copy = json_copy((json_t *)manifest);

    if (copy != NULL) {
        json_object_del(copy, "shard");
        json_object_del(copy, "run");
    }
    return copy;
}

static enum omma_status tell_difference(const struct run_folder *one,
                                        const struct run_folder *other, const json_t *a,
                                        const json_t *b, struct omma_error *error)
{
    const json_t *sides[2] = {a, b};

    for (int i = 0; i < 2; i++) {
        void *at = json_object_iter((json_t *)sides[i]);

        for (; at != NULL; at = json_object_iter_next((json_t *)sides[i], at)) {
            const char *name = json_object_iter_key(at);
            const json_t *values[2] = {json_object_get(a, name), json_object_get(b, name)};

            if (!json_equal(values[0], values[1])) {
                char *texts[2];

                for (int j = 0; j < 2; j++) {
                    texts[j] =
                        json_dumps(values[j], JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
                }
                fail(error, OMMA_STATUS_USAGE, "%s and %s: %s: %.200s, %.200s; expected one run",
                     one->predictions, other->predictions, name,
                     texts[0] != NULL ? texts[0] : "nothing",
                     texts[1] != NULL ? texts[1] : "nothing");
                free(texts[0]);
                free(texts[1]);
                return OMMA_STATUS_USAGE;
            }
        }
    }
    return OMMA_OK;
}

static enum omma_status check_manifests(const struct merge *merge, struct omma_error *error)
{
    const struct run_folder *first = merge->shards[0].run;
    json_t *expected = common_part(first->manifest);
    enum omma_status status = expected != NULL ? OMMA_OK : fail_memory(error);

    for (size_t i = 1; i < merge->n_shards && status == OMMA_OK; i++) {
        json_t *found = common_part(merge->shards[i].run->manifest);

        status = found != NULL
                     ? tell_difference(first, merge->shards[i].run, expected, found, error)
                     : fail_memory(error);
        json_decref(found);
    }
    json_decref(expected);
    return status;
}

/* The first record, as it is written; to be released. */
static enum omma_status read_header(const struct table *table, struct text *header,
                                    struct omma_error *error)
{
    size_t end = table->n_rows > 0 ? table->offsets[0] : table->n_bytes;

    header->bytes = malloc(end + 1);
    header->n_bytes = end;
    if (header->bytes == NULL) {
        return fail_memory(error);
    }
    if (pread(table->descriptor, header->bytes, end, 0) != (ssize_t)end) {
        text_free(header);
        return fail(error, OMMA_STATUS_CHANGED, "%s: changed while it was read", table->path);
    }
    header->bytes[end] = '\0';
    return OMMA_OK;
}

/* Open the tables, which must have the same columns and all their rows. */
static enum omma_status open_tables(struct merge *merge, size_t n_rows, struct omma_error *error)
{
    struct text first = {0};
    enum omma_status status = OMMA_OK;

    for (size_t i = 0; i < merge->n_shards; i++) {
        struct table *table = &merge->shards[i].table;
        size_t expected = n_rows / merge->n_shards + (i < n_rows % merge->n_shards);
        struct text header = {0};
        bool is_same;

        TRY_OR(status, done, table_open(merge->shards[i].run->predictions, table, error));
        if (table->n_rows != expected) {
            status = fail(error, OMMA_STATUS_USAGE,
                          "%s: shard %zu of %zu: expected %zu of %zu rows, found %zu", table->path,
                          i + 1, merge->n_shards, expected, n_rows, table->n_rows);
            goto done;
        }
        TRY_OR(status, done, read_header(table, i == 0 ? &first : &header, error));
        is_same = i == 0 || (header.n_bytes == first.n_bytes &&
                             memcmp(header.bytes, first.bytes, first.n_bytes) == 0);
        text_free(&header);
        if (!is_same) {
            status = fail(error, OMMA_STATUS_USAGE, "%s and %s: other columns",
                          merge->shards[0].table.path, table->path);
            goto done;
        }
    }
done:
    text_free(&first);
    return status;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* No index may be there twice. */
static enum omma_status check_indices(const struct merge *merge, size_t n_rows,
                                      struct omma_error *error)
{
    char **indices = calloc(n_rows + 1, sizeof *indices);
    enum omma_status status = indices != NULL ? OMMA_OK : fail_memory(error);

    for (size_t i = 0; i < n_rows && status == OMMA_OK; i++) {
        const struct table *table = &merge->shards[i % merge->n_shards].table;
        struct table_row row;
        struct text text;
        bool has_value;

        TRY_OR(status, done, table_row_read(table, i / merge->n_shards, &row, error));
        status = table_cell(table, &row, table_column(table, "index"), &text, &has_value, error);
        table_row_free(&row);
        TRY_OR(status, done, status);
        if (!has_value) {
            text_free(&text);
            status = fail(error, OMMA_STATUS_USAGE, "%s: row %zu: expected an index", table->path,
                          i / merge->n_shards + 1);
            goto done;
        }
        indices[i] = text.bytes;
    }
    if (status == OMMA_OK) {
        qsort(indices, n_rows, sizeof *indices, compare_texts);
    }
    for (size_t i = 1; i < n_rows && status == OMMA_OK; i++) {
        if (strcmp(indices[i - 1], indices[i]) == 0) {
            status = fail(error, OMMA_STATUS_USAGE, "index %s is there twice", indices[i]);
        }
    }
done:
    for (size_t i = 0; indices != NULL && i < n_rows; i++) {
        free(indices[i]);
    }
    free(indices);
    return status;
}

static enum omma_status write_rows(const struct merge *merge, size_t n_rows, FILE *out,
                                   struct omma_error *error)
{
    struct text header;

    TRY(read_header(&merge->shards[0].table, &header, error));
    fwrite(header.bytes, 1, header.n_bytes, out);
    text_free(&header);
    for (size_t i = 0; i < n_rows; i++) {
        struct table_row row;

        TRY(table_row_read(&merge->shards[i % merge->n_shards].table, i / merge->n_shards, &row,
                           error));
        fwrite(row.bytes, 1, row.n_bytes, out);
        if (row.n_bytes == 0 || row.bytes[row.n_bytes - 1] != '\n') {
            putc('\n', out);
        }
        table_row_free(&row);
    }
    return OMMA_OK;
}

/* The shards' manifest without "shard", and with the list of their "run". */
static enum omma_status write_manifest(const struct merge *merge, FILE *out,
                                       struct omma_error *error)
{
    struct json_out json = {.value = common_part(merge->shards[0].run->manifest),
                            .is_complete = true};
    json_t *list = json_array();

    if (json.value == NULL) {
        json_decref(list);
        return fail_memory(error);
    }
    for (size_t i = 0; i < merge->n_shards; i++) {
        json_t *run = json_object_get(merge->shards[i].run->manifest, "run");

        if (json_array_append_new(list, run != NULL ? json_incref(run) : json_null()) != 0) {
            json.is_complete = false;
        }
    }
    json_out_set(&json, "run", json_pack("{s:o}", "shards", list));
    return json_out_write(&json, out, false, error);
}

/* The file of predictions, and then the manifest that names it. */
static enum omma_status write_all(const struct merge *merge, size_t n_rows, const char *folder,
                                  struct omma_error *error)
{
    const char *name =
        json_string_value(json_object_get(merge->shards[0].run->manifest, "predictions"));
    const char *names[] = {name, "manifest.json"};

    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return fail(error, OMMA_STATUS_OUTPUT, "%s: %s", folder, strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        struct replacement file = {0};
        struct omma_error other;
        char *path;
        enum omma_status status;

        if (asprintf(&path, "%s/%s", folder, names[i]) < 0) {
            return fail_memory(error);
        }
        status = replacement_begin(path, &file, error);
        free(path);
        TRY(status);
        status = i == 0 ? write_rows(merge, n_rows, file.stream, error)
                        : write_manifest(merge, file.stream, error);
        if (status != OMMA_OK) {
            replacement_end(&file, false, &other);
            return status;
        }
        TRY(replacement_end(&file, true, error));
    }
    return OMMA_OK;
}

enum omma_status merge_runs(const struct run_folder *runs, size_t n_runs, const char *folder,
                            struct omma_error *error)
{
    struct merge merge = {.shards = calloc(n_runs, sizeof *merge.shards), .n_shards = n_runs};
    size_t n_rows;
    enum omma_status status;

    if (merge.shards == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_runs; i++) {
        merge.shards[i].table.descriptor = -1;
    }
    TRY_OR(status, done, place_shards(runs, n_runs, &merge, error));
    TRY_OR(status, done, check_manifests(&merge, error));
    TRY_OR(status, done,
           number_of(merge.shards[0].run, merge.shards[0].run->manifest, "rows", 0, SIZE_MAX >> 1,
                     &n_rows, error));
    TRY_OR(status, done, open_tables(&merge, n_rows, error));
    TRY_OR(status, done, check_indices(&merge, n_rows, error));
    status = write_all(&merge, n_rows, folder, error);
done:
    for (size_t i = 0; i < n_runs; i++) {
        table_close(&merge.shards[i].table);
    }
    free(merge.shards);
    return status;
}

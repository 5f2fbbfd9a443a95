/*
 * Scratch of a thread: a row as f32, a block of rows as it is written, and its scales.
 */
#include "model/quantize/convert.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "model/checkpoint.h"
#include "platform/file_write.h"
#include "platform/team.h"

enum {
    SLAB_BYTES = 32 << 20, /* of the source */
    SLAB_ROWS = 8192,
    BLOCK_BYTES = 256 << 10, /* written at once; more where a row is longer */
    BLOCK_ROWS = 1024,
    PIECE = BLOCK_BYTES / 2, /* elements of a tensor that stays */
    SMALLEST_GROUP = 64,
};

/* What a thread leaves behind. */
struct part {
    enum omma_status status;
    struct omma_error error;
    bool is_different;
};

struct omma_quantize_converter {
    struct omma_team *team;
    struct part *parts; /* [n_threads] */
    size_t max_columns;
    struct omma_quantize_error rows[SLAB_ROWS]; /* of a slab */
};

/* What the threads do now. */
struct job {
    struct omma_quantize_converter *converter;
    const struct omma_quantize_item *item;
    const struct omma_quantize_target *target;
    size_t begin, end; /* rows, or elements of what stays */
};

/* ------------------------------------------------------------------------------------------------
 * On the threads
 * --------------------------------------------------------------------------------------------- */

static enum omma_status store(const struct job *job, struct part *part, const void *bytes,
                              size_t n_bytes, uint64_t offset)
{
    const struct omma_mapping *existing = job->target->existing;

    if (existing != NULL) {
        part->is_different =
            part->is_different || memcmp(existing->bytes + offset, bytes, n_bytes) != 0;
        return OMMA_OK;
    }
    return omma_file_write_at(job->target->fd, job->target->path, bytes, n_bytes, offset,
                              &part->error);
}

static enum omma_status fail_value(const struct job *job, size_t row, const float *values,
                                   struct omma_error *error)
{
    const struct omma_quantize_item *item = job->item;
    const struct omma_mapping *mapping = &item->source->file->mapping;
    size_t column = 0, element, n_bytes = omma_dtype_bytes(item->dtype);

    while (column + 1 < item->n_columns && values[column] - values[column] == 0) {
        column++;
    }
    element = row * item->n_columns + column +
              (size_t)(item->data - (const char *)item->source->tensor->data) / n_bytes;
    return omma_fail(
        error, OMMA_STATUS_MODEL,
        "%s: %.200s @%zu: expected finite weights, found NaN or infinity at element %zu",
        mapping->path, item->source->tensor->name,
        (size_t)((const uint8_t *)item->source->tensor->data - mapping->bytes) + element * n_bytes,
        element);
}

/* Rows [begin, end), which fit a block. */
static enum omma_status convert_block(const struct job *job, char *scratch, size_t begin,
                                      size_t end, struct part *part)
{
    const struct omma_quantize_item *item = job->item;
    size_t n_columns = item->n_columns, n_groups = n_columns / item->group;
    size_t row_bytes = n_columns * omma_dtype_bytes(item->dtype);
    float *row = (float *)scratch;
    uint16_t *scales = (uint16_t *)(row + job->converter->max_columns);
    int8_t *block = (int8_t *)(scales + omma_max(BLOCK_ROWS, omma_max(BLOCK_BYTES, n_columns) /
                                                                 SMALLEST_GROUP));

    for (size_t r = begin; r < end; r++) {
        struct omma_quantize_error *sums = &job->converter->rows[r - job->begin];

        *sums = (struct omma_quantize_error){0};
        omma_quantize_widen(item->data + r * row_bytes, item->dtype, n_columns, row);
        for (size_t g = 0; g < n_groups; g++) {
            if (!omma_quantize_values(row + g * item->group, item->group,
                                      block + (r - begin) * n_columns + g * item->group,
                                      &scales[(r - begin) * n_groups + g], sums)) {
                return fail_value(job, r, row, &part->error);
            }
        }
    }
    OMMA_TRY(store(job, part, block, (end - begin) * n_columns, item->offset + begin * n_columns));
    return store(job, part, scales, (end - begin) * n_groups * sizeof *scales,
                 item->scale_offset + begin * n_groups * sizeof *scales);
}

static enum omma_status convert_rows(const struct job *job, struct omma_thread *self,
                                     struct part *part)
{
    struct omma_range range = omma_team_range(self, job->end - job->begin);
    size_t n_block = omma_min(omma_max(BLOCK_BYTES / job->item->n_columns, 1), BLOCK_ROWS);

    for (size_t r = range.begin; r < range.end; r += n_block) {
        OMMA_TRY(convert_block(job, self->scratch, job->begin + r,
                               job->begin + omma_min(r + n_block, range.end), part));
    }
    return OMMA_OK;
}

/* Elements that stay what they are, but for the type. */
static enum omma_status copy_elements(const struct job *job, struct omma_thread *self,
                                      struct part *part)
{
    const struct omma_quantize_item *item = job->item;
    size_t n_pieces = (job->end - job->begin + PIECE - 1) / PIECE;
    struct omma_range range = omma_team_range(self, n_pieces);

    for (size_t p = range.begin; p < range.end; p++) {
        size_t begin = job->begin + p * PIECE, n = omma_min(PIECE, job->end - begin);
        const char *from = item->data + begin * omma_dtype_bytes(item->dtype);
        uint16_t *values = (uint16_t *)self->scratch;

        omma_quantize_to_bf16(from, item->dtype, n, values);
        OMMA_TRY(
            store(job, part, values, n * sizeof *values, item->offset + begin * sizeof *values));
    }
    return OMMA_OK;
}

static void work(struct omma_thread *self, void *argument)
{
    const struct job *job = argument;
    struct part *part = &job->converter->parts[self->index];

    part->status =
        job->item->group != 0 ? convert_rows(job, self, part) : copy_elements(job, self, part);
}

/* ------------------------------------------------------------------------------------------------
 * On the calling thread
 * --------------------------------------------------------------------------------------------- */

static enum omma_status run(struct job *job, struct omma_quantize_error *result, bool *is_equal,
                            struct omma_error *error)
{
    struct omma_quantize_converter *converter = job->converter;

    omma_team_run(converter->team, work, job);
    for (size_t i = 0; i < omma_team_n_threads(converter->team); i++) {
        const struct part *part = &converter->parts[i];

        if (part->status != OMMA_OK) {
            return omma_fail(error, part->status, "%s", part->error.message);
        }
        *is_equal = *is_equal && !part->is_different;
    }
    for (size_t r = 0; job->item->group != 0 && r < job->end - job->begin; r++) {
        result->squares += converter->rows[r].squares;
        result->value_squares += converter->rows[r].value_squares;
        result->largest = converter->rows[r].largest > result->largest ? converter->rows[r].largest
                                                                       : result->largest;
    }
    return OMMA_OK;
}

enum omma_status omma_quantize_convert(struct omma_quantize_converter *converter,
                                       const struct omma_quantize_item *item,
                                       const struct omma_quantize_target *target,
                                       omma_quantize_step_fn step, void *user,
                                       struct omma_quantize_error *result, bool *is_equal,
                                       struct omma_error *error)
{
    const struct omma_mapping *mapping = &item->source->file->mapping;
    bool is_kept = item->group == 0;
    size_t n = is_kept ? item->n_elements : item->n_rows;
    size_t unit_bytes = omma_dtype_bytes(item->dtype) * (is_kept ? 1 : item->n_columns);
    size_t n_slab = omma_max(SLAB_BYTES / unit_bytes, 1);

    *result = (struct omma_quantize_error){0};
    *is_equal = true;
    n_slab = is_kept ? n_slab : omma_min(n_slab, SLAB_ROWS);
    for (size_t at = 0; at < n; at += n_slab) {
        struct job job = {converter, item, target, at, omma_min(at + n_slab, n)};
        const char *data = item->data + at * unit_bytes;
        size_t n_bytes = (job.end - at) * unit_bytes;

        omma_mapping_prefetch(mapping, data + n_bytes, SLAB_BYTES);
        memset(converter->parts, 0, omma_team_n_threads(converter->team) * sizeof(struct part));
        OMMA_TRY(omma_mapping_check(mapping, error)); /* pages behind the end raise SIGBUS */
        OMMA_TRY(run(&job, result, is_equal, error));
        omma_mapping_release(mapping, data, n_bytes);
        step(user, n_bytes);
    }
    return omma_mapping_check(mapping, error);
}

enum omma_status omma_quantize_converter_create(const struct omma_quantize_plan *plan,
                                                size_t n_threads, const struct omma_log *log,
                                                struct omma_quantize_converter **converter,
                                                struct omma_error *error)
{
    struct omma_quantize_converter *made = calloc(1, sizeof *made);
    struct omma_team_options options = {.n_threads = n_threads, .log = log};
    enum omma_status status;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "rows of a slab");
    }
    for (size_t i = 0; i < plan->n_items; i++) {
        made->max_columns = omma_max(made->max_columns, plan->items[i].n_columns);
    }
    options.scratch_bytes =
        made->max_columns * sizeof(float) +
        omma_max(BLOCK_ROWS, omma_max(BLOCK_BYTES, made->max_columns) / SMALLEST_GROUP) *
            sizeof(uint16_t) +
        omma_max(BLOCK_BYTES, made->max_columns);
    OMMA_TRY_OR(status, fail, omma_team_create(&options, &made->team, error));
    made->parts = calloc(omma_team_n_threads(made->team), sizeof *made->parts);
    if (made->parts == NULL) {
        status = omma_fail_memory(error, sizeof *made->parts, "a team's parts");
        goto fail;
    }
    *converter = made;
    return OMMA_OK;
fail:
    omma_quantize_converter_destroy(&made);
    return status;
}

void omma_quantize_converter_destroy(struct omma_quantize_converter **converter)
{
    if (*converter == NULL) {
        return;
    }
    omma_team_destroy(&(*converter)->team);
    free((*converter)->parts);
    free(*converter);
    *converter = NULL;
}

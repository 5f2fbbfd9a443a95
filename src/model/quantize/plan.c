/*
 * Walks the table of names twice: once with the names that the model's files have, once with those
 * of the folder that is written, and finds for each of the latter the former that fills the same
 * field.
 */
#include "model/quantize/plan.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "format/json.h"
#include "model/binding.h"

static const uint64_t default_shard_bytes = 5000000000; /* as transformers 4 has it */

enum { HEADER_UNIT = 8 };

struct planner {
    const struct omma_model *model;
    const struct omma_quantize_options *options;
    struct omma_quantize_plan *plan;
    struct omma_named_tensor *sources;
    size_t n_sources, capacity, items_capacity;
    struct omma_error *error;
};

/* ------------------------------------------------------------------------------------------------
 * Where a tensor comes from
 * --------------------------------------------------------------------------------------------- */

static enum omma_status list_source(void *user, const struct omma_named_tensor *named)
{
    struct planner *planner = user;

    if (planner->n_sources == planner->capacity) {
        size_t capacity = 2 * planner->capacity + 256;
        struct omma_named_tensor *grown = realloc(planner->sources, capacity * sizeof *grown);

        if (grown == NULL) {
            return omma_fail_memory(planner->error, capacity * sizeof *grown, "a list of tensors");
        }
        planner->sources = grown;
        planner->capacity = capacity;
    }
    planner->sources[planner->n_sources++] = *named;
    return OMMA_OK;
}

/* Which third of a fused source a tensor is: 0, 1, 2; or -1 if it is another tensor. */
static int third_of(const struct omma_named_tensor *source, const struct omma_named_tensor *named)
{
    static const size_t offsets[3] = {offsetof(struct omma_vision_layer, q),
                                      offsetof(struct omma_vision_layer, k),
                                      offsetof(struct omma_vision_layer, v)};
    size_t within = source->fill == OMMA_FILL_QKV_WEIGHT ? offsetof(struct omma_linear, weight)
                                                         : offsetof(struct omma_linear, bias);

    for (int i = 0; i < 3; i++) {
        if (named->offset == offsets[i] + within) {
            return i;
        }
    }
    return -1;
}

/* *third: -1 for the whole tensor. */
static const struct omma_named_tensor *find_source(const struct planner *planner,
                                                   const struct omma_named_tensor *named,
                                                   int *third)
{
    for (size_t i = 0; i < planner->n_sources; i++) {
        const struct omma_named_tensor *source = &planner->sources[i];

        if (source->part != named->part || source->in_layer != named->in_layer ||
            source->layer != named->layer) {
            continue;
        }
        *third = -1;
        if (source->fill == OMMA_FILL_QKV_WEIGHT || source->fill == OMMA_FILL_QKV_BIAS) {
            *third = third_of(source, named);
            if (*third >= 0) {
                return source;
            }
        } else if (source->offset == named->offset) {
            return source;
        }
    }
    return NULL;
}

static enum omma_status read_dtype(const struct planner *planner,
                                   const struct omma_checkpoint_tensor *found,
                                   enum omma_dtype *dtype)
{
    static const struct {
        const char *word;
        enum omma_dtype dtype;
    } known[] = {{"BF16", OMMA_DTYPE_BF16}, {"F32", OMMA_DTYPE_F32}, {"F16", OMMA_DTYPE_F16}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(found->tensor->dtype, known[i].word) == 0) {
            *dtype = known[i].dtype;
            return OMMA_OK;
        }
    }
    return omma_fail(planner->error, OMMA_STATUS_MODEL,
                     "%s: %.200s: expected BF16, F16 or F32, as a model has that is not quantized, "
                     "found %s",
                     found->file->mapping.path, found->tensor->name, found->tensor->dtype);
}

/* ------------------------------------------------------------------------------------------------
 * Items
 * --------------------------------------------------------------------------------------------- */

bool omma_quantize_is_linear(const struct omma_quantize_item *item)
{
    return item->named.role == OMMA_TENSOR_LINEAR;
}

static void choose_group(const struct planner *planner, struct omma_quantize_item *item)
{
    const struct omma_quantize_options *options = planner->options;
    enum omma_part part = item->named.part;

    if (!omma_quantize_is_linear(item) || part == OMMA_PART_PROJECTOR ||
        (part == OMMA_PART_VISION && !options->vision)) {
        return;
    }
    item->n_rows = item->named.shape[0];
    item->n_columns = item->named.shape[1];
    item->group = options->group != 0 && item->n_columns % options->group == 0 ? options->group
                                                                               : item->n_columns;
}

static enum omma_status add_item(struct planner *planner, const struct omma_named_tensor *named,
                                 const char *source_name, int third)
{
    const struct omma_checkpoint *checkpoint = planner->model->checkpoint;
    size_t at = omma_checkpoint_find(checkpoint, source_name), n_elements = 1;
    struct omma_quantize_plan *plan = planner->plan;
    struct omma_quantize_item *item;

    if (at == checkpoint->n_tensors) {
        return omma_fail(planner->error, OMMA_STATUS_INTERNAL, "%s: bound, but not in the files",
                         source_name);
    }
    if (plan->n_items == planner->items_capacity) {
        size_t capacity = 2 * planner->items_capacity + 256;
        struct omma_quantize_item *grown = realloc(plan->items, capacity * sizeof *grown);

        if (grown == NULL) {
            return omma_fail_memory(planner->error, capacity * sizeof *grown, "a list of tensors");
        }
        plan->items = grown;
        planner->items_capacity = capacity;
    }
    for (size_t i = 0; i < named->n_dimensions; i++) {
        n_elements *= named->shape[i];
    }
    item = &plan->items[plan->n_items];
    *item = (struct omma_quantize_item){
        .named = *named, .source = &checkpoint->tensors[at], .n_elements = n_elements};
    OMMA_TRY(read_dtype(planner, item->source, &item->dtype));
    item->data = item->source->tensor->data;
    if (third > 0) {
        item->data += (size_t)third * n_elements * omma_dtype_bytes(item->dtype);
    }
    choose_group(planner, item);
    plan->n_items++;
    plan->n_parameters += n_elements;
    plan->n_source_bytes += n_elements * omma_dtype_bytes(item->dtype);
    return OMMA_OK;
}

static enum omma_status add_named(void *user, const struct omma_named_tensor *named)
{
    struct planner *planner = user;
    const struct omma_named_tensor *source;
    int third = -1;

    source = find_source(planner, named, &third);
    if (source == NULL) {
        return omma_fail(planner->error, OMMA_STATUS_INTERNAL, "%s: has no source", named->name);
    }
    return add_item(planner, named, source->name, third);
}

static enum omma_status add_head(struct planner *planner)
{
    const struct omma_checkpoint *checkpoint = planner->model->checkpoint;
    const char *const *names = omma_head_names();
    struct omma_named_tensor head;

    for (size_t i = 0; names[i] != NULL; i++) {
        if (omma_checkpoint_find(checkpoint, names[i]) < checkpoint->n_tensors) {
            omma_names_head(&planner->model->config, names[0], &head);
            planner->plan->has_head = true;
            return add_item(planner, &head, names[i], -1);
        }
    }
    return OMMA_OK; /* tied */
}

/* The form of a part in the folder: transformers' names without "model." */
static const struct omma_name_form *form_written(enum omma_part part)
{
    const struct omma_name_form *forms = omma_name_forms(part);

    return part == OMMA_PART_LANGUAGE ? &forms[0] : &forms[1];
}

static enum omma_status list_items(struct planner *planner)
{
    const struct omma_name_form *forms[OMMA_N_PARTS];

    omma_weights_forms(planner->model->checkpoint, &planner->model->config, forms);
    OMMA_TRY(omma_names_each(&planner->model->config, forms, list_source, planner));
    for (int part = 0; part < OMMA_N_PARTS; part++) {
        forms[part] = form_written((enum omma_part)part);
    }
    OMMA_TRY(omma_names_each(&planner->model->config, forms, add_named, planner));
    return add_head(planner);
}

/* ------------------------------------------------------------------------------------------------
 * Shards
 * --------------------------------------------------------------------------------------------- */

/* A tensor of a file that is written. */
struct entry {
    char name[OMMA_NAME_BYTES + 8];
    const char *dtype;
    size_t n_dimensions, shape[OMMA_NAME_DIMENSIONS];
    uint64_t n_bytes;
    uint64_t *offset;
};

void omma_quantize_scale_name(const struct omma_quantize_item *item, char name[OMMA_NAME_BYTES + 8])
{
    snprintf(name, OMMA_NAME_BYTES + 8, "%s_scale", item->named.name);
}

static uint64_t scale_bytes(const struct omma_quantize_item *item)
{
    return item->group == 0 ? 0 : item->n_elements / item->group * sizeof(uint16_t);
}

static uint64_t item_bytes(const struct omma_quantize_item *item)
{
    return item->group == 0 ? item->n_elements * sizeof(uint16_t)
                            : item->n_elements + scale_bytes(item);
}

static size_t list_entries(struct omma_quantize_item *item, struct entry entries[2])
{
    entries[0] = (struct entry){
        .dtype = item->group == 0 ? "BF16" : "I8",
        .n_dimensions = item->named.n_dimensions,
        .n_bytes = item_bytes(item) - scale_bytes(item),
        .offset = &item->offset,
    };
    memcpy(entries[0].name, item->named.name, sizeof item->named.name);
    memcpy(entries[0].shape, item->named.shape, sizeof item->named.shape);
    if (item->group == 0) {
        return 1;
    }
    entries[1] = (struct entry){
        .dtype = "BF16",
        .n_dimensions = 2,
        .shape = {item->n_rows, item->n_columns / item->group},
        .n_bytes = scale_bytes(item),
        .offset = &item->scale_offset,
    };
    omma_quantize_scale_name(item, entries[1].name);
    return 2;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int by_dtype = strcmp(x->dtype, y->dtype); /* "BF16" before "I8", as in the reference */

    return by_dtype != 0 ? by_dtype : strcmp(x->name, y->name);
}

static enum omma_status write_header(struct omma_quantize_shard *shard, struct entry *entries,
                                     size_t n_entries, struct omma_error *error)
{
    qsort(entries, n_entries, sizeof *entries, compare_entries);
    OMMA_TRY(omma_safetensors_writer_note(&shard->header, "format", "pt", error));
    for (size_t i = 0; i < n_entries; i++) {
        const struct entry *entry = &entries[i];

        OMMA_TRY(omma_safetensors_writer_add(&shard->header, entry->name, entry->dtype,
                                             entry->n_dimensions, entry->shape, entry->n_bytes,
                                             entry->offset, error));
    }
    OMMA_TRY(omma_safetensors_writer_end(&shard->header, HEADER_UNIT, error));
    for (size_t i = 0; i < n_entries; i++) {
        *entries[i].offset += shard->header.n_bytes;
    }
    shard->n_bytes = shard->header.n_bytes + shard->header.n_data_bytes;
    return OMMA_OK;
}

static enum omma_status lay_out(struct omma_quantize_plan *plan, struct omma_quantize_shard *shard,
                                struct omma_error *error)
{
    struct entry *entries = malloc(2 * shard->n_items * sizeof *entries);
    enum omma_status status;
    size_t n = 0;

    if (entries == NULL) {
        return omma_fail_memory(error, 2 * shard->n_items * sizeof *entries, "a list of tensors");
    }
    for (size_t i = 0; i < shard->n_items; i++) {
        n += list_entries(&plan->items[shard->first_item + i], entries + n);
    }
    status = write_header(shard, entries, n, error);
    plan->n_bytes += shard->n_bytes;
    free(entries);
    return status;
}

/* Give each item its shard: the next one where this one would become too large. */
static size_t fill_shards(struct omma_quantize_plan *plan, uint64_t max_bytes)
{
    uint64_t n_bytes = 0;
    size_t shard = 0;

    for (size_t i = 0; i < plan->n_items; i++) {
        uint64_t more = item_bytes(&plan->items[i]);

        if (n_bytes > 0 && n_bytes + more > max_bytes) {
            shard++;
            n_bytes = 0;
        }
        n_bytes += more;
        plan->items[i].shard = shard;
    }
    return shard + 1;
}

static enum omma_status make_shards(struct planner *planner)
{
    struct omma_quantize_plan *plan = planner->plan;
    uint64_t asked = planner->options->shard_bytes;

    plan->n_shards = fill_shards(plan, asked != 0 ? asked : default_shard_bytes);
    plan->shards = calloc(plan->n_shards, sizeof *plan->shards);
    if (plan->shards == NULL) {
        return omma_fail_memory(planner->error, plan->n_shards * sizeof *plan->shards, "shards");
    }
    for (size_t i = 0; i < plan->n_items; i++) {
        struct omma_quantize_shard *shard = &plan->shards[plan->items[i].shard];

        shard->first_item = shard->n_items == 0 ? i : shard->first_item;
        shard->n_items++;
    }
    for (size_t k = 0; k < plan->n_shards; k++) {
        struct omma_quantize_shard *shard = &plan->shards[k];

        if (plan->n_shards == 1) {
            snprintf(shard->name, sizeof shard->name, "model.safetensors");
        } else {
            snprintf(shard->name, sizeof shard->name, "model-%05zu-of-%05zu.safetensors", k + 1,
                     plan->n_shards);
        }
        OMMA_TRY(lay_out(plan, shard, planner->error));
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The plan
 * --------------------------------------------------------------------------------------------- */

enum omma_status omma_quantize_plan_make(const struct omma_model *model,
                                         const struct omma_quantize_options *options,
                                         struct omma_quantize_plan *plan, struct omma_error *error)
{
    struct planner planner = {.model = model, .options = options, .plan = plan, .error = error};
    enum omma_status status;

    *plan = (struct omma_quantize_plan){0};
    if (options->group != 0 && options->group != 64 && options->group != 128) {
        return omma_fail(error, OMMA_STATUS_USAGE, "group: expected 64 or 128, found %zu",
                         options->group);
    }
    OMMA_TRY_OR(status, out, list_items(&planner));
    status = make_shards(&planner);
out:
    free(planner.sources);
    if (status != OMMA_OK) {
        omma_quantize_plan_free(plan);
    }
    return status;
}

void omma_quantize_plan_free(struct omma_quantize_plan *plan)
{
    for (size_t k = 0; plan->shards != NULL && k < plan->n_shards; k++) {
        omma_safetensors_writer_free(&plan->shards[k].header);
    }
    free(plan->shards);
    free(plan->items);
    *plan = (struct omma_quantize_plan){0};
}

char *omma_quantize_plan_index(const struct omma_quantize_plan *plan)
{
    json_t *map = json_object(), *root;
    uint64_t n_bytes = 0;
    char *text = NULL;
    bool is_complete = map != NULL;

    for (size_t i = 0; i < plan->n_items; i++) {
        const struct omma_quantize_item *item = &plan->items[i];
        const char *file = plan->shards[item->shard].name;
        char scale[OMMA_NAME_BYTES + 8];

        n_bytes += item_bytes(item);
        is_complete =
            json_object_set_new(map, item->named.name, json_string(file)) == 0 && is_complete;
        if (item->group != 0) {
            omma_quantize_scale_name(item, scale);
            is_complete = json_object_set_new(map, scale, json_string(file)) == 0 && is_complete;
        }
    }
    root = json_pack("{s:{s:I, s:I}, s:o*}", "metadata", "total_parameters",
                     (json_int_t)plan->n_parameters, "total_size", (json_int_t)n_bytes,
                     "weight_map", map);
    if (is_complete && root != NULL) {
        text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    }
    json_decref(root);
    return text;
}

/*
 * Walks the table of names once: every tensor that the config asks for is looked up, checked and
 * put where it belongs; what is left over at the end was not expected.  Faults are gathered, so
 * that a folder of the wrong kind shows at once and not tensor by tensor.
 */
#include "model/binding.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "base/checked.h"

enum { N_LISTED = 12 }; /* of each kind of fault */

struct fault_list {
    size_t n;
    char text[1200];
};

struct binder {
    const struct omma_checkpoint *checkpoint;
    const struct omma_config *config;
    struct omma_arena *arena;
    struct omma_weights *weights;
    struct omma_binding *binding;
    bool *is_bound; /* by index of the checkpoint's tensors */
    struct fault_list missing, unexpected, misshapen, bad_scales;
    size_t n_neither; /* matrices that are neither bf16 nor int8 */
    struct omma_error *error;
};

/* ------------------------------------------------------------------------------------------------
 * Faults
 * --------------------------------------------------------------------------------------------- */

static void note(struct fault_list *list, const char *text)
{
    size_t used = strlen(list->text), length = omma_min(strlen(text), 200);

    list->n++;
    if (list->n <= N_LISTED && used + length + 3 < sizeof list->text) {
        snprintf(list->text + used, sizeof list->text - used, "\n  %.*s", (int)length, text);
    }
}

static void format_shape(const size_t *shape, size_t n_dimensions, char *text, size_t capacity)
{
    size_t at = (size_t)snprintf(text, capacity, "[");

    for (size_t i = 0; i < n_dimensions && at < capacity; i++) {
        at += (size_t)snprintf(text + at, capacity - at, "%s%zu", i > 0 ? ", " : "", shape[i]);
    }
    if (at < capacity) {
        snprintf(text + at, capacity - at, "]");
    }
}

static void append_list(char *message, size_t capacity, const char *title,
                        const struct fault_list *list)
{
    size_t used = strlen(message), n_shown = 0;

    if (list->n == 0) {
        return;
    }
    for (const char *at = list->text; (at = strchr(at, '\n')) != NULL; at++) {
        n_shown++;
    }
    used += (size_t)snprintf(message + used, capacity - used, "\n%zu %s:%s", list->n, title,
                             list->text);
    if (n_shown < list->n) {
        snprintf(message + used, capacity - used, "\n  and %zu more", list->n - n_shown);
    }
}

static enum omma_status report(const struct binder *binder)
{
    char message[4 * sizeof binder->missing.text + 400];

    if (binder->missing.n + binder->unexpected.n + binder->misshapen.n + binder->bad_scales.n ==
        0) {
        return OMMA_OK;
    }
    snprintf(message, sizeof message, "expected the tensors of config.json, found others");
    append_list(message, sizeof message, "missing", &binder->missing);
    append_list(message, sizeof message, "of another shape or type", &binder->misshapen);
    append_list(message, sizeof message, "of values that are no scales", &binder->bad_scales);
    append_list(message, sizeof message, "unexpected", &binder->unexpected);
    return omma_fail(binder->error, OMMA_STATUS_MODEL, "%s: %s", binder->checkpoint->path, message);
}

/* ------------------------------------------------------------------------------------------------
 * Elements
 * --------------------------------------------------------------------------------------------- */

static bool read_dtype(const char *name, enum omma_dtype *dtype)
{
    static const struct {
        const char *name;
        enum omma_dtype dtype;
    } known[] = {{"BF16", OMMA_DTYPE_BF16},
                 {"F32", OMMA_DTYPE_F32},
                 {"F16", OMMA_DTYPE_F16},
                 {"I8", OMMA_DTYPE_I8}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *dtype = known[i].dtype;
            return true;
        }
    }
    return false;
}

/* n elements that may lie at any address, as f32. */
static void widen(const void *data, enum omma_dtype dtype, size_t n, float *values)
{
    const char *bytes = data;

    if (dtype == OMMA_DTYPE_F32) {
        memcpy(values, bytes, n * sizeof *values);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t half;

        memcpy(&half, bytes + i * sizeof half, sizeof half);
        values[i] = dtype == OMMA_DTYPE_BF16 ? omma_f32_of_bf16(half) : omma_f32_of_f16(half);
    }
}

static enum omma_status copy_vector(struct binder *binder, const struct omma_tensor *tensor,
                                    enum omma_dtype dtype, const float **vector)
{
    size_t n = tensor->n_bytes / omma_dtype_bytes(dtype);
    float *values = omma_arena_take(binder->arena, n, sizeof *values);

    if (values == NULL) {
        return omma_fail_memory(binder->error, n * sizeof *values, tensor->name);
    }
    widen(tensor->data, dtype, n, values);
    *vector = values;
    return OMMA_OK;
}

/* A view of the file, or of a copy where the file's bytes are not aligned.  A leading dimension of
 * 1 is dropped, the last ones are joined. */
static enum omma_status view_matrix(struct binder *binder, const struct omma_named_tensor *named,
                                    const struct omma_tensor *tensor, enum omma_dtype dtype,
                                    struct omma_matrix *matrix)
{
    size_t first = named->n_dimensions > 2 && named->shape[0] == 1 ? 1 : 0;
    size_t n_bytes = omma_dtype_bytes(dtype);

    *matrix = (struct omma_matrix){
        .data = tensor->data,
        .dtype = dtype,
        .n_rows = named->shape[first],
        .n_columns = tensor->n_bytes / n_bytes / named->shape[first],
    };
    if ((uintptr_t)tensor->data % n_bytes == 0) {
        binder->binding->mapped_bytes += tensor->n_bytes;
        return OMMA_OK;
    }
    matrix->data = omma_arena_take(binder->arena, tensor->n_bytes, 1);
    if (matrix->data == NULL) {
        return omma_fail_memory(binder->error, tensor->n_bytes, tensor->name);
    }
    memcpy((void *)matrix->data, tensor->data, tensor->n_bytes);
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Fields
 * --------------------------------------------------------------------------------------------- */

/* The struct that holds the field of a tensor. */
static char *owner_of(const struct binder *binder, const struct omma_named_tensor *named)
{
    struct omma_weights *weights = binder->weights;

    switch (named->part) {
    case OMMA_PART_VISION:
        return named->in_layer ? (char *)&weights->vision.layers[named->layer]
                               : (char *)&weights->vision;
    case OMMA_PART_LANGUAGE:
        return named->in_layer ? (char *)&weights->language.layers[named->layer]
                               : (char *)&weights->language;
    case OMMA_PART_PROJECTOR:
    case OMMA_N_PARTS:
        break;
    }
    return (char *)&weights->projector;
}

static void note_dtype(struct binder *binder, const struct omma_named_tensor *named,
                       enum omma_dtype dtype)
{
    const char *name = omma_dtype_name(dtype);

    if (named->role == OMMA_TENSOR_POSITION || named->role == OMMA_TENSOR_EMBEDDING) {
        return; /* read, not multiplied by */
    }
    binder->binding->n_linears++;
    binder->binding->n_int8_linears += dtype == OMMA_DTYPE_I8;
    binder->n_neither += dtype != OMMA_DTYPE_I8 && dtype != OMMA_DTYPE_BF16;
    if (binder->binding->linear_dtype == NULL) {
        binder->binding->linear_dtype = name;
    } else if (strcmp(binder->binding->linear_dtype, name) != 0) {
        binder->binding->linear_dtype = "mixed";
    }
}

static enum omma_status fill(struct binder *binder, const struct omma_named_tensor *named,
                             const struct omma_tensor *tensor, enum omma_dtype dtype)
{
    char *owner = owner_of(binder, named);
    struct omma_vision_layer *layer = (struct omma_vision_layer *)owner; /* of the fused ones */
    size_t hidden = binder->config->vision.hidden;

    switch (named->fill) {
    case OMMA_FILL_VECTOR:
        return copy_vector(binder, tensor, dtype, (const float **)(owner + named->offset));
    case OMMA_FILL_MATRIX:
        note_dtype(binder, named, dtype);
        return view_matrix(binder, named, tensor, dtype,
                           (struct omma_matrix *)(owner + named->offset));
    case OMMA_FILL_QKV_WEIGHT:
        note_dtype(binder, named, dtype);
        OMMA_TRY(view_matrix(binder, named, tensor, dtype, &layer->q.weight));
        layer->q.weight.n_rows = hidden;
        layer->k.weight = layer->v.weight = layer->q.weight;
        layer->k.weight.data = omma_matrix_row(&layer->q.weight, hidden);
        layer->v.weight.data = omma_matrix_row(&layer->q.weight, 2 * hidden);
        return OMMA_OK;
    case OMMA_FILL_QKV_BIAS:
        OMMA_TRY(copy_vector(binder, tensor, dtype, &layer->q.bias));
        layer->k.bias = layer->q.bias + hidden;
        layer->v.bias = layer->q.bias + 2 * hidden;
        return OMMA_OK;
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Scales of int8 weights
 * --------------------------------------------------------------------------------------------- */

/* A tensor that may be int8: the weight of a linear in a checkpoint that says that it has such. */
static bool may_be_int8(const struct binder *binder, const struct omma_named_tensor *named)
{
    return binder->config->quantization.is_quantized && named->n_dimensions == 2 &&
           (named->role == OMMA_TENSOR_LINEAR || named->role == OMMA_TENSOR_HEAD);
}

static const struct omma_tensor *find_scale(struct binder *binder,
                                            const struct omma_named_tensor *named)
{
    char name[OMMA_NAME_BYTES + 8];
    size_t i;

    snprintf(name, sizeof name, "%s_scale", named->name);
    i = omma_checkpoint_find(binder->checkpoint, name);
    if (i == binder->checkpoint->n_tensors) {
        return NULL;
    }
    binder->is_bound[i] = true;
    return binder->checkpoint->tensors[i].tensor;
}

/* Columns that share one of the scales of a weight [n_rows][n_columns], or 0 and a note. */
static size_t group_of(struct binder *binder, const struct omma_named_tensor *named,
                       const struct omma_tensor *scale, enum omma_dtype *dtype)
{
    size_t n_rows = named->shape[0], n_columns = named->shape[1], group = 0;
    char found[200], text[600];

    if (scale->n_dimensions == 1 || (scale->n_dimensions == 2 && scale->shape[1] == 1)) {
        group = n_columns;
    } else if (scale->n_dimensions == 2 && scale->shape[1] > 0 &&
               n_columns % scale->shape[1] == 0) {
        group = n_columns / scale->shape[1];
        group = group == 64 || group == 128 ? group : 0;
    }
    if (group > 0 && scale->shape[0] == n_rows && read_dtype(scale->dtype, dtype) &&
        *dtype != OMMA_DTYPE_I8) {
        return group;
    }
    format_shape(scale->shape, scale->n_dimensions, found, sizeof found);
    snprintf(text, sizeof text,
             "%s: expected BF16, F16 or F32 [%zu, 1], [%zu] or a column for each 64 or 128 of "
             "%zu, found %s %s",
             scale->name, n_rows, n_rows, n_columns, scale->dtype, found);
    note(&binder->misshapen, text);
    return 0;
}

/* All scales [n_rows][n_groups] must be finite and above zero. */
static void check_scales(struct binder *binder, const char *name, const float *scales,
                         size_t n_rows, size_t n_groups)
{
    char text[300];

    for (size_t i = 0; i < n_rows * n_groups; i++) {
        if (!(scales[i] > 0 && scales[i] <= FLT_MAX)) {
            snprintf(text, sizeof text,
                     "%.160s: row %zu, column %zu: expected more than 0, found %g", name,
                     i / n_groups, i % n_groups, (double)scales[i]);
            note(&binder->bad_scales, text);
            return;
        }
    }
}

/* From [n_rows][n_groups] to [n_groups][n_rows]. */
static enum omma_status turn_scales(struct binder *binder, size_t n_rows, size_t n_groups,
                                    const float **scales)
{
    float *turned = omma_arena_take(binder->arena, n_rows * n_groups, sizeof *turned);

    if (turned == NULL) {
        return omma_fail_memory(binder->error, n_rows * n_groups * sizeof *turned, "scales");
    }
    for (size_t j = 0; j < n_rows; j++) {
        for (size_t g = 0; g < n_groups; g++) {
            turned[g * n_rows + j] = (*scales)[j * n_groups + g];
        }
    }
    *scales = turned;
    return OMMA_OK;
}

/* The sums of int8 products are exact up to this many columns (simd/kernels.h). */
enum { MAX_INT8_COLUMNS = 65536 };

static void note_columns(struct binder *binder, const char *name, const char *expected, size_t n,
                         size_t found)
{
    char text[400];

    snprintf(text, sizeof text, "%.160s: expected %s %zu columns, found %zu", name, expected, n,
             found);
    note(&binder->misshapen, text);
}

/* The scales of an int8 weight whose rows are those of n matrices, one after the other. */
static enum omma_status fill_scales(struct binder *binder, const struct omma_named_tensor *named,
                                    const struct omma_tensor *scale,
                                    struct omma_matrix *const *matrices, size_t n)
{
    size_t n_rows = named->shape[0], n_columns = named->shape[1];
    enum omma_dtype dtype;
    const float *scales;
    size_t group = group_of(binder, named, scale, &dtype);

    if (group == 0) {
        return OMMA_OK;
    }
    if (n_columns > MAX_INT8_COLUMNS) {
        note_columns(binder, named->name, "at most", MAX_INT8_COLUMNS, n_columns);
        return OMMA_OK;
    }
    if (group < n_columns && binder->weights->scale_group != 0 &&
        binder->weights->scale_group != group) {
        note_columns(binder, scale->name, "one scale for", binder->weights->scale_group, group);
        return OMMA_OK;
    }
    OMMA_TRY(copy_vector(binder, scale, dtype, &scales));
    binder->binding->n_bytes[named->part] += n_columns / group * n_rows * sizeof *scales;
    check_scales(binder, scale->name, scales, n_rows, n_columns / group);
    if (group < n_columns) {
        binder->weights->scale_group = group;
        OMMA_TRY(turn_scales(binder, n_rows, n_columns / group, &scales));
    }
    if (named->part == OMMA_PART_LANGUAGE) {
        binder->weights->has_int8_language = true;
    } else {
        binder->weights->has_int8_vision = true;
    }
    for (size_t i = 0; i < n; i++) {
        matrices[i]->scales = scales + i * (n_rows / n);
        matrices[i]->scales_stride = n_rows;
        matrices[i]->group = group;
    }
    return OMMA_OK;
}

/* The scales beside a weight that has been bound. */
static enum omma_status bind_scales(struct binder *binder, const struct omma_named_tensor *named,
                                    const struct omma_tensor *scale)
{
    char *owner = owner_of(binder, named);
    struct omma_vision_layer *layer = (struct omma_vision_layer *)owner; /* of the fused ones */
    struct omma_matrix *fused[] = {&layer->q.weight, &layer->k.weight, &layer->v.weight};
    struct omma_matrix *matrix = (struct omma_matrix *)(owner + named->offset);

    return named->fill == OMMA_FILL_QKV_WEIGHT ? fill_scales(binder, named, scale, fused, 3)
                                               : fill_scales(binder, named, scale, &matrix, 1);
}

/* ------------------------------------------------------------------------------------------------
 * Tensors
 * --------------------------------------------------------------------------------------------- */

static bool has_shape(const struct omma_tensor *tensor, const struct omma_named_tensor *named)
{
    return tensor->n_dimensions == named->n_dimensions &&
           memcmp(tensor->shape, named->shape, named->n_dimensions * sizeof *named->shape) == 0;
}

/* Note what a tensor should have been. */
static void note_misshapen(struct binder *binder, const struct omma_named_tensor *named,
                           const struct omma_tensor *tensor, const char *types)
{
    char expected[100], found[200], text[600];

    format_shape(named->shape, named->n_dimensions, expected, sizeof expected);
    format_shape(tensor->shape, tensor->n_dimensions, found, sizeof found);
    snprintf(text, sizeof text, "%s: expected %s%s, found %s %s", named->name, types, expected,
             tensor->dtype, found);
    note(&binder->misshapen, text);
}

/* Look one tensor up, check it, and fill its field. */
static enum omma_status bind_one(void *user, const struct omma_named_tensor *named)
{
    struct binder *binder = user;
    size_t i = omma_checkpoint_find(binder->checkpoint, named->name);
    const struct omma_tensor *tensor, *scale = NULL;
    enum omma_dtype dtype;

    if (i == binder->checkpoint->n_tensors) {
        note(&binder->missing, named->name);
        return OMMA_OK;
    }
    binder->is_bound[i] = true;
    tensor = binder->checkpoint->tensors[i].tensor;
    if (may_be_int8(binder, named)) {
        scale = find_scale(binder, named);
    }
    if (!read_dtype(tensor->dtype, &dtype) ||
        (dtype == OMMA_DTYPE_I8 && !may_be_int8(binder, named))) {
        note_misshapen(binder, named, tensor, "BF16, F16 or F32 ");
        return OMMA_OK;
    }
    if (!has_shape(tensor, named) || (scale != NULL && dtype != OMMA_DTYPE_I8)) {
        note_misshapen(binder, named, tensor, scale != NULL ? "I8 beside its scale, " : "");
        return OMMA_OK;
    }
    if (dtype == OMMA_DTYPE_I8 && scale == NULL) {
        char name[OMMA_NAME_BYTES + 8];

        snprintf(name, sizeof name, "%s_scale", named->name);
        note(&binder->missing, name);
        return OMMA_OK;
    }
    binder->binding->n_parameters[named->part] += tensor->n_bytes / omma_dtype_bytes(dtype);
    binder->binding->n_bytes[named->part] += tensor->n_bytes;
    OMMA_TRY(fill(binder, named, tensor, dtype));
    return scale != NULL ? bind_scales(binder, named, scale) : OMMA_OK;
}

/* The head, under any of its names; the embedding where it is missing and the config ties them. */
static enum omma_status bind_head(struct binder *binder)
{
    struct omma_language_weights *language = &binder->weights->language;
    const char *const *names = omma_head_names();
    struct omma_named_tensor head;
    size_t i = 0;

    while (names[i] != NULL &&
           omma_checkpoint_find(binder->checkpoint, names[i]) == binder->checkpoint->n_tensors) {
        i++;
    }
    if (names[i] == NULL && binder->config->language.tied_embeddings) {
        language->lm_head.weight = language->embedding;
        return OMMA_OK;
    }
    omma_names_head(binder->config, names[names[i] != NULL ? i : 0], &head);
    return bind_one(binder, &head);
}

/* Buffers that older versions of the reference saved and nothing reads. */
static bool is_ignored(const char *name)
{
    static const char suffix[] = ".rotary_emb.inv_freq";
    size_t length = strlen(name);

    return length >= sizeof suffix - 1 && strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

void omma_weights_forms(const struct omma_checkpoint *checkpoint, const struct omma_config *config,
                        const struct omma_name_form *forms[OMMA_N_PARTS])
{
    for (int part = 0; part < OMMA_N_PARTS; part++) {
        const struct omma_name_form *candidates = omma_name_forms((enum omma_part)part);

        forms[part] = config->layout == OMMA_LAYOUT_ORIGINAL ? &candidates[0] : &candidates[1];
        for (size_t f = 0; candidates[f].prefix != NULL; f++) {
            size_t length = strlen(candidates[f].prefix), i = 0;

            while (i < checkpoint->n_tensors && strncmp(checkpoint->tensors[i].tensor->name,
                                                        candidates[f].prefix, length) != 0) {
                i++;
            }
            if (i < checkpoint->n_tensors) {
                forms[part] = &candidates[f];
                break;
            }
        }
    }
}

static enum omma_status bind_all(struct binder *binder)
{
    const struct omma_name_form *forms[OMMA_N_PARTS];

    omma_weights_forms(binder->checkpoint, binder->config, forms);
    OMMA_TRY(omma_names_each(binder->config, forms, bind_one, binder));
    OMMA_TRY(bind_head(binder));
    for (size_t i = 0; i < binder->checkpoint->n_tensors; i++) {
        const char *name = binder->checkpoint->tensors[i].tensor->name;

        if (!binder->is_bound[i] && !is_ignored(name)) {
            note(&binder->unexpected, name);
        }
    }
    return report(binder);
}

enum omma_status omma_weights_bind(const struct omma_checkpoint *checkpoint,
                                   const struct omma_config *config, struct omma_arena *arena,
                                   struct omma_weights *weights, struct omma_binding *binding,
                                   struct omma_error *error)
{
    struct binder binder = {
        .checkpoint = checkpoint,
        .config = config,
        .arena = arena,
        .weights = weights,
        .binding = binding,
        .error = error,
    };
    enum omma_status status;

    memset(weights, 0, sizeof *weights);
    memset(binding, 0, sizeof *binding);
    weights->vision.layers =
        omma_arena_take(arena, config->vision.n_layers, sizeof *weights->vision.layers);
    weights->language.layers =
        omma_arena_take(arena, config->language.n_layers, sizeof *weights->language.layers);
    binder.is_bound = calloc(checkpoint->n_tensors + 1, sizeof *binder.is_bound);
    if (weights->vision.layers == NULL || weights->language.layers == NULL ||
        binder.is_bound == NULL) {
        free(binder.is_bound);
        return omma_fail_memory(error, checkpoint->n_tensors + 1, "the weights' fields");
    }
    status = bind_all(&binder);
    weights->all_bf16 = status == OMMA_OK && binder.n_neither == 0;
    free(binder.is_bound);
    return status;
}

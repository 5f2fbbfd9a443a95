/*
 * Stages in the order in which a model computes them, their tolerances, and their errors.
 *
 * Tolerances of relative L2 errors.  In f32 they are what two right implementations differ by: sums
 * in another order, 4e-6 in a tiny model, 2e-5 in one of a released width.  A wrong epsilon (1e-6
 * for 1e-5) shows above 4e-6.  The logits of a released width get 1e-4.  In bf16 the yardstick is
 * the reference's own bf16 run, which rounds after every operator: a run that rounds only what
 * enters a matrix product has to stay below three quarters of its error, nine tenths for the
 * logits.
 */
#include "tools/compare/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/status.h"

static const double F32_TINY = 4e-6, F32_WIDE = 2e-5, F32_LOGITS = 1e-4;
static const double BF16_SHARE = 0.75, BF16_LOGITS_SHARE = 0.9;

/* Released models begin at a width of 896, the tiny ones end at 256. */
enum { WIDE_HIDDEN = 512 };

/* The stages of a model, with an N for each of its layers. */
static const struct {
    const char *name;
    enum { ONCE, VISION_LAYERS, LANGUAGE_LAYERS } times;
} STAGES[] = {
    {"vision.patch_embedding", ONCE},
    {"vision.embedding", ONCE},
    {"vision.layer.", VISION_LAYERS},
    {"vision.shuffled", ONCE},
    {"projector", ONCE},
    {"inputs_embeds", ONCE},
    {"language.layer.", LANGUAGE_LAYERS},
    {"language.norm", ONCE},
    {"logits", ONCE},
};
enum { N_STAGES = sizeof STAGES / sizeof *STAGES, STAGE_NAME_BYTES = 64 };

/* Name of the model's stage at a place, into name; false behind the last. */
static bool stage_at(const struct omma_model_info *model, size_t place, char *name)
{
    for (size_t i = 0; i < N_STAGES; i++) {
        size_t n = STAGES[i].times == ONCE            ? 1
                   : STAGES[i].times == VISION_LAYERS ? model->n_vision_layers
                                                      : model->n_layers;

        if (place < n) {
            if (STAGES[i].times == ONCE) {
                snprintf(name, STAGE_NAME_BYTES, "%s", STAGES[i].name);
            } else {
                snprintf(name, STAGE_NAME_BYTES, "%s%zu", STAGES[i].name, place);
            }
            return true;
        }
        place -= n;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Tensors of a dump that are looked at elsewhere. */
static bool is_no_stage(const char *name)
{
    return strcmp(name, "ids") == 0 || strcmp(name, "pixels") == 0 || strcmp(name, "greedy") == 0 ||
           strncmp(name, "greedy.", 7) == 0 || strncmp(name, "op.", 3) == 0 ||
           ends_with(name, ".rows");
}

/* kind: "bf16" or "int8" */
static double reference_error(const struct compare_dump *dump, const char *kind, const char *stage)
{
    char key[STAGE_NAME_BYTES + 16];
    const char *text;

    snprintf(key, sizeof key, "error.%s.%s", kind, stage);
    text = omma_tensor_file_metadata(dump->file, key);
    return text == NULL ? -1 : strtod(text, NULL);
}

static bool fits(const char *pattern, const char *stage)
{
    size_t n = strlen(pattern);

    return strncmp(pattern, stage, n) == 0 && (stage[n] == '\0' || stage[n] == '.');
}

static double tolerance_of(const struct compare_stage *stage, const struct omma_model_info *model,
                           const struct compare_tolerances *tolerances)
{
    bool logits = strcmp(stage->name, "logits") == 0;
    bool wide = model->hidden >= WIDE_HIDDEN || model->vision_hidden >= WIDE_HIDDEN;

    for (size_t i = tolerances->n_set; i-- > 0;) {
        if (fits(tolerances->set[i].stage, stage->name)) {
            return tolerances->set[i].limit;
        }
    }
    if (stage->int8_error > 0) {
        return -1; /* judged by its distance */
    }
    if (tolerances->precision == OMMA_PRECISION_BF16) {
        return stage->reference_error < 0
                   ? -1
                   : stage->reference_error * (logits ? BF16_LOGITS_SHARE : BF16_SHARE);
    }
    return logits ? F32_LOGITS : wide ? F32_WIDE : F32_TINY;
}

/* Fill stage from the dump's tensor of that name. */
static enum omma_status read_stage(const struct compare_dump *dump,
                                   const struct omma_tensor *values, struct compare_stage *stage,
                                   struct omma_error *error)
{
    char key[STAGE_NAME_BYTES + 8];

    if (strcmp(values->dtype, "F32") != 0 || values->n_dimensions != 2) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: %s: expected F32 [rows, width], found %s of %zu dimensions", dump->path,
                    values->name, values->dtype, values->n_dimensions);
    }
    *stage = (struct compare_stage){
        .name = values->name,
        .values = values,
        .n_rows = values->shape[0],
        .width = values->shape[1],
        .reference_error = reference_error(dump, "bf16", values->name),
        .int8_error = reference_error(dump, "int8", values->name),
    };
    snprintf(key, sizeof key, "%s.rows", values->name);
    stage->rows = omma_tensor_file_find(dump->file, key);
    if (stage->rows == NULL) {
        return OMMA_OK;
    }
    if (strcmp(stage->rows->dtype, "I64") != 0 || stage->rows->n_dimensions != 1 ||
        stage->rows->shape[0] != stage->n_rows) {
        return fail(error, OMMA_STATUS_USAGE, "%s: %s: expected I64 [%zu]", dump->path, key,
                    stage->n_rows);
    }
    for (size_t i = 0; i < stage->n_rows; i++) {
        int64_t row = compare_i64(stage->rows, i);

        if (row < 0 || (i > 0 && row <= compare_i64(stage->rows, i - 1))) {
            return fail(error, OMMA_STATUS_USAGE,
                        "%s: %s[%zu]: expected ascending rows, found %lld", dump->path, key, i,
                        (long long)row);
        }
    }
    return OMMA_OK;
}

/* Put the model's stages into items or absent, in their order. */
static enum omma_status collect_stages(const struct compare_dump *dump,
                                       const struct omma_model_info *model,
                                       const struct compare_tolerances *tolerances,
                                       struct compare_stages *stages, struct omma_error *error)
{
    char name[STAGE_NAME_BYTES];

    for (size_t place = 0; stage_at(model, place, name); place++) {
        const struct omma_tensor *values = omma_tensor_file_find(dump->file, name);
        struct compare_stage *stage = &stages->items[stages->n_items];
        enum omma_status status;

        if (values == NULL) {
            stages->absent[stages->n_absent] = strdup(name);
            if (stages->absent[stages->n_absent] == NULL) {
                return fail_memory(error);
            }
            stages->n_absent++;
            continue;
        }
        status = read_stage(dump, values, stage, error);
        if (status != OMMA_OK) {
            return status;
        }
        stage->tolerance = tolerance_of(stage, model, tolerances);
        stages->n_items++;
    }
    return OMMA_OK;
}

static bool is_stage_of(const struct compare_stages *stages, const char *name)
{
    for (size_t i = 0; i < stages->n_items; i++) {
        if (strcmp(stages->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void collect_unknown(const struct compare_dump *dump, struct compare_stages *stages)
{
    for (size_t i = 0; i < omma_tensor_file_count(dump->file); i++) {
        const char *name = omma_tensor_file_get(dump->file, i)->name;

        if (!is_no_stage(name) && !is_stage_of(stages, name)) {
            stages->unknown[stages->n_unknown++] = name;
        }
    }
}

/* Every tolerance that was given must mean something. */
static enum omma_status check_tolerances(const struct compare_stages *stages,
                                         const struct compare_tolerances *tolerances,
                                         struct omma_error *error)
{
    for (size_t i = 0; i < tolerances->n_set; i++) {
        bool used = strcmp(tolerances->set[i].stage, "pixels") == 0;

        for (size_t k = 0; k < stages->n_items && !used; k++) {
            used = fits(tolerances->set[i].stage, stages->items[k].name);
        }
        if (!used) {
            return fail(error, OMMA_STATUS_USAGE,
                        "--tolerance %s: the dump has no stage of that name",
                        tolerances->set[i].stage);
        }
    }
    return OMMA_OK;
}

enum omma_status compare_stages_open(const struct compare_dump *dump,
                                     const struct omma_model_info *model,
                                     const struct compare_tolerances *tolerances,
                                     struct compare_stages *stages, struct omma_error *error)
{
    size_t n = N_STAGES + model->n_vision_layers + model->n_layers;
    size_t n_tensors = omma_tensor_file_count(dump->file);
    enum omma_status status;

    *stages = (struct compare_stages){
        .items = calloc(n, sizeof *stages->items),
        .absent = calloc(n, sizeof *stages->absent),
        .unknown = calloc(n_tensors + 1, sizeof *stages->unknown),
    };
    if (stages->items == NULL || stages->absent == NULL || stages->unknown == NULL) {
        status = fail_memory(error);
        goto done;
    }
    status = collect_stages(dump, model, tolerances, stages, error);
    if (status == OMMA_OK) {
        collect_unknown(dump, stages);
        status = check_tolerances(stages, tolerances, error);
    }
done:
    if (status != OMMA_OK) {
        compare_stages_close(stages);
    }
    return status;
}

void compare_stages_close(struct compare_stages *stages)
{
    for (size_t i = 0; i < stages->n_absent; i++) {
        free(stages->absent[i]);
    }
    for (size_t i = 0; i < stages->n_items; i++) {
        free(stages->items[i].exact);
    }
    free(stages->absent);
    free(stages->unknown);
    free(stages->items);
    *stages = (struct compare_stages){0};
}

static struct compare_stage *find_stage(struct compare_stages *stages, const char *name)
{
    for (size_t i = 0; i < stages->n_items; i++) {
        if (strcmp(stages->items[i].name, name) == 0) {
            return &stages->items[i];
        }
    }
    return NULL;
}

static size_t row_of(const struct compare_stage *stage, size_t index)
{
    return stage->rows == NULL ? index : (size_t)compare_i64(stage->rows, index);
}

/* Index of the first row of the dump that is at least row. */
static size_t lower_bound(const struct compare_stage *stage, size_t row)
{
    size_t low = 0, high = stage->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (row_of(stage, middle) < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void compare_stages_keep(void *user, const char *name, size_t first_row, size_t n_rows,
                         size_t width, const float *values)
{
    struct compare_stage *stage = find_stage(user, name);

    if (stage == NULL || width != stage->width || first_row != stage->n_exact) {
        return; /* rows come in order: logits of a later step are row 0 once more */
    }
    if (stage->n_exact + n_rows > stage->capacity) {
        size_t capacity = 2 * stage->capacity + n_rows;
        float *exact = realloc(stage->exact, capacity * width * sizeof *exact);

        if (exact == NULL) {
            return;
        }
        stage->exact = exact;
        stage->capacity = capacity;
    }
    memcpy(stage->exact + stage->n_exact * width, values, n_rows * width * sizeof *values);
    stage->n_exact += n_rows;
}

/* Add the rows that come next to the distance. */
static void measure(struct compare_stage *stage, size_t first_row, size_t n_rows,
                    const float *values)
{
    const float *exact = stage->exact + first_row * stage->width;

    if (first_row != stage->n_measured || first_row + n_rows > stage->n_exact) {
        return;
    }
    for (size_t i = 0; i < n_rows * stage->width; i++) {
        double difference = (double)values[i] - exact[i];

        stage->distance2 += difference * difference;
        stage->exact2 += (double)exact[i] * exact[i];
    }
    stage->n_measured += n_rows;
}

void compare_stages_observe(void *user, const char *name, size_t first_row, size_t n_rows,
                            size_t width, const float *values)
{
    struct compare_stage *stage = find_stage(user, name);

    if (stage == NULL) {
        return;
    }
    if (width != stage->width) {
        stage->wrong_width = width;
        return;
    }
    measure(stage, first_row, n_rows, values);
    for (size_t i = lower_bound(stage, first_row);
         i < stage->n_rows && row_of(stage, i) < first_row + n_rows; i++) {
        const float *ours = values + (row_of(stage, i) - first_row) * width;

        if (i != stage->n_seen) {
            continue; /* rows come in order: logits of a later step are row 0 once more */
        }
        for (size_t k = 0; k < width; k++) {
            double theirs = compare_f32(stage->values, i * width + k);
            double difference = ours[k] - theirs;

            stage->difference2 += difference * difference;
            stage->norm2 += theirs * theirs;
        }
        stage->n_seen++;
    }
}

double compare_stage_error(const struct compare_stage *stage)
{
    if (stage->difference2 == 0) {
        return 0;
    }
    return sqrt(stage->difference2) / sqrt(stage->norm2);
}

double compare_stage_distance(const struct compare_stage *stage)
{
    if (stage->exact == NULL) {
        return -1;
    }
    return stage->distance2 == 0 ? 0 : sqrt(stage->distance2) / sqrt(stage->exact2);
}

struct compare_band compare_stage_band(const struct compare_stage *stage)
{
    return strcmp(stage->name, "logits") == 0 ? (struct compare_band){0.8, 1.2}
                                              : (struct compare_band){0.9, 1.1};
}

static enum compare_verdict judge_distance(const struct compare_stage *stage)
{
    struct compare_band band = compare_stage_band(stage);
    double factor = compare_stage_distance(stage) / stage->int8_error;

    if (stage->n_measured != stage->n_exact) {
        return COMPARE_MISSING;
    }
    return factor >= band.low && factor <= band.high ? COMPARE_WITHIN : COMPARE_BEYOND;
}

enum compare_verdict compare_stage_verdict(const struct compare_stage *stage)
{
    if (stage->n_seen != stage->n_rows || stage->wrong_width != 0) {
        return COMPARE_MISSING;
    }
    if (stage->tolerance < 0) {
        return stage->int8_error > 0 && stage->exact != NULL ? judge_distance(stage)
                                                             : COMPARE_UNJUDGED;
    }
    /* an error that is not a number is beyond any tolerance */
    return compare_stage_error(stage) <= stage->tolerance ? COMPARE_WITHIN : COMPARE_BEYOND;
}

/*
 * The run that a comparison needs: pictures as the dump names them, the prompt rendered from its
 * text, one request whose stages are observed and whose continuation is the dump's (forced ids), so
 * that every step starts from the same history.
 *
 * Nothing here grows with the prompt but the ids and the KV cache.
 */
#include "tools/compare/comparison.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/status.h"

/* Pictures, prompt and session of a run. */
struct run {
    struct omma_image **images; /* [n_images] */
    size_t n_images;
    struct omma_tokens prompt;
    struct omma_session *session;
    int32_t *forced_ids; /* [n_steps] */
};

static void run_close(struct run *run)
{
    omma_session_destroy(&run->session);
    for (size_t i = 0; i < run->n_images; i++) {
        omma_image_close(&run->images[i]);
    }
    free(run->images);
    free(run->forced_ids);
    omma_tokens_free(&run->prompt);
}

static enum omma_status open_images(const struct compare_dump *dump, const char *image_dir,
                                    struct run *run, struct omma_error *error)
{
    struct omma_image_options options = {.min_tiles = 1, .max_tiles = dump->max_tiles};

    run->images = calloc(dump->n_images + 1, sizeof(struct omma_image *));
    if (run->images == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < dump->n_images; i++) {
        enum omma_status status;
        char *path = NULL;

        if (asprintf(&path, "%s/%s", image_dir, dump->images[i]) < 0) {
            return fail_memory(error);
        }
        status = omma_image_open(path, &options, &run->images[i], error);
        free(path);
        TRY(status);
        run->n_images++;
    }
    return OMMA_OK;
}

/* The prompt as the reference's tokenizer has it, added tokens in the text recognised. */
static enum omma_status render(const struct compare_dump *dump, const struct omma_model *model,
                               struct run *run, struct omma_error *error)
{
    struct omma_turn turn = {OMMA_ROLE_USER, dump->prompt, strlen(dump->prompt)};
    struct omma_conversation conversation = {
        .turns = &turn,
        .n_turns = 1,
        .images = (const struct omma_image *const *)run->images,
        .n_images = run->n_images,
        .special = OMMA_SPECIAL_REFERENCE,
    };

    return omma_render(model, &conversation, &run->prompt, error);
}

static void compare_ids(const struct compare_dump *dump, const struct omma_tokens *ours,
                        struct compare_ids *ids)
{
    size_t n = compare_length(dump->ids), i = 0;

    while (i < n && i < ours->n_tokens && compare_i64(dump->ids, i) == ours->ids[i]) {
        i++;
    }
    *ids = (struct compare_ids){
        .n_ours = ours->n_tokens,
        .n_dump = n,
        .equal = i == n && i == ours->n_tokens,
        .first_difference = i,
    };
}

/* One tile of 8-bit RGB [size][size][3] against the dump's normalised [3][size][size]: the
 * reference's arithmetic, in f32 (u8 / 255 - mean) / deviation. */
static void compare_tile(const uint8_t *tile, size_t size, const struct omma_tensor *dump,
                         size_t offset, double *difference2, double *norm2)
{
    static const float MEAN[3] = {.485f, .456f, .406f}, DEVIATION[3] = {.229f, .224f, .225f};

    for (size_t channel = 0; channel < 3; channel++) {
        for (size_t i = 0; i < size * size; i++) {
            float unit = (float)tile[i * 3 + channel] / 255.0f;
            float ours = (unit - MEAN[channel]) / DEVIATION[channel];
            double theirs = compare_f32(dump, offset + channel * size * size + i);

            *difference2 += (ours - theirs) * (ours - theirs);
            *norm2 += theirs * theirs;
        }
    }
}

static enum omma_status compare_pixels(const struct compare_dump *dump, const struct run *run,
                                       const struct compare_tolerances *tolerances,
                                       struct compare_pixels *pixels, struct omma_error *error)
{
    const struct omma_tensor *tensor = omma_tensor_file_find(dump->file, "pixels");
    double difference2 = 0, norm2 = 0;
    size_t n_tiles = 0, size = 0;

    if (tensor == NULL) {
        return OMMA_OK;
    }
    for (size_t i = 0; i < run->n_images; i++) {
        n_tiles += omma_image_info(run->images[i])->grid.n_tiles;
        size = omma_image_info(run->images[i])->tile_size;
    }
    if (strcmp(tensor->dtype, "F32") != 0 || tensor->n_dimensions != 4 ||
        tensor->shape[0] != n_tiles || tensor->shape[1] != 3 || tensor->shape[2] != size ||
        tensor->shape[3] != size) {
        return fail(error, OMMA_STATUS_USAGE, "%s: pixels: expected F32 [%zu, 3, %zu, %zu]",
                    dump->path, n_tiles, size, size);
    }
    for (size_t i = 0, at = 0; i < run->n_images; i++) {
        for (size_t k = 0; k < omma_image_info(run->images[i])->grid.n_tiles; k++, at++) {
            compare_tile(omma_image_tile(run->images[i], k), size, tensor, at * 3 * size * size,
                         &difference2, &norm2);
        }
    }
    *pixels = (struct compare_pixels){.in_dump = true, .n_tiles = n_tiles};
    pixels->error = difference2 == 0 ? 0 : sqrt(difference2) / sqrt(norm2);
    for (size_t i = 0; i < tolerances->n_set; i++) {
        if (strcmp(tolerances->set[i].stage, "pixels") == 0) {
            pixels->tolerance = tolerances->set[i].limit;
        }
    }
    return OMMA_OK;
}

/* Three times the root mean square of what quantization does to a logit. */
static float int8_margin(const struct compare_dump *dump)
{
    const struct omma_tensor *logits = omma_tensor_file_find(dump->file, "logits");
    const char *error = omma_tensor_file_metadata(dump->file, "error.int8.logits");
    size_t n = logits != NULL && logits->n_dimensions == 2 && strcmp(logits->dtype, "F32") == 0
                   ? logits->shape[0] * logits->shape[1]
                   : 0;
    double sum2 = 0;

    for (size_t i = 0; i < n; i++) {
        sum2 += (double)compare_f32(logits, i) * compare_f32(logits, i);
    }
    return n == 0 || error == NULL ? INFINITY
                                   : (float)(3 * strtod(error, NULL) * sqrt(sum2 / (double)n));
}

float compare_margin(const struct compare_dump *dump, enum omma_precision precision)
{
    static const float SMALLEST = 1e-3f;

    if (dump->quantization != NULL) {
        return fmaxf(SMALLEST, int8_margin(dump));
    }

    for (size_t i = 0; precision == OMMA_PRECISION_BF16 && i < compare_length(dump->greedy) &&
                       i < compare_length(dump->greedy_bf16);
         i++) {
        if (compare_i64(dump->greedy, i) != compare_i64(dump->greedy_bf16, i)) {
            return fmaxf(SMALLEST, compare_f32(dump->margin, i));
        }
    }
    return SMALLEST;
}

static enum omma_status prepare_steps(const struct compare_dump *dump,
                                      const struct omma_model_info *model,
                                      enum omma_precision precision, struct run *run,
                                      struct comparison *comparison, struct omma_error *error)
{
    size_t n = compare_length(dump->greedy);

    comparison->steps = calloc(n + 1, sizeof *comparison->steps);
    run->forced_ids = calloc(n + 1, sizeof *run->forced_ids);
    if (comparison->steps == NULL || run->forced_ids == NULL) {
        return fail_memory(error);
    }
    comparison->margin = compare_margin(dump, precision);
    for (size_t i = 0; i < n; i++) {
        int64_t id = compare_i64(dump->greedy, i);
        float margin = compare_f32(dump->margin, i);

        if (id < 0 || (uint64_t)id >= model->vocab) {
            return fail(error, OMMA_STATUS_USAGE,
                        "%s: greedy[%zu]: expected an id below %zu, found %lld", dump->path, i,
                        model->vocab, (long long)id);
        }
        run->forced_ids[i] = (int32_t)id;
        comparison->steps[i] = (struct compare_step){.expected = id,
                                                     .chosen = -1,
                                                     .margin = margin,
                                                     .compared = margin > comparison->margin};
    }
    comparison->n_steps = n;
    return OMMA_OK;
}

static enum omma_status follow(struct omma_session *session, struct comparison *comparison,
                               struct omma_error *error)
{
    struct omma_event event = {0};

    while (event.type != OMMA_EVENT_DONE) {
        TRY(omma_session_poll(session, -1, &event, error));
        if (event.type == OMMA_EVENT_TOKEN && comparison->n_done < comparison->n_steps) {
            comparison->steps[comparison->n_done++].chosen = event.id;
        }
    }
    return OMMA_OK;
}

static enum omma_status compute(struct omma_engine *engine, struct run *run,
                                struct comparison *comparison, struct omma_error *error)
{
    size_t n_new = comparison->n_steps > 0 ? comparison->n_steps : 1;
    struct omma_session_options options = {.n_context = run->prompt.n_tokens + n_new};
    struct omma_request request = {
        .conversation = {.images = (const struct omma_image *const *)run->images,
                         .n_images = run->n_images},
        .prompt_ids = run->prompt.ids,
        .n_prompt_ids = run->prompt.n_tokens,
        .max_new_tokens = n_new,
        .ignore_stop_ids = true,
        .forced_ids = comparison->n_steps > 0 ? run->forced_ids : NULL,
        .n_forced_ids = comparison->n_steps,
        .observer = {compare_stages_observe, &comparison->stages},
    };

    TRY(omma_session_create(engine, &options, &run->session, error));
    TRY(omma_session_submit(run->session, &request, error));
    return follow(run->session, comparison, error);
}

/* All rows of the unquantized model's stages. */
static enum omma_status keep_exact(const struct compare_subject *exact,
                                   const struct compare_subject *subject, struct run *run,
                                   struct comparison *comparison, struct omma_error *error)
{
    const struct omma_model_info *a = omma_model_info(exact->model);
    const struct omma_model_info *b = omma_model_info(subject->model);
    struct omma_session_options options = {.n_context = run->prompt.n_tokens + 1};
    struct omma_request request = {
        .conversation = {.images = (const struct omma_image *const *)run->images,
                         .n_images = run->n_images},
        .prompt_ids = run->prompt.ids,
        .n_prompt_ids = run->prompt.n_tokens,
        .max_new_tokens = 1,
        .ignore_stop_ids = true,
        .observer = {compare_stages_keep, &comparison->stages},
    };
    struct omma_session *session = NULL;
    enum omma_status status;

    if (a->hidden != b->hidden || a->n_layers != b->n_layers || a->vocab != b->vocab ||
        a->n_vision_layers != b->n_vision_layers || a->context_id != b->context_id) {
        return fail(error, OMMA_STATUS_USAGE, "--unquantized: expected a model of the sizes of %s",
                    b->path);
    }
    TRY(omma_session_create(exact->engine, &options, &session, error));
    status = omma_session_submit(session, &request, error);
    if (status == OMMA_OK) {
        struct comparison none = {0}; /* its steps are nobody's */

        status = follow(session, &none, error);
    }
    omma_session_destroy(&session);
    return status;
}

/* The operators of a quantized model's dump, if the engine quantizes at all. */
static enum omma_status compare_operators(const struct compare_dump *dump,
                                          const struct compare_subject *subject,
                                          struct comparison *comparison, struct omma_error *error)
{
    if (dump->quantization == NULL || !omma_engine_info(subject->engine)->int8_activations) {
        return OMMA_OK;
    }
    comparison->operators_run = true;
    return compare_operators_run(dump, subject->model, subject->engine, &comparison->operators,
                                 error);
}

enum omma_status comparison_run(const struct compare_dump *dump, const char *image_dir,
                                const struct compare_subject *subject,
                                const struct compare_subject *exact,
                                const struct compare_tolerances *tolerances,
                                struct comparison *comparison, struct omma_error *error)
{
    struct omma_model *model = subject->model;
    const struct omma_model_info *info = omma_model_info(model);
    struct run run = {0};
    enum omma_status status;

    *comparison = (struct comparison){0};
    if (dump->quantization != NULL && info->n_int8_linears == 0) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: a dump of a quantized model (%s); expected one, found %s", dump->path,
                    dump->quantization, info->path);
    }
    TRY_OR(status, done, compare_stages_open(dump, info, tolerances, &comparison->stages, error));
    TRY_OR(status, done, prepare_steps(dump, info, tolerances->precision, &run, comparison, error));
    TRY_OR(status, done, open_images(dump, image_dir, &run, error));
    TRY_OR(status, done, render(dump, model, &run, error));
    compare_ids(dump, &run.prompt, &comparison->ids);
    if (comparison->ids.equal) {
        TRY_OR(status, done, compare_pixels(dump, &run, tolerances, &comparison->pixels, error));
        if (exact != NULL) {
            TRY_OR(status, done, keep_exact(exact, subject, &run, comparison, error));
        }
        TRY_OR(status, done, compute(subject->engine, &run, comparison, error));
    }
    status = compare_operators(dump, subject, comparison, error);
done:
    run_close(&run);
    return status;
}

void comparison_close(struct comparison *comparison)
{
    compare_stages_close(&comparison->stages);
    compare_operators_close(&comparison->operators);
    free(comparison->steps);
    *comparison = (struct comparison){0};
}

const struct compare_stage *comparison_first_beyond(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->stages.n_items; i++) {
        enum compare_verdict verdict = compare_stage_verdict(&comparison->stages.items[i]);

        if (verdict == COMPARE_BEYOND || verdict == COMPARE_MISSING) {
            return &comparison->stages.items[i];
        }
    }
    return NULL;
}

size_t comparison_steps_compared(const struct comparison *comparison)
{
    size_t n = 0;

    for (size_t i = 0; i < comparison->n_steps; i++) {
        n += comparison->steps[i].compared;
    }
    return n;
}

size_t comparison_steps_different(const struct comparison *comparison)
{
    size_t n = 0;

    for (size_t i = 0; i < comparison->n_steps; i++) {
        const struct compare_step *step = &comparison->steps[i];

        n += step->compared && step->chosen != step->expected;
    }
    return n;
}

bool comparison_is_within(const struct comparison *comparison)
{
    const struct compare_pixels *pixels = &comparison->pixels;

    for (size_t i = 0; i < comparison->operators.n_items; i++) {
        if (!compare_operator_is_within(&comparison->operators.items[i])) {
            return false;
        }
    }

    return comparison->ids.equal && (!pixels->in_dump || pixels->error <= pixels->tolerance) &&
           comparison_first_beyond(comparison) == NULL &&
           comparison_steps_different(comparison) == 0;
}

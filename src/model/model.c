/*
 * Opens a model: config, files, weights, tokenizer, and what omma_model_info() shows of them. Every
 * fault of the folder surfaces here, before anything runs; the weights' pages are not touched but
 * for small vectors.
 */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "model/binding.h"
#include "model/checkpoint.h"
#include "model/language/tokenizer.h"
#include "model/open.h"

enum { DEFAULT_CONTEXT = 8192 }; /* tokens, where the model allows them */

/* ------------------------------------------------------------------------------------------------
 * Ids
 * --------------------------------------------------------------------------------------------- */

/* Base tokens and those of the template must have rows in the embedding.  Published -hf folders
 * carry an added token more, <video>, which has none (internvl_custom2hf.py adds it to the
 * tokenizer alone): such a one is worth a warning here, and refused where a prompt holds it. */
static enum omma_status check_ids(const struct omma_model *model, const struct omma_log *log,
                                  struct omma_error *error)
{
    const struct omma_template_ids *ids = omma_tokenizer_template_ids(model->tokenizer);
    const int32_t needed[] = {ids->im_start, ids->im_end, ids->image_start, ids->image_end,
                              ids->context};
    size_t n_ids = omma_tokenizer_n_ids(model->tokenizer);
    size_t n_rows = model->config.language.vocab;

    for (size_t id = n_rows; id < n_ids; id++) {
        bool is_needed = false, is_added;
        size_t n_bytes;
        const char *name = omma_token_bytes(model->tokenizer, (int32_t)id, &n_bytes, &is_added);

        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
            is_needed = is_needed || (size_t)needed[i] == id;
        }
        if (is_needed || !is_added) {
            return omma_fail(error, OMMA_STATUS_MODEL,
                             "%s: expected a row of the embedding for each of the tokenizer's %zu "
                             "ids, found %zu rows",
                             model->checkpoint->path, n_ids, n_rows);
        }
        omma_log_warning(log, "%s: the added token %.*s, id %zu, has no row in the embedding",
                         model->checkpoint->path, (int)n_bytes, name, id);
    }
    return OMMA_OK;
}

static void fill_ids(struct omma_model_info *info, const struct omma_tokenizer *tokenizer)
{
    /* a generated model has no tokenizer, but the ids of the released Qwen2.5 sizes */
    const struct omma_template_ids released = {.end_of_text = 151643,
                                               .im_start = 151644,
                                               .im_end = 151645,
                                               .image_start = 151665,
                                               .image_end = 151666,
                                               .context = 151667};
    const struct omma_template_ids *ids =
        tokenizer != NULL ? omma_tokenizer_template_ids(tokenizer) : &released;

    info->context_id = ids->context;
    info->im_start_id = ids->im_start;
    info->im_end_id = ids->im_end;
    info->image_start_id = ids->image_start;
    info->image_end_id = ids->image_end;
    info->n_token_ids = tokenizer != NULL ? omma_tokenizer_n_ids(tokenizer) : 0;
}

/* The ids of the config files, and <|im_end|>, which ends a turn whatever they say. */
static enum omma_status fill_stop_ids(struct omma_model *model, struct omma_error *error)
{
    const struct omma_config *config = &model->config;
    int32_t *ids = omma_arena_take(&model->arena, config->n_eos_ids + 1, sizeof *ids);
    size_t n = 0;
    bool has_end = model->info.im_end_id < 0;

    if (ids == NULL) {
        return omma_fail_memory(error, (config->n_eos_ids + 1) * sizeof *ids, "stop ids");
    }
    for (; n < config->n_eos_ids; n++) {
        ids[n] = config->eos_ids[n];
        has_end = has_end || ids[n] == model->info.im_end_id;
    }
    if (!has_end) {
        ids[n++] = model->info.im_end_id;
    }
    model->info.stop_ids = ids;
    model->info.n_stop_ids = n;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Info
 * --------------------------------------------------------------------------------------------- */

/* The released towers are told by their sizes: no file of a model names them. */
static const char *vision_name(const struct omma_vision_config *vision)
{
    if (vision->hidden == 1024 && vision->ffn == 4096 && vision->norm_type == OMMA_NORM_LAYER) {
        return "InternViT-300M";
    }
    if (vision->hidden == 3200 && vision->ffn == 12800 && vision->norm_type == OMMA_NORM_RMS) {
        return "InternViT-6B";
    }
    return "InternViT";
}

static void fill_config_info(struct omma_model_info *info, const struct omma_config *config)
{
    const struct omma_vision_config *vision = &config->vision;
    const struct omma_language_config *language = &config->language;

    info->architecture = config->architecture;
    info->layout = config->layout == OMMA_LAYOUT_ORIGINAL ? "original" : "hf";
    info->vision_name = vision_name(vision);
    info->language_name = "Qwen2";
    info->n_vision_layers = vision->n_layers;
    info->vision_hidden = vision->hidden;
    info->vision_heads = vision->n_heads;
    info->vision_ffn = vision->ffn;
    info->n_layers = language->n_layers;
    info->hidden = language->hidden;
    info->n_heads = language->n_heads;
    info->n_kv_heads = language->n_kv_heads;
    info->head_dim = language->head_dim;
    info->ffn = language->ffn;
    info->vocab = language->vocab;
    info->max_positions = language->max_positions;
    info->default_context = omma_min(language->max_positions, DEFAULT_CONTEXT);
    info->rope_theta = language->rope_theta;
    info->rope_scaling = language->rope_scaling == OMMA_ROPE_DYNAMIC ? "dynamic" : "none";
    info->rope_factor = language->rope_factor;
    info->tile_size = vision->tile_size;
    info->tokens_per_tile = config->tokens_per_tile;
    info->min_tiles = config->min_tiles;
    info->max_tiles = config->max_tiles;
    info->use_thumbnail = config->use_thumbnail;
    info->kv_bytes_per_token = 2 * language->n_layers * language->n_kv_heads * language->head_dim *
                               omma_dtype_bytes(OMMA_DTYPE_BF16);
}

/* Of an embedding that is not the head too a step reads one row. */
static uint64_t step_bytes(const struct omma_language_weights *weights,
                           const struct omma_binding *binding)
{
    const struct omma_matrix *embedding = &weights->embedding;
    uint64_t row_bytes = embedding->n_columns * omma_dtype_bytes(embedding->dtype);

    return binding->n_bytes[OMMA_PART_LANGUAGE] - (weights->lm_head.weight.data == embedding->data
                                                       ? 0
                                                       : (embedding->n_rows - 1) * row_bytes);
}

static void fill_file_info(struct omma_model_info *info, const struct omma_checkpoint *checkpoint,
                           const struct omma_weights *weights, const struct omma_binding *binding)
{
    info->path = checkpoint->path;
    info->weight_dtype = binding->linear_dtype;
    info->n_linears = binding->n_linears;
    info->n_int8_linears = binding->n_int8_linears;
    info->n_vision_parameters = binding->n_parameters[OMMA_PART_VISION];
    info->n_projector_parameters = binding->n_parameters[OMMA_PART_PROJECTOR];
    info->n_language_parameters = binding->n_parameters[OMMA_PART_LANGUAGE];
    info->n_parameters =
        info->n_vision_parameters + info->n_projector_parameters + info->n_language_parameters;
    info->step_bytes = step_bytes(&weights->language, binding);
    info->mapped_bytes = binding->mapped_bytes;
    info->n_files = checkpoint->n_weight_files;
    info->n_tensors = checkpoint->n_tensors;
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        if (checkpoint->files[i].tensors != NULL) {
            info->file_bytes += checkpoint->files[i].mapping.n_bytes;
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Opening and closing
 * --------------------------------------------------------------------------------------------- */

/* What follows once config, checkpoint and perhaps tokenizer are there. */
static enum omma_status complete(struct omma_model *model, struct omma_error *error)
{
    struct omma_model_info *info = &model->info;
    struct omma_binding binding;

    OMMA_TRY(omma_weights_bind(model->checkpoint, &model->config, &model->arena, &model->weights,
                               &binding, error));
    fill_config_info(info, &model->config);
    fill_file_info(info, model->checkpoint, &model->weights, &binding);
    info->scale_group = model->weights.scale_group;
    info->int8_activations = model->config.quantization.int8_activations;
    fill_ids(info, model->tokenizer);
    OMMA_TRY(fill_stop_ids(model, error));
    OMMA_TRY(omma_checkpoint_identity(model->checkpoint, info->identity, error));
    info->anonymous_bytes = model->arena.n_bytes;
    if (model->tokenizer != NULL) {
        info->anonymous_bytes += omma_tokenizer_memory_bytes(model->tokenizer);
    }
    return OMMA_OK;
}

static enum omma_status create(struct omma_model **model, struct omma_error *error)
{
    struct omma_model *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "a model");
    }
    *model = made;
    return OMMA_OK;
}

enum omma_status omma_model_open(const char *path, const struct omma_model_options *options,
                                 struct omma_model **model, struct omma_error *error)
{
    struct omma_model *made = NULL;
    enum omma_status status;

    OMMA_TRY(create(&made, error));
    /* The files first: the check at the end tells if one changed while it was read. */
    OMMA_TRY_OR(status, fail,
                omma_checkpoint_open(path, options != NULL ? &options->log : NULL,
                                     &made->checkpoint, error));
    OMMA_TRY_OR(status, fail, omma_config_read(path, &made->arena, &made->config, error));
    OMMA_TRY_OR(status, fail, omma_tokenizer_open(path, &made->tokenizer, error));
    OMMA_TRY_OR(status, fail, check_ids(made, options != NULL ? &options->log : NULL, error));
    OMMA_TRY_OR(status, fail, complete(made, error));
    OMMA_TRY_OR(status, fail, omma_checkpoint_check(made->checkpoint, error));
    *model = made;
    return OMMA_OK;
fail:
    omma_model_close(&made);
    return status;
}

enum omma_status omma_model_open_image(const char *config, size_t n_bytes,
                                       struct omma_mapping *mapping, struct omma_model **model,
                                       struct omma_error *error)
{
    struct omma_model *made = NULL;
    enum omma_status status = create(&made, error);

    if (status != OMMA_OK) {
        omma_mapping_close(mapping);
        return status;
    }
    OMMA_TRY_OR(status, fail, omma_checkpoint_open_mapping(mapping, &made->checkpoint, error));
    OMMA_TRY_OR(
        status, fail,
        omma_config_parse("config.json", config, n_bytes, &made->arena, &made->config, error));
    OMMA_TRY_OR(status, fail, complete(made, error));
    *model = made;
    return OMMA_OK;
fail:
    omma_model_close(&made);
    return status;
}

void omma_model_close(struct omma_model **model)
{
    if (*model == NULL) {
        return;
    }
    if ((*model)->tokenizer != NULL) {
        omma_tokenizer_close(&(*model)->tokenizer);
    }
    omma_checkpoint_close(&(*model)->checkpoint);
    omma_arena_free(&(*model)->arena);
    free(*model);
    *model = NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Asking
 * --------------------------------------------------------------------------------------------- */

const struct omma_model_info *omma_model_info(const struct omma_model *model)
{
    return &model->info;
}

const struct omma_tokenizer *omma_model_tokenizer(const struct omma_model *model)
{
    return model->tokenizer;
}

enum omma_status omma_model_check(const struct omma_model *model, struct omma_error *error)
{
    return omma_checkpoint_check(model->checkpoint, error);
}

bool omma_model_locate(const struct omma_model *model, const void *address, const char **file,
                       const char **tensor, uint64_t *offset)
{
    return omma_checkpoint_locate(model->checkpoint, address, file, tensor, offset);
}

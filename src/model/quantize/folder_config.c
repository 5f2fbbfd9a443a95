/*
 * The keys of transformers 5 (InternVLConfig, InternVLVisionConfig, Qwen2Config, and the
 * QuantizationConfig of compressed-tensors), sorted, as it writes them.
 */
#include "model/quantize/folder_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "model/checkpoint.h"

/* Whose form of quantization_config this is. */
static const char compressed_tensors_version[] = "0.20.0";

enum { DEFAULT_MAX_TILES = 12 }; /* of the layout's image processor */

/* ------------------------------------------------------------------------------------------------
 * JSON
 * --------------------------------------------------------------------------------------------- */

static enum omma_status fail_json(struct omma_error *error)
{
    return omma_fail_memory(error, 4096, "a config");
}

/* 15 digits: what a decimal number of a config needs to stay what it is. */
static enum omma_status dump(json_t *root, char **text, struct omma_error *error)
{
    char *made = root != NULL
                     ? json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(15))
                     : NULL;
    char *whole = NULL;

    json_decref(root);
    if (made == NULL || asprintf(&whole, "%s\n", made) < 0) {
        free(made);
        return fail_json(error);
    }
    free(made);
    *text = whole;
    return OMMA_OK;
}

/* A JSON file of the model; *root stays NULL if it has none. */
static enum omma_status parse_file(const struct omma_model *model, const char *name, json_t **root,
                                   struct omma_error *error)
{
    for (size_t i = 0; i < model->checkpoint->n_files; i++) {
        const struct omma_checkpoint_file *file = &model->checkpoint->files[i];

        if (strcmp(file->name, name) == 0) {
            return omma_json_parse(file->mapping.path, (const char *)file->mapping.bytes,
                                   file->mapping.n_bytes, root, error);
        }
    }
    return OMMA_OK;
}

/* A copy of the value under a key, or what is given, which is taken over. */
static json_t *value_or(const json_t *from, const char *key, json_t *otherwise)
{
    json_t *found = json_object_get(from, key);

    if (found == NULL || json_is_null(found)) {
        return otherwise;
    }
    json_decref(otherwise);
    return json_deep_copy(found);
}

/* ------------------------------------------------------------------------------------------------
 * quantization_config
 * --------------------------------------------------------------------------------------------- */

static json_t *arguments_json(const char *strategy, bool is_dynamic, size_t group_size)
{
    return json_pack("{s:b, s:o, s:i, s:s, s:b, s:s}", "dynamic", (int)is_dynamic, "group_size",
                     group_size != 0 ? json_integer((json_int_t)group_size) : json_null(),
                     "num_bits", 8, "strategy", strategy, "symmetric", 1, "type", "int");
}

/* Takes targets over. */
static json_t *group_json(json_t *targets, size_t group_size)
{
    return json_pack("{s:s, s:o, s:n, s:o, s:o}", "format", "int-quantized", "input_activations",
                     arguments_json("token", true, 0), "output_activations", "targets", targets,
                     "weights",
                     arguments_json(group_size != 0 ? "group" : "channel", false, group_size));
}

/* "model.vision_tower.encoder.layer.0.mlp.fc1": the module whose weight the item is. */
static json_t *module_name(const struct omma_quantize_item *item)
{
    static const char suffix[] = ".weight", language[] = "language_model.model.";
    const char *name = item->named.name;
    size_t n = strlen(name) - (sizeof suffix - 1);

    if (strncmp(name, language, sizeof language - 1) == 0) {
        size_t skip = sizeof language - 1;

        return json_sprintf("model.language_model.%.*s", (int)(n - skip), name + skip);
    }
    return json_sprintf("model.%.*s", (int)n, name);
}

/* Size of the groups that an item's scales are for; 0: whole rows. */
static size_t group_size_of(const struct omma_quantize_item *item)
{
    return item->group < item->n_columns ? item->group : 0;
}

/* Linears with groups of one size, as targets; all that there are, in one word. */
static json_t *targets_json(const struct omma_quantize_plan *plan, size_t group_size)
{
    json_t *targets = json_array();
    bool is_all = true;

    for (size_t i = 0; i < plan->n_items; i++) {
        const struct omma_quantize_item *item = &plan->items[i];

        if (item->group != 0 && group_size_of(item) == group_size) {
            json_array_append_new(targets, module_name(item));
        }
        is_all = is_all && (item->group == 0 || group_size_of(item) == group_size);
    }
    if (is_all) {
        json_array_clear(targets);
        json_array_append_new(targets, json_string("Linear"));
    }
    return targets;
}

/* One group, or where some linears' inputs are no multiple of the asked size, two. */
static json_t *groups_json(const struct omma_quantize_plan *plan)
{
    size_t sizes[2] = {0, 0}, n_sizes = 0;
    json_t *groups = json_object();

    for (size_t i = 0; i < plan->n_items; i++) {
        size_t size = group_size_of(&plan->items[i]);

        if (plan->items[i].group != 0 && (n_sizes == 0 || sizes[0] != size)) {
            sizes[n_sizes == 0 ? 0 : 1] = size;
            n_sizes = n_sizes == 0 ? 1 : 2;
        }
    }
    for (size_t k = 0; k < n_sizes; k++) {
        json_object_set_new(groups, k == 0 ? "group_0" : "group_1",
                            group_json(targets_json(plan, sizes[k]), sizes[k]));
    }
    return groups;
}

static json_t *ignore_json(const struct omma_quantize_plan *plan)
{
    json_t *ignore = json_array();

    for (size_t i = 0; i < plan->n_items; i++) {
        if (omma_quantize_is_linear(&plan->items[i]) && plan->items[i].group == 0) {
            json_array_append_new(ignore, module_name(&plan->items[i]));
        }
    }
    json_array_append_new(ignore, json_string("lm_head"));
    return ignore;
}

static json_t *quantization_json(const struct omma_quantize_plan *plan)
{
    return json_pack("{s:o, s:s, s:n, s:o, s:n, s:n, s:s, s:s, s:{}, s:{}, s:s}", "config_groups",
                     groups_json(plan), "format", "int-quantized", "global_compression_ratio",
                     "ignore", ignore_json(plan), "kv_cache_scheme", "moe_sparsity_config",
                     "quant_method", "compressed-tensors", "quantization_status", "compressed",
                     "sparsity_config", "transform_config", "version", compressed_tensors_version);
}

/* ------------------------------------------------------------------------------------------------
 * From the original layout
 * --------------------------------------------------------------------------------------------- */

static json_t *vision_json(const struct omma_vision_config *vision, const json_t *source)
{
    json_t *made = json_pack(
        "{s:b, s:f, s:s, s:f, s:I, s:[I,I], s:f, s:I, s:o, s:f, s:s, s:s, s:I, s:i, s:I, s:[I,I], "
        "s:f, s:b, s:b, s:b, s:b}",
        "attention_bias", (int)vision->qkv_bias, "attention_dropout", 0.0, "hidden_act", "gelu",
        "hidden_dropout_prob", 0.0, "hidden_size", (json_int_t)vision->hidden, "image_size",
        (json_int_t)vision->tile_size, (json_int_t)vision->tile_size, "initializer_range", 0.02,
        "intermediate_size", (json_int_t)vision->ffn, "layer_norm_eps",
        value_or(source, "layer_norm_eps", json_real(1e-6)), "layer_scale_init_value", 0.1,
        "model_type", "internvl_vision", "norm_type",
        vision->norm_type == OMMA_NORM_RMS ? "rms_norm" : "layer_norm", "num_attention_heads",
        (json_int_t)vision->n_heads, "num_channels", 3, "num_hidden_layers",
        (json_int_t)vision->n_layers, "patch_size", (json_int_t)vision->patch_size,
        (json_int_t)vision->patch_size, "projection_dropout", 0.0,
        "use_absolute_position_embeddings", 1, "use_mask_token", 0, "use_mean_pooling", 1,
        "use_qk_norm", (int)vision->qk_norm);

    return made;
}

static json_t *rope_json(const struct omma_language_config *language)
{
    if (language->rope_scaling == OMMA_ROPE_DYNAMIC) {
        return json_pack("{s:f, s:f, s:s}", "factor", language->rope_factor, "rope_theta",
                         language->rope_theta, "rope_type", "dynamic");
    }
    return json_pack("{s:f, s:s}", "rope_theta", language->rope_theta, "rope_type", "default");
}

static json_t *layer_types_json(size_t n_layers)
{
    json_t *types = json_array();

    for (size_t i = 0; i < n_layers; i++) {
        json_array_append_new(types, json_string("full_attention"));
    }
    return types;
}

static json_t *text_json(const struct omma_language_config *language, const json_t *source,
                         bool is_tied)
{
    json_t *made = json_pack(
        "{s:f, s:o, s:o, s:s, s:I, s:f, s:I, s:o, s:I, s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:o, "
        "s:n, s:b, s:b, s:b, s:I}",
        "attention_dropout", 0.0, "bos_token_id", value_or(source, "bos_token_id", json_null()),
        "eos_token_id", value_or(source, "eos_token_id", json_null()), "hidden_act", "silu",
        "hidden_size", (json_int_t)language->hidden, "initializer_range", 0.02, "intermediate_size",
        (json_int_t)language->ffn, "layer_types", layer_types_json(language->n_layers),
        "max_position_embeddings", (json_int_t)language->max_positions, "max_window_layers", 28,
        "model_type", "qwen2", "num_attention_heads", (json_int_t)language->n_heads,
        "num_hidden_layers", (json_int_t)language->n_layers, "num_key_value_heads",
        (json_int_t)language->n_kv_heads, "pad_token_id",
        value_or(source, "pad_token_id", json_null()), "rms_norm_eps",
        value_or(source, "rms_norm_eps", json_real(1e-6)), "rope_parameters", rope_json(language),
        "sliding_window", "tie_word_embeddings", (int)is_tied, "use_cache", 1, "use_sliding_window",
        0, "vocab_size", (json_int_t)language->vocab);

    if (made != NULL && language->head_dim != language->hidden / language->n_heads) {
        json_object_set_new(made, "head_dim", json_integer((json_int_t)language->head_dim));
    }
    return made;
}

/* What the layout has no key for, but omma reads of it. */
static void keep_own_keys(const struct omma_config *config, json_t *top)
{
    if (config->min_tiles != 1 || config->max_tiles != DEFAULT_MAX_TILES) {
        json_object_set_new(top, "min_dynamic_patch", json_integer((json_int_t)config->min_tiles));
        json_object_set_new(top, "max_dynamic_patch", json_integer((json_int_t)config->max_tiles));
    }
    if (!config->use_thumbnail) {
        json_object_set_new(top, "use_thumbnail", json_false());
    }
    if (config->system_message != NULL) {
        json_object_set_new(top, "system_message", json_string(config->system_message));
    }
}

static json_t *from_original(const struct omma_model *model, const json_t *source, bool is_tied)
{
    const struct omma_config *config = &model->config;
    json_t *made = json_pack(
        "{s:[s], s:f, s:s, s:I, s:I, s:s, s:s, s:o*, s:b, s:o*, s:i, s:s}", "architectures",
        "InternVLForConditionalGeneration", "downsample_ratio", 1.0 / (double)config->shuffle,
        "dtype", "bfloat16", "image_seq_length", (json_int_t)config->tokens_per_tile,
        "image_token_id", (json_int_t)model->info.context_id, "model_type", "internvl",
        "projector_hidden_act", "gelu", "text_config",
        text_json(&config->language, json_object_get(source, "llm_config"), is_tied),
        "tie_word_embeddings", (int)is_tied, "vision_config",
        vision_json(&config->vision, json_object_get(source, "vision_config")),
        "vision_feature_layer", -1, "vision_feature_select_strategy", "default");

    if (made != NULL) {
        keep_own_keys(config, made);
    }
    return made;
}

/* ------------------------------------------------------------------------------------------------
 * From transformers' layout
 * --------------------------------------------------------------------------------------------- */

/* Every word for the type of the weights, which is bf16 in the folder. */
static void set_dtype(json_t *object)
{
    if (json_object_get(object, "torch_dtype") != NULL) {
        json_object_set_new(object, "torch_dtype", json_string("bfloat16"));
    }
    if (json_object_get(object, "dtype") != NULL) {
        json_object_set_new(object, "dtype", json_string("bfloat16"));
    }
}

static json_t *from_hf(const json_t *source, bool is_tied)
{
    json_t *made = json_deep_copy(source);
    json_t *text = json_object_get(made, "text_config");

    if (made != NULL) {
        json_object_del(made, "torch_dtype");
        json_object_set_new(made, "dtype", json_string("bfloat16"));
        json_object_set_new(made, "tie_word_embeddings", json_boolean(is_tied));
        set_dtype(text);
        json_object_set_new(text, "tie_word_embeddings", json_boolean(is_tied));
        set_dtype(json_object_get(made, "vision_config"));
    }
    return made;
}

/* ------------------------------------------------------------------------------------------------
 * Files
 * --------------------------------------------------------------------------------------------- */

enum omma_status omma_quantize_config(const struct omma_model *model,
                                      const struct omma_quantize_plan *plan, char **text,
                                      struct omma_error *error)
{
    json_t *source = NULL, *made;
    bool is_tied = !plan->has_head;

    OMMA_TRY(parse_file(model, "config.json", &source, error));
    if (source == NULL) {
        return omma_fail(error, OMMA_STATUS_USAGE, "%s: expected a model opened from a folder",
                         model->checkpoint->path);
    }
    if (json_object_get(source, "quantization_config") != NULL) {
        json_decref(source);
        return omma_fail(error, OMMA_STATUS_MODEL, "%s: is quantized already",
                         model->checkpoint->path);
    }
    made = model->config.layout == OMMA_LAYOUT_HF ? from_hf(source, is_tied)
                                                  : from_original(model, source, is_tied);
    json_decref(source);
    if (made != NULL &&
        json_object_set_new(made, "quantization_config", quantization_json(plan)) != 0) {
        json_decref(made);
        return fail_json(error);
    }
    return dump(made, text, error);
}

enum omma_status omma_quantize_generation_config(const struct omma_model *model, char **text,
                                                 struct omma_error *error)
{
    const struct omma_model_info *info = &model->info;
    json_t *made = NULL, *ids;

    OMMA_TRY(parse_file(model, "generation_config.json", &made, error));
    if (made == NULL) {
        made = json_object();
    }
    ids = json_array();
    for (size_t i = 0; i < info->n_stop_ids; i++) {
        json_array_append_new(ids, json_integer(info->stop_ids[i]));
    }
    if (made == NULL || ids == NULL || json_array_size(ids) != info->n_stop_ids) {
        json_decref(made);
        json_decref(ids);
        return fail_json(error);
    }
    if (info->n_stop_ids == 1) {
        json_object_set(made, "eos_token_id", json_array_get(ids, 0));
        json_decref(ids);
    } else {
        json_object_set_new(made, "eos_token_id", ids);
    }
    return dump(made, text, error);
}

enum omma_status omma_quantize_preprocessor_config(const struct omma_model *model, char **text,
                                                   struct omma_error *error)
{
    const struct omma_config *config = &model->config;
    json_int_t side = (json_int_t)config->vision.tile_size;

    return dump(
        json_pack("{s:b, s:n, s:b, s:b, s:b, s:b, s:[f,f,f], s:s, s:[f,f,f], s:I, s:I, s:s, s:i, "
                  "s:f, s:{s:I, s:I}}",
                  "crop_to_patches", 0, "data_format", "do_convert_rgb", 1, "do_normalize", 1,
                  "do_rescale", 1, "do_resize", 1, "image_mean", 0.485, 0.456, 0.406,
                  "image_processor_type", "GotOcr2ImageProcessor", "image_std", 0.229, 0.224, 0.225,
                  "max_patches", (json_int_t)config->max_tiles, "min_patches",
                  (json_int_t)config->min_tiles, "processor_class", "InternVLProcessor", "resample",
                  3, "rescale_factor", 1.0 / 255, "size", "height", side, "width", side),
        text, error);
}

/*
 * config.json in both of its forms: the original one (InternVLChatModel: llm_config, vision_config)
 * and that of transformers (InternVLForConditionalGeneration: text_config, vision_config).
 *
 * What is not there takes the default of the class that reads it in the reference; sizes of the
 * language model must be there.  What omma does not compute is refused by the name of its field,
 * also where the value is one that a later model may have.  Ranges are such that no product of two
 * sizes, times layers and bytes of an element, leaves 63 bits: 2^16 x 2^24 x 2^10 x 2^3 is the
 * largest. auto_map and everything else that would run code is ignored.
 */
#include "model/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "platform/file.h"

enum {
    MAX_HIDDEN = 1 << 16,
    MAX_FFN = 1 << 20,
    MAX_LAYERS = 1 << 10,
    MAX_HEADS = 1 << 10,
    MAX_HEAD_DIM = 1 << 10,
    MAX_VOCAB = 1 << 24,
    MAX_POSITIONS = 1 << 28,
    MAX_TILE = 1 << 12,
    MAX_TILES = 256, /* of omma_image_grid() */
};

static const float projector_eps = 1e-5f; /* nn.LayerNorm's default, which the projector takes */

/* ------------------------------------------------------------------------------------------------
 * What both layouts share
 * --------------------------------------------------------------------------------------------- */

static enum omma_status fail_field(const struct omma_json_object *from, const char *key,
                                   const char *message, struct omma_error *error)
{
    return omma_fail(error, OMMA_STATUS_MODEL, "%s: %s%s: %s", from->file, from->prefix, key,
                     message);
}

/* The word that decides what an object is: architectures[0], or else model_type. */
static enum omma_status read_kind(const struct omma_json_object *from, const char **key,
                                  const char **kind, struct omma_error *error)
{
    const json_t *list = omma_json_value(from, "architectures");
    const json_t *first = json_array_get(list, 0);

    if (list != NULL && (!json_is_array(list) || !json_is_string(first))) {
        return omma_json_fail(from, "architectures", "a list that begins with a name", error);
    }
    if (first != NULL) {
        *key = "architectures[0]";
        *kind = json_string_value(first);
        return OMMA_OK;
    }
    *key = "model_type";
    return omma_json_text(from, "model_type", OMMA_JSON_REQUIRED, kind, error);
}

/* A number, or a list [n, n]: the form of image_size and patch_size in the newer layout. */
static enum omma_status read_square(const struct omma_json_object *from, const char *key,
                                    size_t high, size_t *value, struct omma_error *error)
{
    const json_t *found = omma_json_value(from, key);
    const json_t *width = json_array_get(found, 0);

    if (json_is_array(found)) {
        if (json_array_size(found) != 2 || !json_is_integer(width) ||
            !json_equal(width, json_array_get(found, 1)) || json_integer_value(width) < 1 ||
            (size_t)json_integer_value(width) > high) {
            return omma_json_fail(from, key, "a square's side, or two equal ones", error);
        }
        *value = (size_t)json_integer_value(width);
        return OMMA_OK;
    }
    return omma_json_size(from, key, OMMA_JSON_OPTIONAL, 1, high, value, error);
}

static enum omma_status read_eps(const struct omma_json_object *from, const char *key, float *eps,
                                 struct omma_error *error)
{
    double value = 1e-6;

    OMMA_TRY(omma_json_real(from, key, OMMA_JSON_OPTIONAL, 1e-30, 1, &value, error));
    *eps = (float)value;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The vision tower
 * --------------------------------------------------------------------------------------------- */

/* Keys of one layout, and the defaults of its class (InternVisionConfig, InternVLVisionConfig). */
struct vision_words {
    const char *qkv_bias, *qk_norm;
    struct omma_vision_config defaults;
    enum omma_json_need sizes;
};

static const struct vision_words original_vision = {
    .qkv_bias = "qkv_bias",
    .qk_norm = "qk_normalization",
    .defaults = {.tile_size = 224, .patch_size = 14, .norm_type = OMMA_NORM_RMS, .qk_norm = true},
    .sizes = OMMA_JSON_REQUIRED,
};

static const struct vision_words hf_vision = {
    .qkv_bias = "attention_bias",
    .qk_norm = "use_qk_norm",
    .defaults = {.hidden = 1024,
                 .n_layers = 24,
                 .n_heads = 16,
                 .ffn = 4096,
                 .tile_size = 448,
                 .patch_size = 14,
                 .norm_type = OMMA_NORM_LAYER},
    .sizes = OMMA_JSON_OPTIONAL,
};

static enum omma_status read_norm_type(const struct omma_json_object *from,
                                       enum omma_norm_type *norm_type, struct omma_error *error)
{
    const char *word = *norm_type == OMMA_NORM_RMS ? "rms_norm" : "layer_norm";

    OMMA_TRY(omma_json_text(from, "norm_type", OMMA_JSON_OPTIONAL, &word, error));
    if (strcmp(word, "rms_norm") == 0) {
        *norm_type = OMMA_NORM_RMS;
    } else if (strcmp(word, "layer_norm") == 0) {
        *norm_type = OMMA_NORM_LAYER;
    } else {
        return omma_json_fail(from, "norm_type", "\"layer_norm\" or \"rms_norm\"", error);
    }
    return OMMA_OK;
}

static enum omma_status read_vision(const struct omma_json_object *from,
                                    const struct vision_words *words,
                                    struct omma_vision_config *vision, struct omma_error *error)
{
    size_t channels = 3, side;

    *vision = words->defaults;
    OMMA_TRY(
        omma_json_size(from, "hidden_size", words->sizes, 1, MAX_HIDDEN, &vision->hidden, error));
    OMMA_TRY(omma_json_size(from, "num_hidden_layers", words->sizes, 1, MAX_LAYERS,
                            &vision->n_layers, error));
    OMMA_TRY(omma_json_size(from, "num_attention_heads", words->sizes, 1, MAX_HEADS,
                            &vision->n_heads, error));
    OMMA_TRY(
        omma_json_size(from, "intermediate_size", words->sizes, 1, MAX_FFN, &vision->ffn, error));
    OMMA_TRY(read_square(from, "image_size", MAX_TILE, &vision->tile_size, error));
    OMMA_TRY(read_square(from, "patch_size", MAX_TILE, &vision->patch_size, error));
    OMMA_TRY(omma_json_size(from, "num_channels", OMMA_JSON_OPTIONAL, 3, 3, &channels, error));
    OMMA_TRY(omma_json_expect_text(from, "hidden_act", "gelu", error));
    OMMA_TRY(read_eps(from, "layer_norm_eps", &vision->norm_eps, error));
    OMMA_TRY(read_norm_type(from, &vision->norm_type, error));
    OMMA_TRY(omma_json_bool(from, words->qkv_bias, OMMA_JSON_OPTIONAL, &vision->qkv_bias, error));
    OMMA_TRY(omma_json_bool(from, words->qk_norm, OMMA_JSON_OPTIONAL, &vision->qk_norm, error));
    OMMA_TRY(omma_json_expect_bool(from, "use_absolute_position_embeddings", true, error));
    OMMA_TRY(omma_json_expect_bool(from, "use_mask_token", false, error));
    OMMA_TRY(omma_json_expect_bool(from, "use_mean_pooling", true, error));
    if (vision->hidden % vision->n_heads != 0) {
        return omma_json_fail(from, "num_attention_heads", "a divisor of hidden_size", error);
    }
    if (vision->tile_size % vision->patch_size != 0) {
        return omma_json_fail(from, "patch_size", "a divisor of image_size", error);
    }
    vision->head_dim = vision->hidden / vision->n_heads;
    side = vision->tile_size / vision->patch_size;
    vision->n_patches = side * side;
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The language model
 * --------------------------------------------------------------------------------------------- */

static enum omma_status check_language_kind(const struct omma_json_object *from,
                                            struct omma_error *error)
{
    const char *key = NULL, *kind = NULL;

    OMMA_TRY(read_kind(from, &key, &kind, error));
    if (strcmp(kind, "Qwen2ForCausalLM") == 0 || strcmp(kind, "Qwen2Model") == 0 ||
        strcmp(kind, "qwen2") == 0) {
        return OMMA_OK;
    }
    if (strstr(kind, "InternLM3") != NULL || strcmp(kind, "internlm3") == 0) {
        return fail_field(from, key,
                          "InternLM3, the language model of the 9B, is not supported yet", error);
    }
    if (strcmp(kind, "llama") == 0 || strcmp(kind, "LlamaForCausalLM") == 0) {
        return fail_field(from, key,
                          "expected Qwen2, found Llama; if this is the 9B, its language model "
                          "(InternLM3) is not supported yet",
                          error);
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: %s%s: unsupported language model: expected Qwen2ForCausalLM, found %.80s",
                     from->file, from->prefix, key, kind);
}

/* An unknown key could change the angles. */
static enum omma_status refuse_unknown_rope_keys(const struct omma_json_object *rope,
                                                 struct omma_error *error)
{
    static const char *const known[] = {
        "type",
        "rope_type",
        "factor",
        "rope_theta",
        "partial_rotary_factor",
        "original_max_position_embeddings",
    };
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)rope->object, key, value)
    {
        size_t i = 0;

        while (i < sizeof known / sizeof *known && strcmp(key, known[i]) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof *known) {
            return omma_json_fail(rope, key, "no such key", error);
        }
    }
    return OMMA_OK;
}

/* rope_scaling, or the newer rope_parameters that may hold the base too. */
static enum omma_status read_rope_object(const struct omma_json_object *rope,
                                         struct omma_language_config *language,
                                         struct omma_error *error)
{
    const char *type = "default", *old_type = NULL;
    double rotary = 1;
    size_t original = language->max_positions;

    OMMA_TRY(refuse_unknown_rope_keys(rope, error));
    OMMA_TRY(omma_json_text(rope, "type", OMMA_JSON_OPTIONAL, &old_type, error));
    type = old_type != NULL ? old_type : type;
    OMMA_TRY(omma_json_text(rope, "rope_type", OMMA_JSON_OPTIONAL, &type, error));
    if (old_type != NULL && strcmp(old_type, type) != 0) {
        return omma_json_fail(rope, "type", "the same as rope_type", error);
    }
    OMMA_TRY(omma_json_real(rope, "rope_theta", OMMA_JSON_OPTIONAL, 1, 1e15, &language->rope_theta,
                            error));
    OMMA_TRY(
        omma_json_real(rope, "partial_rotary_factor", OMMA_JSON_OPTIONAL, 1, 1, &rotary, error));
    OMMA_TRY(omma_json_size(rope, "original_max_position_embeddings", OMMA_JSON_OPTIONAL,
                            language->max_positions, language->max_positions, &original, error));
    if (strcmp(type, "default") == 0) {
        return OMMA_OK;
    }
    if (strcmp(type, "dynamic") != 0) {
        return omma_json_fail(rope,
                              omma_json_value(rope, "rope_type") != NULL ? "rope_type" : "type",
                              "\"default\" or \"dynamic\"", error);
    }
    language->rope_scaling = OMMA_ROPE_DYNAMIC;
    return omma_json_real(rope, "factor", OMMA_JSON_REQUIRED, 1, 1e6, &language->rope_factor,
                          error);
}

static enum omma_status read_rope(const struct omma_json_object *from, const char *prefixes[2],
                                  struct omma_language_config *language, struct omma_error *error)
{
    static const char *const keys[2] = {"rope_scaling", "rope_parameters"};
    double rotary = 1;
    bool seen = false;

    language->rope_theta = 10000; /* Qwen2Config's default */
    language->rope_factor = 1;
    OMMA_TRY(omma_json_real(from, "rope_theta", OMMA_JSON_OPTIONAL, 1, 1e15, &language->rope_theta,
                            error));
    OMMA_TRY(
        omma_json_real(from, "partial_rotary_factor", OMMA_JSON_OPTIONAL, 1, 1, &rotary, error));
    for (size_t i = 0; i < 2; i++) {
        struct omma_json_object rope;

        if (omma_json_value(from, keys[i]) == NULL) {
            continue;
        }
        if (seen && !json_equal(omma_json_value(from, keys[0]), omma_json_value(from, keys[1]))) {
            return omma_json_fail(from, keys[1], "the same as rope_scaling", error);
        }
        OMMA_TRY(omma_json_child(from, keys[i], prefixes[i], &rope, error));
        OMMA_TRY(read_rope_object(&rope, language, error));
        seen = true;
    }
    return OMMA_OK;
}

/* Every layer attends to all positions; windows are not computed. */
static enum omma_status refuse_windows(const struct omma_json_object *from,
                                       struct omma_error *error)
{
    const json_t *types = omma_json_value(from, "layer_types");

    OMMA_TRY(omma_json_expect_bool(from, "use_sliding_window", false, error));
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));

        if (type == NULL || strcmp(type, "full_attention") != 0) {
            return omma_json_fail(from, "layer_types", "\"full_attention\" for every layer", error);
        }
    }
    return OMMA_OK;
}

static enum omma_status read_heads(const struct omma_json_object *from,
                                   struct omma_language_config *language, struct omma_error *error)
{
    OMMA_TRY(omma_json_size(from, "num_attention_heads", OMMA_JSON_REQUIRED, 1, MAX_HEADS,
                            &language->n_heads, error));
    OMMA_TRY(omma_json_size(from, "num_key_value_heads", OMMA_JSON_REQUIRED, 1, MAX_HEADS,
                            &language->n_kv_heads, error));
    if (language->n_heads % language->n_kv_heads != 0) {
        return omma_json_fail(from, "num_key_value_heads", "a divisor of num_attention_heads",
                              error);
    }
    if (omma_json_value(from, "head_dim") == NULL && language->hidden % language->n_heads != 0) {
        return omma_json_fail(from, "num_attention_heads", "a divisor of hidden_size", error);
    }
    language->head_dim = language->hidden / language->n_heads;
    OMMA_TRY(omma_json_size(from, "head_dim", OMMA_JSON_OPTIONAL, 2, MAX_HEAD_DIM,
                            &language->head_dim, error));
    if (language->head_dim % 2 != 0 || language->head_dim > MAX_HEAD_DIM) {
        return omma_fail(error, OMMA_STATUS_MODEL,
                         "%s: %shead_dim: expected an even number up to %d, found %zu", from->file,
                         from->prefix, MAX_HEAD_DIM, language->head_dim);
    }
    return OMMA_OK;
}

/* rope_prefixes: of the keys in rope_scaling and in rope_parameters. */
static enum omma_status read_language(const struct omma_json_object *from,
                                      const char *rope_prefixes[2],
                                      struct omma_language_config *language,
                                      struct omma_error *error)
{
    OMMA_TRY(check_language_kind(from, error));
    OMMA_TRY(omma_json_size(from, "hidden_size", OMMA_JSON_REQUIRED, 1, MAX_HIDDEN,
                            &language->hidden, error));
    OMMA_TRY(omma_json_size(from, "num_hidden_layers", OMMA_JSON_REQUIRED, 1, MAX_LAYERS,
                            &language->n_layers, error));
    OMMA_TRY(omma_json_size(from, "intermediate_size", OMMA_JSON_REQUIRED, 1, MAX_FFN,
                            &language->ffn, error));
    OMMA_TRY(omma_json_size(from, "vocab_size", OMMA_JSON_REQUIRED, 1, MAX_VOCAB, &language->vocab,
                            error));
    OMMA_TRY(read_heads(from, language, error));
    OMMA_TRY(omma_json_expect_text(from, "hidden_act", "silu", error));
    language->max_positions = 32768; /* Qwen2Config's default */
    OMMA_TRY(omma_json_size(from, "max_position_embeddings", OMMA_JSON_OPTIONAL, 1, MAX_POSITIONS,
                            &language->max_positions, error));
    OMMA_TRY(read_eps(from, "rms_norm_eps", &language->norm_eps, error));
    OMMA_TRY(omma_json_bool(from, "tie_word_embeddings", OMMA_JSON_OPTIONAL,
                            &language->tied_embeddings, error));
    OMMA_TRY(refuse_windows(from, error));
    return read_rope(from, rope_prefixes, language, error);
}

/* ------------------------------------------------------------------------------------------------
 * What joins them
 * --------------------------------------------------------------------------------------------- */

static enum omma_status read_downsampling(const struct omma_json_object *from,
                                          struct omma_config *config, struct omma_error *error)
{
    size_t side = config->vision.tile_size / config->vision.patch_size;
    double ratio = 0.5;

    OMMA_TRY(
        omma_json_real(from, "downsample_ratio", OMMA_JSON_OPTIONAL, 1.0 / 16, 1, &ratio, error));
    config->shuffle = (size_t)lround(1 / ratio);
    if (fabs(ratio * (double)config->shuffle - 1) > 1e-9 || side % config->shuffle != 0) {
        return omma_json_fail(from, "downsample_ratio", "1 / n, n a divisor of a tile's patches",
                              error);
    }
    config->tokens_per_tile = side / config->shuffle * (side / config->shuffle);
    return OMMA_OK;
}

static enum omma_status read_tile_counts(const struct omma_json_object *from,
                                         struct omma_config *config, struct omma_error *error)
{
    OMMA_TRY(omma_json_size(from, "min_dynamic_patch", OMMA_JSON_OPTIONAL, 1, MAX_TILES,
                            &config->min_tiles, error));
    OMMA_TRY(omma_json_size(from, "max_dynamic_patch", OMMA_JSON_OPTIONAL, config->min_tiles,
                            MAX_TILES, &config->max_tiles, error));
    return omma_json_bool(from, "use_thumbnail", OMMA_JSON_OPTIONAL, &config->use_thumbnail, error);
}

static enum omma_status add_eos(const struct omma_json_object *from, const json_t *value,
                                struct omma_config *config, struct omma_error *error)
{
    json_int_t id = json_integer_value(value);
    size_t i = 0;

    if (!json_is_integer(value) || id < 0 || (size_t)id >= config->language.vocab) {
        return omma_json_fail(from, "eos_token_id", "ids below vocab_size", error);
    }
    while (i < config->n_eos_ids && config->eos_ids[i] != (int32_t)id) {
        i++;
    }
    if (i == sizeof config->eos_ids / sizeof *config->eos_ids) {
        return omma_json_fail(from, "eos_token_id", "at most 8 different ids", error);
    }
    config->eos_ids[i] = (int32_t)id;
    config->n_eos_ids = i == config->n_eos_ids ? i + 1 : config->n_eos_ids;
    return OMMA_OK;
}

/* One id or a list of them. */
static enum omma_status read_eos(const struct omma_json_object *from, struct omma_config *config,
                                 struct omma_error *error)
{
    const json_t *value = omma_json_value(from, "eos_token_id");

    if (value == NULL) {
        return OMMA_OK;
    }
    if (!json_is_array(value)) {
        return add_eos(from, value, config, error);
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        OMMA_TRY(add_eos(from, json_array_get(value, i), config, error));
    }
    return OMMA_OK;
}

/* Of the original layout; omma keeps it in the other one, which has no such key of its own. */
static enum omma_status read_system_message(const struct omma_json_object *top,
                                            struct omma_arena *arena, struct omma_config *config,
                                            struct omma_error *error)
{
    const char *text = NULL;

    OMMA_TRY(omma_json_text(top, "system_message", OMMA_JSON_OPTIONAL, &text, error));
    if (text == NULL) {
        return OMMA_OK;
    }
    config->system_message = omma_arena_copy_text(arena, text, strlen(text));
    return config->system_message != NULL
               ? OMMA_OK
               : omma_fail_memory(error, strlen(text) + 1, "the system message");
}

/* ------------------------------------------------------------------------------------------------
 * The two layouts
 * --------------------------------------------------------------------------------------------- */

static enum omma_status read_original(const struct omma_json_object *top, struct omma_arena *arena,
                                      struct omma_config *config, struct omma_error *error)
{
    const char *rope[2] = {"llm_config.rope_scaling.", "llm_config.rope_parameters."};
    struct omma_json_object vision, language;
    size_t tile_size;
    bool dynamic = true;

    OMMA_TRY(omma_json_child(top, "vision_config", "vision_config.", &vision, error));
    OMMA_TRY(omma_json_child(top, "llm_config", "llm_config.", &language, error));
    OMMA_TRY(omma_quantization_read(top, &config->quantization, error));
    OMMA_TRY(omma_quantization_read(&language, &config->quantization, error));
    OMMA_TRY(read_vision(&vision, &original_vision, &config->vision, error));
    OMMA_TRY(read_language(&language, rope, &config->language, error));
    tile_size = config->vision.tile_size;
    OMMA_TRY(omma_json_size(top, "force_image_size", OMMA_JSON_OPTIONAL, tile_size, tile_size,
                            &tile_size, error));
    OMMA_TRY(omma_json_expect_text(top, "template", "internvl2_5", error));
    if (omma_json_value(top, "ps_version") == NULL) {
        return omma_json_fail(top, "ps_version", "\"v2\"", error); /* the class means v1 then */
    }
    OMMA_TRY(omma_json_expect_text(top, "ps_version", "v2", error));
    if (omma_json_value(top, "select_layer") != NULL &&
        json_integer_value(omma_json_value(top, "select_layer")) != -1) {
        return omma_json_fail(top, "select_layer", "-1", error);
    }
    OMMA_TRY(omma_json_expect_bool(top, "pad2square", false, error));
    OMMA_TRY(read_downsampling(top, config, error));
    config->min_tiles = 1; /* InternVLChatConfig's defaults */
    config->max_tiles = 6;
    config->use_thumbnail = false;
    OMMA_TRY(read_tile_counts(top, config, error));
    OMMA_TRY(omma_json_bool(top, "dynamic_image_size", OMMA_JSON_OPTIONAL, &dynamic, error));
    if (!dynamic) {
        config->min_tiles = config->max_tiles = 1;
    }
    OMMA_TRY(read_system_message(top, arena, config, error));
    OMMA_TRY(read_eos(top, config, error));
    return read_eos(&language, config, error);
}

static enum omma_status read_hf(const struct omma_json_object *top, struct omma_arena *arena,
                                struct omma_config *config, struct omma_error *error)
{
    const char *rope[2] = {"text_config.rope_scaling.", "text_config.rope_parameters."};
    struct omma_json_object vision, language;
    size_t n_tokens;

    OMMA_TRY(omma_json_child(top, "vision_config", "vision_config.", &vision, error));
    OMMA_TRY(omma_json_child(top, "text_config", "text_config.", &language, error));
    OMMA_TRY(omma_quantization_read(top, &config->quantization, error));
    OMMA_TRY(omma_quantization_read(&language, &config->quantization, error));
    OMMA_TRY(read_vision(&vision, &hf_vision, &config->vision, error));
    config->language.tied_embeddings = true; /* this layout's default */
    OMMA_TRY(read_language(&language, rope, &config->language, error));
    OMMA_TRY(omma_json_bool(top, "tie_word_embeddings", OMMA_JSON_OPTIONAL,
                            &config->language.tied_embeddings, error));
    OMMA_TRY(omma_json_expect_text(top, "projector_hidden_act", "gelu", error));
    OMMA_TRY(omma_json_expect_text(top, "vision_feature_select_strategy", "default", error));
    if (omma_json_value(top, "vision_feature_layer") != NULL &&
        json_integer_value(omma_json_value(top, "vision_feature_layer")) != -1) {
        return omma_json_fail(top, "vision_feature_layer", "-1", error);
    }
    OMMA_TRY(read_downsampling(top, config, error));
    n_tokens = config->tokens_per_tile;
    OMMA_TRY(omma_json_size(top, "image_seq_length", OMMA_JSON_OPTIONAL, n_tokens, n_tokens,
                            &n_tokens, error));
    config->min_tiles = 1; /* the processor's own; config.json of this layout does not say */
    config->max_tiles = 12;
    config->use_thumbnail = true;
    OMMA_TRY(read_tile_counts(top, config, error));
    OMMA_TRY(read_system_message(top, arena, config, error));
    OMMA_TRY(read_eos(top, config, error));
    return read_eos(&language, config, error);
}

static enum omma_status read_config(const struct omma_json_object *top, struct omma_arena *arena,
                                    struct omma_config *config, struct omma_error *error)
{
    const char *key = NULL, *kind = NULL;

    memset(config, 0, sizeof *config);
    OMMA_TRY(read_kind(top, &key, &kind, error));
    config->architecture = omma_arena_copy_text(arena, kind, strlen(kind));
    if (config->architecture == NULL) {
        return omma_fail_memory(error, strlen(kind) + 1, "the architecture's name");
    }
    config->projector_eps = projector_eps;
    if (strcmp(kind, "InternVLChatModel") == 0 || strcmp(kind, "internvl_chat") == 0) {
        config->layout = OMMA_LAYOUT_ORIGINAL;
        return read_original(top, arena, config, error);
    }
    if (strcmp(kind, "InternVLForConditionalGeneration") == 0 || strcmp(kind, "internvl") == 0) {
        config->layout = OMMA_LAYOUT_HF;
        return read_hf(top, arena, config, error);
    }
    return omma_fail(error, OMMA_STATUS_MODEL,
                     "%s: %s: unsupported architecture: expected InternVLChatModel or "
                     "InternVLForConditionalGeneration, found %.80s",
                     top->file, key, kind);
}

enum omma_status omma_config_parse(const char *name, const char *text, size_t n_bytes,
                                   struct omma_arena *arena, struct omma_config *config,
                                   struct omma_error *error)
{
    struct omma_json_object top = {.file = name, .prefix = ""};
    enum omma_status status;
    json_t *root = NULL;

    OMMA_TRY(omma_json_parse(name, text, n_bytes, &root, error));
    top.object = root;
    status = read_config(&top, arena, config, error);
    json_decref(root);
    return status;
}

/* generation_config.json, for its eos_token_id; it may be absent. */
static enum omma_status read_generation_config(const char *path, struct omma_config *config,
                                               struct omma_error *error)
{
    struct omma_json_object top = {.file = path, .prefix = ""};
    enum omma_status status;
    json_t *root = NULL;

    if (!omma_file_exists(path)) {
        return OMMA_OK;
    }
    OMMA_TRY(omma_json_read(path, &root, error));
    top.object = root;
    status = read_eos(&top, config, error);
    json_decref(root);
    return status;
}

enum omma_status omma_config_read(const char *dir, struct omma_arena *arena,
                                  struct omma_config *config, struct omma_error *error)
{
    char *path = omma_file_join(dir, "config.json");
    char *generation_path = omma_file_join(dir, "generation_config.json");
    enum omma_status status;
    char *text = NULL;
    size_t n_bytes;

    if (path == NULL || generation_path == NULL) {
        status = omma_fail_memory(error, strlen(dir) + sizeof "/generation_config.json", "a path");
        goto out;
    }
    OMMA_TRY_OR(status, out, omma_file_read(path, OMMA_JSON_MAX_BYTES, &text, &n_bytes, error));
    OMMA_TRY_OR(status, out, omma_config_parse(path, text, n_bytes, arena, config, error));
    status = read_generation_config(generation_path, config, error);
out:
    free(text);
    free(path);
    free(generation_path);
    return status;
}

/*
 * The table of tensors.  Original names: modeling_intern_vit.py, modeling_internvl_chat.py and
 * modeling_qwen2.py; those of the other layout: transformers' convert_internvl_weights_to_hf.py.
 */
#include "model/names.h"

#include <stddef.h>
#include <stdio.h>

#include "model/weights.h"

enum condition { ALWAYS, IF_LAYER_NORM, IF_QKV_BIAS, IF_QK_NORM };

enum extent {
    NONE,
    ONE,
    COLORS,
    PATCH_SIDE,
    POSITIONS,
    VISION_HIDDEN,
    VISION_QKV,
    VISION_FFN,
    SHUFFLED,
    HIDDEN,
    QUERY,
    KEY_VALUE,
    FFN,
    VOCAB,
};

struct row {
    enum omma_part part;
    bool in_layer;
    const char *original, *hf; /* NULL: not in that layout */
    enum extent shape[OMMA_NAME_DIMENSIONS];
    enum omma_tensor_role role;
    enum omma_fill fill;
    size_t offset;
    enum condition condition;
};

#define VISION(original, hf, field, fill, role, condition, ...)                                    \
    {                                                                                              \
        OMMA_PART_VISION, false, original, hf, {__VA_ARGS__}, OMMA_TENSOR_##role,                  \
            OMMA_FILL_##fill, offsetof(struct omma_vision_weights, field), condition               \
    }
#define VISION_LAYER(original, hf, field, fill, role, condition, ...)                              \
    {                                                                                              \
        OMMA_PART_VISION, true, original, hf, {__VA_ARGS__}, OMMA_TENSOR_##role, OMMA_FILL_##fill, \
            offsetof(struct omma_vision_layer, field), condition                                   \
    }
#define PROJECTOR(original, hf, field, fill, role, ...)                                            \
    {                                                                                              \
        OMMA_PART_PROJECTOR, false, original, hf, {__VA_ARGS__}, OMMA_TENSOR_##role,               \
            OMMA_FILL_##fill, offsetof(struct omma_projector_weights, field), ALWAYS               \
    }
#define LANGUAGE(name, field, fill, role, ...)                                                     \
    {                                                                                              \
        OMMA_PART_LANGUAGE, false, name, name, {__VA_ARGS__}, OMMA_TENSOR_##role,                  \
            OMMA_FILL_##fill, offsetof(struct omma_language_weights, field), ALWAYS                \
    }
#define LANGUAGE_LAYER(name, field, fill, role, ...)                                               \
    {                                                                                              \
        OMMA_PART_LANGUAGE, true, name, name, {__VA_ARGS__}, OMMA_TENSOR_##role, OMMA_FILL_##fill, \
            offsetof(struct omma_language_layer, field), ALWAYS                                    \
    }

/* clang-format off */
static const struct row rows[] = {
    VISION("embeddings.class_embedding", "embeddings.cls_token",
           class_embedding, VECTOR, POSITION, ALWAYS, ONE, ONE, VISION_HIDDEN),
    VISION("embeddings.position_embedding", "embeddings.position_embeddings",
           position_embedding, MATRIX, POSITION, ALWAYS, ONE, POSITIONS, VISION_HIDDEN),
    VISION("embeddings.patch_embedding.weight", "embeddings.patch_embeddings.projection.weight",
           patch_embedding.weight, MATRIX, PATCH, ALWAYS, VISION_HIDDEN, COLORS, PATCH_SIDE, PATCH_SIDE),
    VISION("embeddings.patch_embedding.bias", "embeddings.patch_embeddings.projection.bias",
           patch_embedding.bias, VECTOR, BIAS, ALWAYS, VISION_HIDDEN),

    VISION_LAYER("norm1.weight", "layernorm_before.weight",
                 norm1.weight, VECTOR, NORM, ALWAYS, VISION_HIDDEN),
    VISION_LAYER("norm1.bias", "layernorm_before.bias",
                 norm1.bias, VECTOR, BIAS, IF_LAYER_NORM, VISION_HIDDEN),
    VISION_LAYER("norm2.weight", "layernorm_after.weight",
                 norm2.weight, VECTOR, NORM, ALWAYS, VISION_HIDDEN),
    VISION_LAYER("norm2.bias", "layernorm_after.bias",
                 norm2.bias, VECTOR, BIAS, IF_LAYER_NORM, VISION_HIDDEN),
    VISION_LAYER("ls1", "lambda_1", scale1, VECTOR, SCALE, ALWAYS, VISION_HIDDEN),
    VISION_LAYER("ls2", "lambda_2", scale2, VECTOR, SCALE, ALWAYS, VISION_HIDDEN),
    VISION_LAYER("attn.qkv.weight", NULL, q, QKV_WEIGHT, LINEAR, ALWAYS, VISION_QKV, VISION_HIDDEN),
    VISION_LAYER("attn.qkv.bias", NULL, q, QKV_BIAS, BIAS, IF_QKV_BIAS, VISION_QKV),
    VISION_LAYER(NULL, "attention.q_proj.weight",
                 q.weight, MATRIX, LINEAR, ALWAYS, VISION_HIDDEN, VISION_HIDDEN),
    VISION_LAYER(NULL, "attention.q_proj.bias", q.bias, VECTOR, BIAS, IF_QKV_BIAS, VISION_HIDDEN),
    VISION_LAYER(NULL, "attention.k_proj.weight",
                 k.weight, MATRIX, LINEAR, ALWAYS, VISION_HIDDEN, VISION_HIDDEN),
    VISION_LAYER(NULL, "attention.k_proj.bias", k.bias, VECTOR, BIAS, IF_QKV_BIAS, VISION_HIDDEN),
    VISION_LAYER(NULL, "attention.v_proj.weight",
                 v.weight, MATRIX, LINEAR, ALWAYS, VISION_HIDDEN, VISION_HIDDEN),
    VISION_LAYER(NULL, "attention.v_proj.bias", v.bias, VECTOR, BIAS, IF_QKV_BIAS, VISION_HIDDEN),
    VISION_LAYER("attn.q_norm.weight", "attention.q_norm.weight",
                 q_norm, VECTOR, NORM, IF_QK_NORM, VISION_HIDDEN),
    VISION_LAYER("attn.k_norm.weight", "attention.k_norm.weight",
                 k_norm, VECTOR, NORM, IF_QK_NORM, VISION_HIDDEN),
    VISION_LAYER("attn.proj.weight", "attention.projection_layer.weight",
                 projection.weight, MATRIX, LINEAR, ALWAYS, VISION_HIDDEN, VISION_HIDDEN),
    VISION_LAYER("attn.proj.bias", "attention.projection_layer.bias",
                 projection.bias, VECTOR, BIAS, ALWAYS, VISION_HIDDEN),
    VISION_LAYER("mlp.fc1.weight", "mlp.fc1.weight",
                 fc1.weight, MATRIX, LINEAR, ALWAYS, VISION_FFN, VISION_HIDDEN),
    VISION_LAYER("mlp.fc1.bias", "mlp.fc1.bias", fc1.bias, VECTOR, BIAS, ALWAYS, VISION_FFN),
    VISION_LAYER("mlp.fc2.weight", "mlp.fc2.weight",
                 fc2.weight, MATRIX, LINEAR, ALWAYS, VISION_HIDDEN, VISION_FFN),
    VISION_LAYER("mlp.fc2.bias", "mlp.fc2.bias", fc2.bias, VECTOR, BIAS, ALWAYS, VISION_HIDDEN),

    PROJECTOR("0.weight", "layer_norm.weight", norm.weight, VECTOR, NORM, SHUFFLED),
    PROJECTOR("0.bias", "layer_norm.bias", norm.bias, VECTOR, BIAS, SHUFFLED),
    PROJECTOR("1.weight", "linear_1.weight", fc1.weight, MATRIX, LINEAR, HIDDEN, SHUFFLED),
    PROJECTOR("1.bias", "linear_1.bias", fc1.bias, VECTOR, BIAS, HIDDEN),
    PROJECTOR("3.weight", "linear_2.weight", fc2.weight, MATRIX, LINEAR, HIDDEN, HIDDEN),
    PROJECTOR("3.bias", "linear_2.bias", fc2.bias, VECTOR, BIAS, HIDDEN),

    LANGUAGE("embed_tokens.weight", embedding, MATRIX, EMBEDDING, VOCAB, HIDDEN),

    LANGUAGE_LAYER("input_layernorm.weight", attention_norm, VECTOR, NORM, HIDDEN),
    LANGUAGE_LAYER("self_attn.q_proj.weight", q.weight, MATRIX, LINEAR, QUERY, HIDDEN),
    LANGUAGE_LAYER("self_attn.q_proj.bias", q.bias, VECTOR, ATTENTION_BIAS, QUERY),
    LANGUAGE_LAYER("self_attn.k_proj.weight", k.weight, MATRIX, LINEAR, KEY_VALUE, HIDDEN),
    LANGUAGE_LAYER("self_attn.k_proj.bias", k.bias, VECTOR, ATTENTION_BIAS, KEY_VALUE),
    LANGUAGE_LAYER("self_attn.v_proj.weight", v.weight, MATRIX, LINEAR, KEY_VALUE, HIDDEN),
    LANGUAGE_LAYER("self_attn.v_proj.bias", v.bias, VECTOR, ATTENTION_BIAS, KEY_VALUE),
    LANGUAGE_LAYER("self_attn.o_proj.weight", o.weight, MATRIX, LINEAR, HIDDEN, QUERY),
    LANGUAGE_LAYER("post_attention_layernorm.weight", ffn_norm, VECTOR, NORM, HIDDEN),
    LANGUAGE_LAYER("mlp.gate_proj.weight", gate.weight, MATRIX, LINEAR, FFN, HIDDEN),
    LANGUAGE_LAYER("mlp.up_proj.weight", up.weight, MATRIX, LINEAR, FFN, HIDDEN),
    LANGUAGE_LAYER("mlp.down_proj.weight", down.weight, MATRIX, LINEAR, HIDDEN, FFN),

    LANGUAGE("norm.weight", norm, VECTOR, NORM, HIDDEN),
};
/* clang-format on */

enum { N_ROWS = sizeof rows / sizeof *rows };

const struct omma_name_form *omma_name_forms(enum omma_part part)
{
    static const struct omma_name_form forms[OMMA_N_PARTS][4] = {
        [OMMA_PART_VISION] = {{"vision_model.", "encoder.layers.", OMMA_LAYOUT_ORIGINAL},
                              {"vision_tower.", "encoder.layer.", OMMA_LAYOUT_HF},
                              {"model.vision_tower.", "encoder.layer.", OMMA_LAYOUT_HF}},
        [OMMA_PART_PROJECTOR] = {{"mlp1.", "", OMMA_LAYOUT_ORIGINAL},
                                 {"multi_modal_projector.", "", OMMA_LAYOUT_HF},
                                 {"model.multi_modal_projector.", "", OMMA_LAYOUT_HF}},
        [OMMA_PART_LANGUAGE] = {{"language_model.model.", "layers.", OMMA_LAYOUT_ORIGINAL},
                                {"model.language_model.", "layers.", OMMA_LAYOUT_HF}},
    };

    return forms[part];
}

const char *const *omma_head_names(void)
{
    static const char *const names[] = {
        "language_model.lm_head.weight",
        "lm_head.weight",
        "model.language_model.lm_head.weight",
        NULL,
    };

    return names;
}

static size_t value_of(enum extent extent, const struct omma_config *config)
{
    const struct omma_vision_config *vision = &config->vision;
    const struct omma_language_config *language = &config->language;

    switch (extent) {
    case ONE:
        return 1;
    case COLORS:
        return 3;
    case PATCH_SIDE:
        return vision->patch_size;
    case POSITIONS:
        return vision->n_patches + 1;
    case VISION_HIDDEN:
        return vision->hidden;
    case VISION_QKV:
        return 3 * vision->hidden;
    case VISION_FFN:
        return vision->ffn;
    case SHUFFLED:
        return config->shuffle * config->shuffle * vision->hidden;
    case HIDDEN:
        return language->hidden;
    case QUERY:
        return language->n_heads * language->head_dim;
    case KEY_VALUE:
        return language->n_kv_heads * language->head_dim;
    case FFN:
        return language->ffn;
    case VOCAB:
        return language->vocab;
    case NONE:
        break;
    }
    return 0;
}

static bool applies(const struct row *row, enum omma_layout layout,
                    const struct omma_config *config)
{
    if ((layout == OMMA_LAYOUT_ORIGINAL ? row->original : row->hf) == NULL) {
        return false;
    }
    switch (row->condition) {
    case IF_LAYER_NORM:
        return config->vision.norm_type == OMMA_NORM_LAYER;
    case IF_QKV_BIAS:
        return config->vision.qkv_bias;
    case IF_QK_NORM:
        return config->vision.qk_norm;
    case ALWAYS:
        break;
    }
    return true;
}

static void describe(const struct row *row, const struct omma_name_form *form, size_t layer,
                     const struct omma_config *config, struct omma_named_tensor *tensor)
{
    const char *name = form->layout == OMMA_LAYOUT_ORIGINAL ? row->original : row->hf;

    *tensor = (struct omma_named_tensor){
        .part = row->part,
        .role = row->role,
        .fill = row->fill,
        .offset = row->offset,
        .in_layer = row->in_layer,
        .layer = layer,
    };
    if (row->in_layer) {
        snprintf(tensor->name, sizeof tensor->name, "%s%s%zu.%s", form->prefix, form->layers, layer,
                 name);
    } else {
        snprintf(tensor->name, sizeof tensor->name, "%s%s", form->prefix, name);
    }
    while (tensor->n_dimensions < OMMA_NAME_DIMENSIONS &&
           row->shape[tensor->n_dimensions] != NONE) {
        tensor->shape[tensor->n_dimensions] = value_of(row->shape[tensor->n_dimensions], config);
        tensor->n_dimensions++;
    }
}

enum omma_status omma_names_each(const struct omma_config *config,
                                 const struct omma_name_form *const forms[OMMA_N_PARTS],
                                 omma_name_fn each, void *user)
{
    size_t begin = 0, end;

    for (; begin < N_ROWS; begin = end) { /* a run of rows within layers, or of others */
        enum omma_part part = rows[begin].part;
        size_t n_layers = 1;

        if (rows[begin].in_layer) {
            n_layers =
                part == OMMA_PART_VISION ? config->vision.n_layers : config->language.n_layers;
        }
        end = begin;
        while (end < N_ROWS && rows[end].part == part &&
               rows[end].in_layer == rows[begin].in_layer) {
            end++;
        }
        for (size_t layer = 0; layer < n_layers; layer++) {
            for (size_t i = begin; i < end; i++) {
                struct omma_named_tensor tensor;

                if (applies(&rows[i], forms[part]->layout, config)) {
                    describe(&rows[i], forms[part], layer, config, &tensor);
                    OMMA_TRY(each(user, &tensor));
                }
            }
        }
    }
    return OMMA_OK;
}

void omma_names_head(const struct omma_config *config, const char *name,
                     struct omma_named_tensor *tensor)
{
    *tensor = (struct omma_named_tensor){
        .part = OMMA_PART_LANGUAGE,
        .role = OMMA_TENSOR_HEAD,
        .fill = OMMA_FILL_MATRIX,
        .offset = offsetof(struct omma_language_weights, lm_head.weight),
        .n_dimensions = 2,
        .shape = {config->language.vocab, config->language.hidden},
    };
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
}

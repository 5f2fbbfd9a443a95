/*
 * Small checkpoints for tests.  A table gives names and shapes in the original layout; the other
 * layouts are made from it by renaming, as the conversion scripts of the reference do.
 */
#include "support/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "support/support.h"

enum {
    VISION_HIDDEN = 16,
    VISION_FFN = 20,
    VISION_LAYERS = 2,
    POSITIONS = 1025,
    HIDDEN = 24,
    FFN = 40,
    LAYERS = 2,
    KV = 8, /* one of three heads */
    VOCAB = 640,
};

struct row {
    const char *name; /* %d: the layer */
    size_t shape[4];
    char only; /* '3': the 300M's kind alone, '6': the 6B's, 0: both */
};

static const struct row before_layers[] = {
    {"vision_model.embeddings.class_embedding", {1, 1, VISION_HIDDEN}, 0},
    {"vision_model.embeddings.position_embedding", {1, POSITIONS, VISION_HIDDEN}, 0},
    {"vision_model.embeddings.patch_embedding.weight", {VISION_HIDDEN, 3, 14, 14}, 0},
    {"vision_model.embeddings.patch_embedding.bias", {VISION_HIDDEN}, 0},
    {"mlp1.0.weight", {4 * VISION_HIDDEN}, 0},
    {"mlp1.0.bias", {4 * VISION_HIDDEN}, 0},
    {"mlp1.1.weight", {HIDDEN, 4 * VISION_HIDDEN}, 0},
    {"mlp1.1.bias", {HIDDEN}, 0},
    {"mlp1.3.weight", {HIDDEN, HIDDEN}, 0},
    {"mlp1.3.bias", {HIDDEN}, 0},
    {"language_model.model.embed_tokens.weight", {VOCAB, HIDDEN}, 0},
    {"language_model.model.norm.weight", {HIDDEN}, 0},
    {"language_model.lm_head.weight", {VOCAB, HIDDEN}, 0},
};

static const struct row vision_layer[] = {
    {"vision_model.encoder.layers.%d.attn.qkv.weight", {3 * VISION_HIDDEN, VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.attn.qkv.bias", {3 * VISION_HIDDEN}, '3'},
    {"vision_model.encoder.layers.%d.attn.q_norm.weight", {VISION_HIDDEN}, '6'},
    {"vision_model.encoder.layers.%d.attn.k_norm.weight", {VISION_HIDDEN}, '6'},
    {"vision_model.encoder.layers.%d.attn.proj.weight", {VISION_HIDDEN, VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.attn.proj.bias", {VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.mlp.fc1.weight", {VISION_FFN, VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.mlp.fc1.bias", {VISION_FFN}, 0},
    {"vision_model.encoder.layers.%d.mlp.fc2.weight", {VISION_HIDDEN, VISION_FFN}, 0},
    {"vision_model.encoder.layers.%d.mlp.fc2.bias", {VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.norm1.weight", {VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.norm1.bias", {VISION_HIDDEN}, '3'},
    {"vision_model.encoder.layers.%d.norm2.weight", {VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.norm2.bias", {VISION_HIDDEN}, '3'},
    {"vision_model.encoder.layers.%d.ls1", {VISION_HIDDEN}, 0},
    {"vision_model.encoder.layers.%d.ls2", {VISION_HIDDEN}, 0},
};

static const struct row language_layer[] = {
    {"language_model.model.layers.%d.self_attn.q_proj.weight", {HIDDEN, HIDDEN}, 0},
    {"language_model.model.layers.%d.self_attn.q_proj.bias", {HIDDEN}, 0},
    {"language_model.model.layers.%d.self_attn.k_proj.weight", {KV, HIDDEN}, 0},
    {"language_model.model.layers.%d.self_attn.k_proj.bias", {KV}, 0},
    {"language_model.model.layers.%d.self_attn.v_proj.weight", {KV, HIDDEN}, 0},
    {"language_model.model.layers.%d.self_attn.v_proj.bias", {KV}, 0},
    {"language_model.model.layers.%d.self_attn.o_proj.weight", {HIDDEN, HIDDEN}, 0},
    {"language_model.model.layers.%d.mlp.gate_proj.weight", {FFN, HIDDEN}, 0},
    {"language_model.model.layers.%d.mlp.up_proj.weight", {FFN, HIDDEN}, 0},
    {"language_model.model.layers.%d.mlp.down_proj.weight", {HIDDEN, FFN}, 0},
    {"language_model.model.layers.%d.input_layernorm.weight", {HIDDEN}, 0},
    {"language_model.model.layers.%d.post_attention_layernorm.weight", {HIDDEN}, 0},
};

/* ------------------------------------------------------------------------------------------------
 * Tensors
 * --------------------------------------------------------------------------------------------- */

static size_t count(const struct omma_test_tensor *tensor)
{
    size_t n = 1;

    for (size_t i = 0; i < tensor->n_dimensions; i++) {
        n *= tensor->shape[i];
    }
    return n;
}

static size_t element_bytes(const char *dtype)
{
    return strcmp(dtype, "F32") == 0 ? 4 : 2;
}

/* Of multiples of 1/64 up to 2 in magnitude, which f16 holds exactly. */
static uint16_t f16_of(float value)
{
    uint32_t bits = omma_bits_of_f32(value);
    uint32_t exponent = bits >> 23 & 0xFF;

    return value == 0.0f ? 0
                         : (uint16_t)((bits >> 16 & 0x8000) | ((exponent - 112) << 10) |
                                      (bits >> 13 & 0x3FF));
}

static float get(const struct omma_test_tensor *tensor, size_t i)
{
    uint16_t half;
    float value;

    if (strcmp(tensor->dtype, "F32") == 0) {
        memcpy(&value, tensor->data + 4 * i, sizeof value);
        return value;
    }
    memcpy(&half, tensor->data + 2 * i, sizeof half);
    return strcmp(tensor->dtype, "F16") == 0 ? omma_f32_of_f16(half) : omma_f32_of_bf16(half);
}

static void set(struct omma_test_tensor *tensor, size_t i, float value)
{
    uint16_t half = strcmp(tensor->dtype, "F16") == 0 ? f16_of(value) : omma_bf16_of_f32(value);

    if (strcmp(tensor->dtype, "F32") == 0) {
        memcpy(tensor->data + 4 * i, &value, sizeof value);
    } else {
        memcpy(tensor->data + 2 * i, &half, sizeof half);
    }
}

static uint8_t *take(size_t n_bytes)
{
    uint8_t *bytes = calloc(n_bytes + 1, 1);

    assert_non_null(bytes);
    return bytes;
}

struct omma_test_tensor *omma_test_checkpoint_add(struct omma_test_checkpoint *checkpoint,
                                                  const char *name, size_t n_dimensions,
                                                  const size_t *shape)
{
    struct omma_test_tensor *tensor = &checkpoint->tensors[checkpoint->n_tensors];
    uint64_t random = checkpoint->n_tensors;

    assert_true(checkpoint->n_tensors < OMMA_TEST_MAX_TENSORS);
    checkpoint->n_tensors++;
    *tensor = (struct omma_test_tensor){.dtype = "BF16"};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    omma_test_tensor_reshape(tensor, n_dimensions, shape);
    for (size_t i = 0; i < count(tensor); i++) {
        set(tensor, i, (float)((int)(omma_test_random(&random) % 257) - 128) / 64.0f);
    }
    return tensor;
}

void omma_test_tensor_reshape(struct omma_test_tensor *tensor, size_t n_dimensions,
                              const size_t *shape)
{
    tensor->n_dimensions = n_dimensions;
    memset(tensor->shape, 0, sizeof tensor->shape);
    for (size_t i = 0; i < n_dimensions; i++) {
        tensor->shape[i] = shape[i];
    }
    free(tensor->data);
    tensor->n_bytes = count(tensor) * element_bytes(tensor->dtype);
    tensor->data = take(tensor->n_bytes);
}

void omma_test_tensor_convert(struct omma_test_tensor *tensor, const char *dtype)
{
    struct omma_test_tensor converted = *tensor;

    snprintf(converted.dtype, sizeof converted.dtype, "%s", dtype);
    converted.n_bytes = count(tensor) * element_bytes(dtype);
    converted.data = take(converted.n_bytes);
    for (size_t i = 0; i < count(tensor); i++) {
        set(&converted, i, get(tensor, i));
    }
    free(tensor->data);
    *tensor = converted;
}

static void add_rows(struct omma_test_checkpoint *checkpoint, const struct row *rows, size_t n_rows,
                     int n_layers, char only)
{
    for (int layer = 0; layer < n_layers; layer++) {
        for (size_t i = 0; i < n_rows; i++) {
            const char *mark = strstr(rows[i].name, "%d");
            char name[160];
            size_t n = 0;

            if (rows[i].only != 0 && rows[i].only != only) {
                continue;
            }
            if (mark != NULL) {
                snprintf(name, sizeof name, "%.*s%d%s", (int)(mark - rows[i].name), rows[i].name,
                         layer, mark + 2);
            } else {
                snprintf(name, sizeof name, "%s", rows[i].name);
            }
            while (n < 4 && rows[i].shape[n] != 0) {
                n++;
            }
            omma_test_checkpoint_add(checkpoint, name, n, rows[i].shape);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Models
 * --------------------------------------------------------------------------------------------- */

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, 0, &error);

    if (root == NULL) {
        fail_msg("the test's own JSON: %s", error.text);
    }
    return root;
}

void omma_test_checkpoint_init(struct omma_test_checkpoint *checkpoint, enum omma_test_tower tower)
{
    char only = tower == OMMA_TEST_300M ? '3' : '6';
    json_t *vision;

    memset(checkpoint, 0, sizeof *checkpoint);
    add_rows(checkpoint, before_layers, sizeof before_layers / sizeof *before_layers, 1, only);
    add_rows(checkpoint, vision_layer, sizeof vision_layer / sizeof *vision_layer, VISION_LAYERS,
             only);
    add_rows(checkpoint, language_layer, sizeof language_layer / sizeof *language_layer, LAYERS,
             only);
    checkpoint->config = parse(
        "{\"architectures\": [\"InternVLChatModel\"], \"model_type\": \"internvl_chat\","
        " \"auto_map\": {\"AutoModel\": \"modeling_internvl_chat.InternVLChatModel\"},"
        " \"template\": \"internvl2_5\", \"system_message\": null, \"downsample_ratio\": 0.5,"
        " \"dynamic_image_size\": true, \"force_image_size\": 448, \"max_dynamic_patch\": 12,"
        " \"min_dynamic_patch\": 1, \"ps_version\": \"v2\", \"select_layer\": -1,"
        " \"use_thumbnail\": true, \"pad2square\": false,"
        " \"llm_config\": {\"architectures\": [\"Qwen2ForCausalLM\"], \"model_type\": \"qwen2\","
        "  \"hidden_size\": 24, \"num_hidden_layers\": 2, \"intermediate_size\": 40,"
        "  \"num_attention_heads\": 3, \"num_key_value_heads\": 1, \"vocab_size\": 640,"
        "  \"rms_norm_eps\": 1e-6, \"rope_theta\": 1000000.0, \"hidden_act\": \"silu\","
        "  \"rope_scaling\": {\"factor\": 2.0, \"rope_type\": \"dynamic\", \"type\": \"dynamic\"},"
        "  \"max_position_embeddings\": 4096, \"eos_token_id\": 611},"
        " \"vision_config\": {\"model_type\": \"intern_vit_6b\", \"hidden_size\": 16,"
        "  \"num_hidden_layers\": 2, \"intermediate_size\": 20, \"num_attention_heads\": 2,"
        "  \"image_size\": 448, \"patch_size\": 14, \"num_channels\": 3, \"hidden_act\": \"gelu\","
        "  \"layer_norm_eps\": 1e-6, \"norm_type\": \"layer_norm\", \"qk_normalization\": false,"
        "  \"qkv_bias\": true}}");
    if (tower == OMMA_TEST_6B) {
        vision = json_object_get(checkpoint->config, "vision_config");
        json_object_set_new(vision, "norm_type", json_string("rms_norm"));
        json_object_set_new(vision, "qk_normalization", json_true());
        json_object_set_new(vision, "qkv_bias", json_false());
    }
}

void omma_test_checkpoint_free(struct omma_test_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        free(checkpoint->tensors[i].data);
    }
    json_decref(checkpoint->config);
    memset(checkpoint, 0, sizeof *checkpoint);
}

struct omma_test_tensor *omma_test_checkpoint_find(struct omma_test_checkpoint *checkpoint,
                                                   const char *name)
{
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        if (strcmp(checkpoint->tensors[i].name, name) == 0) {
            return &checkpoint->tensors[i];
        }
    }
    fail_msg("the test's checkpoint has no %s", name);
    return NULL;
}

void omma_test_checkpoint_remove(struct omma_test_checkpoint *checkpoint, const char *name)
{
    struct omma_test_tensor *tensor = omma_test_checkpoint_find(checkpoint, name);

    free(tensor->data);
    *tensor = checkpoint->tensors[--checkpoint->n_tensors];
}

/* ------------------------------------------------------------------------------------------------
 * The other layout
 * --------------------------------------------------------------------------------------------- */

static void replace(char name[160], const char *from, const char *to)
{
    char *at = strstr(name, from);
    char changed[160];

    if (at != NULL) {
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - name), name, to,
                 at + strlen(from));
        memcpy(name, changed, sizeof changed);
    }
}

/* A fused tensor becomes three: rows [0, d), [d, 2d), [2d, 3d). */
static void split_qkv(struct omma_test_checkpoint *checkpoint, size_t index)
{
    static const char *const parts[] = {"attention.q_proj", "attention.k_proj", "attention.v_proj"};
    struct omma_test_tensor fused = checkpoint->tensors[index];
    size_t n_bytes = fused.n_bytes / 3;

    for (size_t i = 0; i < 3; i++) {
        struct omma_test_tensor part = fused;

        replace(part.name, "attn.qkv", parts[i]);
        part.shape[0] /= 3;
        part.n_bytes = n_bytes;
        part.data = take(n_bytes);
        memcpy(part.data, fused.data + i * n_bytes, n_bytes);
        if (i == 0) {
            checkpoint->tensors[index] = part;
        } else {
            assert_true(checkpoint->n_tensors < OMMA_TEST_MAX_TENSORS);
            checkpoint->tensors[checkpoint->n_tensors++] = part;
        }
    }
    free(fused.data);
}

static void rename_to_hf(char name[160], enum omma_test_hf form)
{
    static const char *const words[][2] = {
        {"vision_model.", "vision_tower."},
        {"class_embedding", "cls_token"},
        {"position_embedding", "position_embeddings"},
        {"patch_embedding.", "patch_embeddings.projection."},
        {"encoder.layers.", "encoder.layer."},
        {"attn.proj", "attention.projection_layer"},
        {"attn.", "attention."},
        {"norm1", "layernorm_before"},
        {"norm2", "layernorm_after"},
        {"ls1", "lambda_1"},
        {"ls2", "lambda_2"},
        {"mlp1.0", "multi_modal_projector.layer_norm"},
        {"mlp1.1", "multi_modal_projector.linear_1"},
        {"mlp1.3", "multi_modal_projector.linear_2"},
    };

    if (strncmp(name, "language_model.", 15) != 0) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            replace(name, words[i][0], words[i][1]);
        }
    }
    if (form == OMMA_TEST_HF_NEWER) {
        replace(name, "vision_tower.", "model.vision_tower.");
        replace(name, "multi_modal_projector.", "model.multi_modal_projector.");
        replace(name, "language_model.lm_head", "lm_head");
        replace(name, "language_model.model.", "model.language_model.");
    }
}

static json_t *hf_config(const json_t *original)
{
    json_t *vision = json_deep_copy(json_object_get(original, "vision_config"));
    json_t *text = json_deep_copy(json_object_get(original, "llm_config"));
    json_t *rope = json_object_get(text, "rope_scaling");
    json_t *config = parse("{\"architectures\": [\"InternVLForConditionalGeneration\"],"
                           " \"model_type\": \"internvl\", \"downsample_ratio\": 0.5,"
                           " \"image_seq_length\": 256, \"image_token_id\": 614,"
                           " \"projector_hidden_act\": \"gelu\", \"vision_feature_layer\": -1,"
                           " \"vision_feature_select_strategy\": \"default\"}");

    json_object_set(vision, "use_qk_norm", json_object_get(vision, "qk_normalization"));
    json_object_set(vision, "attention_bias", json_object_get(vision, "qkv_bias"));
    json_object_del(vision, "qk_normalization");
    json_object_del(vision, "qkv_bias");
    json_object_set_new(vision, "image_size", json_pack("[ii]", 448, 448));
    json_object_set_new(vision, "patch_size", json_pack("[ii]", 14, 14));
    json_object_set_new(vision, "model_type", json_string("internvl_vision"));
    json_object_set_new(text, "rope_parameters",
                        json_pack("{s:O, s:s, s:O}", "factor", json_object_get(rope, "factor"),
                                  "rope_type", "dynamic", "rope_theta",
                                  json_object_get(text, "rope_theta")));
    json_object_del(text, "rope_scaling");
    json_object_del(text, "rope_theta");
    json_object_del(text, "architectures");
    json_object_set_new(config, "vision_config", vision);
    json_object_set_new(config, "text_config", text);
    return config;
}

void omma_test_checkpoint_to_hf(struct omma_test_checkpoint *checkpoint, enum omma_test_hf form)
{
    size_t n = checkpoint->n_tensors;
    json_t *config = hf_config(checkpoint->config);

    for (size_t i = 0; i < n; i++) {
        if (strstr(checkpoint->tensors[i].name, "attn.qkv") != NULL) {
            split_qkv(checkpoint, i);
        }
    }
    for (size_t i = 0; i < checkpoint->n_tensors; i++) {
        rename_to_hf(checkpoint->tensors[i].name, form);
    }
    json_decref(checkpoint->config);
    checkpoint->config = config;
}

/* ------------------------------------------------------------------------------------------------
 * Files
 * --------------------------------------------------------------------------------------------- */

static void write_json(const char *dir, const char *name, const json_t *root)
{
    char *path = omma_test_join(dir, name);
    char *text = json_dumps(root, JSON_INDENT(1));

    assert_non_null(text);
    omma_test_write(path, text, strlen(text));
    free(text);
    free(path);
}

static void write_tensors(const char *dir, const char *name, const struct omma_test_tensor *tensors,
                          size_t n_tensors)
{
    char *path = omma_test_join(dir, name), *header;
    json_t *root = json_object();
    FILE *file = fopen(path, "wb");
    uint8_t length[8];
    size_t at = 0;

    assert_non_null(file);
    for (size_t i = 0; i < n_tensors; i++) {
        json_t *shape = json_array();

        for (size_t k = 0; k < tensors[i].n_dimensions; k++) {
            json_array_append_new(shape, json_integer((json_int_t)tensors[i].shape[k]));
        }
        json_object_set_new(root, tensors[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensors[i].dtype, "shape",
                                      shape, "data_offsets", (json_int_t)at,
                                      (json_int_t)(at + tensors[i].n_bytes)));
        at += tensors[i].n_bytes;
    }
    header = json_dumps(root, JSON_COMPACT);
    assert_non_null(header);
    for (size_t i = 0; i < sizeof length; i++) {
        length[i] = (uint8_t)(((strlen(header) + 7) / 8 * 8) >> (8 * i));
    }
    fwrite(length, 1, sizeof length, file);
    fprintf(file, "%-*s", (int)((strlen(header) + 7) / 8 * 8), header);
    for (size_t i = 0; i < n_tensors; i++) {
        fwrite(tensors[i].data, 1, tensors[i].n_bytes, file);
    }
    assert_int_equal(fclose(file), 0);
    free(header);
    json_decref(root);
    free(path);
}

void omma_test_shard_name(size_t shard, size_t n_shards, char name[40])
{
    if (n_shards == 1) {
        snprintf(name, 40, "model.safetensors");
    } else {
        snprintf(name, 40, "model-%05u-of-%05u.safetensors", (unsigned)(shard + 1) % 100000,
                 (unsigned)n_shards % 100000);
    }
}

static void write_weights(const struct omma_test_checkpoint *checkpoint, const char *dir,
                          size_t n_shards)
{
    json_t *map = json_object();
    json_int_t total = 0;
    char name[40];

    for (size_t shard = 0; shard < n_shards; shard++) {
        size_t begin = checkpoint->n_tensors * shard / n_shards;
        size_t end = checkpoint->n_tensors * (shard + 1) / n_shards;

        omma_test_shard_name(shard, n_shards, name);
        write_tensors(dir, name, checkpoint->tensors + begin, end - begin);
        for (size_t i = begin; i < end; i++) {
            json_object_set_new(map, checkpoint->tensors[i].name, json_string(name));
            total += (json_int_t)checkpoint->tensors[i].n_bytes;
        }
    }
    if (n_shards > 1) {
        json_t *index =
            json_pack("{s:{s:I}, s:O}", "metadata", "total_size", total, "weight_map", map);

        write_json(dir, "model.safetensors.index.json", index);
        json_decref(index);
    }
    json_decref(map);
}

void omma_test_checkpoint_write(const struct omma_test_checkpoint *checkpoint, const char *dir,
                                size_t n_shards)
{
    static const char *const tokenizer[] = {"vocab.json", "merges.txt", "added_tokens.json",
                                            "tokenizer_config.json", "special_tokens_map.json"};

    write_weights(checkpoint, dir, n_shards);
    write_json(dir, "config.json", checkpoint->config);
    for (size_t i = 0; i < sizeof tokenizer / sizeof *tokenizer; i++) {
        char *demo = omma_test_source("share/omma/demo");
        char *from = omma_test_join(demo, tokenizer[i]);
        char *to = omma_test_join(dir, tokenizer[i]);

        omma_test_copy(from, to);
        free(demo);
        free(from);
        free(to);
    }
}

void omma_test_write_safetensors(const char *path, const char *header, size_t n_header,
                                 size_t n_data)
{
    uint8_t *bytes = take(8 + n_header + n_data);

    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)n_header >> (8 * i));
    }
    memcpy(bytes + 8, header, n_header);
    for (size_t i = 0; i < n_data; i++) {
        bytes[8 + n_header + i] = (uint8_t)i;
    }
    omma_test_write(path, bytes, 8 + n_header + n_data);
    free(bytes);
}

/*
 * Random weights of a released shape, in the original layout.
 *
 * The values are about normal, with deviations that keep activations finite through the whole
 * depth: 1 / sqrt(inputs) for a linear layer, norms about 1, layer scales about 0.1, a head that
 * makes clear choices.  They are drawn once into a pool, which is scaled to bf16 once for each
 * deviation; a tensor is pieces of that from moving offsets.  So a model is written at the speed of
 * memory.  All arithmetic is exact or correctly rounded: the same seed gives the same bytes on
 * every machine.
 */
#include "model/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bf16.h"
#include "base/checked.h"
#include "base/philox.h"
#include "format/json.h"
#include "format/safetensors_writer.h"
#include "model/names.h"
#include "platform/file_write.h"

enum {
    POOL = 1 << 21,      /* values */
    PIECE = 1 << 16,     /* values of a tensor that stand together in the pool */
    N_POOLS = 32,        /* deviations of the matrices of one model: at most ten or so */
    INT8_DEVIATION = 36, /* of int8 weights: 3.46 times it is 125 */
    HEADER_UNIT = 4096,  /* the data begins on a page, as no reader may rely on */
};

/* ------------------------------------------------------------------------------------------------
 * Shapes (spec of the released models: their config.json)
 * --------------------------------------------------------------------------------------------- */

struct vision_shape {
    size_t hidden, n_layers, n_heads, ffn;
    bool is_6b; /* RMSNorm and qk-norm, no bias of qkv */
};

static const struct vision_shape vision_300m = {1024, 24, 16, 4096, false};
static const struct vision_shape vision_6b = {3200, 45, 25, 12800, true};

static const struct model_shape {
    const char *size;
    const struct vision_shape *vision;
    size_t hidden, n_layers, ffn, n_heads, n_kv_heads;
} shapes[] = {
    {"1B", &vision_300m, 896, 24, 4864, 14, 2},   {"2B", &vision_300m, 1536, 28, 8960, 12, 2},
    {"8B", &vision_300m, 3584, 28, 18944, 28, 4}, {"14B", &vision_300m, 5120, 48, 13824, 40, 8},
    {"38B", &vision_6b, 5120, 64, 27648, 40, 8},  {"78B", &vision_6b, 8192, 80, 29568, 64, 8},
};

static enum omma_status find_shape(const char *size, const struct model_shape **shape,
                                   struct omma_error *error)
{
    for (size_t i = 0; size != NULL && i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].size, size) == 0) {
            *shape = &shapes[i];
            return OMMA_OK;
        }
    }
    return omma_fail(error, OMMA_STATUS_USAGE,
                     "unknown size: expected 1B, 2B, 8B, 14B, 38B or 78B, found %.40s",
                     size != NULL ? size : "none");
}

enum omma_status omma_model_shape_complete(struct omma_model_shape *shape, struct omma_error *error)
{
    const struct model_shape *released = NULL;

    OMMA_TRY(find_shape(shape->size, &released, error));
    shape->n_layers = released->n_layers;
    shape->n_vision_layers = released->vision->n_layers;
    return OMMA_OK;
}

static enum omma_status cut_layers(const char *what, size_t asked, size_t released, size_t *n,
                                   struct omma_error *error)
{
    if (asked > released) {
        return omma_fail(error, OMMA_STATUS_USAGE, "%s: expected at most %zu, found %zu", what,
                         released, asked);
    }
    *n = asked == 0 ? released : asked;
    return OMMA_OK;
}

static json_t *vision_config(const struct vision_shape *shape, size_t n_layers)
{
    return json_pack(
        "{s:[s], s:s, s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:s, s:f, s:s, s:b, s:b, s:s}",
        "architectures", "InternVisionModel", "model_type", "intern_vit_6b", "hidden_size",
        (json_int_t)shape->hidden, "num_hidden_layers", (json_int_t)n_layers, "intermediate_size",
        (json_int_t)shape->ffn, "num_attention_heads", (json_int_t)shape->n_heads, "image_size",
        448, "patch_size", 14, "num_channels", 3, "hidden_act", "gelu", "layer_norm_eps", 1e-6,
        "norm_type", shape->is_6b ? "rms_norm" : "layer_norm", "qk_normalization",
        (int)shape->is_6b, "qkv_bias", (int)!shape->is_6b, "torch_dtype", "bfloat16");
}

static json_t *language_config(const struct model_shape *shape, size_t n_layers)
{
    return json_pack(
        "{s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:f, s:f, s:{s:f, s:s, s:s}, s:i, "
        "s:s, s:b, s:i, s:i, s:s}",
        "architectures", "Qwen2ForCausalLM", "model_type", "qwen2", "hidden_size",
        (json_int_t)shape->hidden, "num_hidden_layers", (json_int_t)n_layers, "intermediate_size",
        (json_int_t)shape->ffn, "num_attention_heads", (json_int_t)shape->n_heads,
        "num_key_value_heads", (json_int_t)shape->n_kv_heads, "vocab_size", 151674, "rms_norm_eps",
        1e-6, "rope_theta", 1e6, "rope_scaling", "factor", 2.0, "rope_type", "dynamic", "type",
        "dynamic", "max_position_embeddings", 32768, "hidden_act", "silu", "tie_word_embeddings", 0,
        "bos_token_id", 151643, "eos_token_id", 151645, "torch_dtype", "bfloat16");
}

/* As compressed-tensors writes it; what is quantized are the linears with scales beside them. */
static json_t *quantization_config(void)
{
    return json_pack(
        "{s:s, s:s, s:s, s:[s], s:{s:{s:s, s:[s], s:{s:b, s:i, s:s, s:b, s:s}, s:{s:b, s:i, s:s, "
        "s:b, s:s}}}}",
        "quant_method", "compressed-tensors", "format", "int-quantized", "quantization_status",
        "compressed", "ignore", "lm_head", "config_groups", "group_0", "format", "int-quantized",
        "targets", "Linear", "weights", "dynamic", 0, "num_bits", 8, "strategy", "channel",
        "symmetric", 1, "type", "int", "input_activations", "dynamic", 1, "num_bits", 8, "strategy",
        "token", "symmetric", 1, "type", "int");
}

enum omma_status omma_generate_config(const struct omma_model_shape *shape, char **text,
                                      struct omma_error *error)
{
    const struct model_shape *released = NULL;
    size_t n_layers = 0, n_vision_layers = 0;
    json_t *vision, *language, *top;

    OMMA_TRY(find_shape(shape->size, &released, error));
    OMMA_TRY(cut_layers("layers", shape->n_layers, released->n_layers, &n_layers, error));
    OMMA_TRY(cut_layers("vision layers", shape->n_vision_layers, released->vision->n_layers,
                        &n_vision_layers, error));
    vision = vision_config(released->vision, n_vision_layers);
    language = language_config(released, n_layers);
    top = json_pack(
        "{s:[s], s:s, s:s, s:f, s:b, s:i, s:i, s:i, s:s, s:i, s:b, s:b, s:s, s:b, s:o*, "
        "s:o*}",
        "architectures", "InternVLChatModel", "model_type", "internvl_chat", "template",
        "internvl2_5", "downsample_ratio", 0.5, "dynamic_image_size", 1, "force_image_size", 448,
        "max_dynamic_patch", 12, "min_dynamic_patch", 1, "ps_version", "v2", "select_layer", -1,
        "use_thumbnail", 1, "pad2square", 0, "torch_dtype", "bfloat16", "tie_word_embeddings", 0,
        "llm_config", language, "vision_config", vision);
    if (shape->int8 &&
        json_object_set_new(top, "quantization_config", quantization_config()) != 0) {
        json_decref(top);
        return omma_fail_memory(error, 4096, "a config");
    }
    *text = top != NULL ? json_dumps(top, JSON_INDENT(2)) : NULL;
    json_decref(top);
    return *text != NULL ? OMMA_OK : omma_fail_memory(error, 4096, "a config");
}

/* ------------------------------------------------------------------------------------------------
 * Values
 * --------------------------------------------------------------------------------------------- */

struct pool {
    float deviation;
    uint16_t *values; /* [POOL] bf16 */
};

struct generator {
    const struct omma_config *config;
    uint64_t seed;
    uint32_t n_draws;
    float *normals; /* [POOL], deviation 1 */
    struct pool pools[N_POOLS];
    size_t n_pools;
    int8_t *bytes; /* [POOL], made when first asked for */
    struct omma_arena arena;
    int fd;
    char *memory; /* of fd, mapped; NULL: fd is written to */
    const char *name;
    struct omma_safetensors_writer header;
    uint64_t n_written;
    struct omma_error *error;
};

static uint64_t draw(struct generator *generator)
{
    const uint32_t key[2] = {(uint32_t)generator->seed, (uint32_t)(generator->seed >> 32)};
    const uint32_t counter[4] = {generator->n_draws++};
    uint32_t random[4];

    omma_philox(key, counter, random);
    return (uint64_t)random[0] << 32 | random[1];
}

/* The sum of four uniform 16-bit numbers, centred and scaled to deviation 1: near enough to normal
 * (within 3.46), and exact. */
static float draw_normal(struct generator *generator)
{
    uint64_t bits = draw(generator);
    int sum = (int)(bits & 0xFFFF) + (int)(bits >> 16 & 0xFFFF) + (int)(bits >> 32 & 0xFFFF) +
              (int)(bits >> 48);

    return (float)(sum - 2 * 0xFFFF) * (1.0f / 37837.227f); /* sqrt(4 (2^32 - 1) / 12) */
}

static enum omma_status fill_pool(struct generator *generator)
{
    generator->normals = omma_arena_take(&generator->arena, POOL, sizeof(float));
    if (generator->normals == NULL) {
        return omma_fail_memory(generator->error, POOL * sizeof(float), "random numbers");
    }
    for (size_t i = 0; i < POOL; i++) {
        generator->normals[i] = draw_normal(generator);
    }
    return OMMA_OK;
}

/* The pool scaled to a deviation, made when first asked for. */
static enum omma_status find_pool(struct generator *generator, float deviation,
                                  const uint16_t **values)
{
    struct pool *pool;

    for (size_t i = 0; i < generator->n_pools; i++) {
        if (generator->pools[i].deviation == deviation) {
            *values = generator->pools[i].values;
            return OMMA_OK;
        }
    }
    if (generator->n_pools == N_POOLS) {
        return omma_fail(generator->error, OMMA_STATUS_INTERNAL,
                         "more deviations than a model can have");
    }
    pool = &generator->pools[generator->n_pools];
    pool->values = omma_arena_take(&generator->arena, POOL, sizeof *pool->values);
    if (pool->values == NULL) {
        return omma_fail_memory(generator->error, POOL * sizeof *pool->values, "random weights");
    }
    for (size_t i = 0; i < POOL; i++) {
        pool->values[i] = omma_bf16_of_f32(generator->normals[i] * deviation);
    }
    pool->deviation = deviation;
    generator->n_pools++;
    *values = pool->values;
    return OMMA_OK;
}

static enum omma_status write_all(struct generator *generator, const void *bytes, size_t n_bytes)
{
    uint64_t at = generator->n_written;

    generator->n_written += n_bytes;
    if (generator->memory != NULL) {
        memcpy(generator->memory + at, bytes, n_bytes);
        return OMMA_OK;
    }
    return omma_file_write_at(generator->fd, generator->name, bytes, n_bytes, at, generator->error);
}

/* ------------------------------------------------------------------------------------------------
 * Tensors
 * --------------------------------------------------------------------------------------------- */

static size_t count_elements(const struct omma_named_tensor *tensor)
{
    size_t n = 1;

    for (size_t i = 0; i < tensor->n_dimensions; i++) {
        n *= tensor->shape[i];
    }
    return n;
}

static void choose_distribution(const struct omma_named_tensor *tensor, float *mean,
                                float *deviation)
{
    float n_inputs = (float)(count_elements(tensor) / tensor->shape[0]);

    *mean = 0;
    *deviation = 0.02f; /* what has no reason for another */
    switch (tensor->role) {
    case OMMA_TENSOR_NORM:
        *mean = 1;
        *deviation = 0.1f;
        break;
    case OMMA_TENSOR_SCALE:
        *mean = 0.1f;
        *deviation = 0.02f;
        break;
    case OMMA_TENSOR_ATTENTION_BIAS:
        *deviation = 0.1f;
        break;
    case OMMA_TENSOR_PATCH:
        *deviation = 0.03f;
        break;
    case OMMA_TENSOR_EMBEDDING:
        *deviation = 0.5f;
        break;
    case OMMA_TENSOR_LINEAR:
        *deviation = 1 / sqrtf(n_inputs);
        break;
    case OMMA_TENSOR_HEAD:
        *deviation = 4 / sqrtf(n_inputs);
        break;
    case OMMA_TENSOR_BIAS:
    case OMMA_TENSOR_POSITION:
        break;
    }
}

static enum omma_status write_vector(struct generator *generator, size_t n, float mean,
                                     float deviation)
{
    uint16_t values[512];
    size_t at = draw(generator) % POOL;

    while (n > 0) {
        size_t n_now = omma_min(n, sizeof values / sizeof *values);

        for (size_t i = 0; i < n_now; i++, at++) {
            values[i] = omma_bf16_of_f32(mean + deviation * generator->normals[at % POOL]);
        }
        OMMA_TRY(write_all(generator, values, n_now * sizeof *values));
        n -= n_now;
    }
    return OMMA_OK;
}

/* The linears of an int8 model's language layers; the head stays bf16. */
static bool is_int8(const struct generator *generator, const struct omma_named_tensor *tensor)
{
    return generator->config->quantization.is_quantized && tensor->part == OMMA_PART_LANGUAGE &&
           tensor->role == OMMA_TENSOR_LINEAR;
}

/* A weight of int8, of deviation 36 and at most 125, and a scale a row that makes it as large as a
 * weight of bf16. */
static enum omma_status write_int8(struct generator *generator,
                                   const struct omma_named_tensor *tensor, float deviation)
{
    size_t n = count_elements(tensor);
    float scale = deviation / INT8_DEVIATION;

    if (generator->bytes == NULL) {
        generator->bytes = omma_arena_take(&generator->arena, POOL, 1);
        if (generator->bytes == NULL) {
            return omma_fail_memory(generator->error, POOL, "random weights");
        }
        for (size_t i = 0; i < POOL; i++) {
            generator->bytes[i] = (int8_t)rintf(generator->normals[i] * INT8_DEVIATION);
        }
    }
    while (n > 0) {
        size_t n_now = omma_min(n, PIECE);

        OMMA_TRY(write_all(generator, generator->bytes + draw(generator) % (POOL - PIECE), n_now));
        n -= n_now;
    }
    return write_vector(generator, tensor->shape[0], scale, scale / 16);
}

static enum omma_status write_tensor(void *user, const struct omma_named_tensor *tensor)
{
    struct generator *generator = user;
    size_t n = count_elements(tensor);
    const uint16_t *values = NULL;
    float mean, deviation;

    choose_distribution(tensor, &mean, &deviation);
    if (is_int8(generator, tensor)) {
        return write_int8(generator, tensor, deviation);
    }
    if (mean != 0 || tensor->n_dimensions == 1) {
        return write_vector(generator, n, mean, deviation);
    }
    OMMA_TRY(find_pool(generator, deviation, &values));
    while (n > 0) {
        size_t n_now = omma_min(n, PIECE);

        OMMA_TRY(write_all(generator, values + draw(generator) % (POOL - PIECE),
                           n_now * sizeof *values));
        n -= n_now;
    }
    return OMMA_OK;
}

/* ------------------------------------------------------------------------------------------------
 * The header
 * --------------------------------------------------------------------------------------------- */

static enum omma_status describe_tensor(void *user, const struct omma_named_tensor *tensor)
{
    struct generator *generator = user;
    size_t scales_shape[] = {tensor->shape[0], 1};
    char scales[OMMA_NAME_BYTES + 8];

    if (is_int8(generator, tensor)) {
        snprintf(scales, sizeof scales, "%s_scale", tensor->name);
        OMMA_TRY(omma_safetensors_writer_add(&generator->header, tensor->name, "I8",
                                             tensor->n_dimensions, tensor->shape,
                                             count_elements(tensor), NULL, generator->error));
        return omma_safetensors_writer_add(&generator->header, scales, "BF16", 2, scales_shape,
                                           sizeof(uint16_t) * scales_shape[0], NULL,
                                           generator->error);
    }
    return omma_safetensors_writer_add(
        &generator->header, tensor->name, "BF16", tensor->n_dimensions, tensor->shape,
        sizeof(uint16_t) * count_elements(tensor), NULL, generator->error);
}

/* Call each for every tensor, the head last. */
static enum omma_status walk(struct generator *generator, omma_name_fn each)
{
    const struct omma_name_form *forms[OMMA_N_PARTS];
    struct omma_named_tensor head;

    for (int part = 0; part < OMMA_N_PARTS; part++) {
        forms[part] = &omma_name_forms((enum omma_part)part)[0];
    }
    OMMA_TRY(omma_names_each(generator->config, forms, each, generator));
    omma_names_head(generator->config, omma_head_names()[0], &head);
    return each(generator, &head);
}

/* Map fd for writing, in huge pages where the system has them for files in memory: reading the
 * model is faster then, as it is from the page cache of a disk. */
static enum omma_status map_memory(struct generator *generator, uint64_t n_bytes)
{
    void *memory = MAP_FAILED;

    if (ftruncate(generator->fd, (off_t)n_bytes) == 0) {
        memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, generator->fd, 0);
    }
    if (memory == MAP_FAILED) {
        return omma_fail(generator->error, OMMA_STATUS_RESOURCES, "%s: cannot take memory: %m",
                         generator->name);
    }
    madvise(memory, n_bytes, MADV_HUGEPAGE);
    generator->memory = memory;
    return OMMA_OK;
}

enum omma_status omma_generate_weights(const char *config, uint64_t seed, int fd, bool in_memory,
                                       const char *name, uint64_t max_bytes,
                                       struct omma_error *error)
{
    struct omma_config parsed;
    struct generator generator = {
        .config = &parsed, .seed = seed, .fd = fd, .name = name, .error = error};
    enum omma_status status;

    OMMA_TRY_OR(
        status, out,
        omma_config_parse("config.json", config, strlen(config), &generator.arena, &parsed, error));
    OMMA_TRY_OR(status, out, fill_pool(&generator));
    OMMA_TRY_OR(status, out, walk(&generator, describe_tensor));
    if (generator.header.n_data_bytes > max_bytes) {
        status = omma_fail(error, OMMA_STATUS_RESOURCES, "%s: takes %llu bytes, of %llu there are",
                           name, (unsigned long long)generator.header.n_data_bytes,
                           (unsigned long long)max_bytes);
        goto out;
    }
    OMMA_TRY_OR(status, out, omma_safetensors_writer_end(&generator.header, HEADER_UNIT, error));
    if (in_memory) {
        OMMA_TRY_OR(
            status, out,
            map_memory(&generator, generator.header.n_bytes + generator.header.n_data_bytes));
    }
    OMMA_TRY_OR(status, out,
                write_all(&generator, generator.header.text, generator.header.n_bytes));
    status = walk(&generator, write_tensor);
out:
    if (generator.memory != NULL) {
        munmap(generator.memory, generator.header.n_bytes + generator.header.n_data_bytes);
    }
    omma_safetensors_writer_free(&generator.header);
    omma_arena_free(&generator.arena);
    return status;
}

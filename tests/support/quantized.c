/* Symmetric int8 by the largest magnitude of a row or group, against the scale as it is stored. */
#include "support/quantized.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bf16.h"
#include "support/support.h"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_linear(const char *name, const struct omma_test_quantization *quantization)
{
    static const char *const language[] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                           "gate_proj", "up_proj", "down_proj"};
    static const char *const vision[] = {
        "attn.qkv", "attn.proj", "mlp.fc1",  "mlp.fc2",  "mlp1.1", "mlp1.3",           "q_proj",
        "k_proj",   "v_proj",    "linear_1", "linear_2", "fc1",    "projection_layer", "fc2"};
    bool is_language = strstr(name, "language_model") != NULL;
    const char *const *words = is_language ? language : vision;
    size_t n = is_language ? sizeof language / sizeof *language : sizeof vision / sizeof *vision;
    char end[40];

    if (!is_language && !quantization->vision) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(end, sizeof end, "%s.weight", words[i]);
        if (ends_with(name, end)) {
            return true;
        }
    }
    return quantization->head && ends_with(name, "lm_head.weight");
}

/* n values to int8; the scale, rounded to bf16. */
static uint16_t quantize(const float *values, size_t n, int8_t *q)
{
    float largest = 0, scale;
    uint16_t stored;

    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(values[i]));
    }
    stored = omma_bf16_of_f32(largest / 127.5f);
    scale = omma_f32_of_bf16(stored);
    for (size_t i = 0; i < n; i++) {
        q[i] = (int8_t)fminf(fmaxf(rintf(values[i] / scale), -128), 127);
    }
    return stored;
}

static void quantize_tensor(struct omma_test_checkpoint *checkpoint, size_t index, size_t group)
{
    struct omma_test_tensor *weight = &checkpoint->tensors[index], *scale;
    size_t n_rows = weight->shape[0], n_columns = weight->shape[1];
    size_t columns = group > 0 && n_columns % group == 0 ? group : n_columns;
    size_t n_groups = n_columns / columns;
    char name[200];
    int8_t *q = calloc(n_rows, n_columns);
    float *values;

    assert_non_null(q);
    assert_true(strlen(weight->name) + sizeof "_scale" <= sizeof weight->name);
    snprintf(name, sizeof name, "%s_scale", weight->name);
    scale = omma_test_checkpoint_add(checkpoint, name, 2, (const size_t[]){n_rows, n_groups});
    omma_test_tensor_convert(weight, "F32");
    values = (float *)(void *)weight->data;
    for (size_t i = 0; i < n_rows * n_groups; i++) {
        uint16_t stored = quantize(values + i * columns, columns, q + i * columns);

        memcpy(scale->data + i * sizeof stored, &stored, sizeof stored);
    }
    free(weight->data);
    weight->data = (uint8_t *)q;
    weight->n_bytes = n_rows * n_columns;
    strcpy(weight->dtype, "I8");
}

static json_t *config_of(const struct omma_test_quantization *quantization)
{
    json_t *group =
        json_pack("{s:{s:i, s:s, s:b, s:s, s:b}, s:n, s:n}", "weights", "num_bits", 8, "type",
                  "int", "symmetric", 1, "strategy", quantization->group > 0 ? "group" : "channel",
                  "dynamic", 0, "output_activations", "input_activations");

    assert_non_null(group);
    if (quantization->group > 0) {
        json_object_set_new(json_object_get(group, "weights"), "group_size",
                            json_integer((json_int_t)quantization->group));
    }
    if (!quantization->weights_only) {
        json_object_set_new(group, "input_activations",
                            json_pack("{s:i, s:s, s:b, s:s, s:b}", "num_bits", 8, "type", "int",
                                      "symmetric", 1, "strategy", "token", "dynamic", 1));
    }
    return json_pack("{s:s, s:s, s:s, s:{s:o}, s:[s]}", "quant_method", "compressed-tensors",
                     "format", "int-quantized", "quantization_status", "compressed",
                     "config_groups", "group_0", group, "ignore", "lm_head");
}

void omma_test_checkpoint_quantize(struct omma_test_checkpoint *checkpoint,
                                   const struct omma_test_quantization *quantization)
{
    size_t n = checkpoint->n_tensors;

    for (size_t i = 0; i < n; i++) {
        if (is_linear(checkpoint->tensors[i].name, quantization)) {
            quantize_tensor(checkpoint, i, quantization->group);
        }
    }
    assert_true(checkpoint->n_tensors > n);
    json_object_set_new(checkpoint->config, "quantization_config", config_of(quantization));
}

void omma_test_checkpoint_widen(struct omma_test_checkpoint *checkpoint, size_t ffn)
{
    static const char *const words[] = {"gate", "up", "down"};
    json_t *language = json_object_get(checkpoint->config, "llm_config");
    size_t hidden = (size_t)json_integer_value(json_object_get(language, "hidden_size"));
    size_t n_layers = (size_t)json_integer_value(json_object_get(language, "num_hidden_layers"));
    char name[160];

    for (size_t i = 0; i < 3 * n_layers; i++) {
        bool is_down = i % 3 == 2;
        const size_t shape[] = {is_down ? hidden : ffn, is_down ? ffn : hidden};

        snprintf(name, sizeof name, "language_model.model.layers.%zu.mlp.%s_proj.weight", i / 3,
                 words[i % 3]);
        omma_test_checkpoint_remove(checkpoint, name);
        omma_test_checkpoint_add(checkpoint, name, 2, shape);
    }
    json_object_set_new(language, "intermediate_size", json_integer((json_int_t)ffn));
}

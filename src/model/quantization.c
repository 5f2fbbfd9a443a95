/*
 * Every field that would change what is computed is looked at; those that say how the checkpoint
 * was made (version, global_compression_ratio, ignore, targets, ...) are not.
 */
#include "model/quantization.h"

#include <stdio.h>
#include <string.h>

/* null, {} or [] */
static enum omma_status expect_nothing(const struct omma_json_object *from, const char *key,
                                       struct omma_error *error)
{
    const json_t *value = omma_json_value(from, key);

    if (value == NULL || (json_is_object(value) && json_object_size(value) == 0) ||
        (json_is_array(value) && json_array_size(value) == 0)) {
        return OMMA_OK;
    }
    return omma_json_fail(from, key, "nothing", error);
}

static enum omma_status expect_int8(const struct omma_json_object *from, struct omma_error *error)
{
    if (json_integer_value(omma_json_value(from, "num_bits")) != 8) {
        return omma_json_fail(from, "num_bits", "8", error);
    }
    if (omma_json_value(from, "type") == NULL) {
        return omma_json_fail(from, "type", "\"int\"", error);
    }
    OMMA_TRY(omma_json_expect_text(from, "type", "int", error));
    return omma_json_expect_bool(from, "symmetric", true, error);
}

static enum omma_status read_weights(const struct omma_json_object *from, struct omma_error *error)
{
    const char *strategy = NULL;
    size_t group = 0;

    OMMA_TRY(expect_int8(from, error));
    OMMA_TRY(omma_json_expect_bool(from, "dynamic", false, error));
    OMMA_TRY(expect_nothing(from, "actorder", error));
    OMMA_TRY(expect_nothing(from, "block_structure", error));
    OMMA_TRY(omma_json_text(from, "strategy", OMMA_JSON_REQUIRED, &strategy, error));
    if (strcmp(strategy, "group") == 0) {
        OMMA_TRY(omma_json_size(from, "group_size", OMMA_JSON_REQUIRED, 64, 128, &group, error));
        return group == 64 || group == 128 ? OMMA_OK
                                           : omma_json_fail(from, "group_size", "64 or 128", error);
    }
    return strcmp(strategy, "channel") == 0
               ? OMMA_OK
               : omma_json_fail(from, "strategy", "\"channel\" or \"group\"", error);
}

static enum omma_status read_activations(const struct omma_json_object *from,
                                         struct omma_error *error)
{
    bool is_dynamic = false;

    OMMA_TRY(expect_int8(from, error));
    OMMA_TRY(omma_json_bool(from, "dynamic", OMMA_JSON_OPTIONAL, &is_dynamic, error));
    if (!is_dynamic) {
        return omma_json_fail(from, "dynamic", "true", error);
    }
    if (omma_json_value(from, "strategy") == NULL) {
        return omma_json_fail(from, "strategy", "\"token\"", error);
    }
    return omma_json_expect_text(from, "strategy", "token", error);
}

/* Earlier versions of the library describe dense weights here. */
static enum omma_status expect_dense(const struct omma_json_object *from, struct omma_error *error)
{
    const json_t *value = omma_json_value(from, "sparsity_config");
    const char *format = json_string_value(json_object_get(value, "format"));

    if (format != NULL && strcmp(format, "dense") == 0) {
        return OMMA_OK;
    }
    return expect_nothing(from, "sparsity_config", error);
}

/* One of config_groups: linears that are quantized alike. */
static enum omma_status read_group(const struct omma_json_object *group, bool *int8_activations,
                                   struct omma_error *error)
{
    struct omma_json_object child;
    char prefix[200];

    OMMA_TRY(omma_json_expect_text(group, "format", "int-quantized", error));
    OMMA_TRY(expect_nothing(group, "output_activations", error));
    snprintf(prefix, sizeof prefix, "%sweights.", group->prefix);
    OMMA_TRY(omma_json_child(group, "weights", prefix, &child, error));
    OMMA_TRY(read_weights(&child, error));
    *int8_activations = omma_json_value(group, "input_activations") != NULL;
    if (!*int8_activations) {
        return OMMA_OK;
    }
    snprintf(prefix, sizeof prefix, "%sinput_activations.", group->prefix);
    OMMA_TRY(omma_json_child(group, "input_activations", prefix, &child, error));
    return read_activations(&child, error);
}

static enum omma_status read_groups(const struct omma_json_object *groups,
                                    struct omma_quantization *quantization,
                                    struct omma_error *error)
{
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)groups->object, key, value)
    {
        struct omma_json_object group;
        bool int8_activations;
        char prefix[160];

        snprintf(prefix, sizeof prefix, "%s%.60s.", groups->prefix, key);
        OMMA_TRY(omma_json_child(groups, key, prefix, &group, error));
        OMMA_TRY(read_group(&group, &int8_activations, error));
        if (n++ > 0 && int8_activations != quantization->int8_activations) {
            return omma_json_fail(&group, "input_activations", "the same in every group", error);
        }
        quantization->int8_activations = int8_activations;
    }
    return n > 0 ? OMMA_OK
                 : omma_fail(error, OMMA_STATUS_MODEL, "%s: %s: expected a group, found none",
                             groups->file, groups->prefix);
}

static enum omma_status read_scheme(const struct omma_json_object *from,
                                    struct omma_quantization *quantization,
                                    struct omma_error *error)
{
    const char *const words[][2] = {{"quant_method", "compressed-tensors"},
                                    {"format", "int-quantized"}};
    const char *status = "compressed";
    struct omma_json_object groups;
    char prefix[80];

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const json_t *value = omma_json_value(from, words[i][0]);
        char expected[60];

        if (!json_is_string(value) || strcmp(json_string_value(value), words[i][1]) != 0) {
            snprintf(expected, sizeof expected, "\"%s\", the kind that omma computes", words[i][1]);
            return omma_json_fail(from, words[i][0], expected, error);
        }
    }
    OMMA_TRY(omma_json_text(from, "quantization_status", OMMA_JSON_OPTIONAL, &status, error));
    if (strcmp(status, "compressed") != 0 && strcmp(status, "frozen") != 0) {
        return omma_json_fail(from, "quantization_status", "\"compressed\" or \"frozen\"", error);
    }
    OMMA_TRY(expect_nothing(from, "kv_cache_scheme", error));
    OMMA_TRY(expect_nothing(from, "transform_config", error));
    OMMA_TRY(expect_nothing(from, "moe_sparsity_config", error));
    OMMA_TRY(expect_dense(from, error));
    snprintf(prefix, sizeof prefix, "%sconfig_groups.", from->prefix);
    OMMA_TRY(omma_json_child(from, "config_groups", prefix, &groups, error));
    OMMA_TRY(read_groups(&groups, quantization, error));
    quantization->is_quantized = true;
    return OMMA_OK;
}

enum omma_status omma_quantization_read(const struct omma_json_object *from,
                                        struct omma_quantization *quantization,
                                        struct omma_error *error)
{
    struct omma_json_object object;
    char prefix[60];

    if (omma_json_value(from, "quantization_config") == NULL) {
        return OMMA_OK;
    }
    snprintf(prefix, sizeof prefix, "%squantization_config.", from->prefix);
    OMMA_TRY(omma_json_child(from, "quantization_config", prefix, &object, error));
    return read_scheme(&object, quantization, error);
}

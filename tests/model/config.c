/* config.json: rows C of the fault model, each on the config of a small checkpoint with one field
 * bent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "support/checkpoint.h"
#include "support/support.h"

enum layout { ORIGINAL, HF };

/* The small checkpoint's config with the value at a path ("llm_config.hidden_size") replaced by
 * JSON text; NULL removes it. */
static char *bend(enum layout layout, const char *path, const char *value)
{
    struct omma_test_checkpoint checkpoint;
    const char *dot = strrchr(path, '.');
    json_t *object, *replaced = NULL;
    char *text, *parents = strdup(path);

    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    if (layout == HF) {
        omma_test_checkpoint_to_hf(&checkpoint, OMMA_TEST_HF_NEWER);
    }
    object = checkpoint.config;
    for (char *part = parents, *end; (end = strchr(part, '.')) != NULL; part = end + 1) {
        *end = '\0';
        object = json_object_get(object, part);
        assert_non_null(object);
    }
    if (value == NULL) {
        json_object_del(object, dot != NULL ? dot + 1 : path);
    } else {
        replaced = json_loads(value, JSON_DECODE_ANY, NULL);
        assert_non_null(replaced);
        json_object_set_new(object, dot != NULL ? dot + 1 : path, replaced);
    }
    text = json_dumps(checkpoint.config, 0);
    omma_test_checkpoint_free(&checkpoint);
    free(parents);
    return text;
}

static enum omma_status read_text(const char *text, size_t n_bytes, struct omma_config *config,
                                  struct omma_arena *arena, struct omma_error *error)
{
    return omma_config_parse("x/config.json", text, n_bytes, arena, config, error);
}

/* The bent config must be refused with a message that names the field and holds the text. */
static void refuse(enum layout layout, const char *path, const char *value, const char *text)
{
    char *bent = bend(layout, path, value);
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;
    char expected[200];

    snprintf(expected, sizeof expected, "x/config.json: %s", path);
    assert_fails(OMMA_STATUS_MODEL, expected,
                 read_text(bent, strlen(bent), &config, &arena, &error));
    if (strstr(error.message, text) == NULL) {
        fail_msg("message \"%s\" lacks \"%s\"", error.message, text);
    }
    omma_arena_free(&arena);
    free(bent);
}

static struct omma_config accept(enum layout layout, const char *path, const char *value,
                                 struct omma_arena *arena)
{
    char *bent = bend(layout, path, value);
    struct omma_config config;
    struct omma_error error;

    assert_ok(read_text(bent, strlen(bent), &config, arena, &error));
    free(bent);
    return config;
}

static void refuse_text(const char *text, size_t n_bytes, const char *expected)
{
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;

    assert_fails(OMMA_STATUS_MODEL, expected, read_text(text, n_bytes, &config, &arena, &error));
    omma_arena_free(&arena);
}

static void test_both_layouts_say_the_same(void **state)
{
    struct omma_arena arena = {0};
    struct omma_config a = accept(ORIGINAL, "model_type", "\"internvl_chat\"", &arena);
    struct omma_config b = accept(HF, "model_type", "\"internvl\"", &arena);

    (void)state;
    assert_int_equal(a.layout, OMMA_LAYOUT_ORIGINAL);
    assert_int_equal(b.layout, OMMA_LAYOUT_HF);
    assert_memory_equal(&a.vision, &b.vision, sizeof a.vision);
    assert_int_equal(a.vision.n_patches, 1024);
    assert_int_equal(a.vision.head_dim, 8);
    assert_int_equal(a.language.head_dim, 8);
    assert_int_equal(b.language.n_kv_heads, 1);
    assert_true(a.language.rope_theta == 1e6 && b.language.rope_theta == 1e6);
    assert_int_equal(a.language.rope_scaling, OMMA_ROPE_DYNAMIC);
    assert_int_equal(b.language.rope_scaling, OMMA_ROPE_DYNAMIC);
    assert_true(a.language.rope_factor == 2 && b.language.rope_factor == 2);
    assert_true(a.language.norm_eps == 1e-6f && a.projector_eps == 1e-5f);
    assert_int_equal(a.tokens_per_tile, 256);
    assert_int_equal(b.shuffle, 2);
    assert_int_equal(a.eos_ids[0], 611);
    assert_int_equal(a.n_eos_ids, 1);
    omma_arena_free(&arena);
}

static void test_tiles(void **state)
{
    struct omma_arena arena = {0};
    struct omma_config config;

    (void)state;
    config = accept(HF, "model_type", "\"internvl\"", &arena); /* says nothing of tiles */
    assert_int_equal(config.min_tiles, 1);
    assert_int_equal(config.max_tiles, 12);
    assert_true(config.use_thumbnail);
    config = accept(ORIGINAL, "max_dynamic_patch", "24", &arena);
    assert_int_equal(config.max_tiles, 24);
    config = accept(ORIGINAL, "max_dynamic_patch", NULL, &arena);
    assert_int_equal(config.max_tiles, 6); /* the class's default */
    config = accept(ORIGINAL, "use_thumbnail", NULL, &arena);
    assert_false(config.use_thumbnail);
    config = accept(ORIGINAL, "dynamic_image_size", "false", &arena);
    assert_int_equal(config.max_tiles, 1);
    refuse(ORIGINAL, "max_dynamic_patch", "0", "an integer from 1 to 256");
    refuse(ORIGINAL, "max_dynamic_patch", "257", "an integer from 1 to 256");
    refuse(ORIGINAL, "min_dynamic_patch", "-1", "found -1");
    omma_arena_free(&arena);
}

/* Pitfall 1: null is not a message. */
static void test_system_message(void **state)
{
    struct omma_arena arena = {0};

    (void)state;
    assert_null(accept(ORIGINAL, "system_message", "null", &arena).system_message);
    assert_null(accept(ORIGINAL, "system_message", NULL, &arena).system_message);
    assert_string_equal(accept(ORIGINAL, "system_message", "\"\"", &arena).system_message, "");
    assert_string_equal(accept(ORIGINAL, "system_message", "\"Hi\"", &arena).system_message, "Hi");
    refuse(ORIGINAL, "system_message", "1", "a text");
    omma_arena_free(&arena);
}

static void test_c1_damaged_files(void **state)
{
    char *dir = omma_test_folder(), *path = omma_test_join(dir, "config.json");
    size_t n_large = 16 * 1024 * 1024 + 1;
    char *large = malloc(n_large);
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_MODEL, "config.json: cannot open: No such file",
                 omma_config_read(dir, &arena, &config, &error));
    memset(large, ' ', n_large);
    omma_test_write(path, large, n_large);
    assert_fails(OMMA_STATUS_MODEL, "expected at most 16777216 bytes, found 16777217",
                 omma_config_read(dir, &arena, &config, &error));
    free(large);
    refuse_text("\xEF\xBB\xBF{}", 5, "@0: expected '{', found a byte-order mark");
    refuse_text("{\"a\": 1,\n \"a\": 2}", 17, "@13: line 2: expected JSON, found: duplicate");
    refuse_text("", 0, "@0: line 1");
    refuse_text("{", 1, "line 1");
    refuse_text("[]", 2, "expected an object");
    refuse_text("{} x", 4, "end of file expected");
    refuse_text("{\"a\": \"\\u0000\"}", 15, "config.json @");
    refuse_text("{\"a\": \"\xFF\"}", 10, "config.json @");
    refuse_text("{}", 2, "config.json: model_type: expected a text, found nothing");
    free(path);
    omma_arena_free(&arena);
    free(dir);
}

static void test_c2_types_and_ranges(void **state)
{
    static const char *const sizes[] = {"hidden_size", "num_hidden_layers", "intermediate_size",
                                        "num_attention_heads"};
    static const char *const values[] = {
        "0", "-1", "24.0", "\"24\"", "true", "[]", "{}", "null", "9223372036854775807"};
    char path[80];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            snprintf(path, sizeof path, "llm_config.%s", sizes[i]);
            refuse(ORIGINAL, path, values[k], "an integer from 1 to");
            snprintf(path, sizeof path, "vision_config.%s", sizes[i]);
            refuse(ORIGINAL, path, values[k], "an integer from 1 to");
            snprintf(path, sizeof path, "text_config.%s", sizes[i]);
            refuse(HF, path, values[k], "an integer from 1 to");
        }
    }
    refuse(ORIGINAL, "llm_config.rms_norm_eps", "-1e-6", "a number from");
    refuse(ORIGINAL, "llm_config.rms_norm_eps", "\"1e-6\"", "a number from");
    refuse(ORIGINAL, "llm_config.rope_theta", "0", "a number from");
    refuse(ORIGINAL, "vision_config.layer_norm_eps", "0", "a number from");
    refuse(ORIGINAL, "vision_config.qkv_bias", "1", "true or false");
    refuse(ORIGINAL, "use_thumbnail", "\"yes\"", "true or false");
    refuse(ORIGINAL, "llm_config", "3", "an object");
    refuse(HF, "text_config", NULL, "an object, found nothing");
    refuse(ORIGINAL, "downsample_ratio", "0.3", "1 / n");
    refuse_text("{\"a\": NaN}", 10, "config.json @");
    refuse_text("{\"a\": 1e999}", 12, "real number overflow");
    refuse_text("{\"a\": 99999999999999999999}", 27, "too big integer");
}

static void test_c3_divisors(void **state)
{
    (void)state;
    refuse(ORIGINAL, "llm_config.num_attention_heads", "5", "a divisor of hidden_size");
    refuse(ORIGINAL, "llm_config.num_key_value_heads", "2", "a divisor of num_attention_heads");
    refuse(ORIGINAL, "llm_config.num_key_value_heads", "0", "an integer from 1");
    refuse(ORIGINAL, "llm_config.num_key_value_heads", NULL, "found nothing");
    refuse(ORIGINAL, "vision_config.num_attention_heads", "3", "a divisor of hidden_size");
    refuse(ORIGINAL, "vision_config.patch_size", "0", "an integer from 1");
    refuse(ORIGINAL, "vision_config.patch_size", "15", "a divisor of image_size");
    refuse(ORIGINAL, "force_image_size", "224", "from 448 to 448");
    refuse(ORIGINAL, "llm_config.head_dim", "9", "an even number");
    refuse(HF, "vision_config.image_size", "[448, 224]", "square");
    refuse(HF, "vision_config.patch_size", "[0, 0]", "square");
    refuse(ORIGINAL, "downsample_ratio", "0.2", "a divisor of a tile's patches");
}

/* refuse() looks for the path of the bent field; these are named by the key that tells the kind. */
static void refuse_kind(enum layout layout, const char *path, const char *value, const char *text)
{
    char *bent = bend(layout, path, value);
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;

    assert_fails(OMMA_STATUS_MODEL, text, read_text(bent, strlen(bent), &config, &arena, &error));
    assert_non_null(strstr(error.message, path));
    omma_arena_free(&arena);
    free(bent);
}

static void test_c4_what_is_not_computed(void **state)
{
    (void)state;
    refuse_kind(ORIGINAL, "architectures", "[\"LlavaForConditionalGeneration\"]",
                "expected InternVLChatModel");
    refuse_kind(ORIGINAL, "architectures", "[]", "a list that begins with a name");
    refuse_kind(ORIGINAL, "llm_config.architectures", "[\"InternLM3ForCausalLM\"]",
                "InternLM3, the language model of the 9B, is not supported yet");
    refuse_kind(ORIGINAL, "llm_config.architectures", "[\"InternLM2ForCausalLM\"]",
                "found InternLM2ForCausalLM");
    refuse_kind(HF, "text_config.model_type", "\"llama\"", "InternLM3");
    refuse_kind(HF, "text_config.model_type", "\"qwen3\"", "found qwen3");
    refuse(ORIGINAL, "vision_config.hidden_act", "\"silu\"", "\"gelu\"");
    refuse(ORIGINAL, "vision_config.norm_type", "\"batch_norm\"", "found \"batch_norm\"");
    refuse(ORIGINAL, "llm_config.hidden_act", "\"gelu\"", "\"silu\"");
    refuse(HF, "projector_hidden_act", "\"relu\"", "\"gelu\"");
    refuse(HF, "vision_feature_layer", "-2", "-1");
    refuse(HF, "vision_feature_select_strategy", "\"full\"", "\"default\"");
    refuse(ORIGINAL, "select_layer", "-2", "-1");
    refuse(ORIGINAL, "ps_version", "\"v1\"", "\"v2\"");
    refuse(ORIGINAL, "ps_version", NULL, "\"v2\"");
    refuse(ORIGINAL, "template", "\"internlm2-chat\"", "\"internvl2_5\"");
    refuse(ORIGINAL, "pad2square", "true", "false");
    refuse(ORIGINAL, "llm_config.use_sliding_window", "true", "false");
    refuse(HF, "text_config.layer_types", "[\"full_attention\", \"sliding_attention\"]", "every");
}

/* The form that llm-compressor writes, with some parts left open. */
#define SCHEME(method, format, rest, weights, activations)                                         \
    "{\"quant_method\": \"" method "\", \"format\": \"" format "\", " rest                         \
    "\"ignore\": [\"lm_head\"], \"quantization_status\": \"frozen\", \"kv_cache_scheme\": null,"   \
    "\"global_compression_ratio\": 1.2, \"config_groups\": {\"group_0\": {\"targets\": "           \
    "[\"Linear\"], \"output_activations\": null, \"weights\": {" weights                           \
    "\"observer\": \"minmax\", \"block_structure\": null, \"actorder\": null},"                    \
    "\"input_activations\": " activations "}}}"
#define WEIGHTS                                                                                    \
    "\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"channel\","
#define GROUPS(size)                                                                               \
    "\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"group\", \"group_size\": " size ","
#define ACTIVATIONS                                                                                \
    "{\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"token\","           \
    " \"dynamic\": true, \"observer\": \"memoryless\"}"

static void test_int_quantized(void **state)
{
    static const struct {
        enum layout layout;
        const char *path, *value;
        bool int8_activations;
    } cases[] = {
        {HF, "quantization_config",
         SCHEME("compressed-tensors", "int-quantized", "", WEIGHTS, ACTIVATIONS), true},
        {ORIGINAL, "quantization_config",
         SCHEME("compressed-tensors", "int-quantized", "\"sparsity_config\": {},", GROUPS("64"),
                ACTIVATIONS),
         true},
        {ORIGINAL, "llm_config.quantization_config",
         SCHEME("compressed-tensors", "int-quantized",
                "\"sparsity_config\": {\"format\": \"dense\"},", GROUPS("128"), "null"),
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct omma_arena arena = {0};
        struct omma_config config = accept(cases[i].layout, cases[i].path, cases[i].value, &arena);

        assert_true(config.quantization.is_quantized);
        assert_int_equal(config.quantization.int8_activations, cases[i].int8_activations);
        omma_arena_free(&arena);
    }
}

/* Whatever else is quantized is refused by the name of the field. */
static void test_c4_other_quantization(void **state)
{
    static const char *const values[][2] = {
        {"{}", "quant_method: expected \"compressed-tensors\", the kind that omma computes, found "
               "nothing"},
        {"7", "an object"},
        {"{\"quant_method\": \"compressed-tensors\", \"format\": \"int-quantized\","
         " \"config_groups\": {}}",
         "config_groups.: expected a group, found none"},
        {"{\"quant_method\": \"awq\", \"bits\": 4}", "found \"awq\""},
        {SCHEME("compressed-tensors", "pack-quantized", "", WEIGHTS, ACTIVATIONS),
         "format: expected \"int-quantized\", the kind that omma computes, found "
         "\"pack-quantized\""},
        {SCHEME("compressed-tensors", "float-quantized", "", WEIGHTS, ACTIVATIONS),
         "\"float-quantized\""},
        {SCHEME("compressed-tensors", "int-quantized", "\"transform_config\": {\"a\": 1},", WEIGHTS,
                ACTIVATIONS),
         "transform_config: expected nothing"},
        {SCHEME("compressed-tensors", "int-quantized",
                "\"sparsity_config\": {\"format\": \"sparse-24-bitmask\"},", WEIGHTS, ACTIVATIONS),
         "sparsity_config"},
        {SCHEME("compressed-tensors", "int-quantized", "",
                "\"num_bits\": 4, \"type\": \"int\", \"strategy\": \"channel\",", ACTIVATIONS),
         "weights.num_bits: expected 8, found 4"},
        {SCHEME("compressed-tensors", "int-quantized", "",
                "\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"channel\",", ACTIVATIONS),
         "weights.type: expected \"int\", found \"float\""},
        {SCHEME("compressed-tensors", "int-quantized", "",
                "\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"tensor\",", ACTIVATIONS),
         "weights.strategy: expected \"channel\" or \"group\", found \"tensor\""},
        {SCHEME("compressed-tensors", "int-quantized", "",
                "\"symmetric\": false, \"num_bits\": 8, \"type\": \"int\",", ACTIVATIONS),
         "weights.symmetric: expected true"},
        {SCHEME("compressed-tensors", "int-quantized", "", GROUPS("96"), ACTIVATIONS),
         "weights.group_size: expected 64 or 128, found 96"},
        {SCHEME(
             "compressed-tensors", "int-quantized", "", WEIGHTS,
             "{\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"tensor\", \"dynamic\": true}"),
         "input_activations.strategy: expected \"token\""},
        {SCHEME("compressed-tensors", "int-quantized", "", WEIGHTS,
                "{\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"token\"}"),
         "input_activations.dynamic: expected true"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        refuse(HF, "quantization_config", values[i][0], values[i][1]);
        refuse(ORIGINAL, "llm_config.quantization_config", values[i][0], values[i][1]);
    }
}

static void test_c4_rope_scaling(void **state)
{
    struct omma_arena arena = {0};
    struct omma_config config;

    (void)state;
    refuse(ORIGINAL, "llm_config.rope_scaling", "{\"type\": \"yarn\", \"factor\": 4}",
           "type: expected \"default\" or \"dynamic\"");
    refuse(ORIGINAL, "llm_config.rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 4}",
           "rope_type: expected");
    refuse(ORIGINAL, "llm_config.rope_scaling",
           "{\"type\": \"dynamic\", \"rope_type\": \"yarn\", \"factor\": 4}",
           "the same as rope_type");
    refuse(ORIGINAL, "llm_config.rope_scaling", "{\"type\": \"dynamic\"}", "factor");
    refuse(ORIGINAL, "llm_config.rope_scaling", "{\"type\": \"dynamic\", \"factor\": 0.5}",
           "factor");
    refuse(ORIGINAL, "llm_config.rope_scaling",
           "{\"type\": \"dynamic\", \"factor\": 2, \"beta_fast\": 32}", "beta_fast");
    refuse(ORIGINAL, "llm_config.rope_scaling", "\"dynamic\"", "an object");
    refuse(HF, "text_config.rope_parameters", "{\"rope_type\": \"llama3\"}", "rope_type");
    config = accept(ORIGINAL, "llm_config.rope_scaling", "null", &arena);
    assert_int_equal(config.language.rope_scaling, OMMA_ROPE_PLAIN);
    config = accept(ORIGINAL, "llm_config.rope_scaling", "{\"type\":\"dynamic\",\"factor\":6.0}",
                    &arena);
    assert_true(config.language.rope_factor == 6);
    config = accept(HF, "text_config.rope_parameters",
                    "{\"rope_type\": \"default\", \"rope_theta\": 5e5}", &arena);
    assert_int_equal(config.language.rope_scaling, OMMA_ROPE_PLAIN);
    assert_true(config.language.rope_theta == 5e5);
    config = accept(HF, "text_config.rope_parameters", NULL, &arena);
    assert_true(config.language.rope_theta == 1e4); /* Qwen2Config's default */
    omma_arena_free(&arena);
}

/* The ranges keep every product of sizes below 2^63; the first field beyond its own is named. */
static void test_c5_products(void **state)
{
    (void)state;
    refuse(ORIGINAL, "llm_config.vocab_size", "4294967296", "to 16777216");
    refuse(ORIGINAL, "llm_config.hidden_size", "2147483647", "to 65536");
    refuse(ORIGINAL, "llm_config.num_hidden_layers", "1000000", "to 1024");
    refuse(ORIGINAL, "vision_config.image_size", "1073741824", "to 4096");
    refuse(ORIGINAL, "llm_config.max_position_embeddings", "4611686018427387904", "to 268435456");
    refuse(ORIGINAL, "llm_config.head_dim", "65536", "to 1024");
}

static void test_c6_code_is_not_looked_at(void **state)
{
    struct omma_arena arena = {0};

    (void)state;
    accept(ORIGINAL, "auto_map", "{\"AutoConfig\": \"../../evil.py--X\"}", &arena);
    accept(ORIGINAL, "auto_map", "7", &arena);
    omma_arena_free(&arena);
}

static void test_c8_eos_out_of_range(void **state)
{
    char *dir = omma_test_folder();
    char *path = omma_test_join(dir, "config.json");
    char *generation = omma_test_join(dir, "generation_config.json");
    char *text = bend(ORIGINAL, "model_type", "\"internvl_chat\"");
    struct omma_arena arena = {0};
    struct omma_config config;
    struct omma_error error;

    (void)state;
    refuse(ORIGINAL, "llm_config.eos_token_id", "640", "ids below vocab_size, found 640");
    refuse(ORIGINAL, "llm_config.eos_token_id", "-1", "found -1");
    refuse(ORIGINAL, "llm_config.eos_token_id", "[1, 2.5]", "found [1,2.5]");
    refuse(ORIGINAL, "llm_config.eos_token_id", "[1,2,3,4,5,6,7,8,9]", "at most 8");
    config = accept(ORIGINAL, "llm_config.eos_token_id", "[5, 7, 5]", &arena);
    assert_int_equal(config.n_eos_ids, 2);
    config = accept(HF, "text_config.eos_token_id", "null", &arena);
    assert_int_equal(config.n_eos_ids, 0);
    omma_test_write(path, text, strlen(text));
    omma_test_write(generation, "{\"eos_token_id\": [609, 611]}", 28);
    assert_ok(omma_config_read(dir, &arena, &config, &error));
    assert_int_equal(config.n_eos_ids, 2);
    assert_int_equal(config.eos_ids[1], 609);
    omma_test_write(generation, "{\"eos_token_id\": 1000}", 22);
    assert_fails(OMMA_STATUS_MODEL, "generation_config.json: eos_token_id",
                 omma_config_read(dir, &arena, &config, &error));
    omma_test_write(generation, "{", 1);
    assert_fails(OMMA_STATUS_MODEL, "generation_config.json @",
                 omma_config_read(dir, &arena, &config, &error));
    omma_arena_free(&arena);
    free(text);
    free(generation);
    free(path);
    free(dir);
}

/* What is left out has the default of the class that reads it. */
static void test_vision_defaults_of_the_classes(void **state)
{
    struct omma_arena arena = {0};
    struct omma_config config;

    (void)state;
    config = accept(ORIGINAL, "vision_config.norm_type", NULL, &arena);
    assert_int_equal(config.vision.norm_type, OMMA_NORM_RMS);
    config = accept(ORIGINAL, "vision_config.qkv_bias", NULL, &arena);
    assert_false(config.vision.qkv_bias);
    config = accept(HF, "vision_config.norm_type", NULL, &arena);
    assert_int_equal(config.vision.norm_type, OMMA_NORM_LAYER);
    config = accept(HF, "vision_config.image_size", NULL, &arena);
    assert_int_equal(config.vision.tile_size, 448);
    omma_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_layouts_say_the_same),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_system_message),
        cmocka_unit_test(test_c1_damaged_files),
        cmocka_unit_test(test_c2_types_and_ranges),
        cmocka_unit_test(test_c3_divisors),
        cmocka_unit_test(test_c4_what_is_not_computed),
        cmocka_unit_test(test_int_quantized),
        cmocka_unit_test(test_c4_other_quantization),
        cmocka_unit_test(test_c4_rope_scaling),
        cmocka_unit_test(test_c5_products),
        cmocka_unit_test(test_c6_code_is_not_looked_at),
        cmocka_unit_test(test_c8_eos_out_of_range),
        cmocka_unit_test(test_vision_defaults_of_the_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

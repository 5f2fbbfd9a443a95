/*
 * Folders with int8 weights: the arithmetic against its definition, what the reference wrote, both
 * layouts and all types of source, interruption at every point, and what is refused.
 */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bf16.h"
#include "model/model.h"
#include "model/quantize/rows.h"
#include "support/checkpoint.h"
#include "support/support.h"

static const char journal[] = "omma-quantize.journal";

/* ------------------------------------------------------------------------------------------------
 * Arithmetic
 * --------------------------------------------------------------------------------------------- */

/* rows.h in the C library's words. */
static void expect_definition(const float *values, size_t n, const int8_t *quantized,
                              uint16_t scale, const struct omma_quantize_error *error)
{
    double squares = 0, value_squares = 0;
    float largest = 0, stored, worst = 0;

    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(values[i]));
    }
    stored = omma_f32_round_bf16(largest / 127.5f);
    stored = stored == 0 ? 0.0078125f : stored;
    assert_true(omma_f32_of_bf16(scale) == stored);
    for (size_t i = 0; i < n; i++) {
        float expected = fminf(fmaxf(rintf(values[i] / stored), -128), 127);
        float off = fabsf(values[i] - expected * stored);

        assert_int_equal(quantized[i], (int)expected);
        squares += (double)off * (double)off;
        value_squares += (double)values[i] * (double)values[i];
        worst = fmaxf(worst, off);
    }
    assert_true(fabs(error->squares - squares) <= 1e-12 * squares);
    assert_true(fabs(error->value_squares - value_squares) <= 1e-12 * value_squares);
    assert_true(error->largest == worst);
}

static void check_values(const float *values, size_t n)
{
    struct omma_quantize_error error = {0};
    int8_t quantized[300];
    uint16_t scale = 0;

    memset(quantized, 99, sizeof quantized);
    assert_true(n < sizeof quantized);
    assert_true(omma_quantize_values(values, n, quantized, &scale, &error));
    expect_definition(values, n, quantized, scale, &error);
    assert_int_equal(quantized[n], 99);
}

static void test_values_of_every_size(void **state)
{
    static const float sizes[] = {1,         0x1p-100f, 0x1p-126f,   0x1p-133f, 0x1p-140f,
                                  0x1p-149f, 0x1p100f,  0x1.FEp127f, 0};
    uint64_t random = 7;
    float values[260];

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (size_t n = 1; n < 260; n += n < 40 ? 1 : 37) {
            for (size_t i = 0; i < n; i++) {
                values[i] = (float)omma_test_uniform(&random, -1, 1) * sizes[k];
            }
            check_values(values, n);
        }
    }
}

/* Quotients that are halves: the even neighbour; the clamps; one value alone. */
static void test_ties_and_clamps(void **state)
{
    float values[200] = {0x1.FEp6f}; /* 127.5: the scale is 1 */
    float alone = -3.5f, edge[2] = {0x1.FF8p6f, -0x1.FF8p6f};

    (void)state;
    for (int i = 1; i < 200; i++) {
        values[i] = (float)(i - 100) * 0.5f;
    }
    check_values(values, 200);
    check_values(&alone, 1);
    check_values(edge, 2);
}

static void test_values_that_are_not_finite(void **state)
{
    static const uint32_t bad[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001};
    struct omma_quantize_error error = {0};
    int8_t quantized[40];
    uint16_t scale;

    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        for (size_t at = 0; at < 40; at++) {
            float values[40] = {1, 2, 3};

            values[at] = omma_f32_of_bits(bad[k]);
            assert_false(omma_quantize_values(values, 40, quantized, &scale, &error));
        }
    }
}

static void test_widening(void **state)
{
    static const enum omma_dtype dtypes[] = {OMMA_DTYPE_BF16, OMMA_DTYPE_F16, OMMA_DTYPE_F32};
    char bytes[1201];
    float values[300];
    uint16_t halves[300];
    uint64_t random = 3;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(omma_test_random(&random) & 0x3F);
    }
    for (size_t d = 0; d < 3; d++) {
        omma_quantize_widen(bytes + 1, dtypes[d], 300, values); /* at an odd address */
        omma_quantize_to_bf16(bytes + 1, dtypes[d], 300, halves);
        for (size_t i = 0; i < 300; i++) {
            const char *at = bytes + 1 + i * omma_dtype_bytes(dtypes[d]);
            float whole;
            uint16_t half;

            memcpy(&whole, at, sizeof whole);
            memcpy(&half, at, sizeof half);
            whole = dtypes[d] == OMMA_DTYPE_F32    ? whole
                    : dtypes[d] == OMMA_DTYPE_BF16 ? omma_f32_of_bf16(half)
                                                   : omma_f32_of_f16(half);
            assert_true(omma_bits_of_f32(values[i]) == omma_bits_of_f32(whole));
            assert_int_equal(halves[i], omma_bf16_of_f32(whole));
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Folders
 * --------------------------------------------------------------------------------------------- */

enum variant { ORIGINAL, HF_PUBLISHED, HF_NEWER };

/* A folder with a small model. */
static char *make_source(enum omma_test_tower tower, enum variant variant, const char *dtype,
                         size_t n_shards)
{
    struct omma_test_checkpoint checkpoint;
    char *dir = omma_test_folder();

    omma_test_checkpoint_init(&checkpoint, tower);
    if (variant != ORIGINAL) {
        omma_test_checkpoint_to_hf(&checkpoint, variant == HF_PUBLISHED ? OMMA_TEST_HF_PUBLISHED
                                                                        : OMMA_TEST_HF_NEWER);
    }
    for (size_t i = 0; i < checkpoint.n_tensors; i++) {
        omma_test_tensor_convert(&checkpoint.tensors[i], dtype);
    }
    omma_test_checkpoint_write(&checkpoint, dir, n_shards);
    omma_test_checkpoint_free(&checkpoint);
    return dir;
}

static enum omma_status quantize(const char *source, const char *dir,
                                 const struct omma_quantize_options *options,
                                 struct omma_quantize_result *result, struct omma_error *error)
{
    struct omma_model *model = NULL;
    enum omma_status status;

    OMMA_TRY(omma_model_open(source, NULL, &model, error));
    status = omma_model_quantize(model, dir, options, result, error);
    omma_model_close(&model);
    return status;
}

static size_t count_files(const char *dir)
{
    DIR *listing = opendir(dir);
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        n += entry->d_name[0] != '.';
    }
    closedir(listing);
    return n;
}

/* The same files with the same bytes. */
static void expect_same_folder(const char *a, const char *b)
{
    DIR *listing = opendir(a);
    struct dirent *entry;

    assert_non_null(listing);
    while ((entry = readdir(listing)) != NULL) {
        char *x = omma_test_join(a, entry->d_name), *y = omma_test_join(b, entry->d_name);

        if (entry->d_name[0] != '.') {
            size_t n_x, n_y;
            char *in_x = omma_test_read(x, &n_x), *in_y = omma_test_read(y, &n_y);

            if (n_x != n_y || memcmp(in_x, in_y, n_x) != 0) {
                fail_msg("%s and %s differ", x, y);
            }
            free(in_x);
            free(in_y);
        }
        free(x);
        free(y);
    }
    closedir(listing);
    assert_int_equal(count_files(a), count_files(b));
}

static bool has(const char *dir, const char *name)
{
    char *path = omma_test_join(dir, name);
    bool is_there = access(path, F_OK) == 0;

    free(path);
    return is_there;
}

static json_t *read_json(const char *dir, const char *name)
{
    char *path = omma_test_join(dir, name), *text = omma_test_read(path, NULL);
    json_t *value = json_loads(text, 0, NULL);

    assert_non_null(value);
    free(text);
    free(path);
    return value;
}

/* ------------------------------------------------------------------------------------------------
 * What the reference wrote
 * --------------------------------------------------------------------------------------------- */

static struct omma_tensor_file *open_weights(const char *dir)
{
    char *path = omma_test_join(dir, "model.safetensors");
    struct omma_tensor_file *file = NULL;
    struct omma_error error;

    assert_ok(omma_tensor_file_open(path, &file, &error));
    free(path);
    return file;
}

/* compressed-tensors' quotient, which is rounded to bf16 before it is rounded to an integer: an
 * int8 weight may differ from the reference's there and nowhere else. */
static size_t compare_weights(const struct omma_tensor *ours, const struct omma_tensor *theirs,
                              const struct omma_tensor *scales, const struct omma_tensor *source)
{
    const int8_t *a = ours->data, *b = theirs->data;
    const char *scale = scales->data, *values = source->data;
    size_t n_different = 0;

    for (size_t i = 0; i < ours->n_bytes; i++) {
        uint16_t value, divisor;
        float quotient;

        memcpy(&value, values + 2 * i, sizeof value);
        memcpy(&divisor, scale + 2 * (i / ours->shape[1]), sizeof divisor);
        quotient = omma_f32_of_bf16(value) / omma_f32_of_bf16(divisor);
        assert_int_equal(a[i], (int)fminf(rintf(quotient), 127));
        assert_int_equal(b[i], (int)fminf(rintf(omma_f32_round_bf16(quotient)), 127));
        n_different += a[i] != b[i];
    }
    return n_different;
}

static void compare_files(const char *ours_dir, const char *theirs_dir, const char *source_dir)
{
    struct omma_tensor_file *ours = open_weights(ours_dir), *theirs = open_weights(theirs_dir);
    struct omma_tensor_file *source = open_weights(source_dir);
    size_t n_different = 0, n_int8 = 0;

    assert_int_equal(omma_tensor_file_count(ours), omma_tensor_file_count(theirs));
    for (size_t i = 0; i < omma_tensor_file_count(ours); i++) {
        const struct omma_tensor *a = omma_tensor_file_get(ours, i);
        const struct omma_tensor *b = omma_tensor_file_get(theirs, i);
        char scale[256];

        assert_string_equal(a->name, b->name);
        assert_string_equal(a->dtype, b->dtype);
        assert_int_equal(a->n_bytes, b->n_bytes);
        if (strcmp(a->dtype, "I8") != 0) {
            assert_memory_equal(a->data, b->data, a->n_bytes);
            continue;
        }
        snprintf(scale, sizeof scale, "%s_scale", a->name);
        n_different += compare_weights(a, b, omma_tensor_file_find(theirs, scale),
                                       omma_tensor_file_find(source, a->name));
        n_int8 += a->n_bytes;
    }
    print_message("%zu of %zu weights differ from the reference's, whose quotients are bf16\n",
                  n_different, n_int8);
    assert_true(n_int8 == 1545216 && n_different == 145554);
    omma_tensor_file_close(&ours);
    omma_tensor_file_close(&theirs);
    omma_tensor_file_close(&source);
}

/* All keys of the reference's config, and no other; but for the ids, which it lost, and versions.
 */
static void compare_configs(const char *ours_dir, const char *theirs_dir)
{
    json_t *ours = read_json(ours_dir, "config.json");
    json_t *theirs = read_json(theirs_dir, "config.json");
    json_t *text = json_object_get(ours, "text_config");

    json_object_del(theirs, "transformers_version");
    assert_int_equal(json_integer_value(json_object_get(text, "eos_token_id")), 611);
    json_object_set_new(text, "eos_token_id", json_null());
    json_object_set_new(text, "bos_token_id", json_null());
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
}

static void test_what_the_reference_wrote(void **state)
{
    OMMA_TEST_NEED_SHARED(source, "reference/tiny-300m");
    OMMA_TEST_NEED_SHARED(theirs, "reference/tiny-300m-int8");
    char *ours = omma_test_folder(), *a = omma_test_join(ours, "model.safetensors");
    char *b = omma_test_join(theirs, "model.safetensors"), *in_a, *in_b;
    struct omma_error error;
    size_t n_header;

    (void)state;
    assert_ok(quantize(source, ours, NULL, NULL, &error));
    compare_files(ours, theirs, source);
    compare_configs(ours, theirs);
    in_a = omma_test_read(a, NULL);
    in_b = omma_test_read(b, NULL);
    n_header = 8 + (uint8_t)in_a[0] + 256 * (size_t)(uint8_t)in_a[1];
    assert_memory_equal(in_a, in_b, n_header); /* names, order and offsets, byte for byte */
    free(in_a);
    free(in_b);
    free(a);
    free(b);
    free(ours);
    free(theirs);
    free(source);
}

/* ------------------------------------------------------------------------------------------------
 * Sources
 * --------------------------------------------------------------------------------------------- */

/* The values are such that bf16, f16 and f32 all hold them, so the weights must be the same bytes.
 */
static void test_layouts_and_types_give_the_same_weights(void **state)
{
    static const char *const dtypes[] = {"BF16", "F16", "F32"};

    (void)state;
    for (int tower = OMMA_TEST_300M; tower <= OMMA_TEST_6B; tower++) {
        char *first = omma_test_folder(), *source;
        struct omma_error error;

        source = make_source((enum omma_test_tower)tower, ORIGINAL, "BF16", 1);
        assert_ok(quantize(source, first, NULL, NULL, &error));
        free(source);
        for (int variant = ORIGINAL; variant <= HF_NEWER; variant++) {
            for (size_t d = 0; d < 3; d++) {
                const struct omma_quantize_options options = {.n_threads = 1 + d};
                char *dir = omma_test_folder(), *path = omma_test_join(dir, "model.safetensors");
                char *first_path = omma_test_join(first, "model.safetensors"), *a, *b;
                size_t n_a, n_b;

                source = make_source((enum omma_test_tower)tower, (enum variant)variant, dtypes[d],
                                     1 + d);
                assert_ok(quantize(source, dir, &options, NULL, &error));
                a = omma_test_read(first_path, &n_a);
                b = omma_test_read(path, &n_b);
                assert_int_equal(n_a, n_b);
                assert_memory_equal(a, b, n_a);
                free(a);
                free(b);
                free(first_path);
                free(path);
                free(source);
                free(dir);
            }
        }
        free(first);
    }
}

/* What has a name of its own in a config of that layout stays; the original's own rules are kept.
 */
static void test_configs(void **state)
{
    char *source = make_source(OMMA_TEST_300M, HF_PUBLISHED, "F32", 1), *dir = omma_test_folder();
    json_t *config = read_json(source, "config.json"), *made, *ids;
    char *path = omma_test_join(source, "config.json");
    struct omma_error error;

    (void)state;
    json_object_set_new(config, "my_own_key", json_string("stays"));
    json_object_set_new(config, "torch_dtype", json_string("float32"));
    json_object_set_new(config, "tie_word_embeddings", json_true()); /* but the file has a head */
    assert_int_equal(json_dump_file(config, path, 0), 0);
    omma_test_put(source, "preprocessor_config.json", "{\"mine\": 1}");
    omma_test_put(source, "video_preprocessor_config.json", "{}");
    omma_test_put(source, "notes.txt", "no file of a model");
    assert_ok(quantize(source, dir, NULL, NULL, &error));
    made = read_json(dir, "config.json");
    assert_string_equal(json_string_value(json_object_get(made, "my_own_key")), "stays");
    assert_string_equal(json_string_value(json_object_get(made, "dtype")), "bfloat16");
    assert_null(json_object_get(made, "torch_dtype"));
    assert_true(json_is_false(json_object_get(made, "tie_word_embeddings")));
    assert_non_null(json_object_get(made, "quantization_config"));
    json_decref(made);
    made = read_json(dir, "preprocessor_config.json");
    assert_int_equal(json_integer_value(json_object_get(made, "mine")), 1);
    json_decref(made);
    made = read_json(dir, "generation_config.json");
    ids = json_object_get(made, "eos_token_id");
    assert_true(json_is_array(ids) || json_is_integer(ids));
    json_decref(made);
    assert_true(has(dir, "video_preprocessor_config.json") && has(dir, "vocab.json"));
    assert_false(has(dir, "notes.txt"));
    json_decref(config);
    free(path);
    free(source);
    free(dir);
}

/* The tiles and the system message of a model are the same before and after. */
static void test_rules_of_the_original_layout_are_kept(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *dir = omma_test_folder();
    json_t *config = read_json(source, "config.json"), *made, *processor;
    char *path = omma_test_join(source, "config.json");
    struct omma_error error;

    (void)state;
    json_object_set_new(config, "max_dynamic_patch", json_integer(4));
    json_object_set_new(config, "use_thumbnail", json_false());
    json_object_set_new(config, "system_message", json_string("Be brief."));
    assert_int_equal(json_dump_file(config, path, 0), 0);
    assert_ok(quantize(source, dir, NULL, NULL, &error));
    made = read_json(dir, "config.json");
    processor = read_json(dir, "preprocessor_config.json");
    assert_int_equal(json_integer_value(json_object_get(made, "max_dynamic_patch")), 4);
    assert_true(json_is_false(json_object_get(made, "use_thumbnail")));
    assert_string_equal(json_string_value(json_object_get(made, "system_message")), "Be brief.");
    assert_int_equal(json_integer_value(json_object_get(processor, "max_patches")), 4);
    json_decref(processor);
    json_decref(made);
    json_decref(config);
    free(path);
    free(source);
    free(dir);
}

/* ------------------------------------------------------------------------------------------------
 * Options
 * --------------------------------------------------------------------------------------------- */

struct seen {
    size_t n, n_vision, n_grouped;
    double worst; /* relative error of a linear */
};

static void see(void *user, const struct omma_quantized_linear *linear)
{
    struct seen *seen = user;

    seen->n++;
    seen->n_vision += strcmp(linear->part, "vision") == 0;
    seen->n_grouped += linear->group < linear->n_columns;
    seen->worst = fmax(seen->worst, sqrt(linear->error_squares / linear->squares));
}

/* The demo model: inputs of 192 and 512. */
static struct seen quantize_demo(const char *dir, size_t group, bool vision)
{
    char *demo = omma_test_source("share/omma/demo");
    struct seen seen = {0};
    const struct omma_quantize_options options = {
        .group = group, .vision = vision, .linear = see, .user = &seen};
    struct omma_error error;

    assert_ok(quantize(demo, dir, &options, NULL, &error));
    free(demo);
    return seen;
}

static void expect_shape(const char *dir, const char *name, const char *dtype, size_t n_rows,
                         size_t n_columns)
{
    struct omma_tensor_file *file = open_weights(dir);
    const struct omma_tensor *tensor = omma_tensor_file_find(file, name);

    assert_non_null(tensor);
    assert_string_equal(tensor->dtype, dtype);
    assert_int_equal(tensor->n_dimensions, 2);
    assert_int_equal(tensor->shape[0], n_rows);
    assert_int_equal(tensor->shape[1], n_columns);
    omma_tensor_file_close(&file);
}

static void test_groups_and_vision(void **state)
{
    char *rows = omma_test_folder(), *groups = omma_test_folder(), *mixed = omma_test_folder();
    json_t *config, *quantization, *group;
    struct seen by_row = quantize_demo(rows, 0, false);
    struct seen by_64 = quantize_demo(groups, 64, true);
    struct seen by_128 = quantize_demo(mixed, 128, false);

    (void)state;
    assert_int_equal(by_row.n, 42); /* 6 layers of 7 */
    assert_int_equal(by_row.n_grouped + by_row.n_vision, 0);
    assert_int_equal(by_64.n, 66); /* and 4 of 6 */
    assert_int_equal(by_64.n_vision, 24);
    assert_int_equal(by_64.n_grouped, 66);
    assert_int_equal(by_128.n_grouped, 6); /* down, of 512 inputs */
    assert_true(by_64.worst < by_row.worst);
    expect_shape(rows, "language_model.model.layers.0.mlp.down_proj.weight_scale", "BF16", 192, 1);
    expect_shape(groups, "language_model.model.layers.0.mlp.down_proj.weight_scale", "BF16", 192,
                 8);
    expect_shape(mixed, "language_model.model.layers.5.mlp.down_proj.weight_scale", "BF16", 192, 4);
    expect_shape(mixed, "language_model.model.layers.5.mlp.up_proj.weight_scale", "BF16", 512, 1);
    expect_shape(groups, "vision_tower.encoder.layer.3.mlp.fc2.weight", "I8", 128, 512);
    expect_shape(rows, "vision_tower.encoder.layer.3.mlp.fc2.weight", "BF16", 128, 512);

    config = read_json(groups, "config.json");
    quantization = json_object_get(config, "quantization_config");
    group = json_object_get(json_object_get(quantization, "config_groups"), "group_0");
    assert_int_equal(json_object_size(json_object_get(quantization, "config_groups")), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(group, "weights"), "group_size")), 64);
    assert_int_equal(json_array_size(json_object_get(quantization, "ignore")), 3);
    json_decref(config);
    config = read_json(mixed, "config.json");
    quantization = json_object_get(config, "quantization_config");
    group = json_object_get(json_object_get(quantization, "config_groups"), "group_1");
    assert_int_equal(json_array_size(json_object_get(group, "targets")), 6);
    assert_string_equal(json_string_value(json_array_get(json_object_get(group, "targets"), 0)),
                        "model.language_model.layers.0.mlp.down_proj");
    json_decref(config);
    free(rows);
    free(groups);
    free(mixed);
}

/* ------------------------------------------------------------------------------------------------
 * Interruption
 * --------------------------------------------------------------------------------------------- */

static const struct omma_quantize_options small_steps = {
    .shard_bytes = 60000, .sync_bytes = 4000, .n_threads = 1};

static void die_in_time(void *user, uint64_t n_done, uint64_t n_total)
{
    size_t *steps = user;

    (void)n_done;
    (void)n_total;
    if ((*steps)-- == 0) {
        raise(SIGKILL);
    }
}

/* In a child that is killed after so many steps; true once it was not. */
static bool run_until_killed(const char *source, const char *dir,
                             const struct omma_quantize_options *given, size_t steps)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        struct omma_quantize_options options = *given;

        options.progress = die_in_time;
        options.user = &steps;
        _exit(quantize(source, dir, &options, NULL, NULL));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return !WIFSIGNALED(status);
}

static void test_killed_at_every_step(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 2), *whole = omma_test_folder();
    struct omma_quantize_result result;
    struct omma_error error;
    size_t n_runs = 0;

    (void)state;
    assert_ok(quantize(source, whole, &small_steps, &result, &error));
    assert_true(result.n_files > 2 && !result.was_complete);
    assert_true(has(whole, "model.safetensors.index.json") && !has(whole, journal));
    for (size_t steps = 0;; steps += 5) { /* each killed once, then done */
        char *dir = omma_test_folder();
        bool is_done = run_until_killed(source, dir, &small_steps, steps);

        assert_true(is_done == has(dir, "config.json"));
        assert_true(is_done != has(dir, journal));
        assert_ok(quantize(source, dir, &small_steps, &result, &error));
        assert_true(result.was_complete == is_done);
        expect_same_folder(dir, whole);
        free(dir);
        n_runs++;
        if (is_done) {
            break;
        }
    }
    assert_true(n_runs > 8);
    { /* killed again and again, each time a little later than where it began */
        struct omma_quantize_options options = small_steps;
        char *dir = omma_test_folder();

        options.sync_bytes = 1;
        for (n_runs = 0; !run_until_killed(source, dir, &options, 5); n_runs++) {
            assert_true(n_runs < 100); /* from the start, 5 steps would never do */
        }
        assert_true(n_runs > 5);
        expect_same_folder(dir, whole);
        free(dir);
    }
    free(whole);
    free(source);
}

/* What the journal does not vouch for is written again: bytes of it may be lost with the power. */
static void test_what_was_not_synced_is_lost(void **state)
{
    char *source = make_source(OMMA_TEST_6B, ORIGINAL, "BF16", 1), *whole = omma_test_folder();
    char *dir = omma_test_folder(), *path = omma_test_join(dir, journal), *text, *lines;
    struct omma_quantize_result result;
    struct omma_error error;
    char name[64];

    (void)state;
    assert_ok(quantize(source, whole, &small_steps, NULL, &error));
    assert_false(run_until_killed(source, dir, &small_steps, 40));
    text = omma_test_read(path, NULL);
    lines = strchr(strchr(strchr(text, '\n') + 1, '\n') + 1, '\n') + 1; /* two items */
    assert_non_null(strchr(lines, '\n'));                               /* and more */
    omma_test_write(path, text, (size_t)(lines - text) + 7);            /* a line cut short */
    assert_ok(quantize(source, dir, &small_steps, &result, &error));
    expect_same_folder(dir, whole);
    free(text);

    free(dir);
    free(path);
    dir = omma_test_folder();
    path = omma_test_join(dir, journal);
    assert_false(run_until_killed(source, dir, &small_steps, 40));
    omma_test_write(path, "", 0);
    assert_ok(quantize(source, dir, &small_steps, &result, &error));
    expect_same_folder(dir, whole);
    free(path);
    free(dir);

    dir = omma_test_folder(); /* a file of which the journal speaks is gone */
    assert_false(run_until_killed(source, dir, &small_steps, 40));
    snprintf(name, sizeof name, "model-00001-of-%05zu.safetensors", result.n_files);
    path = omma_test_join(dir, name);
    assert_int_equal(unlink(path), 0);
    assert_ok(quantize(source, dir, &small_steps, &result, &error));
    expect_same_folder(dir, whole);
    free(path);
    free(dir);
    free(whole);
    free(source);
}

/* In a child: a limit on the size of files stands for a disk that is full. */
static int quantize_on_a_full_disk(const char *source, const char *dir)
{
    const struct rlimit limit = {40000, 40000};
    struct omma_error error;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (quantize(source, dir, &small_steps, NULL, &error) != OMMA_STATUS_OUTPUT ||
        strstr(error.message, ".safetensors.partial: cannot write: File too large") == NULL) {
        return 1;
    }
    return 0;
}

static void test_goes_on_when_there_is_room_again(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *whole = omma_test_folder();
    char *dir = omma_test_folder();
    struct omma_error error;
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        _exit(quantize_on_a_full_disk(source, dir));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(has(dir, "config.json"));
    assert_ok(quantize(source, whole, &small_steps, NULL, &error));
    assert_ok(quantize(source, dir, &small_steps, NULL, &error));
    expect_same_folder(dir, whole);
    free(whole);
    free(dir);
    free(source);
}

/* ------------------------------------------------------------------------------------------------
 * Refusals
 * --------------------------------------------------------------------------------------------- */

static void test_other_folders_are_refused(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1);
    char *other = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *dir = omma_test_folder();
    struct omma_quantize_options options = small_steps;
    struct omma_error error;
    char *path = omma_test_join(dir, "kept.txt"), *link = omma_test_join(dir, "same");

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "found the model's own",
                 quantize(source, source, NULL, NULL, &error));
    assert_int_equal(symlink(source, link), 0);
    assert_fails(OMMA_STATUS_USAGE, "found the model's own",
                 quantize(source, link, NULL, NULL, &error));
    assert_int_equal(unlink(link), 0);
    omma_test_put(dir, "kept.txt", "mine");
    assert_fails(OMMA_STATUS_USAGE, "expected an empty folder",
                 quantize(source, dir, &small_steps, NULL, &error));
    assert_int_equal(count_files(dir), 1);
    options.force = true;
    assert_ok(quantize(source, dir, &options, NULL, &error));
    assert_true(has(dir, "kept.txt") && has(dir, "config.json"));
    assert_int_equal(unlink(path), 0);

    /* complete, but of other options, or of another model of the same shape */
    options.force = false;
    options.vision = true;
    assert_fails(OMMA_STATUS_USAGE, "only force", quantize(source, dir, &options, NULL, &error));
    free(path);
    path = omma_test_join(other, "model.safetensors");
    {
        size_t n;
        char *bytes = omma_test_read(path, &n);

        bytes[n - 1] ^= 1; /* of the last tensor, the head */
        omma_test_write(path, bytes, n);
        free(bytes);
    }
    assert_fails(OMMA_STATUS_USAGE, "only force", quantize(other, dir, &small_steps, NULL, &error));

    /* begun with other options */
    free(dir);
    dir = omma_test_folder();
    assert_false(run_until_killed(source, dir, &small_steps, 10));
    assert_fails(OMMA_STATUS_USAGE, "only force", quantize(source, dir, &options, NULL, &error));
    assert_fails(OMMA_STATUS_USAGE, "only force", quantize(other, dir, &small_steps, NULL, &error));
    options.force = true;
    assert_ok(quantize(source, dir, &options, NULL, &error));
    assert_false(has(dir, journal));
    free(link);
    free(path);
    free(dir);
    free(other);
    free(source);
}

static void test_one_writer_at_a_time(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *dir = omma_test_folder();
    char *path = omma_test_join(dir, journal);
    struct omma_quantize_options options = small_steps;
    struct omma_error error;
    int fd;

    (void)state;
    assert_false(run_until_killed(source, dir, &small_steps, 10));
    fd = open(path, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_fails(OMMA_STATUS_USAGE, "another process is writing it",
                 quantize(source, dir, &small_steps, NULL, &error));
    options.force = true;
    assert_fails(OMMA_STATUS_USAGE, "another process is writing it",
                 quantize(source, dir, &options, NULL, &error));
    assert_true(has(dir, journal));
    close(fd);
    assert_ok(quantize(source, dir, &small_steps, NULL, &error));
    free(path);
    free(dir);
    free(source);
}

static void test_weights_that_are_not_finite(void **state)
{
    struct omma_test_checkpoint checkpoint;
    char *source = omma_test_folder(), *dir = omma_test_folder();
    static const uint8_t infinity[2] = {0x80, 0x7F};
    struct omma_test_tensor *tensor;
    struct omma_error error;

    (void)state;
    omma_test_checkpoint_init(&checkpoint, OMMA_TEST_300M);
    tensor = omma_test_checkpoint_find(&checkpoint,
                                       "language_model.model.layers.1.mlp.down_proj.weight");
    memcpy(tensor->data + 2 * 77, infinity, sizeof infinity);
    omma_test_checkpoint_write(&checkpoint, source, 1);
    omma_test_checkpoint_free(&checkpoint);
    assert_fails(OMMA_STATUS_MODEL, "layers.1.mlp.down_proj.weight @",
                 quantize(source, dir, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "at element 77"));
    assert_false(has(dir, "config.json"));
    free(dir);
    free(source);
}

static void touch_source(void *user, uint64_t n_done, uint64_t n_total)
{
    char *path = omma_test_join(user, "model.safetensors");
    int fd = open(path, O_WRONLY | O_APPEND);

    if (n_done > n_total / 2) {
        assert_int_equal(write(fd, "x", 1), 1);
    }
    close(fd);
    free(path);
}

static void test_source_that_changes(void **state)
{
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *dir = omma_test_folder();
    struct omma_quantize_options options = {.progress = touch_source, .user = source};
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_CHANGED, "model.safetensors: changed while in use",
                 quantize(source, dir, &options, NULL, &error));
    assert_false(has(dir, "config.json"));
    free(dir);
    free(source);
}

static void test_bad_arguments(void **state)
{
    const struct omma_quantize_options options = {.group = 32};
    char *source = make_source(OMMA_TEST_300M, ORIGINAL, "BF16", 1), *dir = omma_test_folder();
    char *nowhere = omma_test_join(dir, "no/where");
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "expected 64 or 128, found 32",
                 quantize(source, dir, &options, NULL, &error));
    assert_fails(OMMA_STATUS_OUTPUT, "cannot make the folder",
                 quantize(source, nowhere, NULL, NULL, &error));
    assert_int_equal(count_files(dir), 0);
    free(nowhere);
    free(dir);
    free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_every_size),
        cmocka_unit_test(test_ties_and_clamps),
        cmocka_unit_test(test_values_that_are_not_finite),
        cmocka_unit_test(test_widening),
        cmocka_unit_test(test_what_the_reference_wrote),
        cmocka_unit_test(test_layouts_and_types_give_the_same_weights),
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_rules_of_the_original_layout_are_kept),
        cmocka_unit_test(test_groups_and_vision),
        cmocka_unit_test(test_killed_at_every_step),
        cmocka_unit_test(test_what_was_not_synced_is_lost),
        cmocka_unit_test(test_goes_on_when_there_is_room_again),
        cmocka_unit_test(test_other_folders_are_refused),
        cmocka_unit_test(test_one_writer_at_a_time),
        cmocka_unit_test(test_weights_that_are_not_finite),
        cmocka_unit_test(test_source_that_changes),
        cmocka_unit_test(test_bad_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

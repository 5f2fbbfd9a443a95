/* Generated models: the released shapes, the same bytes for the same seed. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bf16.h"
#include "model/model.h"
#include "support/support.h"

static void test_one_layer_of_each_size(void **state)
{
    static const char *const sizes[] = {"1B", "2B"};
    /* Parameters: spec 11, less the layers that are cut, (H q hd 2 + 2 H kv hd + 3 H ff + norms and
     * biases) each. */
    static const uint64_t cut_language[] = {629697920 - 23 * UINT64_C(14912384),
                                            1776283136 - 27 * UINT64_C(46797824)};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct omma_model_shape shape = {
            .size = sizes[i], .n_layers = 1, .n_vision_layers = 1, .seed = 3};
        const struct omma_model_info *info;
        struct omma_model *model = NULL;
        struct omma_error error;

        assert_ok(omma_model_generate(&shape, &model, &error));
        info = omma_model_info(model);
        assert_true(info->n_language_parameters == cut_language[i]);
        assert_string_equal(info->vision_name, "InternViT-300M");
        assert_int_equal(info->context_id, 151667);
        assert_null(omma_model_tokenizer(model));
        assert_int_equal(info->n_stop_ids, 1);
        assert_ok(omma_model_check(model, &error));
        omma_model_close(&model);
    }
}

static double deviation_of(const struct omma_matrix *matrix)
{
    const uint16_t *values = matrix->data;
    size_t n = matrix->n_rows * matrix->n_columns;
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double value = (double)omma_f32_of_bf16(values[i]);

        sum += value * value;
    }
    return sqrt(sum / (double)n);
}

static void test_values_have_their_deviation(void **state)
{
    const struct omma_model_shape shape = {
        .size = "1B", .n_layers = 1, .n_vision_layers = 1, .seed = 3};
    struct omma_model *model = NULL;
    struct omma_error error;
    const struct omma_language_layer *layer;

    (void)state;
    assert_ok(omma_model_generate(&shape, &model, &error));
    layer = &model->weights.language.layers[0];
    assert_true(fabs(deviation_of(&layer->q.weight) * sqrt(896) - 1) < 0.02);
    assert_true(fabs(deviation_of(&layer->down.weight) * sqrt(4864) - 1) < 0.02);
    assert_true(fabs(deviation_of(&model->weights.language.embedding) / 0.5 - 1) < 0.02);
    for (size_t i = 0; i < 896; i++) {
        assert_true(fabsf(layer->attention_norm[i] - 1) < 0.5f);
    }
    assert_memory_not_equal(layer->gate.weight.data, layer->up.weight.data, 1 << 16);
    omma_model_close(&model);
}

static void test_folder_equals_memory(void **state)
{
    const struct omma_model_shape shape = {
        .size = "1B", .n_layers = 1, .n_vision_layers = 1, .seed = 5};
    char *dir = omma_test_folder();
    char *path = omma_test_join(dir, "model.safetensors");
    struct omma_model *model = NULL;
    struct omma_tensor_file *file = NULL;
    struct omma_error error;
    const struct omma_tensor *tensor;

    (void)state;
    assert_ok(omma_model_generate_folder(&shape, dir, &error));
    assert_ok(omma_model_generate(&shape, &model, &error));
    assert_ok(omma_tensor_file_open(path, &file, &error));
    tensor = omma_tensor_file_find(file, "language_model.model.layers.0.mlp.up_proj.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->n_bytes, 2 * 4864 * 896);
    assert_memory_equal(tensor->data, model->weights.language.layers[0].up.weight.data,
                        tensor->n_bytes);
    omma_tensor_file_close(&file);
    omma_model_close(&model);
    assert_fails(OMMA_STATUS_USAGE, "empty folder",
                 omma_model_generate_folder(&shape, dir, &error));
    free(path);
    free(dir);
}

/* In a child: a limit on the size of files stands for a disk that is full. */
static int generate_on_a_full_disk(const char *dir)
{
    const struct omma_model_shape shape = {.size = "1B", .n_layers = 1, .n_vision_layers = 1};
    const struct rlimit limit = {1 << 20, 1 << 20};
    struct omma_error error;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    if (omma_model_generate_folder(&shape, dir, &error) != OMMA_STATUS_OUTPUT ||
        strstr(error.message, "model.safetensors: cannot write: File too large") == NULL) {
        return 1;
    }
    return 0;
}

static void test_nothing_is_left_where_writing_failed(void **state)
{
    char *dir = omma_test_folder();
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        _exit(generate_on_a_full_disk(dir));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

/* int8 in the language layers' linears; what a dequantized row is stays of the size it has in bf16.
 */
static void test_int8(void **state)
{
    struct omma_model_shape shape = {.size = "1B", .n_layers = 1, .n_vision_layers = 1, .seed = 3};
    const uint64_t n_weights = 2 * 896 * 896 + 2 * 128 * 896 + 3 * 4864 * 896;
    const uint64_t n_rows = 3 * 896 + 2 * 128 + 2 * 4864; /* a scale each, f32 when it is read */
    const struct omma_matrix *matrix;
    const int8_t *values;
    struct omma_model *model = NULL;
    struct omma_error error;
    uint64_t step_bytes;
    double sum = 0;

    (void)state;
    assert_ok(omma_model_generate(&shape, &model, &error));
    step_bytes = omma_model_info(model)->step_bytes;
    omma_model_close(&model);
    shape.int8 = true;
    assert_ok(omma_model_generate(&shape, &model, &error));
    assert_int_equal(omma_model_info(model)->n_int8_linears, 7);
    assert_true(omma_model_info(model)->int8_activations);
    assert_true(omma_model_info(model)->step_bytes == step_bytes - n_weights + 4 * n_rows);
    matrix = &model->weights.language.layers[0].gate.weight;
    values = matrix->data;
    for (size_t j = 0; j < matrix->n_rows; j++) {
        for (size_t i = 0; i < matrix->n_columns; i++) {
            double value = (double)matrix->scales[j] * values[j * matrix->n_columns + i];

            sum += value * value;
        }
    }
    sum /= (double)(matrix->n_rows * matrix->n_columns);
    assert_true(fabs(sqrt(sum * 896) - 1) < 0.05);
    omma_model_close(&model);
}

static void test_more_than_the_machine_has(void **state)
{
    const struct omma_model_shape shape = {.size = "78B"};
    struct omma_model *model = NULL;
    struct omma_error error;

    (void)state;
    if (sysconf(_SC_PHYS_PAGES) > (INT64_C(150) << 30) / sysconf(_SC_PAGESIZE)) {
        skip(); /* here it fits */
    }
    assert_fails(OMMA_STATUS_RESOURCES, "generated 78B: takes 156",
                 omma_model_generate(&shape, &model, &error));
    assert_null(model);
}

static void test_bad_shapes(void **state)
{
    struct omma_model_shape shape = {.size = "9B"};
    struct omma_model *model = NULL;
    struct omma_error error;

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "found 9B", omma_model_generate(&shape, &model, &error));
    shape = (struct omma_model_shape){.size = "1B", .n_layers = 25};
    assert_fails(OMMA_STATUS_USAGE, "at most 24", omma_model_generate(&shape, &model, &error));
    shape = (struct omma_model_shape){.size = "1B"};
    assert_fails(OMMA_STATUS_OUTPUT, "/nowhere",
                 omma_model_generate_folder(&shape, "/nowhere/at/all", &error));
    assert_null(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_layer_of_each_size),
        cmocka_unit_test(test_values_have_their_deviation),
        cmocka_unit_test(test_folder_equals_memory),
        cmocka_unit_test(test_nothing_is_left_where_writing_failed),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_more_than_the_machine_has),
        cmocka_unit_test(test_bad_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* omma_model_open() on the demo model and on the reference's checkpoints. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "support/asking.h"
#include "support/support.h"

static void test_demo_model(void **state)
{
    char *path = omma_test_source("share/omma/demo");
    struct omma_model *model = omma_test_open_model(path);
    const struct omma_model_info *info = omma_model_info(model);
    struct omma_error error;

    (void)state;
    assert_string_equal(info->path, path);
    assert_string_equal(info->architecture, "InternVLChatModel");
    assert_string_equal(info->layout, "original");
    assert_string_equal(info->weight_dtype, "bf16");
    assert_true(info->n_parameters == 3739584);
    assert_true(info->n_parameters == info->n_vision_parameters + info->n_projector_parameters +
                                          info->n_language_parameters);
    assert_true(info->file_bytes == 7496456);
    assert_int_equal(info->n_files, 1);
    assert_int_equal(info->vocab, 621);
    assert_int_equal(info->n_token_ids, 621);
    assert_int_equal(info->context_id, 614);
    assert_int_equal(info->max_tiles, 4);
    assert_string_equal(info->rope_scaling, "none");
    assert_int_equal(info->n_stop_ids, 2);
    assert_int_equal(info->kv_bytes_per_token, 2 * 6 * 64 * 2);
    assert_int_equal(strlen(info->identity), 64);
    assert_non_null(omma_model_tokenizer(model));
    assert_ok(omma_model_check(model, &error));
    omma_model_close(&model);
    assert_null(model);
    omma_model_close(&model);
    free(path);
}

static void test_tiny_300m(void **state)
{
    OMMA_TEST_NEED_SHARED(path, "reference/tiny-300m");
    struct omma_model *model = omma_test_open_model(path);
    const struct omma_model_info *info = omma_model_info(model);
    const struct omma_vision_layer *layer = &model->weights.vision.layers[2];

    (void)state;
    assert_int_equal(info->n_vision_layers, 3);
    assert_int_equal(info->vocab, 634);
    assert_int_equal(info->n_token_ids, 621); /* rows beyond the last token are legal */
    assert_string_equal(info->rope_scaling, "dynamic");
    assert_true(model->weights.all_bf16);
    assert_int_equal(layer->v.weight.n_rows, 128);
    assert_int_equal(layer->v.weight.n_columns, 128);
    assert_ptr_equal(layer->v.weight.data, omma_matrix_row(&layer->q.weight, 256));
    assert_non_null(layer->v.bias);
    assert_null(layer->q_norm);
    assert_int_equal(model->weights.vision.patch_embedding.weight.n_columns, 588);
    assert_int_equal(model->weights.vision.position_embedding.n_rows, 1025);
    omma_model_close(&model);
    free(path);
}

static void test_tiny_6b_in_two_shards(void **state)
{
    OMMA_TEST_NEED_SHARED(path, "reference/tiny-6b");
    struct omma_model *model = omma_test_open_model(path);
    const struct omma_model_info *info = omma_model_info(model);
    const struct omma_vision_layer *layer = &model->weights.vision.layers[1];

    (void)state;
    assert_int_equal(info->n_files, 2);
    assert_true(2 * info->n_parameters == 8836448); /* the index's total_size */
    assert_int_equal(info->max_positions, 300);
    assert_int_equal(info->default_context, 300);
    assert_null(layer->norm1.bias);
    assert_null(layer->q.bias);
    assert_non_null(layer->k_norm);
    omma_model_close(&model);
    free(path);
}

static void count_warning(void *user, enum omma_log_level level, const char *message)
{
    size_t *n_warnings = user;

    assert_int_equal(level, OMMA_LOG_WARNING);
    assert_non_null(strstr(message, "the added token <video>, id 621, has no row"));
    ++*n_warnings;
}

/* Published -hf folders have <video> in the tokenizer and no row for it. */
static void test_added_token_without_a_row(void **state)
{
    static const char extra[] = "{\"<video>\": 621}";
    static const char moved[] =
        "{\"<|endoftext|>\": 609, \"<|im_start|>\": 610, \"<|im_end|>\": 611, "
        "\"<img>\": 612, \"</img>\": 613, \"<video>\": 614, \"<quad>\": 615, "
        "\"</quad>\": 616, \"<ref>\": 617, \"</ref>\": 618, \"<box>\": 619, "
        "\"</box>\": 620, \"<IMG_CONTEXT>\": 621}";
    char *demo = omma_test_source("share/omma/demo"), *dir = omma_test_folder();
    char *added = omma_test_join(dir, "added_tokens.json");
    char *config = omma_test_join(dir, "tokenizer_config.json");
    size_t n_warnings = 0;
    struct omma_model_options options = {.log = {count_warning, &n_warnings}};
    struct omma_model *model = NULL;
    struct omma_error error;

    (void)state;
    omma_test_copy_folder(demo, dir);
    omma_test_write(added, extra, strlen(extra)); /* tokenizer_config.json names the others */
    assert_ok(omma_model_open(dir, &options, &model, &error));
    assert_int_equal(n_warnings, 1);
    assert_int_equal(omma_model_info(model)->n_token_ids, 622);
    omma_model_close(&model);

    omma_test_write(added, moved, strlen(moved));
    omma_test_write(config, "{}", 2);
    assert_fails(OMMA_STATUS_MODEL,
                 "expected a row of the embedding for each of the tokenizer's 622",
                 omma_model_open(dir, &options, &model, &error));
    free(demo);
    free(dir);
    free(added);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_model),
        cmocka_unit_test(test_tiny_300m),
        cmocka_unit_test(test_tiny_6b_in_two_shards),
        cmocka_unit_test(test_added_token_without_a_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

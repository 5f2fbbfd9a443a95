/*
 * Prompts and tiles of suites made up against VLMEvalKit's (tests/data/eval/prompts), pixel by
 * pixel; suites and rows that cannot be asked.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/eval/prompt.h" /* before cmocka and its macro fail() */

#include "format/sha256.h"
#include "support/asking.h"
#include "support/support.h"

enum { MIN_PROMPTS = 400 };

static const char *string(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* The row with that index. */
static void read_row(const struct table *table, const char *index, struct table_row *row)
{
    struct text text;
    struct omma_error error;
    bool has_value, is_found = false;

    for (size_t i = 0; !is_found && i < table->n_rows; i++) {
        assert_ok(table_row_read(table, i, row, &error));
        assert_ok(table_cell(table, row, table_column(table, "index"), &text, &has_value, &error));
        is_found = has_value && strcmp(text.bytes, index) == 0;
        text_free(&text);
        if (!is_found) {
            table_row_free(row);
        }
    }
    assert_true(is_found);
}

/* The text with the reference's marks. */
static char *with_marks(const struct suite_prompt *prompt)
{
    char *text = malloc(prompt->n_bytes + 1), *out = text;
    const char *at = prompt->text, *mark;

    assert_non_null(text);
    while ((mark = strstr(at, SUITE_IMAGE_MARK)) != NULL) {
        out += sprintf(out, "%.*s<image>", (int)(mark - at), at);
        at = mark + strlen(SUITE_IMAGE_MARK);
    }
    strcpy(out, at);
    return text;
}

static void expect_tiles(const char *line, const json_t *expected,
                         const struct suite_prompt *prompt)
{
    const json_t *tiles = json_object_get(expected, "tiles");

    assert_int_equal(prompt->n_images, json_array_size(tiles));
    for (size_t i = 0; i < prompt->n_images; i++) {
        const struct omma_image_info *info = omma_image_info(prompt->images[i]);
        char hex[65];

        omma_sha256_hex(info->digest, hex);
        if (info->grid.n_tiles != (size_t)json_integer_value(json_array_get(tiles, i)) ||
            strcmp(hex, json_string_value(
                            json_array_get(json_object_get(expected, "sha256"), i))) != 0) {
            fail_msg("%s: picture %zu: %zu tiles, %s", line, i + 1, info->grid.n_tiles, hex);
        }
    }
}

/* Ids as a run renders them. */
static void expect_ids(const char *line, const json_t *expected, const struct suite_prompt *prompt,
                       const struct omma_model *model)
{
    const struct omma_turn turn = {OMMA_ROLE_USER, prompt->text, prompt->n_bytes};
    const struct omma_conversation conversation = {
        .turns = &turn,
        .n_turns = 1,
        .images = (const struct omma_image *const *)prompt->images,
        .n_images = prompt->n_images,
        .special = OMMA_SPECIAL_REFERENCE,
        .image_mark = SUITE_IMAGE_MARK,
    };
    struct omma_sha256 *hash = NULL;
    struct omma_tokens tokens = {0};
    struct omma_error error;
    uint8_t digest[32];
    char hex[65];

    assert_ok(omma_render(model, &conversation, &tokens, &error));
    assert_ok(omma_sha256_begin(&hash, &error));
    omma_sha256_add(hash, tokens.ids, tokens.n_tokens * sizeof *tokens.ids);
    omma_sha256_end(&hash, digest);
    omma_sha256_hex(digest, hex);
    if (tokens.n_tokens != (size_t)json_integer_value(json_object_get(expected, "n_ids")) ||
        strcmp(hex, string(expected, "ids_sha256")) != 0) {
        fail_msg("%s: %zu ids, %s", line, tokens.n_tokens, hex);
    }
    omma_tokens_free(&tokens);
}

/* A suite of the data, opened when its lines begin. */
struct suite {
    char name[64];
    struct table table;
    struct pictures pictures;
};

static void open_suite(struct suite *suite, const char *name)
{
    char *folder = omma_test_source("tests/data/eval/prompts"), *path, file[80];
    struct omma_error error;

    pictures_close(&suite->pictures);
    table_close(&suite->table);
    snprintf(suite->name, sizeof suite->name, "%s", name);
    snprintf(file, sizeof file, "%s.tsv", name);
    path = omma_test_join(folder, file);
    assert_ok(table_open(path, &suite->table, &error));
    assert_ok(pictures_open(&suite->table, &suite->pictures, &error));
    free(path);
    free(folder);
}

static void expect_prompt(const char *line, struct suite *suite, const struct omma_model *model)
{
    json_t *expected = json_loads(line, 0, NULL);
    struct suite_rules rules = {
        .table = &suite->table,
        .pictures = &suite->pictures,
    };
    struct suite_prompt prompt;
    struct table_row row;
    struct omma_error error;
    char *text;

    assert_non_null(expected);
    if (strcmp(suite->name, string(expected, "suite")) != 0) {
        open_suite(suite, string(expected, "suite"));
    }
    rules.suite = suite->name;
    rules.has_cot = json_is_true(json_object_get(expected, "cot"));
    assert_ok(suite_rules_check(&rules, &error));
    read_row(&suite->table, string(expected, "index"), &row);
    assert_ok(suite_prompt_make(&rules, &row, &prompt, &error));
    text = with_marks(&prompt);
    if (strcmp(text, string(expected, "prompt")) != 0) {
        fail_msg("%s\nfound %s", line, text);
    }
    expect_tiles(line, expected, &prompt);
    expect_ids(line, expected, &prompt, model);
    free(text);
    suite_prompt_free(&prompt);
    table_row_free(&row);
    json_decref(expected);
}

static void test_prompts(void **state)
{
    char *path = omma_test_source("tests/data/eval/prompts/prompts.jsonl"), *rest;
    char *text = omma_test_read(path, NULL);
    struct suite suite = {.table.descriptor = -1};
    struct omma_model *model = omma_test_open_demo();
    size_t n = 0;

    (void)state;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), n++) {
        expect_prompt(line, &suite, model);
    }
    assert_true(n >= MIN_PROMPTS);
    omma_model_close(&model);
    pictures_close(&suite.pictures);
    table_close(&suite.table);
    free(text);
    free(path);
}

static void test_max_tiles(void **state)
{
    (void)state;
    assert_int_equal(suite_max_tiles("MMMU_DEV_VAL", 1), 12);
    assert_int_equal(suite_max_tiles("MMMU_DEV_VAL", 5), 12);
    assert_int_equal(suite_max_tiles("MMMU_DEV_VAL", 7), 9);
    assert_int_equal(suite_max_tiles("SEEDBench_IMG", 1), 6);
    assert_int_equal(suite_max_tiles("SEEDBench_IMG", 11), 5);
    assert_int_equal(suite_max_tiles("SEEDBench_IMG", 100), 1);
    assert_int_equal(suite_max_tiles("DocVQA_VAL", 1), 18);
    assert_int_equal(suite_max_tiles("InfoVQA_TEST", 1), 24);
    assert_int_equal(suite_max_tiles("OCRBench", 3), 21);
}

/* The file's first row under the suite's name; what is said of suite or row must have the words. */
static void expect_refused(const char *suite, const char *text, const char *why)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "x.tsv");
    struct table table;
    struct pictures pictures;
    struct suite_rules rules = {.suite = suite, .table = &table, .pictures = &pictures};
    struct suite_prompt prompt;
    struct table_row row;
    struct omma_error error = {0};
    enum omma_status status;

    omma_test_write(path, text, strlen(text));
    assert_ok(table_open(path, &table, &error));
    assert_ok(pictures_open(&table, &pictures, &error));
    status = suite_rules_check(&rules, &error);
    if (status == OMMA_OK) {
        assert_ok(table_row_read(&table, 0, &row, &error));
        status = suite_prompt_make(&rules, &row, &prompt, &error);
        table_row_free(&row);
        assert_null(prompt.images);
    }
    if (status == OMMA_OK || strstr(error.message, why) == NULL) {
        fail_msg("%d %s; expected: %s", (int)status, error.message, why);
    }
    pictures_close(&pictures);
    table_close(&table);
    free(path);
    free(folder);
}

static void test_refused(void **state)
{
#define FIVE "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    (void)state;
    expect_refused("LEGO", "index\timage\tquestion\tA\tB\n1\tx\tq\ta\tb\n", "a way of its own");
    expect_refused("BMMR_2", "index\timage\tquestion\tA\tB\n1\tx\tq\ta\tb\n", "a way of its own");
    expect_refused("MME-RealWorld", "index\timage\tquestion\tA\tB\n1\tx\tq\ta\tb\n",
                   "a way of its own");
    expect_refused("Unheard", "index\timage\tquestion\n1\tx\tq\n", "no columns \"A\" and \"B\"");
    expect_refused("X", "index\tquestion\tA\tB\n1\tq\ta\tb\n", "expected columns");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t\tq\ta\tb\n", "row 1: no picture");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t2\tq\ta\tb\n",
                   "expected a picture, or the index of a row with one");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t" FIVE "\t\ta\tb\n", "no question");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t" FIVE "\tq\ta\tb\n", "row 1, picture 1");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t" FIVE "-\tq\ta\tb\n", "no base64");
    expect_refused("X", "index\timage\tquestion\tA\tB\n1\t" FIVE "\t" SUITE_IMAGE_MARK "\ta\tb\n",
                   "control characters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_max_tiles),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

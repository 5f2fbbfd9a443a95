/*
 * omma compare without an engine: dumps read and refused, rows found, errors, tolerances, verdicts.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/compare/comparison.h" /* before cmocka and its macro fail() */

#include "support/support.h"

/* cmocka's own works in float. */
#define assert_close(found, expected, tolerance)                                                   \
    do {                                                                                           \
        double found_ = (found), expected_ = (expected);                                           \
        if (!(fabs(found_ - expected_) <= (tolerance))) {                                          \
            fail_msg("%s: %.15g, expected %.15g", #found, found_, expected_);                      \
        }                                                                                          \
    } while (0)

/* A tensor of a crafted dump; ends with a row without a name. */
struct piece {
    const char *name, *dtype, *shape; /* shape as JSON */
    const void *data;
    size_t n_bytes;
};

/* Write a safetensors file and return its path, to be freed. */
static char *write_dump(const char *metadata, const struct piece *pieces)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "dump.safetensors");
    char header[4096];
    size_t n = (size_t)snprintf(header, sizeof header, "{\"__metadata__\":%s", metadata);
    size_t offset = 0;
    FILE *file;
    uint64_t length;

    for (const struct piece *p = pieces; p->name != NULL; p++) {
        n += (size_t)snprintf(header + n, sizeof header - n,
                              ",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}",
                              p->name, p->dtype, p->shape, offset, offset + p->n_bytes);
        offset += p->n_bytes;
    }
    n += (size_t)snprintf(header + n, sizeof header - n, "}");
    assert_true(n < sizeof header);
    length = n;
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&length, sizeof length, 1, file), 1);
    assert_int_equal(fwrite(header, 1, n, file), n);
    for (const struct piece *p = pieces; p->name != NULL; p++) {
        assert_int_equal(fwrite(p->data, 1, p->n_bytes, file), p->n_bytes);
    }
    assert_int_equal(fclose(file), 0);
    free(folder);
    return path;
}

static const int64_t IDS[3] = {5, 6, 7};
static const int64_t ROWS[2] = {1, 4};
static const float NORM[6] = {1, 2, 2, 4, 0, 0}; /* rows 1 and 4; squares sum up to 25 */
static const float LOGITS[4] = {1, 2, 3, 4};
static const int64_t GREEDY[2] = {3, 1};
static const float MARGIN[2] = {0.5f, 1e-4f};

#define METADATA                                                                                   \
    "{\"prompt\":\"Hi\",\"images\":\"[\\\"a.jpg\\\", \\\"b.png\\\"]\",\"max_tiles\":\"4\","        \
    "\"error.bf16.language.norm\":\"1.0e-02\",\"error.bf16.logits\":\"2.0e-02\"}"

static const struct piece GOOD[] = {
    {"ids", "I64", "[3]", IDS, sizeof IDS},
    {"language.norm", "F32", "[2,3]", NORM, sizeof NORM},
    {"language.norm.rows", "I64", "[2]", ROWS, sizeof ROWS},
    {"logits", "F32", "[1,4]", LOGITS, sizeof LOGITS},
    {"language.layer.9", "F32", "[2,3]", NORM, sizeof NORM}, /* the model has one layer */
    {"greedy", "I64", "[2]", GREEDY, sizeof GREEDY},
    {"greedy.margin", "F32", "[2]", MARGIN, sizeof MARGIN},
    {0},
};

static const struct omma_model_info TINY = {
    .n_vision_layers = 1, .n_layers = 1, .hidden = 192, .vision_hidden = 128, .vocab = 4};

static void reads_metadata(void **state)
{
    char *path = write_dump(METADATA, GOOD);
    struct compare_dump dump;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_string_equal(dump.prompt, "Hi");
    assert_int_equal(dump.n_images, 2);
    assert_string_equal(dump.images[1], "b.png");
    assert_int_equal(dump.max_tiles, 4);
    assert_int_equal(compare_length(dump.ids), 3);
    assert_int_equal(compare_i64(dump.ids, 2), 7);
    assert_int_equal(compare_i64(dump.greedy, 0), 3);
    assert_true(compare_f32(dump.margin, 1) == 1e-4f);
    compare_dump_close(&dump);
    free(path);
}

static void refuse(const char *metadata, const struct piece *pieces, const char *text)
{
    char *path = write_dump(metadata, pieces);
    struct compare_dump dump;
    struct omma_error error = {0};

    assert_fails(OMMA_STATUS_USAGE, text, compare_dump_open(path, &dump, &error));
    assert_null(dump.file);
    free(path);
}

static void refuses_what_is_no_dump(void **state)
{
    static const struct piece NO_IDS[] = {{"logits", "F32", "[1,4]", LOGITS, sizeof LOGITS}, {0}};
    static const struct piece FLOAT_IDS[] = {{"ids", "F32", "[4]", LOGITS, sizeof LOGITS}, {0}};
    static const struct piece NO_MARGIN[] = {{"ids", "I64", "[3]", IDS, sizeof IDS},
                                             {"greedy", "I64", "[2]", GREEDY, sizeof GREEDY},
                                             {0}};
    static const struct piece SHORT_MARGIN[] = {{"ids", "I64", "[3]", IDS, sizeof IDS},
                                                {"greedy", "I64", "[2]", GREEDY, sizeof GREEDY},
                                                {"greedy.margin", "F32", "[1]", MARGIN, 4},
                                                {0}};

    (void)state;
    refuse(METADATA, NO_IDS, "ids: expected a tensor");
    refuse(METADATA, FLOAT_IDS, "ids: expected I64");
    refuse(METADATA, NO_MARGIN, "greedy.margin");
    refuse(METADATA, SHORT_MARGIN, "greedy.margin: expected one a greedy token, 2, found 1");
    refuse("{\"max_tiles\":\"4\"}", GOOD, "prompt");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"0\"}", GOOD, "max_tiles");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"4x\"}", GOOD, "max_tiles");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"4\",\"images\":\"[1]\"}", GOOD, "images");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"4\",\"images\":\"[\\\"../a\\\"]\"}", GOOD, "images");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"4\",\"images\":\"{\"}", GOOD, "images");
    refuse("{\"prompt\":\"\",\"max_tiles\":\"4\",\"quantization\":\"pack-quantized\"}", GOOD,
           "quantization: expected \"int-quantized, W8A8\", found \"pack-quantized\"");
}

static void refuses_files_that_are_no_safetensors(void **state)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "dump.safetensors");
    struct compare_dump dump;
    struct omma_error error = {0};

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, path, compare_dump_open(path, &dump, &error));
    omma_test_write(path, "no dump", 7);
    assert_fails(OMMA_STATUS_USAGE, path, compare_dump_open(path, &dump, &error));
    free(path);
    free(folder);
}

static void open_stages(const struct compare_tolerances *tolerances,
                        const struct omma_model_info *model, struct compare_dump *dump,
                        struct compare_stages *stages)
{
    char *path = write_dump(METADATA, GOOD);
    struct omma_error error = {0};

    assert_ok(compare_dump_open(path, dump, &error));
    assert_ok(compare_stages_open(dump, model, tolerances, stages, &error));
    free(path); /* the dump's messages are over */
}

static void close_stages(struct compare_dump *dump, struct compare_stages *stages)
{
    compare_stages_close(stages);
    compare_dump_close(dump);
}

static const struct compare_tolerances IN_F32 = {.precision = OMMA_PRECISION_F32};
static const struct compare_tolerances IN_BF16 = {.precision = OMMA_PRECISION_BF16};

/* Six rows of zeroes but for the dump's, handed over from `first` on in pieces of `n`. */
static void observe(struct compare_stages *stages, size_t n, float change)
{
    float rows[6][3] = {{9, 9, 9}, {1, 2, 2}, {9, 9, 9}, {9, 9, 9}, {4, 0, 0}, {9, 9, 9}};
    const float logits[4] = {1, 2, 3, 4};

    rows[4][2] += change;
    for (size_t first = 0; first < 6; first += n) {
        size_t here = 6 - first < n ? 6 - first : n;

        compare_stages_observe(stages, "language.norm", first, here, 3, rows[first]);
    }
    compare_stages_observe(stages, "vision.embedding", 0, 6, 3, rows[0]); /* not in the dump */
    compare_stages_observe(stages, "logits", 0, 1, 4, logits);
    compare_stages_observe(stages, "logits", 0, 1, 4, rows[0]); /* of a later step */
}

static void looks_at_the_dumps_rows(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 6; n++) {
        struct compare_dump dump;
        struct compare_stages stages;

        open_stages(&IN_F32, &TINY, &dump, &stages);
        assert_int_equal(stages.n_items, 2);
        assert_string_equal(stages.items[0].name, "language.norm");
        assert_string_equal(stages.items[1].name, "logits");
        assert_int_equal(stages.n_unknown, 1);
        assert_string_equal(stages.unknown[0], "language.layer.9");
        assert_int_equal(stages.n_absent, 7);
        assert_string_equal(stages.absent[0], "vision.patch_embedding");
        assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_MISSING);
        observe(&stages, n, 0.5f);
        assert_close(compare_stage_error(&stages.items[0]), 0.1, 1e-12);
        assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_BEYOND);
        assert_int_equal(compare_stage_verdict(&stages.items[1]), COMPARE_WITHIN);
        close_stages(&dump, &stages);
    }
}

static void marks_what_is_wrong(void **state)
{
    struct compare_dump dump;
    struct compare_stages stages;
    const float rows[6] = {1, 2, 2, 4, 0, NAN};

    (void)state;
    open_stages(&IN_F32, &TINY, &dump, &stages);
    compare_stages_observe(&stages, "language.norm", 0, 2, 2, rows);
    assert_int_equal(stages.items[0].wrong_width, 2);
    assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_MISSING);
    close_stages(&dump, &stages);
    open_stages(&IN_F32, &TINY, &dump, &stages);
    compare_stages_observe(&stages, "language.norm", 1, 1, 3, rows);
    assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_MISSING);
    compare_stages_observe(&stages, "language.norm", 4, 1, 3, rows + 3);
    assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_BEYOND);
    close_stages(&dump, &stages);
}

static void expect_tolerances(const struct compare_tolerances *tolerances,
                              const struct omma_model_info *model, double norm, double logits)
{
    struct compare_dump dump;
    struct compare_stages stages;

    open_stages(tolerances, model, &dump, &stages);
    assert_close(stages.items[0].tolerance, norm, 1e-12);
    assert_close(stages.items[1].tolerance, logits, 1e-12);
    assert_close(stages.items[0].reference_error, 1e-2, 1e-12);
    close_stages(&dump, &stages);
}

static void tolerances_follow_width_and_precision(void **state)
{
    const struct compare_tolerance set[] = {{"language", 3e-3}, {"logits", 1}, {"logits", 2}};
    const struct compare_tolerances users = {OMMA_PRECISION_F32, set, 3};
    struct omma_model_info wide = TINY;

    (void)state;
    wide.hidden = 896;
    expect_tolerances(&IN_F32, &TINY, 4e-6, 1e-4);
    expect_tolerances(&IN_F32, &wide, 2e-5, 1e-4);
    expect_tolerances(&IN_BF16, &TINY, 0.75e-2, 1.8e-2);
    expect_tolerances(&users, &TINY, 3e-3, 2);
}

static void refuses_a_tolerance_of_no_stage(void **state)
{
    const struct compare_tolerance set[] = {{"lang", 3e-3}};
    const struct compare_tolerances users = {OMMA_PRECISION_F32, set, 1};
    char *path = write_dump(METADATA, GOOD);
    struct compare_dump dump;
    struct compare_stages stages;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_fails(OMMA_STATUS_USAGE, "lang",
                 compare_stages_open(&dump, &TINY, &users, &stages, &error));
    compare_dump_close(&dump);
    free(path);
}

static void refuses_rows_out_of_order(void **state)
{
    static const int64_t BACKWARDS[2] = {4, 1};
    static const struct piece PIECES[] = {
        {"ids", "I64", "[3]", IDS, sizeof IDS},
        {"language.norm", "F32", "[2,3]", NORM, sizeof NORM},
        {"language.norm.rows", "I64", "[2]", BACKWARDS, sizeof BACKWARDS},
        {0},
    };
    char *path = write_dump(METADATA, PIECES);
    struct compare_dump dump;
    struct compare_stages stages;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_fails(OMMA_STATUS_USAGE, "ascending",
                 compare_stages_open(&dump, &TINY, &IN_F32, &stages, &error));
    compare_dump_close(&dump);
    free(path);
}

static void stages_without_a_bf16_error_are_not_judged_in_bf16(void **state)
{
    char *path = write_dump("{\"prompt\":\"\",\"max_tiles\":\"1\"}", GOOD);
    struct compare_dump dump;
    struct compare_stages stages;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_int_equal(dump.n_images, 0);
    assert_ok(compare_stages_open(&dump, &TINY, &IN_BF16, &stages, &error));
    observe(&stages, 6, 0.5f);
    assert_int_equal(compare_stage_verdict(&stages.items[0]), COMPARE_UNJUDGED);
    close_stages(&dump, &stages);
    free(path);
}

/* Norms as numpy has them. */
static void reads_a_real_dump(void **state)
{
    OMMA_TEST_NEED_SHARED(path, "reference/dumps/tiny-6b-images.safetensors");
    struct omma_model_info model = {
        .n_vision_layers = 2, .n_layers = 3, .hidden = 256, .vision_hidden = 256, .vocab = 634};
    struct compare_dump dump;
    struct compare_stages stages;
    struct omma_error error = {0};
    const struct compare_stage *stage;
    double norm2 = 0;

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_int_equal(compare_length(dump.ids), 553);
    assert_ok(compare_stages_open(&dump, &model, &IN_F32, &stages, &error));
    assert_int_equal(stages.n_items, 12);
    assert_int_equal(stages.n_absent + stages.n_unknown, 0);
    stage = &stages.items[3];
    assert_string_equal(stage->name, "vision.layer.1");
    for (size_t i = 0; i < stage->n_rows * stage->width; i++) {
        norm2 += pow(compare_f32(stage->values, i), 2);
    }
    assert_close(sqrt(norm2), 85.77350877413012, 1e-6);
    assert_int_equal(compare_i64(stage->rows, 1), 66);
    close_stages(&dump, &stages);
    free(path);
}

static void the_reference_tells_what_bf16_may_flip(void **state)
{
    static const int64_t LEFT[2] = {3, 2};
    static const float WIDE[2] = {0.5f, 0.25f};
    static const struct piece PIECES[] = {
        {"ids", "I64", "[3]", IDS, sizeof IDS},
        {"greedy", "I64", "[2]", GREEDY, sizeof GREEDY},
        {"greedy.bf16", "I64", "[2]", LEFT, sizeof LEFT},
        {"greedy.margin", "F32", "[2]", WIDE, sizeof WIDE},
        {0},
    };
    char *path = write_dump(METADATA, PIECES);
    struct compare_dump dump;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_true(compare_margin(&dump, OMMA_PRECISION_F32) == 1e-3f);
    assert_true(compare_margin(&dump, OMMA_PRECISION_BF16) == 0.25f);
    compare_dump_close(&dump);
    free(path);
    path = write_dump(METADATA, GOOD);
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_true(compare_margin(&dump, OMMA_PRECISION_BF16) == 1e-3f);
    compare_dump_close(&dump);
    free(path);
}

static void one_wrong_step_is_not_within(void **state)
{
    struct compare_step steps[] = {{.expected = 1, .chosen = 1, .margin = 1, .compared = true},
                                   {.expected = 2, .chosen = 3, .margin = 0, .compared = false}};
    struct comparison comparison = {.ids = {.equal = true}, .steps = steps, .n_steps = 2};

    (void)state;
    assert_true(comparison_is_within(&comparison));
    assert_int_equal(comparison_steps_compared(&comparison), 1);
    steps[0].chosen = 3;
    assert_false(comparison_is_within(&comparison));
    steps[0].chosen = 1;
    comparison.pixels = (struct compare_pixels){.in_dump = true, .error = 1e-7};
    assert_false(comparison_is_within(&comparison));
    comparison.pixels.error = 0;
    assert_true(comparison_is_within(&comparison));
    comparison.ids.equal = false;
    assert_false(comparison_is_within(&comparison));
}

/* A stage that quantization changes is judged by its distance to the unquantized model's. */
static void judges_distances(void **state)
{
    static const char METADATA8[] =
        "{\"prompt\":\"Hi\",\"max_tiles\":\"4\",\"quantization\":\"int-quantized, W8A8\","
        "\"error.int8.language.norm\":\"1.0e-01\",\"error.int8.logits\":\"0\"}";
    static const float EXACT[15] = {9, 9, 9, 1, 2, 2, 9, 9, 9, 9, 9, 9, 4, 0, 0};
    static const double factors[] = {0, 0.89, 0.91, 1.09, 1.11, 5};
    char *path = write_dump(METADATA8, GOOD);
    struct compare_tolerances tolerances = {.precision = OMMA_PRECISION_F32};
    struct compare_dump dump;
    struct omma_error error = {0};

    (void)state;
    assert_ok(compare_dump_open(path, &dump, &error));
    assert_string_equal(dump.quantization, "int-quantized, W8A8");
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        struct compare_stages stages;
        struct compare_stage *norm = NULL;
        float ours[15], own_logits[4];
        bool is_within = factors[i] > 0.9 && factors[i] < 1.1;

        assert_ok(compare_stages_open(&dump, &TINY, &tolerances, &stages, &error));
        for (size_t k = 0; k < stages.n_items; k++) {
            if (strcmp(stages.items[k].name, "language.norm") == 0) {
                norm = &stages.items[k];
            }
        }
        assert_non_null(norm);
        for (size_t k = 0; k < 15; k++) {
            ours[k] = EXACT[k] * (float)(1 + 0.1 * factors[i]);
        }
        memcpy(own_logits, LOGITS, sizeof own_logits);
        compare_stages_observe(&stages, "language.norm", 0, 5, 3, ours);
        assert_int_equal(compare_stage_verdict(norm), COMPARE_UNJUDGED);
        assert_true(compare_stage_distance(norm) < 0);
        compare_stages_close(&stages);

        assert_ok(compare_stages_open(&dump, &TINY, &tolerances, &stages, &error));
        compare_stages_keep(&stages, "language.norm", 0, 2, 3, EXACT);
        compare_stages_keep(&stages, "language.norm", 2, 3, 3, EXACT + 6);
        for (size_t k = 0; k < stages.n_items; k++) {
            if (strcmp(stages.items[k].name, "language.norm") == 0) {
                norm = &stages.items[k];
            }
        }
        compare_stages_observe(&stages, "language.norm", 0, 4, 3, ours);
        assert_int_equal(compare_stage_verdict(norm), COMPARE_MISSING); /* a row is to come */
        compare_stages_observe(&stages, "language.norm", 4, 1, 3, ours + 12);
        assert_close(compare_stage_distance(norm), 0.1 * factors[i], 1e-6);
        assert_int_equal(compare_stage_verdict(norm), is_within ? COMPARE_WITHIN : COMPARE_BEYOND);
        compare_stages_close(&stages);
    }
    compare_dump_close(&dump);
    free(path);
}

/* The verdict on an operator. */
static void judges_operators(void **state)
{
    struct compare_operator good = {
        .n_tokens = 4, .n_columns = 8, .n_rows = 8, .n_different = 2, .n_near = 2, .error = 9e-7};
    struct compare_operator bad;

    (void)state;
    assert_true(compare_operator_is_within(&good));
    bad = good;
    bad.n_near = 1;
    assert_false(compare_operator_is_within(&bad));
    bad = good;
    bad.n_sums = 1;
    assert_false(compare_operator_is_within(&bad));
    bad = good;
    bad.n_scales = 1;
    assert_false(compare_operator_is_within(&bad));
    bad = good;
    bad.error = 1.1e-6;
    assert_false(compare_operator_is_within(&bad));
    bad.error = NAN;
    assert_false(compare_operator_is_within(&bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_distances),
        cmocka_unit_test(judges_operators),
        cmocka_unit_test(reads_metadata),
        cmocka_unit_test(refuses_what_is_no_dump),
        cmocka_unit_test(refuses_files_that_are_no_safetensors),
        cmocka_unit_test(looks_at_the_dumps_rows),
        cmocka_unit_test(marks_what_is_wrong),
        cmocka_unit_test(tolerances_follow_width_and_precision),
        cmocka_unit_test(refuses_a_tolerance_of_no_stage),
        cmocka_unit_test(refuses_rows_out_of_order),
        cmocka_unit_test(stages_without_a_bf16_error_are_not_judged_in_bf16),
        cmocka_unit_test(reads_a_real_dump),
        cmocka_unit_test(the_reference_tells_what_bf16_may_flip),
        cmocka_unit_test(one_wrong_step_is_not_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The rules of scoring against VLMEvalKit's own verdicts on predictions made up
 * (tests/data/eval/matching.jsonl); int() and float() by hand.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/eval/match.h" /* before cmocka and its macro fail() */

#include "support/support.h"

enum { MAX_CHOICES = 26, MIN_CASES = 1000 };

/* The rows of a circular group, which follow each other. */
struct group {
    long number; /* -1: none */
    bool is_hit, expected;
    size_t n_rows;
};

struct tally {
    size_t n_cases, n_wrong, n_of_rule[MATCH_CONSTANT + 1];
};

static struct slice slice_of_json(const json_t *value)
{
    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* A member as pandas would have it; the text of a number is written into room. */
static struct match_value value_of(const json_t *row, const char *name, char room[64])
{
    const json_t *value = json_object_get(row, name);
    struct match_value found = {.kind = MATCH_MISSING, .text = slice_of("nan"), .number = NAN};

    if (json_is_string(value)) {
        found.kind = MATCH_TEXT_VALUE;
        found.text = slice_of_json(value);
    } else if (json_is_integer(value)) {
        snprintf(room, 64, "%lld", (long long)json_integer_value(value));
        found = (struct match_value){MATCH_INTEGER_VALUE, slice_of(room), 0};
    } else if (json_is_boolean(value)) {
        found = (struct match_value){MATCH_FLOATING_VALUE,
                                     slice_of(json_is_true(value) ? "True" : "False"),
                                     json_is_true(value)};
    } else if (json_is_real(value)) {
        snprintf(room, 64, "%.1f", json_real_value(value));
        found = (struct match_value){MATCH_FLOATING_VALUE, slice_of(room), json_real_value(value)};
    }
    return found;
}

static void choices_of(const json_t *row, struct match_choice *items, struct match_choices *choices)
{
    const json_t *list = json_object_get(row, "choices");

    *choices = (struct match_choices){items, 0};
    for (int i = 0; i < MAX_CHOICES; i++) {
        const char name[] = {(char)('A' + i), '\0'};
        const json_t *value =
            list != NULL ? json_array_get(list, (size_t)i) : json_object_get(row, name);

        if (value != NULL) {
            items[choices->n_items++] = (struct match_choice){*name, slice_of_json(value)};
        }
    }
}

static void mathvista_row(const json_t *row, const struct match_choices *choices,
                          struct match_result *result)
{
    char rooms[3][64];
    struct match_value prediction = value_of(row, "prediction", rooms[0]);
    struct match_question question = {
        .question_type = slice_of_json(json_object_get(row, "question_type")),
        .answer_type = slice_of_json(json_object_get(row, "answer_type")),
        .choices = *choices,
        .answer = value_of(row, "answer", rooms[1]),
        .answer_option = value_of(row, "answer_option", rooms[2]),
    };
    struct omma_error error;

    assert_ok(match_mathvista(&question, &prediction, result, &error));
}

/* The verdict of one row; letters are compared where there are any. */
static bool is_row_right(const char *line, const json_t *row, struct group *group,
                         struct tally *tally)
{
    const char *suite = json_string_value(json_object_get(row, "suite"));
    const char *letter = json_string_value(json_object_get(row, "letter"));
    bool expected = json_integer_value(json_object_get(row, "hit")) != 0;
    bool is_mathvista = strcmp(suite, "MathVista_MINI") == 0;
    char room[64];
    struct match_choice items[MAX_CHOICES];
    struct match_choices choices;
    struct match_value answer = value_of(row, "answer", room);
    struct slice prediction = slice_of_json(json_object_get(row, "prediction"));
    struct match_result result;
    struct omma_error error;

    choices_of(row, items, &choices);
    if (is_mathvista) {
        mathvista_row(row, &choices, &result);
    } else if (strstr(suite, "MMMU") != NULL) {
        assert_ok(match_mmmu(&choices, &answer, prediction, &result, &error));
    } else {
        assert_ok(match_multiple_choice(&choices, &answer, prediction, &result, &error));
    }
    tally->n_of_rule[result.rule]++;
    if (json_object_get(row, "g_index") != NULL) {
        long number = (long)json_integer_value(json_object_get(row, "g_index"));

        assert_true(number == group->number || group->is_hit == group->expected);
        if (number != group->number) {
            *group = (struct group){number, true, expected, 0};
        }
        group->is_hit = group->is_hit && result.is_hit;
        expected = result.is_hit; /* of the row alone nothing is said */
    }
    if (result.is_hit == expected && (is_mathvista || result.letter == (letter ? *letter : 0))) {
        return true;
    }
    print_message("%s\n  found %s '%c' by %s\n", line, result.is_hit ? "hit" : "miss",
                  result.letter ? result.letter : '-', match_rule_name(result.rule));
    return false;
}

static void test_verdicts(void **state)
{
    char *path = omma_test_source("tests/data/eval/matching.jsonl"), *rest;
    char *text = omma_test_read(path, NULL);
    struct group group = {.number = -1};
    struct tally tally = {0};

    (void)state;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *row = json_loads(line, 0, NULL);

        assert_non_null(row);
        tally.n_cases++;
        tally.n_wrong += !is_row_right(line, row, &group, &tally);
        json_decref(row);
    }
    assert_int_equal(group.is_hit, group.expected);
    assert_true(tally.n_cases >= MIN_CASES);
    assert_int_equal(tally.n_wrong, 0);
    for (size_t i = 0; i <= MATCH_CONSTANT; i++) {
        assert_true(tally.n_of_rule[i] > 0); /* every way to a verdict was gone */
    }
    free(text);
    free(path);
}

static void expect_int(const char *text, const char *expected)
{
    char *digits;
    struct omma_error error;

    assert_ok(pytext_int(slice_of(text), &digits, &error));
    if (expected == NULL) {
        assert_null(digits);
    } else {
        assert_non_null(digits);
        assert_string_equal(digits, expected);
    }
    free(digits);
}

static void test_numbers(void **state)
{
    double value;
    bool is_number;
    struct omma_error error;

    (void)state;
    expect_int(" 1_4\n", "14");
    expect_int("-0", "0");
    expect_int("+007", "7");
    expect_int("-1_0", "-10");
    expect_int("\xEF\xBC\x91\xD9\xA4", "14"); /* full width, Arabic-Indic */
    expect_int("\xF0\x9D\x9F\x98", "0");      /* the second run of U+1D7CE */
    expect_int("1__4", NULL);
    expect_int("_1", NULL);
    expect_int("1_", NULL);
    expect_int("14.0", NULL);
    expect_int("\x1C"
               "1",
               NULL); /* a space for str.strip(), none for int() */
    expect_int("", NULL);
    expect_int("+-1", NULL);
    assert_ok(pytext_float(slice_of("\xC2\xA0-1_0.5e-1 "), &is_number, &value, &error));
    assert_true(is_number && value == -1.05);
    assert_ok(pytext_float(slice_of("-INFinity"), &is_number, &value, &error));
    assert_true(is_number && isinf(value) && value < 0);
    assert_ok(pytext_float(slice_of("0x10"), &is_number, &value, &error));
    assert_false(is_number);
    assert_ok(pytext_float(slice_of("1."), &is_number, &value, &error));
    assert_true(is_number && value == 1);
    assert_ok(pytext_float(slice_of("."), &is_number, &value, &error));
    assert_false(is_number);
}

static void expect_lower(const char *text, const char *expected)
{
    struct text lower;
    struct omma_error error;

    assert_ok(pytext_lower(slice_of(text), &lower, &error));
    assert_string_equal(lower.bytes, expected);
    text_free(&lower);
}

static void test_lower(void **state)
{
    (void)state;
    expect_lower("ABC\xC3\x89", "abc\xC3\xA9");
    expect_lower("\xC4\xB0X", "i\xCC\x87x"); /* I with dot */
    expect_lower("\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3",
                 "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82");                               /* final */
    expect_lower("\xCE\x9F\xCE\xA3\xE2\x80\x99x", "\xCE\xBF\xCF\x83\xE2\x80\x99x"); /* within */
    expect_lower("\xCE\xA3", "\xCF\x83");
    expect_lower("\xC8\xBA\xC8\xBA\xC8\xBA", "\xE2\xB1\xA5\xE2\xB1\xA5\xE2\xB1\xA5"); /* it grows */
    expect_lower("\xFFZ", "\xFFz");
    assert_int_equal(pytext_length(slice_of("\xE4\xB9\xA6\xFFx")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_lower),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

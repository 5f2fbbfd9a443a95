/* What a judge is asked, held against VLMEvalKit's own functions: tests/data/eval/judge.jsonl. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/judge_prompt.h" /* before cmocka and its macro fail() */

#include "support/support.h"

static struct slice slice_of_member(const json_t *row, const char *name)
{
    return slice_of(json_string_value(json_object_get(row, name)));
}

static void check_row(const json_t *row)
{
    const char *suite = json_string_value(json_object_get(row, "suite"));
    struct match_choice items[26];
    struct match_choices choices = {items, 0};
    struct score_doubt doubt = {.question = slice_of_member(row, "question"),
                                .prediction = slice_of_member(row, "prediction"),
                                .choices = &choices};
    struct omma_error error = {0};
    struct text prompt;
    const char *letter;
    json_t *text;

    json_object_foreach(json_object_get(row, "choices"), letter, text)
    {
        items[choices.n_items++] =
            (struct match_choice){*letter, slice_of(json_string_value(text))};
    }
    assert_ok(score_rule_of(suite, &doubt.rule, &error));
    assert_ok(judge_prompt(suite, &doubt, &prompt, &error));
    assert_string_equal(prompt.bytes, json_string_value(json_object_get(row, "prompt")));
    assert_int_equal(prompt.n_bytes, strlen(prompt.bytes));
    text_free(&prompt);
}

static void prompts_are_those_of_vlmevalkit(void **state)
{
    char *path = omma_test_source("tests/data/eval/judge.jsonl");
    FILE *file = fopen(path, "r");
    json_t *row;
    int n = 0;

    (void)state;
    assert_non_null(file);
    while ((row = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        check_row(row);
        json_decref(row);
        n++;
    }
    assert_int_equal(n, 63);
    fclose(file);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prompts_are_those_of_vlmevalkit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

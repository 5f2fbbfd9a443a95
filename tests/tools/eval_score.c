/*
 * Scores of whole files against VLMEvalKit's (tests/data/eval/scores.jsonl), lists written as
 * Python writes them, and suites and files that cannot be scored.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tools/eval/literal.h"
#include "tools/eval/score.h" /* before cmocka and its macro fail() */

#include "support/support.h"

/* Names are unique over the kinds in these files. */
static const struct score_group *find(const struct scores *scores, const char *name,
                                      const char *split)
{
    for (size_t i = 0; i < scores->n_groups; i++) {
        if (strcmp(scores->groups[i].name, name) == 0 &&
            strcmp(scores->groups[i].split, split) == 0) {
            return &scores->groups[i];
        }
    }
    return NULL;
}

static const char *string(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* The suite's lines of the expected scores. */
static void expect_scores(const char *suite, enum score_rule rule, size_t n_rows, size_t n_lines)
{
    char *folder = omma_test_source("tests/data/eval"), *rest, name[64];
    char *expected = omma_test_join(folder, "scores.jsonl"), *path;
    char *text = omma_test_read(expected, NULL);
    struct scores scores;
    struct omma_error error;
    size_t n = 0;

    snprintf(name, sizeof name, "%s.tsv", suite);
    path = omma_test_join(folder, name);
    assert_ok(scores_open(path, suite, &scores, &error));
    assert_int_equal(scores.rule, rule);
    assert_int_equal(scores.n_rows, n_rows);
    assert_int_equal(scores_overall(&scores).n_rows, n_rows);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *row = json_loads(line, 0, NULL);
        const struct score_group *group;
        double score = json_real_value(json_object_get(row, "score"));

        if (strcmp(string(row, "suite"), suite) != 0) {
            json_decref(row);
            continue;
        }
        group = find(&scores, string(row, "name"), string(row, "split"));
        if (group == NULL || fabs((double)group->n_hits / (double)group->n_rows - score) > 1e-12) {
            fail_msg("%s: found %zu of %zu", line, group ? group->n_hits : 0,
                     group ? group->n_rows : 0);
        }
        if (json_object_get(row, "rows") != NULL) {
            assert_int_equal(group->n_rows, json_integer_value(json_object_get(row, "rows")));
        }
        n++;
        json_decref(row);
    }
    assert_int_equal(n, n_lines);
    scores_close(&scores);
    free(text);
    free(path);
    free(expected);
    free(folder);
}

static void test_scores(void **state)
{
    (void)state;
    expect_scores("SEEDBench_IMG", SCORE_MULTIPLE_CHOICE, 120, 14);
    expect_scores("MMMU_DEV_VAL", SCORE_MMMU, 120, 14);
    expect_scores("MMBench_DEV_EN_V11", SCORE_CIRCULAR, 50, 14);
    expect_scores("MathVista_MINI", SCORE_MATHVISTA, 120, 6);
}

/* Right, and then undecided or wrong, is no hit; rows without their group's first are left out. */
static void test_circles(void **state)
{
    static const char text[] = "index\tA\tB\tanswer\tprediction\n"
                               "1\tred\tblue\tA\tA\n1000001\tblue\tred\tB\tno idea at all, sorry\n"
                               "2\tred\tblue\tA\tA\n1000002\tblue\tred\tB\tA\n"
                               "1000003\tred\tblue\tA\tA\n3\tblue\tred\tB\tB\n"
                               "1000004\tred\tblue\tA\tA\n";
    static const bool hits[] = {false, false, true};
    static const enum match_rule rules[] = {MATCH_NONE, MATCH_LETTER, MATCH_LETTER};
    static const size_t deciders[] = {1, 3, 5};
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "x.tsv");
    struct scores scores;
    struct omma_error error;

    (void)state;
    omma_test_write(path, text, sizeof text - 1);
    assert_ok(scores_open(path, "MMBench_X", &scores, &error));
    assert_int_equal(scores.n_rows, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scores.rows[i].result.is_hit, hits[i]);
        assert_int_equal(scores.rows[i].result.rule, rules[i]);
        assert_int_equal(scores.rows[i].decider, deciders[i]);
    }
    assert_int_equal(scores_overall(&scores).n_hits, 1);
    assert_int_equal(scores_overall(&scores).n_undecided, 1);
    scores_close(&scores);
    free(path);
    free(folder);
}

static void expect_list(const char *text, const char *expected)
{
    struct literal_list list;
    bool is_list;
    char joined[256] = "";
    struct omma_error error;

    assert_ok(literal_list_parse(slice_of(text), &list, &is_list, &error));
    if (is_list != (expected != NULL)) {
        fail_msg("%s: %s", text, is_list ? "a list" : "no list");
    }
    for (size_t i = 0; i < list.n_items; i++) {
        strcat(strcat(joined, list.items[i].bytes), "|");
    }
    if (expected != NULL) {
        assert_string_equal(joined, expected);
    }
    literal_list_free(&list);
}

static void test_lists(void **state)
{
    (void)state;
    expect_list("['3/11', \"8/11\"]", "3/11|8/11|");
    expect_list(" [ 1 , -2.50,1e16, .5 , 007 ,] ", NULL); /* 007 is no number of Python's */
    expect_list(" [ 1 , -2.50,1e16, .5 , 7 ,] ", "1|-2.5|1e+16|0.5|7|");
    expect_list("['it\\'s', 'a' \"b\"\n'c', '\\x41\\u4e66\\n\\q\\101']",
                "it's|abc|A\xE4\xB9\xA6\n\\qA|");
    expect_list("[r'\\d', u'x', '''a\nb''', True, None]", "\\d|x|a\nb|True|None|");
    expect_list("[]", "");
    expect_list("[,]", NULL);
    expect_list("['a' 1]", NULL);
    expect_list("['a", NULL);
    expect_list("['a'] + ['b']", NULL);
    expect_list("[__import__('os')]", NULL);
    expect_list("['a\nb']", NULL);
    expect_list("['\\ud800']", NULL);
    expect_list("[nan]", NULL);
    expect_list("('a', 'b')", NULL);
    expect_list("", NULL);
}

static void expect_refused(const char *text, const char *suite, const char *why)
{
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "x.tsv");
    struct scores scores;
    struct omma_error error = {0};

    omma_test_write(path, text, strlen(text));
    assert_int_equal(scores_open(path, suite, &scores, &error), OMMA_STATUS_USAGE);
    if (strstr(error.message, why) == NULL) {
        fail_msg("%s; expected: %s", error.message, why);
    }
    free(path);
    free(folder);
}

static void test_refused(void **state)
{
    (void)state;
    expect_refused("index\tA\tB\tanswer\n1\tx\ty\tA\n", "SEEDBench_IMG",
                   "no column \"prediction\"");
    expect_refused("index\tanswer\tprediction\n1\tx\ty\n", "SEEDBench_IMG", "no column \"A\"");
    expect_refused("index\tquestion\tanswer\tprediction\n1\tq\tx\ty\n", "DocVQA_VAL",
                   "no suite of multiple choice");
    expect_refused("index\tA\tB\tanswer\tprediction\n1\tx\ty\tA\tA\n", "MME-RealWorld", "MME");
    expect_refused("index\tA\tB\tanswer\tprediction\nq1\tx\ty\tA\tA\n", "MMBench", "row 1: index");
    expect_refused("index\tprediction\tanswer\tquestion_type\tanswer_type\tchoices\tanswer_option\n"
                   "1\tA\tx\tmulti_choice\ttext\topen('x')\tA\n",
                   "MathVista_MINI", "row 1: choices");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_circles),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

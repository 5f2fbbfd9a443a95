/*
 * Tables of suites: every cell as pandas gives it (tests/data/eval/tables.jsonl, by
 * contrib/eval/tables.py), parts of large files, what is refused and how, rows of a file that
 * changes.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/table.h" /* first: cmocka has a macro fail() */
#include "support/support.h"

static void open_text(const char *path, const char *text, size_t n_bytes, struct table *table)
{
    struct omma_error error;

    omma_test_write(path, text, n_bytes);
    assert_ok(table_open(path, table, &error));
}

static void assert_row(const struct table *table, size_t number, const json_t *expected)
{
    struct table_row row;
    struct omma_error error;

    assert_ok(table_row_read(table, number, &row, &error));
    for (size_t c = 0; c < table->n_columns; c++) {
        const json_t *cell = json_array_get(expected, c);
        struct text text;
        bool has_value;

        assert_ok(table_cell(table, &row, c, &text, &has_value, &error));
        assert_int_equal(has_value, !json_is_null(cell));
        if (has_value) {
            assert_int_equal(text.n_bytes, json_string_length(cell));
            assert_string_equal(text.bytes, json_string_value(cell));
        }
        text_free(&text);
    }
    table_row_free(&row);
}

static void hold_against(const char *path, const json_t *line)
{
    const json_t *tsv = json_object_get(line, "tsv"), *names = json_object_get(line, "names");
    const json_t *rows = json_object_get(line, "rows");
    struct table table;
    struct omma_error error;

    omma_test_write(path, json_string_value(tsv), json_string_length(tsv));
    if (json_is_true(json_object_get(line, "refused"))) {
        assert_int_equal(table_open(path, &table, &error), OMMA_STATUS_USAGE);
        assert_non_null(strstr(error.message, path));
        return;
    }
    assert_ok(table_open(path, &table, &error));
    assert_int_equal(table.n_columns, json_array_size(names));
    for (size_t c = 0; c < table.n_columns; c++) {
        assert_string_equal(table.names[c], json_string_value(json_array_get(names, c)));
    }
    assert_int_equal(table.n_rows, json_array_size(rows));
    for (size_t i = 0; i < table.n_rows; i++) {
        assert_row(&table, i, json_array_get(rows, i));
    }
    table_close(&table);
}

static void test_cases_of_pandas(void **state)
{
    char *data = omma_test_source("tests/data/eval/tables.jsonl"), *folder = omma_test_folder();
    char *path = omma_test_join(folder, "table.tsv"), *line = NULL;
    size_t capacity = 0, n = 0;
    FILE *file = fopen(data, "r");

    (void)state;
    assert_non_null(file);
    while (getline(&line, &capacity, file) > 0) {
        json_t *root = json_loads(line, JSON_ALLOW_NUL, NULL);

        assert_non_null(root);
        print_message("line %zu\n", n + 1);
        hold_against(path, root);
        json_decref(root);
        n++;
    }
    assert_true(n > 600);
    fclose(file);
    free(line);
    free(path);
    free(folder);
    free(data);
}

/* pandas guesses in parts of 2^18 rows for two columns: a word in the second part leaves the
 * numbers of the first, and a fraction there does not. */
static void test_parts(void **state)
{
    static const struct {
        const char *last, *first_text, *last_text; /* the latter two from pandas 3.1.1 */
    } cases[] = {{"word", "7", "word"}, {"0.5", "7.0", "0.5"}, {"", "7.0", NULL}};
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "table.tsv");
    size_t n_rows = column_rows_of_part(2) + 1, n = 0;
    char *text = malloc(8 * n_rows + 64);

    (void)state;
    assert_int_equal(n_rows, 262145);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct table table;
        json_t *first = json_pack("[ss]", "1", cases[i].first_text);
        json_t *last = json_pack("[ss?]", "1", cases[i].last_text);

        n = (size_t)sprintf(text, "index\tx\n");
        for (size_t k = 0; k + 1 < n_rows; k++) {
            n += (size_t)sprintf(text + n, "1\t007\n");
        }
        n += (size_t)sprintf(text + n, "1\t%s\n", cases[i].last);
        open_text(path, text, n, &table);
        assert_int_equal(table.n_rows, n_rows);
        assert_row(&table, 0, first);
        assert_row(&table, n_rows - 1, last);
        table_close(&table);
        json_decref(first);
        json_decref(last);
    }
    free(text);
    free(path);
    free(folder);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "expected a line with the names of columns, found an empty file"},
        {"A\tB\n1\t2\n1\t2\t3\n", "row 2, at byte 8: expected cells up to the header's 2, found 3"},
        {"A\tB\n1\t\"x\n", "row 1, at byte 6: a quote that is not closed"},
        {"A\t\"B\n1\t2\n", "at byte 2: a quote that is not closed"},
    };
    char *folder = omma_test_folder(), *path = omma_test_join(folder, "table.tsv");
    struct table table;
    struct table_row row;
    struct text text;
    bool has_value;
    struct omma_error error;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        omma_test_write(path, cases[i].text, strlen(cases[i].text));
        assert_fails(OMMA_STATUS_USAGE, cases[i].message, table_open(path, &table, &error));
    }
    assert_fails(OMMA_STATUS_USAGE, "expected a regular file", table_open(folder, &table, &error));
    assert_fails(OMMA_STATUS_USAGE, "No such file", table_open("/nowhere/x", &table, &error));

    open_text(path, "A\tB\nx\ty\xff\n", 9, &table);
    assert_int_equal(table_column(&table, "B"), 1);
    assert_true(table_column(&table, "C") == TABLE_NO_COLUMN);
    assert_ok(table_row_read(&table, 0, &row, &error));
    assert_ok(table_cell(&table, &row, TABLE_NO_COLUMN, &text, &has_value, &error));
    assert_false(has_value);
    assert_fails(OMMA_STATUS_USAGE, "row 1, column B: expected UTF-8, found byte 0xff at 1",
                 table_cell(&table, &row, 1, &text, &has_value, &error));
    table_row_free(&row);
    omma_test_write(path, "A\tB\nx\n", 6);
    assert_fails(OMMA_STATUS_CHANGED, "changed while it was read",
                 table_row_read(&table, 0, &row, &error));
    table_close(&table);
    free(path);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_of_pandas),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

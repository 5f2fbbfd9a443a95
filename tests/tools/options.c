/* Parsing of options: kinds, ranges, the environment, complaints; and the tables of all commands.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/command.h" /* first: cmocka has a macro fail() */
#include "support/support.h"

struct values {
    bool flag;
    const char *text;
    struct option_list list;
    size_t count, size;
    double real;
    int choice;
};

static const char *const words[] = {"auto", "one", "two", NULL};

/* clang-format off */
#define FIELD(name) .offset = offsetof(struct values, name)

static const struct option_row rows[] = {
    {.name = "flag", .letter = 'f', .kind = OPTION_FLAG, FIELD(flag), .help = ""},
    {.name = "text", .kind = OPTION_TEXT, .argument = "TEXT", FIELD(text), .help = ""},
    {.name = "list", .letter = 'l', .kind = OPTION_LIST, .argument = "FILE", FIELD(list),
     .help = ""},
    {.name = "threads", .letter = 't', .kind = OPTION_COUNT, .argument = "N", FIELD(count),
     .minimum = 1, .maximum = 4096, .environment = "OMMA_TEST_THREADS", .help = ""},
    {.name = "size", .kind = OPTION_SIZE, .argument = "BYTES", FIELD(size),
     .minimum = 1, .maximum = (size_t)1 << 50, .help = ""},
    {.name = "real", .kind = OPTION_REAL, .argument = "X", FIELD(real),
     .real_minimum = 0, .real_maximum = 100, .help = ""},
    {.name = "choice", .kind = OPTION_CHOICE, .choices = words, FIELD(choice), .help = ""},
    {0},
};
/* clang-format on */

/* The operands point into argv, which stays until the next call. */
static enum omma_status parse(struct values *values, struct option_result *result,
                              struct omma_error *error, int argc, const char *const *arguments)
{
    static char *argv[16];

    argv[0] = (char *)"omma";
    for (int i = 0; i < argc; i++) {
        argv[i + 1] = (char *)arguments[i];
    }
    return options_parse(rows, values, argc + 1, argv, result, error);
}

#define PARSE(...)                                                                                 \
    parse(&values, &result, &error,                                                                \
          (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *)),                     \
          (const char *[]){__VA_ARGS__})

static void test_every_kind(void **state)
{
    struct values values = {.count = 5};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    assert_ok(PARSE("-f", "--text=a b", "-l", "one", "operand", "--list", "two", "-t4", "--real",
                    "0.5", "--choice", "two", "--", "-x"));
    assert_true(values.flag);
    assert_string_equal(values.text, "a b");
    assert_int_equal(values.list.n_items, 2);
    assert_string_equal(values.list.items[0], "one");
    assert_string_equal(values.list.items[1], "two");
    assert_int_equal(values.count, 4);
    assert_true(values.real == 0.5);
    assert_int_equal(values.choice, 2);
    assert_false(result.wants_help);
    assert_int_equal(result.n_operands, 2);
    assert_string_equal(result.operands[1], "-x");
    assert_true(options_given(rows, &result, "threads"));
    options_release(rows, &values);
    assert_ok(PARSE("x"));
    assert_int_equal(values.count, 4); /* left alone */
    assert_false(options_given(rows, &result, "threads"));
    assert_ok(PARSE("-h", "--threads", "0"));
    assert_true(result.wants_help);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        size_t value; /* 0: refused */
    } cases[] = {
        {"1", 1},
        {"4096", 4096},
        {"3K", 3 << 10},
        {"512M", 512 << 20},
        {"2T", 2ull << 40},
        {"1024T", 1ull << 50},
        {"1025T", 0},
        {"0", 0},
        {"0G", 0},
        {"", 0},
        {"G", 0},
        {"-1", 0},
        {"1.5G", 0},
        {"4g", 0},
        {"4GB", 0},
        {" 4", 0},
        {"4 ", 0},
        {"99999999999999999999", 0},
        {"18446744073709551615T", 0},
    };
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct values values = {.size = 7};

        if (cases[i].value != 0) {
            assert_ok(PARSE("--size", cases[i].text));
            assert_true(values.size == cases[i].value);
        } else {
            assert_fails(OMMA_STATUS_USAGE, "--size: expected bytes from 1 to",
                         PARSE("--size", cases[i].text));
            assert_true(values.size == 7);
        }
    }
}

/* Faults row G1. */
static void test_bad_counts(void **state)
{
    static const char *const bad[] = {"0",    "-1",  "1e9", "abc", "",     "4097",
                                      "1.5",  " 4",  "4 ",  "+4",  "0x10", "18446744073709551617",
                                      "4abc", "nan", "٤"};
    struct values values = {0};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(OMMA_STATUS_USAGE, "--threads: expected a whole number from 1 to 4096",
                     PARSE("--threads", bad[i]));
        assert_non_null(strstr(error.message, bad[i]));
        assert_int_equal(values.count, 0);
    }
}

static void test_bad_reals(void **state)
{
    static const char *const bad[] = {"nan", "inf", "-1", "1e308", "100.1", "0,5", "", "x", "1 "};
    struct values values = {0};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(OMMA_STATUS_USAGE, "--real: expected a number from 0 to 100",
                     PARSE("--real", bad[i]));
    }
}

static void test_complaints(void **state)
{
    struct values values = {0};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    assert_fails(OMMA_STATUS_USAGE, "unknown or ambiguous option --bogus", PARSE("--bogus"));
    assert_fails(OMMA_STATUS_USAGE, "unknown or ambiguous option --bogus=3", PARSE("--bogus=3"));
    assert_fails(OMMA_STATUS_USAGE, "unknown option -x", PARSE("-x"));
    assert_fails(OMMA_STATUS_USAGE, "unknown or ambiguous option --t", PARSE("--t", "1"));
    assert_fails(OMMA_STATUS_USAGE, "--threads: its argument N is missing", PARSE("--threads"));
    assert_fails(OMMA_STATUS_USAGE, "--threads: its argument N is missing", PARSE("-t"));
    assert_fails(OMMA_STATUS_USAGE, "--choice: its argument auto|one|two is missing",
                 PARSE("--choice"));
    assert_fails(OMMA_STATUS_USAGE, "--flag takes no argument", PARSE("--flag=1"));
    assert_fails(OMMA_STATUS_USAGE, "--threads is given twice", PARSE("-t", "1", "--threads=2"));
    assert_fails(OMMA_STATUS_USAGE, "--choice: expected auto|one|two, found \"three\"",
                 PARSE("--choice", "three"));
    assert_fails(OMMA_STATUS_USAGE, "--list: expected FILE, found nothing", PARSE("--list", ""));
}

static void test_environment(void **state)
{
    struct values values = {0};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    setenv("OMMA_TEST_THREADS", "3", 1);
    assert_ok(PARSE("x"));
    assert_int_equal(values.count, 3);
    assert_false(options_given(rows, &result, "threads"));
    assert_ok(PARSE("-t", "7"));
    assert_int_equal(values.count, 7);
    setenv("OMMA_TEST_THREADS", "many", 1);
    assert_fails(OMMA_STATUS_USAGE, "OMMA_TEST_THREADS: expected a whole number", PARSE("-f"));
    setenv("OMMA_TEST_THREADS", "", 1);
    assert_ok(PARSE("x"));
    unsetenv("OMMA_TEST_THREADS");
}

static void test_exclusion(void **state)
{
    struct values values = {0};
    struct option_result result;
    struct omma_error error = {0};

    (void)state;
    assert_ok(PARSE("--flag", "--text", "a"));
    assert_ok(options_exclude(rows, &result, "flag", "real", &error));
    assert_fails(OMMA_STATUS_USAGE, "--flag and --text exclude each other",
                 options_exclude(rows, &result, "flag", "text", &error));
}

/* What options_parse() and the help take for granted of a table. */
static void check_table(const struct command *command)
{
    for (const struct option_row *row = command->options; row->name != NULL; row++) {
        bool has_argument = row->kind != OPTION_FLAG && row->kind != OPTION_CHOICE;

        assert_true(row - command->options < 62);
        assert_true(row->offset < command->values_bytes);
        assert_int_equal(row->argument != NULL, has_argument);
        assert_int_equal(row->choices != NULL, row->kind == OPTION_CHOICE);
        assert_string_not_equal(row->name, "help");
        assert_true(row->letter != 'h');
        if (row->kind == OPTION_COUNT) {
            assert_true(row->minimum < row->maximum);
        } else if (row->kind == OPTION_REAL) {
            assert_true(row->real_minimum < row->real_maximum);
        }
        for (const struct option_row *other = command->options; other < row; other++) {
            assert_string_not_equal(row->name, other->name);
            assert_true(row->letter == 0 || row->letter != other->letter);
            assert_true(row->offset != other->offset);
        }
    }
}

static void test_tables_of_all_commands(void **state)
{
    (void)state;
    for (size_t i = 0; commands[i] != NULL; i++) {
        print_message("%s\n", commands[i]->name);
        assert_ptr_equal(command_find(commands[i]->name), commands[i]);
        assert_non_null(commands[i]->run);
        assert_true(commands[i]->summary[strlen(commands[i]->summary) - 1] != '.');
        check_table(commands[i]);
    }
    assert_null(command_find("bogus"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_bad_counts), cmocka_unit_test(test_bad_reals),
        cmocka_unit_test(test_complaints), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_exclusion),  cmocka_unit_test(test_tables_of_all_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

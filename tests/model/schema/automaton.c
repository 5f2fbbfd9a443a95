/*
 * Schemas to automata: texts that fit and texts that do not, byte by byte, and schemas that are
 * refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/schema/automaton_build.h"
#include "support/support.h"

struct reader {
    struct omma_automaton automaton;
    struct omma_automaton_run run;
    struct omma_automaton_set sets[2];
    int at;
};

static void open_reader(struct reader *reader, const char *schema)
{
    struct omma_value_tree tree;
    struct omma_error error;
    size_t n_bytes = schema != NULL ? strlen(schema) : 0;

    assert_ok(omma_value_tree_read(schema, n_bytes, &tree, &error));
    assert_ok(omma_automaton_build(&tree, &reader->automaton, &error));
    omma_value_tree_free(&tree);
    assert_ok(omma_automaton_run_init(&reader->run, &reader->automaton, &error));
    reader->at = 0;
    omma_automaton_begin(&reader->run, &reader->sets[0]);
}

static void close_reader(struct reader *reader)
{
    omma_automaton_run_fini(&reader->run);
    omma_automaton_free(&reader->automaton);
}

/* How many bytes of the text are read; *is_complete: it may end there. */
static size_t read_text(const char *schema, const char *text, size_t n_bytes, bool *is_complete)
{
    struct reader reader;
    size_t n = 0;

    open_reader(&reader, schema);
    for (; n < n_bytes; n++) {
        omma_automaton_step(&reader.run, &reader.sets[reader.at], (uint8_t)text[n],
                            &reader.sets[1 - reader.at]);
        if (reader.sets[1 - reader.at].n_configs == 0 && !reader.sets[1 - reader.at].is_complete) {
            break;
        }
        reader.at = 1 - reader.at;
        if (n % 3 == 0) {
            omma_automaton_compact(&reader.run, &reader.sets[reader.at]);
        }
    }
    *is_complete = reader.sets[reader.at].is_complete;
    close_reader(&reader);
    return n;
}

struct text_case {
    const char *schema;
    const char *good[11];
    const char *bad[13]; /* a text that is refused at a byte, or only begins one that fits */
};

/* clang-format off */
static const struct text_case cases[] = {
    {"{\"type\":\"null\"}", {"null"}, {"nul", "nulll", "Null", " null", ""}},
    {"{\"type\":\"boolean\"}", {"true", "false"}, {"null", "tru", "1", "\"true\""}},
    {"{\"type\":\"integer\"}", {"0", "-0", "7", "-12", "123456789012345678"},
     {"", "-", "01", "1.0", "1e3", "+1", "1234567890123456789", "0x1", "1 "}},
    {"{\"type\":\"number\"}", {"0", "-0.5", "1e3", "1.25E-07", "1e+9", "12.5e10"},
     {"1.", ".5", "1e", "1e+", "1e100", "--1", "00", "1.2.3", "1.123456789012345678"}},
    {"{\"type\":\"string\"}",
     {"\"\"", "\"a b\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u00e9\\uD83D\\uDE00\\ud7ff\\uE000\"",
      "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\"\x7F\"", "\"\xED\x9F\xBF\xEE\x80\x80\"",
      "\"\xF4\x8F\xBF\xBF\""},
     {"\"", "\"\n\"", "\"\\x\"", "\"\\u12\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\u0041\"",
      "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xC3\"", "'a'"}},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
     {"\"ab\"", "\"abc\"", "\"\xC3\xA9\xE2\x82\xAC\"", "\"\\n\\u0041\"", "\"\xF0\x9F\x98\x80\\ud83d\\ude00\""},
     {"\"a\"", "\"abcd\"", "\"\\n\"", "\"\\ud83d\\ude00\"", "\"\"", "\"aaa\\"}},
    {"{\"maxLength\":0}", {"\"\""}, {"\"a\"", "1", "\"\\"}},
    {"{\"enum\":[\"red\",\"reddish\",\"r\\\"d\",12,1,1.5,-0.1,null,{\"a\":[1,\"x\"]},true]}",
     {"\"red\"", "\"reddish\"", "\"r\\\"d\"", "12", "1", "1.5", "-0.1", "null", "{\"a\":[1,\"x\"]}", "true"},
     {"\"re\"", "\"redd\"", "13", "2", "{}", "{\"a\": [1,\"x\"]}", "false", "1.50", "123"}},
    {"{\"const\":\"\xC3\xA9\\n\"}", {"\"\xC3\xA9\\n\""}, {"\"\\u00e9\\n\"", "\"\xC3\xA9\"", "\"\xC3\xA9\n\""}},
    {"{\"type\":\"string\",\"enum\":[\"a\",1,\"bbb\"],\"maxLength\":2}", {"\"a\""}, {"1", "\"bbb\""}},
    {"{\"type\":\"integer\",\"enum\":[1,2.0,2.5,\"1\"]}", {"1", "2.0"}, {"2.5", "\"1\""}},
    {"{\"type\":[\"string\",\"null\"],\"maxLength\":1}", {"null", "\"x\""}, {"\"xx\"", "1"}},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}",
     {"[]", "[1]", "[1,2,3]", "[ 1, 2]", "[\n  1,\n  2\n]", "[ ]", "[1 ]", "[\n]"},
     {"[1,]", "[,1]", "[1", "[1 2]", "[1,\"a\"]", "[  1]", "[1 ,2", "[\n\n1]", "[\t1]", "[1]]", "[]\n"}},
    {"{\"items\":{\"items\":{\"const\":0}}}", {"[]", "[[]]", "[[0],[],[0,0]]"}, {"[0]", "[[1]]", "[[[0]]]", "[[0]"}},
    {"{\"type\":\"array\"}", {"[]", "[1,\"a\",null,{\"x\":[]}]"}, {"{}", "[}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"null\"},"
     "\"ab\":{\"type\":\"boolean\"}},\"required\":[\"b\"],\"additionalProperties\":false}",
     {"{\"b\":null}", "{\"a\":1,\"b\":null}", "{\"a\":1,\"b\":null,\"ab\":true}", "{ \"b\": null, \"ab\": false }",
      "{\n  \"a\": 1,\n  \"b\": null\n}"},
     {"{}", "{\"a\":1}", "{\"a\":1,\"ab\":true,\"b\":null}", "{\"b\":null,\"a\":1}", "{\"b\":null,\"b\":null}",
      "{\"b\":null,}", "{\"c\":1,\"b\":null}", "{\"b\" :null}", "{\"b\":1}", "{\"ab\":true}", "{\"a\":1,}"}},
    {"{\"type\":\"object\",\"properties\":{\"x\":{},\"y\":{}}}",
     {"{}", "{\"x\":[1]}", "{\"y\":{\"z\":2}}", "{\"x\":1,\"y\":2}"}, {"{\"z\":1}", "{\"y\":1,\"x\":2}", "{\"x\":1,\"y\":2,"}},
    {"{\"type\":\"object\",\"additionalProperties\":false}", {"{}", "{ }"}, {"{\"a\":1}", "{,"}},
    {"{\"additionalProperties\":{\"type\":\"integer\"}}", {"{}", "{\"k\":1}", "{\"k\":1, \"\":2}"},
     {"{\"k\":\"1\"}", "{k:1}", "{\"k\":1,}", "[1]"}},
    {"{\"properties\":{\"a/b\\\"\":{\"const\":1}},\"required\":[\"a/b\\\"\"]}", {"{\"a/b\\\"\":1}"}, {"{}", "{\"a/b\":1}"}},
    {"{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{\"type\":\"integer\"}},\"required\":[\"k\",\"v\"]},"
     "{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"b\"},\"v\":{\"type\":\"string\"}},\"required\":[\"k\",\"v\"]},{\"type\":\"number\"}]}",
     {"{\"k\":\"a\",\"v\":1}", "{\"k\":\"b\",\"v\":\"1\"}", "-1.5"}, {"{\"k\":\"a\",\"v\":\"1\"}", "{\"k\":\"b\",\"v\":1}", "true", "{\"v\":1"}},
    {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"number\"},{\"enum\":[1.5,\"1\"]}]}", {"1", "1.5", "\"1\"", "1e2"}, {"1.", "\"2\""}},
    {"{\"$ref\":\"#/$defs/list\",\"$defs\":{\"list\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"properties\":"
     "{\"v\":{\"type\":\"integer\"},\"next\":{\"$ref\":\"#/$defs/list\"}},\"required\":[\"v\",\"next\"],\"additionalProperties\":false}]}}}",
     {"null", "{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"},
     {"{\"v\":1}", "{\"v\":1,\"next\":{}}", "{\"v\":1,\"next\":null}}"}},
    {"{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}", {"[]", "[[],[[]]]"}, {"[1]", "[[]", "{}"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/properties/b~1c%25\"},\"b/c%\":{\"type\":\"null\"}}}",
     {"{\"a\":null}", "{\"b/c%\":null}"}, {"{\"a\":1}", "{\"b\":null}"}},
    {"{\"properties\":{\"a\":{\"anyOf\":[{\"const\":1},{\"const\":2}]},\"b\":{\"$ref\":\"#/properties/a/anyOf/1\"}}}",
     {"{\"a\":1,\"b\":2}", "{\"a\":2}"}, {"{\"b\":1}"}},
    {"{}", {"1", "\"a\"", "{}", "[]", "null", "{\"a\":[true,{\"b\":-1.5e3}]}"}, {"", "nul", "[1", "{\"a\"}", "{1:2}"}},
    {"{\"title\":\"t\",\"description\":\"d\",\"default\":3,\"examples\":[4],\"$schema\":\"s\",\"$id\":\"i\",\"$comment\":\"c\","
     "\"deprecated\":true,\"readOnly\":true,\"type\":\"null\",\"definitions\":{\"x\":{\"pattern\":\"unused\"}}}", {"null"}, {"3"}},
    {NULL, {"{}", "{\"a\":1}", "{\"a\":{\"b\":[1,2,null]}, \"c\":\"\"}"}, {"[]", "1", "{\"a\":1", "{a:1}", "\"{}\""}},
};
/* clang-format on */

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_complete;

        for (const char *const *text = cases[i].good; *text != NULL; text++) {
            size_t n = read_text(cases[i].schema, *text, strlen(*text), &is_complete);

            if (n != strlen(*text) || !is_complete) {
                fail_msg("%s refuses %s @%zu", cases[i].schema, *text, n);
            }
        }
        for (const char *const *text = cases[i].bad; *text != NULL; text++) {
            size_t n = read_text(cases[i].schema, *text, strlen(*text), &is_complete);

            if (n == strlen(*text) && is_complete) {
                fail_msg("%s takes %s", cases[i].schema, *text);
            }
        }
    }
}

/* White space ends: a newline has 32 spaces at most behind it. */
static void test_white_space_ends(void **state)
{
    char text[64] = "[\n";
    bool is_complete;

    (void)state;
    memset(text + 2, ' ', 40);
    assert_int_equal(read_text("{\"type\":\"array\"}", text, 42, &is_complete),
                     2 + OMMA_SCHEMA_MAX_INDENT);
}

/* At the greatest depth only what nests no deeper may come, and all that was begun can be ended. */
static void test_depth_ends(void **state)
{
    static const char list[] =
        "{\"properties\":{\"v\":{\"type\":\"array\",\"items\":{\"type\":\"null\"}},"
        "\"next\":{\"$ref\":\"#\"}},\"required\":[\"v\"],\"additionalProperties\":false}";
    static const char link[] = "{\"v\":[],\"next\":";
    char text[4096] = "";
    size_t n = 0;
    bool is_complete;

    (void)state;
    memset(text, '[', 80);
    assert_int_equal(read_text("{}", text, 80, &is_complete), OMMA_SCHEMA_MAX_DEPTH);
    memset(text + 64, ']', 64);
    assert_int_equal(read_text("{}", text, 128, &is_complete), 128);
    assert_true(is_complete);

    /* object k has depth k; its "v" makes k + 1: the last one that fits is 63, without "next" */
    for (int k = 0; k < 80; k++) {
        memcpy(text + n, link, sizeof link - 1);
        n += sizeof link - 1;
    }
    assert_int_equal(read_text(list, text, n, &is_complete), 62 * (sizeof link - 1) + 7);
    n = 62 * (sizeof link - 1) + 7;
    memset(text + n, '}', 63);
    assert_int_equal(read_text(list, text, n + 63, &is_complete), n + 63);
    assert_true(is_complete);
}

static void test_refused_schemas(void **state)
{
    static const struct {
        const char *schema, *message;
    } refused[] = {
        {"", "expected JSON"},
        {"[]", "schema @0: expected an object"},
        {"{\"type\":\"string\",\"type\":\"null\"}", "duplicate"},
        {"{\"type\":\"strin\"}", "schema: #/type: expected object, array"},
        {"{\"type\":[]}", "schema: #/type: expected a type"},
        {"{\"type\":[\"null\",3]}", "schema: #/type"},
        {"{\"type\":\"string\",\"pattern\":\"a\"}", "schema: #/pattern: not supported"},
        {"{\"properties\":{\"a\":{\"items\":{\"format\":\"date\"}}}}",
         "schema: #/properties/a/items/format: not supported"},
        {"{\"properties\":{\"a/~\":{\"minimum\":1}}}",
         "schema: #/properties/a~1~0/minimum: not supported"},
        {"{\"oneOf\":[{}]}", "schema: #/oneOf: not supported"},
        {"{\"allOf\":[{}]}", "schema: #/allOf: not supported"},
        {"{\"not\":{}}", "schema: #/not: not supported"},
        {"{\"type\":\"array\",\"minItems\":1}", "schema: #/minItems: not supported"},
        {"{\"properties\":{\"a\":false}}", "schema: #/properties/a: nothing fits false"},
        {"{\"properties\":{\"a\":3}}", "schema: #/properties/a: expected a schema"},
        {"{\"properties\":[]}", "schema: #/properties: expected an object"},
        {"{\"properties\":{\"a\":{}},\"required\":[\"b\"]}", "schema: #/required: expected names"},
        {"{\"properties\":{\"a\":{}},\"required\":[1]}", "schema: #/required: expected an array"},
        {"{\"properties\":{\"a\":{}},\"required\":\"a\"}", "schema: #/required: expected an array"},
        {"{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"null\"}}",
         "schema: #/additionalProperties: not supported beside properties"},
        {"{\"additionalProperties\":1}", "schema: #/additionalProperties: expected a schema"},
        {"{\"enum\":[]}", "schema: #/enum: no value fits"},
        {"{\"enum\":3}", "schema: #/enum: expected an array"},
        {"{\"type\":\"null\",\"const\":1}", "schema: #/const: no value fits"},
        {"{\"const\":1,\"enum\":[1]}", "schema: #/enum: not supported beside const"},
        {"{\"const\":1,\"items\":{}}", "schema: #/items: not supported beside"},
        {"{\"anyOf\":[],\"title\":\"x\"}", "schema: #/anyOf: expected an array"},
        {"{\"anyOf\":[{}],\"type\":\"null\"}", "schema: #/type: not supported beside"},
        {"{\"anyOf\":[{},{\"anyOf\":[{\"uniqueItems\":true}]}]}",
         "schema: #/anyOf/1/anyOf/0/uniqueItems: not supported"},
        {"{\"minLength\":3,\"maxLength\":2}", "schema: #/minLength: it is more than maxLength"},
        {"{\"maxLength\":-1}", "schema: #/maxLength: expected a whole number"},
        {"{\"maxLength\":1.5}", "schema: #/maxLength: expected a whole number"},
        {"{\"$ref\":\"http://x/y\"}", "schema: #/$ref: expected a reference within"},
        {"{\"$ref\":3}", "schema: #/$ref: expected a reference within"},
        {"{\"$ref\":\"#/$defs/x\"}", "schema: #/$ref: there is nothing"},
        {"{\"$ref\":\"#\"}", "defined by itself"},
        {"{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}", "defined by itself"},
        {"{\"properties\":{\"a\":{\"$id\":\"x\",\"type\":\"null\"}}}",
         "schema: #/properties/a/$id: not supported"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "no value of at most 64"},
        {"{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"dependentRequired\":{}}}}",
         "schema: #/$defs/x/dependentRequired: not supported"},
    };
    struct omma_value_tree tree;
    struct omma_error error;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_fails(
            OMMA_STATUS_USAGE, refused[i].message,
            omma_value_tree_read(refused[i].schema, strlen(refused[i].schema), &tree, &error));
    }
}

/* What would take too long or too much is refused. */
static void test_large_schemas(void **state)
{
    enum { N = 400000 };
    struct omma_value_tree tree;
    struct omma_error error;
    char *text = malloc(N);
    size_t n = 0;

    (void)state;
    n += (size_t)sprintf(text, "{\"anyOf\":[");
    for (int i = 0; i < 65; i++) {
        n += (size_t)sprintf(text + n, "%s{\"const\":%d}", i > 0 ? "," : "", i);
    }
    n += (size_t)sprintf(text + n, "]}");
    assert_fails(OMMA_STATUS_USAGE, "schema: #: expected at most 64 alternatives, found 65",
                 omma_value_tree_read(text, n, &tree, &error));

    n = 0;
    for (int i = 0; i < 300; i++) {
        n += (size_t)sprintf(text + n, "{\"items\":");
    }
    n += (size_t)sprintf(text + n, "{}");
    memset(text + n, '}', 300);
    assert_fails(OMMA_STATUS_USAGE, "nested too deeply",
                 omma_value_tree_read(text, n + 300, &tree, &error));

    n = (size_t)sprintf(text, "{\"properties\":{");
    for (int i = 0; i < 11000; i++) {
        n += (size_t)sprintf(text + n, "%s\"%d\":{\"const\":0}", i > 0 ? "," : "", i);
    }
    n += (size_t)sprintf(text + n, "}}");
    assert_fails(OMMA_STATUS_USAGE, "more than 10000 schemas",
                 omma_value_tree_read(text, n, &tree, &error));
    free(text);
}

/* Alternatives that differ late only: each level doubles them, and what is followed stays bounded.
 */
static void test_many_alternatives(void **state)
{
    static const char schema[] =
        "{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/x\"}},{\"type\":\"array\","
        "\"items\":{\"anyOf\":[{\"$ref\":\"#/$defs/x\"},{\"$ref\":\"#/$defs/y\"}]}}],\"$defs\":{"
        "\"x\":{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":\"#/$defs/x\"},"
        "{\"$ref\":\"#/$defs/y\"}]}},\"y\":{\"type\":\"array\",\"items\":{\"anyOf\":["
        "{\"$ref\":\"#/$defs/y\"},{\"$ref\":\"#/$defs/x\"}]}}}}";
    char text[2 * OMMA_SCHEMA_MAX_DEPTH];
    bool is_complete;

    (void)state;
    memset(text, '[', OMMA_SCHEMA_MAX_DEPTH);
    memset(text + OMMA_SCHEMA_MAX_DEPTH, ']', OMMA_SCHEMA_MAX_DEPTH);
    assert_int_equal(read_text(schema, text, sizeof text, &is_complete), sizeof text);
    assert_true(is_complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),         cmocka_unit_test(test_white_space_ends),
        cmocka_unit_test(test_depth_ends),    cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_large_schemas), cmocka_unit_test(test_many_alternatives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

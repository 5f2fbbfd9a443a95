/*
 * schema DIR: what schemas cost with the tokenizer in DIR: the first schema (which makes the trie
 * of the vocabulary), another one, and the mask of tokens at places of answers that differ in how
 * much may come there; medians of 21 and the largest, on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "model/language/tokenizer.h"
#include "model/schema/schema.h"
#include "platform/clock.h"

enum { N_RUNS = 21 };

static const char object[] =
    "{\"type\":\"object\",\"properties\":{\"color\":{\"enum\":[\"red\",\"green\"]},"
    "\"note\":{\"type\":\"string\"},\"short\":{\"type\":\"string\",\"maxLength\":40},"
    "\"count\":{\"type\":\"integer\"},\"size\":{\"type\":\"number\"}}}";
static const char choice[] = "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"string\",\"maxLength\":"
                             "9},{\"properties\":{\"a\":{}}},"
                             "{\"properties\":{\"a\":{\"type\":\"string\"}}},{\"items\":{\"type\":"
                             "\"string\"}},{\"items\":{}}]}";

static const struct {
    const char *name, *schema, *text;
} places[] = {
    {"begin", object, ""},
    {"name", object, "{\""},
    {"constant", object, "{\"color\": \""},
    {"string", object, "{\"note\": \""},
    {"string, 40 left", object, "{\"short\": \""},
    {"string, 3 left", object, "{\"short\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"escape", object, "{\"note\": \"\\"},
    {"character begun", object, "{\"note\": \"\xE4"},
    {"integer", object, "{\"count\": 1"},
    {"number", object, "{\"size\": 1.5"},
    {"indent", object, "{\n"},
    {"strings of 2 kinds", choice, "\"a"},
    {"objects of 2 kinds", choice, "{\"a\": \"b"},
    {"any object", NULL, "{\"a\": {\"b\": \"c"},
    {"any value", NULL, "{\"a\": "},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A text that ends within a character is no text for a tokenizer: byte by byte. */
static enum omma_status accept_bytes(const struct omma_schema *schema,
                                     struct omma_schema_answer *answer, const char *text,
                                     struct omma_error *error)
{
    const struct omma_token_trie *trie = schema->trie;

    for (; *text != '\0'; text++) {
        for (size_t i = 1; i < trie->nodes[0].end; i = trie->nodes[i].end) {
            if (trie->nodes[i].byte == (uint8_t)*text) {
                OMMA_TRY(omma_schema_answer_accept(answer, trie->ids[trie->nodes[i].first_token],
                                                   error));
            }
        }
    }
    return OMMA_OK;
}

static size_t count(const uint64_t *mask, size_t vocab)
{
    size_t n = 0;

    for (size_t i = 0; i < (vocab + 63) / 64; i++) {
        n += (size_t)__builtin_popcountll(mask[i]);
    }
    return n;
}

static enum omma_status measure(const struct omma_schema *schema, const char *name,
                                const char *text, struct omma_error *error)
{
    struct omma_schema_answer *answer = NULL;
    const uint64_t *mask = NULL;
    double times[N_RUNS];
    enum omma_status status = omma_schema_answer_create(schema, &answer, error);

    if (status == OMMA_OK) {
        status = accept_bytes(schema, answer, text, error);
    }
    for (int i = -1; i < N_RUNS && status == OMMA_OK; i++) { /* the first warms up */
        double begin = omma_clock_now();

        status = omma_schema_answer_mask(answer, &mask, error);
        times[i < 0 ? 0 : i] = omma_clock_now() - begin;
    }
    if (status == OMMA_OK) {
        qsort(times, N_RUNS, sizeof *times, compare);
        printf("%-20s %7zu tokens  %8.3f ms, at most %.3f\n", name, count(mask, schema->vocab),
               1e3 * times[N_RUNS / 2], 1e3 * times[N_RUNS - 1]);
    }
    omma_schema_answer_destroy(&answer);
    return status;
}

static enum omma_status run(const struct omma_tokenizer *tokenizer, struct omma_error *error)
{
    const int32_t stop_id = omma_tokenizer_template_ids(tokenizer)->im_end;
    size_t vocab = omma_tokenizer_n_ids(tokenizer);

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *text = places[i].schema;
        struct omma_schema *schema = NULL;
        double begin = omma_clock_now();
        enum omma_status status;

        OMMA_TRY(omma_schema_create(tokenizer, &stop_id, 1, vocab, text,
                                    text != NULL ? strlen(text) : 0, &schema, error));
        if (i < 2) {
            printf("%-20s %7zu ids     %8.3f ms\n", i == 0 ? "first schema" : "another", vocab,
                   1e3 * (omma_clock_now() - begin));
        }
        status = measure(schema, places[i].name, places[i].text, error);
        omma_schema_close(&schema);
        OMMA_TRY(status);
    }
    return OMMA_OK;
}

int main(int n_arguments, char **arguments)
{
    struct omma_tokenizer *tokenizer = NULL;
    struct omma_error error;
    enum omma_status status;

    if (n_arguments != 2) {
        fprintf(stderr, "usage: schema DIR\n");
        return OMMA_STATUS_USAGE;
    }
    status = omma_tokenizer_open(arguments[1], &tokenizer, &error);
    if (status == OMMA_OK) {
        status = run(tokenizer, &error);
    }
    if (status != OMMA_OK) {
        fprintf(stderr, "schema: %s\n", error.message);
    }
    omma_tokenizer_close(&tokenizer);
    return (int)status;
}

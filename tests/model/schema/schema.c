/*
 * Masks of tokens: the same as trying every token by itself, and answers made of what they allow,
 * at random and by the demo model at temperature 2, fit their schemas.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/language/tokenizer.h"
#include "model/schema/schema.h"
#include "model/schema/validate.h"
#include "support/support.h"

/* clang-format off */
static const char *const schemas[] = {
    "{\"type\":\"object\",\"properties\":{\"color\":{\"enum\":[\"red\",\"green\",\"blue\",\"light green\"]},"
    "\"count\":{\"type\":\"integer\"},\"note\":{\"type\":\"string\",\"maxLength\":12},\"size\":{\"type\":\"number\"}},"
    "\"required\":[\"color\",\"note\"],\"additionalProperties\":false}",
    "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"type\":\"string\",\"minLength\":2,\"maxLength\":5},{\"type\":\"null\"},"
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}}}]}}",
    "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":20},"
    "\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/node\"}}},\"required\":[\"name\"],\"additionalProperties\":false}}}",
    "{\"type\":[\"number\",\"string\",\"null\"],\"maxLength\":3}",
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
    "{\"enum\":[\"\xE4\xBD\xA0\xE5\xA5\xBD\",\"caf\xC3\xA9\",{\"x\":[1,2]},3.25,true]}",
    "{\"properties\":{\"any\":{}},\"required\":[\"any\"]}",
    NULL,
};
/* clang-format on */

enum { N_SCHEMAS = sizeof schemas / sizeof *schemas, MAX_TEXT = 65536 };

struct world {
    struct omma_tokenizer *tokenizer;
    size_t vocab;
    int32_t stop_id;
};

static struct world open_world(const char *dir)
{
    struct world world = {0};
    struct omma_error error;

    assert_ok(omma_tokenizer_open(dir, &world.tokenizer, &error));
    world.vocab = omma_tokenizer_n_ids(world.tokenizer);
    world.stop_id = omma_tokenizer_template_ids(world.tokenizer)->im_end;
    return world;
}

static struct omma_schema *open_schema(const struct world *world, const char *text)
{
    struct omma_schema *schema = NULL;
    struct omma_error error;

    assert_ok(omma_schema_create(world->tokenizer, &world->stop_id, 1, world->vocab, text,
                                 text != NULL ? strlen(text) : 0, &schema, &error));
    return schema;
}

static bool is_allowed(const uint64_t *mask, int32_t id)
{
    return mask[id / 64] >> (id % 64) & 1;
}

/* Compare a mask with what each token by itself does behind the answer so far. */
static void check_mask(const struct world *world, const struct omma_schema *schema,
                       const uint64_t *mask, const char *text, size_t n_text)
{
    struct omma_automaton_run run;
    struct omma_automaton_set sets[2], set;
    struct omma_error error;
    size_t at = 0;
    uint32_t n_frames;

    assert_ok(omma_automaton_run_init(&run, &schema->automaton, &error));
    omma_automaton_begin(&run, &sets[0]);
    for (size_t i = 0; i < n_text; i++, at = 1 - at) {
        omma_automaton_step(&run, &sets[at], (uint8_t)text[i], &sets[1 - at]);
    }
    set = sets[at];
    n_frames = run.n_frames;
    for (int32_t id = 0; (size_t)id < world->vocab; id++) {
        size_t n_bytes;
        const char *bytes = omma_token_bytes(world->tokenizer, id, &n_bytes, NULL);
        bool is_good;

        sets[at = 0] = set;
        for (size_t i = 0; i < n_bytes; i++, at = 1 - at) {
            omma_automaton_step(&run, &sets[at], (uint8_t)bytes[i], &sets[1 - at]);
        }
        run.n_frames = n_frames;
        is_good = n_bytes > 0 && !omma_tokenizer_is_skipped(world->tokenizer, id) &&
                  (sets[at].n_configs > 0 || sets[at].is_complete);
        is_good = id == world->stop_id ? set.is_complete : is_good;
        if (is_allowed(mask, id) != is_good) {
            fail_msg("behind %.*s token %d \"%.*s\" is %sallowed", (int)n_text, text, id,
                     (int)n_bytes, bytes, is_good ? "not " : "");
        }
    }
    omma_automaton_run_fini(&run);
}

/* A random token of the mask; once the answer is long, one that ends something if there is any. */
static int32_t choose(const struct world *world, const uint64_t *mask, size_t n_steps,
                      uint64_t *random)
{
    size_t n = 0;
    int32_t chosen = -1;

    if (is_allowed(mask, world->stop_id) && (n_steps > 40 || omma_test_random(random) % 4 == 0)) {
        return world->stop_id;
    }
    for (int32_t id = 0; (size_t)id < world->vocab; id++) {
        size_t n_bytes;
        const char *bytes = omma_token_bytes(world->tokenizer, id, &n_bytes, NULL);

        if (is_allowed(mask, id)) {
            if (n_steps > 40 && n_bytes == 1 && strchr("\"]}", *bytes) != NULL) {
                return id;
            }
            chosen = omma_test_random(random) % ++n == 0 ? id : chosen;
        }
    }
    assert_true(n > 0); /* never a dead end */
    return chosen;
}

/* One answer; every n_checked-th mask is compared with what each token does by itself. */
static size_t answer_at_random(const struct world *world, const struct omma_schema *schema,
                               size_t n_checked, uint64_t *random, char *text)
{
    struct omma_schema_answer *answer = NULL;
    struct omma_error error;
    size_t n_text = 0;

    assert_ok(omma_schema_answer_create(schema, &answer, &error));
    for (size_t step = 0;; step++) {
        const uint64_t *mask;
        size_t n_bytes;
        const char *bytes;
        int32_t id;

        assert_true(step < 4000);
        assert_ok(omma_schema_answer_mask(answer, &mask, &error));
        if (step % n_checked == 0) {
            check_mask(world, schema, mask, text, n_text);
        }
        id = choose(world, mask, step, random);
        if (id == world->stop_id) {
            break;
        }
        bytes = omma_token_bytes(world->tokenizer, id, &n_bytes, NULL);
        assert_true(n_text + n_bytes < MAX_TEXT);
        memcpy(text + n_text, bytes, n_bytes);
        n_text += n_bytes;
        assert_ok(omma_schema_answer_accept(answer, id, &error));
    }
    omma_schema_answer_destroy(&answer);
    return n_text;
}

static void expect_valid(const char *schema, const char *text, size_t n_bytes)
{
    json_error_t problem;
    json_t *root =
        schema != NULL ? json_loads(schema, 0, NULL) : json_pack("{ss}", "type", "object");
    json_t *value = json_loadb(text, n_bytes, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);

    if (value == NULL) {
        fail_msg("%s: %.*s", problem.text, (int)n_bytes, text);
    }
    if (!omma_test_validate(value, root, root)) {
        fail_msg("%s does not fit %s", text, schema);
    }
    json_decref(value);
    json_decref(root);
}

/* n_rounds answers to each schema, every mask of the first n_checked ones compared, or some. */
static void answer_all(const char *dir, size_t n_rounds, size_t n_checked, size_t every)
{
    struct world world = open_world(dir);
    char *text = malloc(MAX_TEXT);
    uint64_t random = 5;

    for (size_t i = 0; i < N_SCHEMAS; i++) {
        struct omma_schema *schema = open_schema(&world, schemas[i]);

        for (size_t round = 0; round < n_rounds; round++) {
            size_t n =
                answer_at_random(&world, schema, round < n_checked ? every : 100000, &random, text);

            expect_valid(schemas[i], text, n);
        }
        omma_schema_close(&schema);
    }
    omma_tokenizer_close(&world.tokenizer);
    free(text);
}

static void test_tokens_of_the_demo(void **state)
{
    char *dir = omma_test_source("share/omma/demo");

    (void)state;
    answer_all(dir, 60, 4, 1);
    free(dir);
}

/* The vocabulary of the released models, with tokens of many characters and of parts of some. */
static void test_tokens_of_released_models(void **state)
{
    OMMA_TEST_NEED_SHARED(dir, "tokenizer");

    (void)state;
    answer_all(dir, 6, 3, 5);
    free(dir);
}

/* The answer of a session; false if it was not finished. */
static bool ask(struct omma_session *session, const struct omma_request *request, char *text,
                size_t *n_bytes)
{
    struct omma_event event;
    struct omma_error error;

    *n_bytes = 0;
    assert_ok(omma_session_submit(session, request, &error));
    do {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        assert_true(*n_bytes + event.n_bytes < MAX_TEXT);
        if (event.n_bytes > 0) {
            memcpy(text + *n_bytes, event.text, event.n_bytes);
            *n_bytes += event.n_bytes;
        }
    } while (event.type != OMMA_EVENT_DONE);
    return event.finish == OMMA_FINISH_STOP;
}

static void test_answers_of_the_demo(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "Describe the shapes as JSON.", 28};
    char *dir = omma_test_source("share/omma/demo"), *text = malloc(MAX_TEXT);
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_session *session = NULL;
    struct omma_request request = {.conversation = {.turns = &turn, .n_turns = 1},
                                   .max_new_tokens = 200};
    struct omma_error error;
    size_t n_finished = 0, n_bytes;

    (void)state;
    assert_ok(omma_model_open(dir, NULL, &model, &error));
    assert_ok(omma_engine_create(model, NULL, &engine, &error));
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    for (size_t i = 0; i < N_SCHEMAS; i++) {
        struct omma_schema *schema = NULL;

        assert_ok(omma_schema_open(model, schemas[i], schemas[i] != NULL ? strlen(schemas[i]) : 0,
                                   &schema, &error));
        request.schema = schema;
        for (uint64_t seed = 0; seed < 4; seed++) {
            request.sampling =
                (struct omma_sampling){.temperature = seed == 0 ? 0 : 2, .seed = seed};
            if (ask(session, &request, text, &n_bytes)) {
                expect_valid(schemas[i], text, n_bytes);
                n_finished++;
            }
        }
        omma_schema_close(&schema);
    }
    print_message("    %zu of %d answers were finished\n", n_finished, 4 * N_SCHEMAS);
    assert_true(n_finished >= N_SCHEMAS);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    free(text);
    free(dir);
}

static void test_requests_that_contradict(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "Hi", 2};
    static const int32_t forced[] = {1};
    char *dir = omma_test_source("share/omma/demo");
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_session *session = NULL;
    struct omma_schema *schema = NULL, *none = NULL;
    struct omma_request request = {.conversation = {.turns = &turn, .n_turns = 1}};
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_open(dir, NULL, &model, &error));
    assert_ok(omma_engine_create(model, NULL, &engine, &error));
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    assert_fails(OMMA_STATUS_USAGE, "schema: #/pattern: not supported",
                 omma_schema_open(model, "{\"pattern\":\"x\"}", 15, &none, &error));
    assert_null(none);
    assert_ok(omma_schema_open(model, NULL, 0, &schema, &error));
    request.schema = schema;
    request.ignore_stop_ids = true;
    assert_fails(OMMA_STATUS_USAGE, "a request with a schema",
                 omma_session_submit(session, &request, &error));
    request.ignore_stop_ids = false;
    request.forced_ids = forced;
    request.n_forced_ids = 1;
    assert_fails(OMMA_STATUS_USAGE, "a request with a schema",
                 omma_session_submit(session, &request, &error));
    omma_session_destroy(&session);
    omma_schema_close(&schema);
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_of_the_demo),
        cmocka_unit_test(test_tokens_of_released_models),
        cmocka_unit_test(test_answers_of_the_demo),
        cmocka_unit_test(test_requests_that_contradict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

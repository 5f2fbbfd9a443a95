/*
 * Memory of KV caches on the demo model: requests that wait for it, what gives way, what can never
 * fit; beginnings of prompts that other sessions hold, or held, with the same bits.
 */
#include "engine/kv_store.h"

#include <stdlib.h>
#include <string.h>

#include "engine/session.h"
#include "support/asking.h"
#include "support/support.h"

enum { CONTEXT = 1024, N_NEW = 10, MANY = 6 };

#define TURN(question)                                                                             \
    {                                                                                              \
        OMMA_ROLE_USER, question, sizeof question - 1                                              \
    }

static const struct omma_turn count_shapes = TURN("Count the shapes.");
static const struct omma_turn what_written = TURN("What is written in the picture?");

static struct omma_request about(const struct omma_test_world *world, const struct omma_turn *turn)
{
    return (struct omma_request){
        .conversation = {.turns = turn,
                         .n_turns = 1,
                         .images = (const struct omma_image *const *)&world->image,
                         .n_images = 1},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true};
}

static struct omma_session *make_session(struct omma_engine *engine)
{
    return omma_test_make_session(engine, &(struct omma_session_options){.n_context = CONTEXT});
}

static size_t position_bytes(const struct omma_model *model)
{
    return 2 * omma_model_info(model)->kv_bytes_per_token; /* f32 */
}

/* The answer of an engine that has never seen anything. */
static void ask_afresh(const struct omma_test_world *world, struct omma_engine_options options,
                       const struct omma_turn *turn, struct omma_test_answer *answer)
{
    struct omma_engine *engine;
    struct omma_session *session;
    struct omma_request request = about(world, turn);

    options.share_prefixes = false;
    engine = omma_test_make_engine(world->model, &options);
    session = make_session(engine);
    omma_test_ask(session, &request, answer);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

static void assert_same_bits(const struct omma_test_answer *one,
                             const struct omma_test_answer *other)
{
    assert_int_equal(one->n_tokens, N_NEW);
    assert_int_equal(other->n_tokens, N_NEW);
    assert_memory_equal(one->ids, other->ids, N_NEW * sizeof *one->ids);
    assert_memory_equal(one->margins, other->margins, N_NEW * sizeof *one->margins);
}

/* From a session that is idle, one that is gone, and one that is answering. */
static void test_beginnings_are_shared(void **state)
{
    const struct omma_test_world *world = *state;
    const struct omma_engine_options options = {.n_threads = 2,
                                                .precision = OMMA_PRECISION_F32,
                                                .deterministic = true,
                                                .share_prefixes = true};
    struct omma_engine *engine = omma_test_make_engine(world->model, &options);
    struct omma_session *first = make_session(engine), *second = make_session(engine), *third;
    struct omma_request count = about(world, &count_shapes), read = about(world, &what_written);
    struct omma_test_answer fresh, answer;
    struct omma_engine_stats stats;
    struct omma_event event = {0};
    struct omma_error error;

    omma_test_ask(first, &count, &answer);
    assert_int_equal(answer.done.usage.cached_tokens, 0);
    assert_int_equal(answer.done.usage.n_tiles, 3);

    omma_test_ask(second, &read, &answer);
    ask_afresh(world, options, &what_written, &fresh);
    assert_int_equal(answer.done.usage.n_tiles, 0);
    assert_true(answer.done.usage.cached_tokens > 3 * 256);
    assert_true(answer.done.usage.cached_tokens < answer.done.usage.prompt_tokens);
    assert_same_bits(&answer, &fresh);
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.shared_tokens, answer.done.usage.cached_tokens);

    omma_session_destroy(&first);
    omma_session_destroy(&second);
    third = make_session(engine);
    omma_test_ask(third, &count, &answer);
    ask_afresh(world, options, &count_shapes, &fresh);
    assert_int_equal(answer.done.usage.n_tiles, 0);
    assert_int_equal(answer.done.usage.cached_tokens, answer.done.usage.prompt_tokens - 1);
    assert_same_bits(&answer, &fresh);

    count.max_new_tokens = CONTEXT;
    first = make_session(engine);
    assert_ok(omma_session_submit(third, &count, &error));
    while (event.type != OMMA_EVENT_TOKEN) {
        assert_ok(omma_session_poll(third, -1, &event, &error));
    }
    omma_test_ask(first, &read, &answer);
    ask_afresh(world, options, &what_written, &fresh);
    assert_int_equal(answer.done.usage.n_tiles, 0);
    assert_same_bits(&answer, &fresh);
    omma_session_destroy(&first);
    omma_session_destroy(&third);
    omma_engine_destroy(&engine);
}

static void test_nothing_is_shared_unasked(void **state)
{
    const struct omma_test_world *world = *state;
    const struct omma_engine_options options = {.n_threads = 2, .precision = OMMA_PRECISION_F32};
    struct omma_engine *engine = omma_test_make_engine(world->model, &options);
    struct omma_request request = about(world, &count_shapes);
    struct omma_engine_stats stats;
    struct omma_test_answer answer;

    for (int i = 0; i < 2; i++) {
        struct omma_session *session = make_session(engine);

        omma_test_ask(session, &request, &answer);
        assert_int_equal(answer.done.usage.cached_tokens, 0);
        omma_engine_stats(engine, &stats);
        assert_true(stats.kv_granted_bytes > 0);
        omma_session_destroy(&session);
    }
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.shared_tokens, 0);
    assert_int_equal(stats.kv_granted_bytes, 0);
    omma_engine_destroy(&engine);
}

/* Memory for two of six at a time: the others wait, what was left gives way, all get their answer.
 */
static void test_requests_wait_for_memory(void **state)
{
    enum { N_PROMPT = 300, N_NEEDED = 384 }; /* blocks of 128 */
    const struct omma_test_world *world = *state;
    const struct omma_engine_options options = {.n_threads = 1,
                                                .precision = OMMA_PRECISION_F32,
                                                .kv_bytes =
                                                    (CONTEXT + 100) * position_bytes(world->model)};
    struct omma_engine *engine = omma_test_make_engine(world->model, &options);
    struct omma_session *sessions[MANY];
    struct omma_test_answer answer;
    struct omma_engine_stats stats;
    struct omma_error error;
    int32_t ids[N_PROMPT];

    for (int i = 0; i < MANY; i++) {
        struct omma_request request = {.prompt_ids = ids,
                                       .n_prompt_ids = N_PROMPT,
                                       .max_new_tokens = N_NEW,
                                       .ignore_stop_ids = true};

        for (int k = 0; k < N_PROMPT; k++) {
            ids[k] = (k * 7 + i) % 500;
        }
        sessions[i] = make_session(engine);
        assert_ok(omma_session_submit(sessions[i], &request, &error));
    }
    for (int i = 0; i < MANY; i++) {
        omma_test_collect(sessions[i], &answer);
        assert_int_equal(answer.status, OMMA_OK);
        assert_int_equal(answer.n_tokens, N_NEW);
        omma_engine_stats(engine, &stats);
        assert_true(stats.n_active <= 2);
        assert_true(stats.kv_granted_bytes <= stats.kv_bytes);
    }
    assert_int_equal(stats.kv_bytes, CONTEXT * position_bytes(world->model));
    assert_int_equal(stats.kv_granted_bytes, 2 * N_NEEDED * position_bytes(world->model));
    assert_int_equal(stats.n_kv_evicted, MANY - 2);
    for (int i = 0; i < MANY; i++) {
        omma_session_destroy(&sessions[i]);
    }
    omma_engine_destroy(&engine);
}

static void test_what_never_fits(void **state)
{
    const struct omma_test_world *world = *state;
    const struct omma_engine_options options = {.n_threads = 1,
                                                .precision = OMMA_PRECISION_F32,
                                                .kv_bytes = 256 * position_bytes(world->model)};
    struct omma_engine *engine = omma_test_make_engine(world->model, &options);
    struct omma_session_options context = {.n_context = 257};
    struct omma_session *session = NULL;
    struct omma_error error;

    assert_fails(OMMA_STATUS_USAGE, "a KV cache of 257 tokens takes",
                 omma_session_create(engine, &context, &session, &error));
    context.n_context = 256;
    assert_ok(omma_session_create(engine, &context, &session, &error));
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings_are_shared),
        cmocka_unit_test(test_nothing_is_shared_unasked),
        cmocka_unit_test(test_requests_wait_for_memory),
        cmocka_unit_test(test_what_never_fits),
    };

    return cmocka_run_group_tests(tests, omma_test_set_up_world, omma_test_tear_down_world);
}

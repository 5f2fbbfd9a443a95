/*
 * Requests side by side on the demo model: all get their own answer, whatever stands beside them;
 * who waits and in which order; a prompt stops an answer for one chunk at most; queues that are
 * full, cancelling, deadlines; a request that fails beside others; what the engine tells of itself.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/omma.h"
#include "support/asking.h"
#include "support/support.h"

enum { CHUNK = 32, LONG_PROMPT = 1000, FOR_EVER = 4000 };

static struct omma_engine *make_engine(struct omma_model *model, size_t max_batch, size_t max_queue)
{
    struct omma_engine_options options = {.n_threads = 1,
                                          .precision = OMMA_PRECISION_F32,
                                          .prefill_chunk = CHUNK,
                                          .max_batch = max_batch,
                                          .max_queue = max_queue};

    return omma_test_make_engine(model, &options);
}

/* Wait for the first token, so that the request is known to be computed. */
static void wait_for_token(struct omma_session *session)
{
    struct omma_event event = {0};
    struct omma_error error;

    while (event.type != OMMA_EVENT_TOKEN) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        assert_int_not_equal(event.type, OMMA_EVENT_DONE);
    }
}

static struct omma_request ask_about(const struct omma_test_world *world, const char *question)
{
    static struct omma_turn turn; /* copied by submit */
    struct omma_request request = {.conversation = {.turns = &turn, .n_turns = 1}};

    turn = (struct omma_turn){OMMA_ROLE_USER, question, strlen(question)};
    request.conversation.images = (const struct omma_image *const *)&world->image;
    request.conversation.n_images = 1;
    return request;
}

/* n ids that are text, going on for ever. */
static struct omma_request endless(const int32_t *ids, size_t n)
{
    return (struct omma_request){
        .prompt_ids = ids, .n_prompt_ids = n, .max_new_tokens = FOR_EVER, .ignore_stop_ids = true};
}

static void fill_ids(int32_t *ids, size_t n, int32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        ids[i] = ((int32_t)i * 7 + seed) % 500;
    }
}

static void notify(void *user)
{
    atomic_fetch_add((atomic_size_t *)user, 1);
}

static const struct {
    const char *question, *answer;
} QUESTIONS[] = {{"Count the shapes.", "One."}, {"What is written in the picture?", NULL}};

/* More requests than places; what each gets alone, it gets beside the others. */
static void test_each_gets_its_own_answer(void **state)
{
    enum { N = 8 };
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = make_engine(world->model, 3, 0);
    struct omma_session *sessions[N], *alone;
    struct omma_engine_stats stats;
    struct omma_error error;
    struct omma_test_answer expected[N], answer;
    size_t n_prompt = 0, n_tokens = 0;
    atomic_size_t n_notified[N];

    for (size_t i = 0; i < N; i++) {
        struct omma_request request = ask_about(world, QUESTIONS[i % 2].question);

        request.conversation.n_images = i < 4;
        alone = omma_test_make_session(engine, NULL);
        assert_ok(omma_session_submit(alone, &request, &error));
        omma_test_collect(alone, &expected[i]);
        assert_int_equal(expected[i].status, OMMA_OK);
        omma_session_destroy(&alone);
    }
    assert_string_equal(expected[0].text, QUESTIONS[0].answer);
    assert_string_not_equal(expected[0].text, expected[1].text);
    for (size_t i = 0; i < N; i++) {
        struct omma_session_options options = {.notify = notify, .user = &n_notified[i]};
        struct omma_request request = ask_about(world, QUESTIONS[i % 2].question);

        request.conversation.n_images = i < 4;
        atomic_init(&n_notified[i], 0);
        assert_ok(omma_session_create(engine, &options, &sessions[i], &error));
        assert_ok(omma_session_submit(sessions[i], &request, &error));
    }
    for (size_t i = 0; i < N; i++) {
        omma_test_collect(sessions[i], &answer);
        assert_int_equal(answer.status, OMMA_OK);
        assert_string_equal(answer.text, expected[i].text);
        assert_int_equal(answer.done.finish, expected[i].done.finish);
        assert_int_equal(answer.done.usage.n_tiles, i < 4 ? 3 : 0);
        n_prompt += 2 * answer.done.usage.prompt_tokens;
        n_tokens += 2 * answer.n_tokens;
        omma_session_destroy(&sessions[i]);
        assert_int_equal(atomic_load(&n_notified[i]), answer.n_events);
    }
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.n_active, 0);
    assert_int_equal(stats.n_queued, 0);
    assert_int_equal(stats.n_tiles_waiting, 0);
    assert_int_equal(stats.n_requests, 2 * N);
    assert_int_equal(stats.n_finished, 2 * N);
    assert_int_equal(stats.n_refused + stats.n_cancelled + stats.n_failed, 0);
    assert_int_equal(stats.prefilled_tokens, n_prompt);
    assert_int_equal(stats.cached_tokens, 0);
    assert_int_equal(stats.decoded_tokens, n_tokens);
    assert_int_equal(stats.n_tiles, 2 * 4 * 3);
    assert_true(stats.n_passes > 0 && stats.busy_s > 0.0 && stats.encode_s > 0.0);
    omma_engine_destroy(&engine);
}

/* Who was in the passes, in their order. */
struct watch {
    struct log {
        char who[4096]; /* a letter for each sequence of each pass */
        size_t n;
    } * log;
    char letter;
    size_t most_rows;
};

static void watch(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                  const float *values)
{
    struct watch *watch = user;

    (void)first_row;
    (void)width;
    (void)values;
    if (strcmp(stage, "inputs_embeds") == 0 && watch->log->n < sizeof watch->log->who) {
        watch->log->who[watch->log->n++] = watch->letter;
        watch->most_rows = n_rows > watch->most_rows ? n_rows : watch->most_rows;
    }
}

static size_t count(const struct log *log, char letter)
{
    size_t n = 0;

    for (size_t i = 0; i < log->n; i++) {
        n += log->who[i] == letter;
    }
    return n;
}

/* An answer gets a token with every chunk of prompts that come later; these take turns. */
static void test_prompts_take_turns_beside_an_answer(void **state)
{
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = make_engine(world->model, 3, 0);
    struct omma_session *answering = omma_test_make_session(engine, NULL), *sessions[2];
    int32_t ids[LONG_PROMPT];
    struct omma_request request = endless(ids, 20);
    struct log log = {.n = 0};
    struct watch watches[3] = {{&log, 'a', 0}, {&log, 'b', 0}, {&log, 'c', 0}};
    struct omma_error error;
    struct omma_test_answer answer;
    const char *b, *c;

    fill_ids(ids, LONG_PROMPT, 0);
    request.observer = (struct omma_observer){watch, &watches[0]};
    assert_ok(omma_session_submit(answering, &request, &error));
    wait_for_token(answering);
    request = endless(ids, LONG_PROMPT);
    request.max_new_tokens = 1;
    for (size_t i = 0; i < 2; i++) {
        sessions[i] = omma_test_make_session(engine, NULL);
        request.observer = (struct omma_observer){watch, &watches[1 + i]};
        assert_ok(omma_session_submit(sessions[i], &request, &error));
    }
    for (size_t i = 0; i < 2; i++) {
        omma_test_collect(sessions[i], &answer);
        assert_int_equal(answer.status, OMMA_OK);
        omma_session_destroy(&sessions[i]);
    }
    omma_session_destroy(&answering);
    omma_engine_destroy(&engine);

    assert_true(log.n < sizeof log.who);
    assert_true(watches[1].most_rows <= CHUNK && watches[2].most_rows <= CHUNK);
    assert_true(count(&log, 'b') > LONG_PROMPT / CHUNK && count(&log, 'c') > LONG_PROMPT / CHUNK);
    b = memchr(log.who, 'b', log.n);
    c = memchr(log.who, 'c', log.n);
    assert_non_null(b);
    assert_non_null(c);
    for (const char *at = c, *last = NULL; at < c + LONG_PROMPT / CHUNK; at++) {
        /* the answer's token stands before every chunk; chunks alternate */
        if (*at == 'a') {
            continue;
        }
        assert_true(at[-1] == 'a' || last == at - 1);
        assert_true(last == NULL || *last != *at);
        last = at;
    }
}

/* Of requests that wait, the largest priority is first; equal ones come in their order. */
static void test_priorities(void **state)
{
    enum { N = 4 };
    static const int PRIORITIES[N] = {0, 5, -1, 5};
    static const size_t ORDER[N] = {1, 3, 0, 2};
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = make_engine(world->model, 1, 0);
    struct omma_session *first = omma_test_make_session(engine, NULL), *sessions[N];
    int32_t ids[20];
    struct log log = {.n = 0};
    struct watch watches[N];
    struct omma_request request = endless(ids, 20);
    struct omma_engine_stats stats;
    struct omma_error error;
    struct omma_test_answer answer;

    fill_ids(ids, 20, 0);
    assert_ok(omma_session_submit(first, &request, &error));
    wait_for_token(first);
    request.max_new_tokens = 1;
    for (size_t i = 0; i < N; i++) {
        sessions[i] = omma_test_make_session(engine, NULL);
        watches[i] = (struct watch){&log, (char)('0' + i), 0};
        request.priority = PRIORITIES[i];
        request.observer = (struct omma_observer){watch, &watches[i]};
        assert_ok(omma_session_submit(sessions[i], &request, &error));
    }
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.n_active, 1);
    assert_int_equal(stats.n_queued, N);
    omma_session_cancel(first);
    for (size_t i = 0; i < N; i++) {
        omma_test_collect(sessions[i], &answer);
        assert_int_equal(answer.status, OMMA_OK);
        omma_session_destroy(&sessions[i]);
    }
    assert_int_equal(log.n, N);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(log.who[i], '0' + ORDER[i]);
    }
    omma_session_destroy(&first);
    omma_engine_destroy(&engine);
}

/* A full queue refuses; who waits can be cancelled, and be late; room that is made is used. */
static void test_full_queue(void **state)
{
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = make_engine(world->model, 1, 2);
    struct omma_session *first = omma_test_make_session(engine, NULL),
                        *second = omma_test_make_session(engine, NULL),
                        *third = omma_test_make_session(engine, NULL),
                        *fourth = omma_test_make_session(engine, NULL);
    int32_t ids[20];
    struct omma_request request = endless(ids, 20), late;
    struct omma_engine_stats stats;
    struct omma_error error;
    struct omma_test_answer answer;

    fill_ids(ids, 20, 0);
    late = request;
    late.deadline_s = 1e-6;
    assert_ok(omma_session_submit(first, &request, &error));
    wait_for_token(first);
    assert_ok(omma_session_submit(second, &request, &error));
    assert_ok(omma_session_submit(third, &request, &error));
    assert_fails(OMMA_STATUS_BUSY, "1 requests are computed and 2 wait",
                 omma_session_submit(fourth, &request, &error));

    omma_session_cancel(second);
    omma_test_collect(second, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_CANCELLED);
    assert_int_equal(answer.n_tokens, 0);
    assert_ok(omma_session_submit(fourth, &late, &error));
    omma_test_collect(fourth, &answer);
    assert_int_equal(answer.status, OMMA_OK);
    assert_int_equal(answer.done.finish, OMMA_FINISH_DEADLINE);
    assert_string_equal(omma_finish_name(answer.done.finish), "deadline");
    assert_int_equal(answer.n_tokens, 0);

    omma_session_cancel(first);
    wait_for_token(third);
    omma_session_cancel(third);
    omma_test_collect(third, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_CANCELLED);
    omma_test_collect(first, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_CANCELLED);
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.n_refused, 1);
    assert_int_equal(stats.n_requests, 4);
    assert_int_equal(stats.n_cancelled, 4);
    omma_session_destroy(&first);
    omma_session_destroy(&second);
    omma_session_destroy(&third);
    omma_session_destroy(&fourth);
    omma_engine_destroy(&engine);
}

/* A deadline ends what runs, and the session goes on. */
static void test_deadline_of_an_answer(void **state)
{
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = make_engine(world->model, 0, 0);
    struct omma_session *session = omma_test_make_session(engine, NULL);
    int32_t ids[20];
    struct omma_request request = endless(ids, 20);
    struct omma_error error;
    struct omma_test_answer answer;

    fill_ids(ids, 20, 0);
    request.deadline_s = 0.05;
    assert_ok(omma_session_submit(session, &request, &error));
    omma_test_collect(session, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_DEADLINE);
    assert_true(answer.n_tokens < FOR_EVER);
    request.deadline_s = -1.0;
    assert_fails(OMMA_STATUS_USAGE, "deadline", omma_session_submit(session, &request, &error));
    request.deadline_s = 0.0;
    request.max_new_tokens = 3;
    assert_ok(omma_session_submit(session, &request, &error));
    omma_test_collect(session, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_LENGTH);
    assert_int_equal(answer.n_tokens, 3);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

/* Make the embedding of id not finite in the file at path. */
static void poison(const char *path, int32_t id)
{
    static const char NAME[] = "language_model.model.embed_tokens.weight";
    const uint16_t nan = 0x7FC0;
    struct omma_tensor_file *file = NULL;
    const struct omma_tensor *tensor;
    struct omma_error error;
    size_t n_bytes, row_bytes;
    char *bytes = omma_test_read(path, &n_bytes);
    const struct omma_tensor *last;
    size_t offset;

    assert_ok(omma_tensor_file_open(path, &file, &error));
    tensor = omma_tensor_file_find(file, NAME);
    assert_non_null(tensor);
    last = omma_tensor_file_get(file, omma_tensor_file_count(file) - 1);
    row_bytes = tensor->n_bytes / tensor->shape[0];
    /* data ends with the file */
    offset =
        n_bytes - (size_t)((const char *)last->data + last->n_bytes - (const char *)tensor->data);
    memcpy(bytes + offset + (size_t)id * row_bytes, &nan, sizeof nan);
    omma_tensor_file_close(&file);
    omma_test_write(path, bytes, n_bytes);
    free(bytes);
}

/* Values of one request that are not finite end that one alone. */
static void test_a_fault_is_its_own(void **state)
{
    enum { N = 3, BAD_ID = 499 };
    char *demo = omma_test_source("share/omma/demo"), *dir = omma_test_folder();
    char *path = omma_test_join(dir, "model.safetensors");
    struct omma_model *model = NULL;
    struct omma_engine *engine;
    struct omma_session *sessions[N];
    int32_t ids[N][100];
    struct omma_engine_stats stats;
    struct omma_error error;
    struct omma_test_answer answer;

    (void)state;
    omma_test_copy_folder(demo, dir);
    poison(path, BAD_ID);
    assert_ok(omma_model_open(dir, NULL, &model, &error));
    engine = make_engine(model, 0, 0);
    for (size_t i = 0; i < N; i++) {
        struct omma_request request = endless(ids[i], 100);

        sessions[i] = omma_test_make_session(engine, NULL);
        for (size_t k = 0; k < 100; k++) {
            ids[i][k] = (int32_t)(k + i);
        }
        request.max_new_tokens = 200;
        if (i == 1) {
            ids[i][98] = BAD_ID; /* in a pass with the others' last tokens */
        }
        assert_ok(omma_session_submit(sessions[i], &request, &error));
    }
    for (size_t i = 0; i < N; i++) {
        omma_test_collect(sessions[i], &answer);
        if (i == 1) {
            assert_int_equal(answer.status, OMMA_STATUS_INTERNAL);
            assert_non_null(strstr(answer.error.message, "not finite"));
            assert_int_equal(answer.n_tokens, 0);
        } else {
            assert_int_equal(answer.status, OMMA_OK);
            assert_int_equal(answer.n_tokens, 200);
        }
        omma_session_destroy(&sessions[i]);
    }
    omma_engine_stats(engine, &stats);
    assert_int_equal(stats.n_failed, 1);
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    free(demo);
    free(dir);
    free(path);
}

/* With the default chunk a prompt alone is computed at once; beside an answer it is in pieces, so
 * that the answer gets a token every 32 of them. */
static void test_few_tokens_beside_an_answer(void **state)
{
    enum { N_IDS = 500, N_BESIDE = 32 };
    const struct omma_test_world *world = *state;
    struct omma_engine *engine = omma_test_make_engine(world->model, NULL);
    struct omma_session *answering = omma_test_make_session(engine, NULL),
                        *reading = omma_test_make_session(engine, NULL);
    struct omma_request request;
    struct omma_test_answer answer;
    struct omma_error error;
    int32_t ids[N_IDS];

    for (size_t i = 0; i < 2; i++) {
        fill_ids(ids, N_IDS, (int32_t)i);
        request = endless(ids, N_IDS);
        request.max_new_tokens = 1;
        omma_test_ask(reading, &request, &answer);
        assert_int_equal(answer.n_chunks, i == 0 ? 1 : (N_IDS + N_BESIDE - 1) / N_BESIDE);
        if (i == 0) {
            request = endless(ids, 2);
            assert_ok(omma_session_submit(answering, &request, &error));
            wait_for_token(answering);
        }
    }
    omma_session_destroy(&answering);
    omma_session_destroy(&reading);
    omma_engine_destroy(&engine);
}

static void test_options(void **state)
{
    const struct omma_test_world *world = *state;
    struct omma_engine_options options = {.max_batch = 257};
    struct omma_engine *engine = NULL;
    struct omma_error error;

    assert_fails(OMMA_STATUS_USAGE, "at most 256",
                 omma_engine_create(world->model, &options, &engine, &error));
    engine = make_engine(world->model, 0, 0);
    assert_int_equal(omma_engine_info(engine)->max_batch, 8);
    assert_int_equal(omma_engine_info(engine)->max_queue, 64);
    omma_engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_gets_its_own_answer),
        cmocka_unit_test(test_prompts_take_turns_beside_an_answer),
        cmocka_unit_test(test_few_tokens_beside_an_answer),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_deadline_of_an_answer),
        cmocka_unit_test(test_a_fault_is_its_own),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, omma_test_set_up_world, omma_test_tear_down_world);
}

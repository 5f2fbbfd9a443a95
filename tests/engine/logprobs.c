/*
 * Log-probabilities of answers: those of the reference's logits, and 1 in sum over the vocabulary.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/support.h"

enum { MAX_VOCAB = 1024 };

struct row {
    float logits[MAX_VOCAB];
    size_t vocab;
};

static void keep_logits(void *user, const char *stage, size_t first_row, size_t n_rows,
                        size_t width, const float *values)
{
    struct row *row = user;

    (void)first_row;
    if (strcmp(stage, "logits") == 0) {
        assert_true(width <= MAX_VOCAB);
        memcpy(row->logits, values + (n_rows - 1) * width, width * sizeof *values);
        row->vocab = width;
    }
}

/* Submit, and take the first event that is no progress. */
static void first_token(struct omma_session *session, const struct omma_request *request,
                        struct omma_event *event)
{
    struct omma_error error;

    assert_ok(omma_session_submit(session, request, &error));
    do {
        assert_ok(omma_session_poll(session, -1, event, &error));
    } while (event->type == OMMA_EVENT_PROGRESS);
}

/* Ask for one token of an answer, with its 20 likeliest. */
static void ask(const char *dir, const struct omma_turn *turn, struct row *row,
                struct omma_event *event)
{
    struct omma_engine_options options = {.n_threads = 2, .precision = OMMA_PRECISION_F32};
    struct omma_request request = {.conversation = {.turns = turn, .n_turns = 1},
                                   .max_new_tokens = 1,
                                   .logprobs = true,
                                   .n_top_logprobs = OMMA_MAX_TOP_LOGPROBS,
                                   .observer = {keep_logits, row}};
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_session *session = NULL;
    struct omma_error error;

    assert_ok(omma_model_open(dir, NULL, &model, &error));
    assert_ok(omma_engine_create(model, &options, &engine, &error));
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    first_token(session, &request, event);
    assert_int_equal(event->type, OMMA_EVENT_TOKEN);
    assert_int_equal(event->n_top_logprobs, OMMA_MAX_TOP_LOGPROBS);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_model_close(&model);
}

/* log-softmax, in double */
static double expected(const float *logits, size_t vocab, size_t id)
{
    double most = logits[0], sum = 0;

    for (size_t i = 1; i < vocab; i++) {
        most = fmax(most, logits[i]);
    }
    for (size_t i = 0; i < vocab; i++) {
        sum += exp(logits[i] - most);
    }
    return logits[id] - most - log(sum);
}

static void expect(const struct omma_event *event, const float *logits, size_t vocab, double bound)
{
    assert_true(fabs(event->logprob - expected(logits, vocab, (size_t)event->id)) <= bound);
    for (size_t k = 0; k < event->n_top_logprobs; k++) {
        const struct omma_logprob *top = &event->top_logprobs[k];

        assert_true(fabs(top->logprob - expected(logits, vocab, (size_t)top->id)) <= bound);
        assert_true(k == 0 || top->logprob <= event->top_logprobs[k - 1].logprob);
    }
}

static void test_demo_sums_to_one(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "Count the shapes.", 17};
    char *dir = omma_test_source("share/omma/demo");
    struct omma_event event;
    struct row row = {0};
    double sum = 0;

    (void)state;
    ask(dir, &turn, &row, &event);
    assert_int_equal(row.vocab, 621);
    expect(&event, row.logits, row.vocab, 1e-6);
    assert_int_equal(event.top_logprobs[0].id, event.id); /* greedy */
    for (size_t i = 0; i < row.vocab; i++) {
        sum += exp(row.logits[i] - row.logits[event.id] + event.logprob);
    }
    assert_true(fabs(sum - 1) < 1e-6);
    free(dir);
}

static void test_logits_of_the_reference(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "What color is the star?", 23};
    OMMA_TEST_NEED_SHARED(dir, "reference/tiny-300m");
    OMMA_TEST_NEED_SHARED(path, "reference/dumps/tiny-300m-text.safetensors");
    struct omma_tensor_file *file = NULL;
    const struct omma_tensor *logits;
    struct omma_event event;
    struct omma_error error;
    struct row row = {0}, dump = {0};

    (void)state;
    assert_ok(omma_tensor_file_open(path, &file, &error));
    assert_string_equal(omma_tensor_file_metadata(file, "prompt"), turn.text);
    logits = omma_tensor_file_find(file, "logits");
    assert_true(logits != NULL && logits->n_bytes <= sizeof dump.logits);
    dump.vocab = logits->n_bytes / sizeof *dump.logits;
    memcpy(dump.logits, logits->data, logits->n_bytes);
    ask(dir, &turn, &row, &event);
    assert_int_equal(row.vocab, dump.vocab);
    expect(&event, dump.logits, dump.vocab, 1e-4);
    omma_tensor_file_close(&file);
    free(dir);
    free(path);
}

static void test_bad_requests(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "Hi", 2};
    struct omma_request request = {.conversation = {.turns = &turn, .n_turns = 1},
                                   .n_top_logprobs = 3};
    char *dir = omma_test_source("share/omma/demo");
    struct omma_model *model = NULL;
    struct omma_engine *engine = NULL;
    struct omma_session *session = NULL;
    struct omma_error error;

    (void)state;
    assert_ok(omma_model_open(dir, NULL, &model, &error));
    assert_ok(omma_engine_create(model, NULL, &engine, &error));
    assert_ok(omma_session_create(engine, NULL, &session, &error));
    assert_fails(OMMA_STATUS_USAGE, "n_top_logprobs needs logprobs",
                 omma_session_submit(session, &request, &error));
    request.logprobs = true;
    request.n_top_logprobs = OMMA_MAX_TOP_LOGPROBS + 1;
    assert_fails(OMMA_STATUS_USAGE, "n_top_logprobs: expected at most 20, found 21",
                 omma_session_submit(session, &request, &error));
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_model_close(&model);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_sums_to_one),
        cmocka_unit_test(test_logits_of_the_reference),
        cmocka_unit_test(test_bad_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Scores of a prompt's tokens: log softmax of the logits that are shown, those of an answer's
 * tokens, the same for chunks of any size and beside other requests, and after a prefix was
 * computed before.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/support.h"

enum { MOST = 512, VOCAB = 621 };

struct scores {
    size_t first, n; /* positions */
    int32_t ids[MOST];
    float logprobs[MOST], margins[MOST];
    size_t n_cached;
};

struct shown {
    float logits[MOST][VOCAB];
    bool is_shown[MOST];
    size_t n_most; /* rows in a call */
};

struct subject {
    struct omma_model *model;
    struct omma_engine *engine;
};

static void open_subject(const struct omma_engine_options *options, struct subject *subject)
{
    char *dir = omma_test_source("share/omma/demo");
    struct omma_error error;

    assert_ok(omma_model_open(dir, NULL, &subject->model, &error));
    assert_ok(omma_engine_create(subject->model, options, &subject->engine, &error));
    free(dir);
}

static void close_subject(struct subject *subject)
{
    omma_engine_destroy(&subject->engine);
    omma_model_close(&subject->model);
}

static struct omma_tokens tokens_of(const struct subject *subject)
{
    enum { N_BYTES = 500 };
    char *path = omma_test_source("tests/data/perplexity/text.txt");
    struct omma_tokens tokens;
    struct omma_error error;
    size_t n_bytes;
    char *text = omma_test_read(path, &n_bytes);

    assert_true(n_bytes > N_BYTES);
    assert_ok(omma_tokenize(omma_model_tokenizer(subject->model), text, N_BYTES,
                            OMMA_SPECIAL_LITERAL, &tokens, &error));
    assert_true(tokens.n_tokens > 140 && tokens.n_tokens < MOST);
    free(text);
    free(path);
    return tokens;
}

static void keep_logits(void *user, const char *stage, size_t first_row, size_t n_rows,
                        size_t width, const float *values)
{
    struct shown *shown = user;

    if (strcmp(stage, "logits") != 0) {
        return;
    }
    assert_int_equal(width, VOCAB);
    assert_true(first_row + n_rows <= MOST);
    shown->n_most = n_rows > shown->n_most ? n_rows : shown->n_most;
    for (size_t i = 0; i < n_rows; i++) {
        assert_false(shown->is_shown[first_row + i]);
        shown->is_shown[first_row + i] = true;
        memcpy(shown->logits[first_row + i], values + i * width, width * sizeof *values);
    }
}

static void collect(struct omma_session *session, struct scores *scores)
{
    struct omma_event event = {0};
    struct omma_error error;

    memset(scores, 0, sizeof *scores);
    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        assert_true(event.type != OMMA_EVENT_TOKEN);
        if (event.type == OMMA_EVENT_SCORE) {
            assert_true(scores->n < MOST);
            scores->first = scores->n == 0 ? event.n_done : scores->first;
            assert_int_equal(event.n_done, scores->first + scores->n); /* in their order */
            scores->ids[scores->n] = event.id;
            scores->logprobs[scores->n] = event.logprob;
            scores->margins[scores->n++] = event.margin;
        }
    }
    assert_int_equal(event.finish, OMMA_FINISH_LENGTH);
    assert_int_equal(event.usage.completion_tokens, 0);
    scores->n_cached = event.usage.cached_tokens;
}

static void score(struct omma_session *session, const struct omma_tokens *tokens, size_t from,
                  struct shown *shown, struct scores *scores)
{
    struct omma_request request = {
        .prompt_ids = tokens->ids, .n_prompt_ids = tokens->n_tokens, .score_from = from};
    struct omma_error error;

    if (shown != NULL) {
        request.observer = (struct omma_observer){keep_logits, shown};
    }
    assert_ok(omma_session_submit(session, &request, &error));
    collect(session, scores);
    assert_int_equal(scores->first, from);
    assert_int_equal(scores->n, tokens->n_tokens - from);
    assert_memory_equal(scores->ids, tokens->ids + from, scores->n * sizeof *scores->ids);
}

/* log softmax and margin, in double */
static void expect(const float *logits, int32_t id, float logprob, float margin)
{
    double sum = 0, other = -INFINITY;

    for (size_t i = 0; i < VOCAB; i++) {
        sum += exp((double)logits[i]);
        other = i != (size_t)id ? fmax(other, logits[i]) : other;
    }
    assert_true(fabs(logprob - (logits[id] - log(sum))) < 2e-6 * fmax(1, fabs(logprob)));
    assert_true(fabs(margin - (logits[id] - other)) < 1e-5);
}

static void test_log_softmax_on_every_tier(void **state)
{
    const char *tier;
    bool usable;

    (void)state;
    for (size_t k = 0; (tier = omma_isa_tier(k, &usable)) != NULL; k++) {
        struct omma_engine_options options = {
            .n_threads = 2, .isa = tier, .precision = OMMA_PRECISION_F32};
        struct shown *shown = calloc(1, sizeof *shown);
        struct omma_session *session = NULL;
        struct omma_tokens tokens;
        struct subject subject;
        struct scores scores;
        struct omma_error error;

        if (!usable) {
            free(shown);
            continue;
        }
        open_subject(&options, &subject);
        tokens = tokens_of(&subject);
        assert_ok(omma_session_create(subject.engine, NULL, &session, &error));
        score(session, &tokens, 1, shown, &scores);
        for (size_t i = 0; i < scores.n; i++) {
            assert_true(shown->is_shown[i]);
            expect(shown->logits[i], scores.ids[i], scores.logprobs[i], scores.margins[i]);
        }
        assert_false(shown->is_shown[tokens.n_tokens - 1]); /* nothing is known of what follows */
        assert_int_equal(shown->n_most, 64);
        omma_session_destroy(&session);
        omma_tokens_free(&tokens);
        close_subject(&subject);
        free(shown);
    }
}

/* A greedy answer tells log-probabilities as it comes; its tokens behind the prompt have the same.
 */
static void test_scores_of_an_answer(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "Count the shapes.", 17};
    struct omma_engine_options options = {.n_threads = 2, .precision = OMMA_PRECISION_F32};
    struct omma_conversation conversation = {.turns = &turn, .n_turns = 1};
    struct omma_request request = {.max_new_tokens = 12, .ignore_stop_ids = true, .logprobs = true};
    struct omma_tokens prompt, all = {0};
    struct omma_session *session = NULL;
    struct omma_event event = {0};
    struct subject subject;
    struct scores scores;
    struct omma_error error;
    float logprobs[12], margins[12];
    size_t n = 0;

    (void)state;
    open_subject(&options, &subject);
    assert_ok(omma_render(subject.model, &conversation, &prompt, &error));
    all.ids = calloc(prompt.n_tokens + 12, sizeof *all.ids);
    memcpy(all.ids, prompt.ids, prompt.n_tokens * sizeof *all.ids);
    request.prompt_ids = prompt.ids;
    request.n_prompt_ids = prompt.n_tokens;
    assert_ok(omma_session_create(subject.engine, NULL, &session, &error));
    assert_ok(omma_session_submit(session, &request, &error));
    while (event.type != OMMA_EVENT_DONE) {
        assert_ok(omma_session_poll(session, -1, &event, &error));
        if (event.type == OMMA_EVENT_TOKEN) {
            logprobs[n] = event.logprob;
            margins[n] = event.margin;
            all.ids[prompt.n_tokens + n++] = event.id;
        }
    }
    assert_int_equal(n, 12);
    all.n_tokens = prompt.n_tokens + n;
    score(session, &all, prompt.n_tokens, NULL, &scores);
    assert_int_equal(scores.n_cached, prompt.n_tokens - 1); /* the last one's logits are wanted */
    for (size_t i = 0; i < n; i++) {
        assert_true(fabsf(scores.logprobs[i] - logprobs[i]) < 1e-5f);
        assert_true(fabsf(scores.margins[i] - margins[i]) < 2e-5f);
        assert_true(scores.margins[i] >= -1e-5f); /* greedy */
    }
    omma_session_destroy(&session);
    omma_tokens_free(&prompt);
    omma_tokens_free(&all);
    close_subject(&subject);
}

/* The bits of all scores, in chunks of `chunk`; beside another request. */
static void deterministic_scores(size_t chunk, bool has_neighbour, size_t from,
                                 struct scores *scores)
{
    struct omma_engine_options options = {
        .n_threads = 2, .prefill_chunk = chunk, .deterministic = true};
    struct omma_session *session = NULL, *other = NULL;
    struct omma_tokens tokens;
    struct omma_request request;
    struct scores others;
    struct subject subject;
    struct omma_error error;

    open_subject(&options, &subject);
    tokens = tokens_of(&subject);
    request = (struct omma_request){
        .prompt_ids = tokens.ids + 3, .n_prompt_ids = tokens.n_tokens - 3, .score_from = 2};
    assert_ok(omma_session_create(subject.engine, NULL, &session, &error));
    assert_ok(omma_session_create(subject.engine, NULL, &other, &error));
    if (has_neighbour) {
        assert_ok(omma_session_submit(other, &request, &error));
    }
    score(session, &tokens, from, NULL, scores);
    if (has_neighbour) {
        collect(other, &others);
        assert_int_equal(others.n, tokens.n_tokens - 5);
    }
    omma_session_destroy(&session);
    omma_session_destroy(&other);
    omma_tokens_free(&tokens);
    close_subject(&subject);
}

static void test_same_bits(void **state)
{
    static const struct {
        size_t chunk, from;
        bool has_neighbour;
    } cases[] = {{0, 1, true}, {7, 1, false}, {50, 1, true}, {0, 100, false}, {64, 129, true}};
    struct scores *whole = calloc(1, sizeof *whole), *scores = calloc(1, sizeof *scores);

    (void)state;
    deterministic_scores(0, false, 1, whole);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n_left_out = cases[i].from - 1;

        deterministic_scores(cases[i].chunk, cases[i].has_neighbour, cases[i].from, scores);
        assert_int_equal(scores->n, whole->n - n_left_out);
        assert_memory_equal(scores->logprobs, whole->logprobs + n_left_out,
                            scores->n * sizeof *scores->logprobs);
        assert_memory_equal(scores->margins, whole->margins + n_left_out,
                            scores->n * sizeof *scores->margins);
    }
    free(whole);
    free(scores);
}

static void test_bad_requests(void **state)
{
    static const struct omma_stop stop = {"a", 1};
    struct subject subject;
    struct omma_tokens tokens;
    struct omma_session *session = NULL;
    struct omma_request good, request;
    struct omma_error error;

    (void)state;
    open_subject(NULL, &subject);
    tokens = tokens_of(&subject);
    assert_ok(omma_session_create(subject.engine, NULL, &session, &error));
    good = (struct omma_request){
        .prompt_ids = tokens.ids, .n_prompt_ids = tokens.n_tokens, .score_from = 1};
    request = good;
    request.score_from = tokens.n_tokens;
    assert_fails(OMMA_STATUS_USAGE, "score_from: expected 1 to",
                 omma_session_submit(session, &request, &error));
    request = good;
    request.max_new_tokens = 1;
    assert_fails(OMMA_STATUS_USAGE, "gives no answer",
                 omma_session_submit(session, &request, &error));
    request = good;
    request.stops = &stop;
    request.n_stops = 1;
    assert_fails(OMMA_STATUS_USAGE, "gives no answer",
                 omma_session_submit(session, &request, &error));
    request = good;
    request.forced_ids = tokens.ids;
    request.n_forced_ids = 2;
    assert_fails(OMMA_STATUS_USAGE, "gives no answer",
                 omma_session_submit(session, &request, &error));
    omma_session_destroy(&session);
    omma_tokens_free(&tokens);
    close_subject(&subject);
}

/* Tokens of a picture have no text to be likely. */
static void test_behind_pictures(void **state)
{
    static const struct omma_turn turn = {OMMA_ROLE_USER, "What is it?", 11};
    struct omma_image_options one = {.max_tiles = 1};
    struct omma_engine_options options = {.n_threads = 2};
    struct omma_image *image = NULL;
    struct omma_request request = {.score_from = 1};
    char *path = omma_test_source("tests/data/images/rgb-420.jpg");
    struct omma_session *session = NULL;
    struct omma_tokens tokens;
    struct subject subject;
    struct scores scores;
    struct omma_error error;
    size_t behind;

    (void)state;
    open_subject(&options, &subject);
    assert_ok(omma_image_open(path, &one, &image, &error));
    request.conversation =
        (struct omma_conversation){.turns = &turn,
                                   .n_turns = 1,
                                   .images = (const struct omma_image *const *)&image,
                                   .n_images = 1};
    assert_ok(omma_render(subject.model, &request.conversation, &tokens, &error));
    behind = tokens.n_tokens;
    while (tokens.ids[behind - 1] != omma_model_info(subject.model)->context_id) {
        behind--;
    }
    assert_ok(omma_session_create(subject.engine, NULL, &session, &error));
    request.score_from = behind - 1;
    assert_fails(OMMA_STATUS_USAGE, "behind the pictures",
                 omma_session_submit(session, &request, &error));
    request.score_from = behind;
    assert_ok(omma_session_submit(session, &request, &error));
    collect(session, &scores);
    assert_int_equal(scores.first, behind);
    assert_int_equal(scores.n, tokens.n_tokens - behind);
    omma_session_destroy(&session);
    omma_image_close(&image);
    omma_tokens_free(&tokens);
    close_subject(&subject);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_softmax_on_every_tier),
        cmocka_unit_test(test_scores_of_an_answer),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_behind_pictures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

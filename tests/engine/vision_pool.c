/*
 * The vision pool on the demo model: the same bits as without it, answers that go on while pictures
 * are encoded, turns between requests, cancelled ones that leave it, cores that are lent.
 */
#include <stdlib.h>
#include <string.h>

#include "api/omma.h"
#include "support/asking.h"
#include "support/support.h"

enum { N_NEW = 12, MANY_TILES = 13, FOR_EVER = 4000 };

/* A picture of exactly so many tiles. */
static struct omma_image *open_picture(const char *name, size_t n_tiles)
{
    return omma_test_open_picture(name, &(struct omma_image_options){.min_tiles = n_tiles,
                                                                     .max_tiles = n_tiles,
                                                                     .no_thumbnail = true});
}

static struct omma_request ask_about(const struct omma_image *const *images, size_t n_images)
{
    static const char QUESTION[] = "Count the shapes.";
    static const struct omma_turn turn = {OMMA_ROLE_USER, QUESTION, sizeof QUESTION - 1};

    return (struct omma_request){
        .conversation = {.turns = &turn, .n_turns = 1, .images = images, .n_images = n_images},
        .max_new_tokens = N_NEW,
        .ignore_stop_ids = true};
}

/* Whoever encodes, and however much of the prompt is computed before the tiles are there. */
static void test_same_bits(void **state)
{
    static const struct omma_engine_options ways[] = {
        {.n_threads = 1, .no_vision_threads = true},
        {.n_threads = 1},
        {.n_threads = 2},
        {.n_threads = 3, .n_vision_threads = 2},
        {.n_threads = 1, .no_vision_threads = true, .prefill_chunk = 100},
        {.n_threads = 2, .prefill_chunk = 100},
        {.n_threads = 2, .prefill_chunk = 31},
    };
    struct omma_image *images[2] = {open_picture("tall.png", 2), open_picture("number.png", 2)};
    struct omma_request request = ask_about((const struct omma_image *const *)images, 2);
    struct omma_test_answer first, answer;
    struct omma_error error;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct omma_engine *engine = omma_test_make_engine(*state, &ways[i]);
        struct omma_session *session = omma_test_make_session(engine, NULL);
        size_t chunk = ways[i].prefill_chunk != 0 ? ways[i].prefill_chunk : 512, n_chunks;

        assert_ok(omma_session_submit(session, &request, &error));
        omma_test_collect(session, &answer);
        first = i == 0 ? answer : first;
        n_chunks = (answer.done.usage.prompt_tokens + chunk - 1) / chunk;
        assert_int_equal(answer.n_tokens, N_NEW);
        assert_int_equal(answer.n_tiles, 4);
        assert_memory_equal(answer.ids, first.ids, sizeof first.ids);
        assert_memory_equal(answer.margins, first.margins, sizeof first.margins);
        if (ways[i].no_vision_threads) {
            assert_int_equal(answer.n_chunks, n_chunks);
        } else {
            assert_true(answer.n_chunks >= n_chunks);
        }
        omma_session_destroy(&session);
        omma_engine_destroy(&engine);
    }
    omma_image_close(&images[0]);
    omma_image_close(&images[1]);
}

/* How many tokens the engine had chosen when a tile was done. */
struct moments {
    const struct omma_engine *engine;
    uint64_t tokens[MANY_TILES];
    size_t n;
};

/* An omma_observe_fn, called by whoever encodes: no other thread's pace counts. */
static void note_moment(void *user, const char *stage, size_t first_row, size_t n_rows,
                        size_t width, const float *values)
{
    struct moments *moments = user;
    struct omma_engine_stats stats;

    (void)first_row, (void)n_rows, (void)width, (void)values;
    if (strcmp(stage, "projector") == 0 && moments->n < MANY_TILES) {
        omma_engine_stats(moments->engine, &stats);
        moments->tokens[moments->n++] = stats.decoded_tokens;
    }
}

/* Tokens of an answer between the first and the last tile of a picture beside it. */
static size_t count_tokens_beside(struct omma_model *model, bool has_pool)
{
    const struct omma_engine_options options = {.n_threads = 2, .no_vision_threads = !has_pool};
    struct omma_engine *engine = omma_test_make_engine(model, &options);
    struct omma_session *text = omma_test_make_session(engine, NULL),
                        *picture = omma_test_make_session(engine, NULL);
    struct omma_image *image = open_picture("tall.png", MANY_TILES);
    struct omma_request request = ask_about(NULL, 0);
    struct moments moments = {.engine = engine};
    struct omma_test_answer answer;
    struct omma_event event = {0};
    struct omma_error error;

    request.max_new_tokens = FOR_EVER;
    assert_ok(omma_session_submit(text, &request, &error));
    while (event.type != OMMA_EVENT_TOKEN) {
        assert_ok(omma_session_poll(text, -1, &event, &error));
    }
    request = ask_about((const struct omma_image *const *)&image, 1);
    request.observer = (struct omma_observer){note_moment, &moments};
    omma_test_ask(picture, &request, &answer);
    assert_int_equal(moments.n, MANY_TILES);
    omma_session_destroy(&text);
    omma_session_destroy(&picture);
    omma_engine_destroy(&engine);
    omma_image_close(&image);
    return moments.tokens[MANY_TILES - 1] - moments.tokens[0];
}

static void test_answers_go_on(void **state)
{
    assert_int_equal(count_tokens_beside(*state, false), MANY_TILES - 1);
    assert_true(count_tokens_beside(*state, true) > 2 * MANY_TILES);
}

/* A small picture does not wait for all of a large one that came first. */
static void test_requests_take_turns(void **state)
{
    const struct omma_engine_options options = {.n_threads = 2};
    struct omma_engine *engine = omma_test_make_engine(*state, &options);
    struct omma_session *large = omma_test_make_session(engine, NULL),
                        *small = omma_test_make_session(engine, NULL);
    struct omma_image *images[2] = {open_picture("tall.png", MANY_TILES),
                                    open_picture("number.png", 1)};
    struct omma_request request = ask_about((const struct omma_image *const *)&images[0], 1);
    struct omma_event event = {0};
    struct omma_error error;
    struct omma_test_answer answer;
    size_t n_done = 0;

    assert_ok(omma_session_submit(large, &request, &error));
    while (event.type != OMMA_EVENT_PROGRESS || event.phase != OMMA_PHASE_ENCODE) {
        assert_ok(omma_session_poll(large, -1, &event, &error));
    }
    request = ask_about((const struct omma_image *const *)&images[1], 1);
    assert_ok(omma_session_submit(small, &request, &error));
    do {
        assert_ok(omma_session_poll(small, -1, &event, &error));
    } while (event.type != OMMA_EVENT_PROGRESS || event.phase != OMMA_PHASE_ENCODE);
    do {
        assert_ok(omma_session_poll(large, 0, &event, &error));
        n_done = event.type == OMMA_EVENT_PROGRESS && event.phase == OMMA_PHASE_ENCODE
                     ? event.n_done
                     : n_done;
    } while (event.type != OMMA_EVENT_NONE);
    assert_true(n_done < MANY_TILES);
    omma_test_collect(small, &answer);
    assert_true(answer.done.timings.tiles_s > 0.0);
    assert_true(answer.done.timings.encode_s >= answer.done.timings.tiles_s);
    omma_session_destroy(&large);
    omma_session_destroy(&small);
    omma_engine_destroy(&engine);
    omma_image_close(&images[0]);
    omma_image_close(&images[1]);
}

static void ignore(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                   const float *values)
{
    (void)stage;
    (void)first_row;
    (void)n_rows;
    (void)width;
    (void)values;
    ++*(size_t *)user;
}

/* A cancelled request ends before its tiles are encoded, and takes its picture and its observer
 * along; the next one gets the pool at once. */
static void test_cancelled_tiles_leave(void **state)
{
    const struct omma_engine_options options = {.n_threads = 2};
    struct omma_engine *engine = omma_test_make_engine(*state, &options);

    for (size_t i = 0; i < 4; i++) {
        struct omma_image *image = open_picture("tall.png", MANY_TILES);
        struct omma_request request = ask_about((const struct omma_image *const *)&image, 1);
        struct omma_session *session = omma_test_make_session(engine, NULL);
        size_t *n_observed = calloc(1, sizeof *n_observed);
        struct omma_engine_stats stats;
        struct omma_event event = {0};
        struct omma_error error;

        if (i % 2 == 1) {
            request.observer = (struct omma_observer){ignore, n_observed};
        }
        assert_ok(omma_session_submit(session, &request, &error));
        while (event.type != OMMA_EVENT_PROGRESS || event.phase != OMMA_PHASE_ENCODE) {
            assert_ok(omma_session_poll(session, -1, &event, &error));
        }
        omma_session_cancel(session);
        while (event.type != OMMA_EVENT_DONE) {
            assert_ok(omma_session_poll(session, -1, &event, &error));
        }
        assert_int_equal(event.finish, OMMA_FINISH_CANCELLED);
        assert_true(event.usage.n_tiles < MANY_TILES);
        assert_true(i % 2 == 0 || *n_observed > 0);
        omma_image_close(&image);
        free(n_observed);
        omma_session_destroy(&session);
        omma_engine_stats(engine, &stats);
        assert_int_equal(stats.n_active, 0);
        assert_int_equal(stats.n_tiles_waiting, 0);
        assert_true(stats.n_tiles < (i + 1) * MANY_TILES);
    }
    omma_engine_destroy(&engine);
}

/* While nobody decodes the pool has all cores, and where no tile is waiting passes have. */
static void test_cores_are_lent(void **state)
{
    const struct omma_engine_options options = {.n_threads = 2};
    struct omma_engine *engine = omma_test_make_engine(*state, &options);
    struct omma_session *session = omma_test_make_session(engine, NULL);
    struct omma_image *image = open_picture("tall.png", 4);
    struct omma_request request = ask_about((const struct omma_image *const *)&image, 1);
    struct omma_decode_plan plan = {.n_sequences = 2, .depth = 10, .n_steps = 3};
    struct omma_engine_stats stats;
    struct omma_error error;
    struct omma_test_answer answer;
    double steps_s[3];

    assert_int_equal(omma_engine_info(engine)->n_vision_threads, 1);
    assert_ok(omma_session_submit(session, &request, &error));
    omma_test_collect(session, &answer);
    omma_engine_stats(engine, &stats);
    assert_true(stats.lent_to_vision_s > 0.0);
    assert_true(stats.lent_to_language_s > 0.0);
    assert_true(stats.encode_s >= stats.lent_to_vision_s);
    assert_true(stats.tile_queue_s > 0.0);
    /* a job takes all cores, from the pool too */
    assert_ok(omma_session_submit(session, &request, &error));
    assert_ok(omma_decode_measure(engine, &plan, steps_s, &error));
    omma_test_collect(session, &answer);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    omma_image_close(&image);
}

static void test_options(void **state)
{
    struct omma_engine_options options = {.n_threads = 4, .n_vision_threads = 4};
    struct omma_engine *engine = NULL;
    struct omma_error error;

    assert_fails(OMMA_STATUS_USAGE, "at most 3 of the 4 threads",
                 omma_engine_create(*state, &options, &engine, &error));
    options.n_vision_threads = 3;
    engine = omma_test_make_engine(*state, &options);
    assert_int_equal(omma_engine_info(engine)->n_vision_threads, 3);
    omma_engine_destroy(&engine);
    options.no_vision_threads = true;
    engine = omma_test_make_engine(*state, &options);
    assert_int_equal(omma_engine_info(engine)->n_vision_threads, 0);
    omma_engine_destroy(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),           cmocka_unit_test(test_answers_go_on),
        cmocka_unit_test(test_requests_take_turns), cmocka_unit_test(test_cancelled_tiles_leave),
        cmocka_unit_test(test_cores_are_lent),      cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, omma_test_set_up_demo, omma_test_tear_down_demo);
}

/*
 * Sessions on the demo model: requests and their events, what is reused of the KV cache,
 * cancelling, limits, stops, forced tokens, and the faults that end a request but not the session.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/omma.h"
#include "engine/session.h"
#include "support/asking.h"
#include "support/support.h"

struct world {
    struct omma_model *model;
    struct omma_engine *engine;
    struct omma_image *image;
};

static const struct omma_engine_options OPTIONS = {.n_threads = 2, .precision = OMMA_PRECISION_F32};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    world->model = omma_test_open_demo();
    world->engine = omma_test_make_engine(world->model, &OPTIONS);
    world->image = omma_test_open_picture("tall.png", &(struct omma_image_options){.max_tiles = 4});
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    omma_engine_destroy(&world->engine);
    omma_model_close(&world->model);
    omma_image_close(&world->image);
    free(world);
    return 0;
}

#define USER(question)                                                                             \
    {                                                                                              \
        OMMA_ROLE_USER, question, sizeof question - 1                                              \
    }
#define ASSISTANT(answer)                                                                          \
    {                                                                                              \
        OMMA_ROLE_ASSISTANT, answer, sizeof answer - 1                                             \
    }

static const struct omma_turn first_turn[] = {USER("Count the shapes.")};
static const struct omma_turn three_turns[] = {USER("Count the shapes."), ASSISTANT("One."),
                                               USER("Is the circle large or small?")};

static struct omma_request request_of(const struct world *world, const struct omma_turn *turns,
                                      size_t n_turns)
{
    struct omma_request request = {.conversation = {.turns = turns, .n_turns = n_turns}};

    request.conversation.images = (const struct omma_image *const *)&world->image;
    request.conversation.n_images = 1;
    return request;
}

static void test_second_turn_reuses_the_first(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL),
                        *fresh = omma_test_make_session(world->engine, NULL);
    struct omma_request first = request_of(world, first_turn, 1);
    struct omma_request second = request_of(world, three_turns, 3);
    struct omma_test_answer answer, again, alone;

    omma_test_ask(session, &first, &answer);
    assert_int_equal(answer.status, OMMA_OK);
    assert_string_equal(answer.text, "One.");
    assert_int_equal(answer.done.finish, OMMA_FINISH_STOP);
    assert_int_equal(answer.done.usage.n_tiles, 3);
    assert_int_equal(answer.done.usage.image_tokens, 768);
    assert_int_equal(answer.done.usage.cached_tokens, 0);
    assert_int_equal(answer.n_tiles, 3);
    assert_int_equal(answer.n_prefilled, answer.done.usage.prompt_tokens);

    omma_test_ask(session, &second, &again);
    omma_test_ask(fresh, &second, &alone);
    assert_string_equal(again.text, "Large.");
    assert_string_equal(alone.text, "Large.");
    assert_int_equal(again.done.usage.n_tiles, 0);
    assert_int_equal(alone.done.usage.n_tiles, 3);
    /* all of the first prompt, and the answer's tokens that the second prompt repeats */
    assert_true(again.done.usage.cached_tokens >= answer.done.usage.prompt_tokens + 2);

    omma_test_ask(session, &first, &again);
    assert_string_equal(again.text, "One.");
    assert_int_equal(again.done.usage.cached_tokens, again.done.usage.prompt_tokens - 1);
    omma_session_destroy(&session);
    omma_session_destroy(&fresh);
}

/* The same ids with another picture share nothing from the picture on. */
static void test_another_picture_is_not_reused(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL);
    struct omma_request request = request_of(world, first_turn, 1);
    char *path = omma_test_source("share/omma/demo/pictures/number.png");
    const struct omma_image *other_list[1];
    struct omma_image *one = NULL, *other = NULL;
    struct omma_test_answer answer;
    struct omma_error error;

    assert_ok(omma_image_open(path, &(struct omma_image_options){.max_tiles = 1}, &other, &error));
    free(path);
    path = omma_test_source("share/omma/demo/pictures/tall.png");
    assert_ok(omma_image_open(path, &(struct omma_image_options){.max_tiles = 1}, &one, &error));
    free(path);
    request.conversation.images = (const struct omma_image *const *)&one;
    omma_test_ask(session, &request, &answer);
    other_list[0] = other;
    request.conversation.images = other_list;
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.usage.n_tiles, 1);
    assert_true(answer.done.usage.cached_tokens < answer.done.usage.prompt_tokens - 256);
    assert_string_equal(answer.text, "Two.");
    omma_session_destroy(&session);
    omma_image_close(&one);
    omma_image_close(&other);
}

static void test_cancel_leaves_a_session_that_goes_on(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL);
    struct omma_request request = request_of(world, first_turn, 1);
    struct omma_event event;
    struct omma_error error;
    struct omma_test_answer answer;

    request.ignore_stop_ids = true;
    request.max_new_tokens = 2000;
    assert_ok(omma_session_submit(session, &request, &error));
    assert_fails(OMMA_STATUS_USAGE, "running", omma_session_submit(session, &request, &error));
    do {
        assert_ok(omma_session_poll(session, -1, &event, &error));
    } while (event.type != OMMA_EVENT_TOKEN);
    omma_session_cancel(session);
    do {
        assert_ok(omma_session_poll(session, -1, &event, &error));
    } while (event.type != OMMA_EVENT_DONE);
    assert_int_equal(event.finish, OMMA_FINISH_CANCELLED);
    assert_ok(omma_session_poll(session, 0, &event, &error));
    assert_int_equal(event.type, OMMA_EVENT_NONE);

    request.ignore_stop_ids = false;
    omma_test_ask(session, &request, &answer);
    assert_string_equal(answer.text, "One.");
    omma_session_destroy(&session);

    /* destroyed while it runs */
    session = omma_test_make_session(world->engine, NULL);
    request.ignore_stop_ids = true;
    assert_ok(omma_session_submit(session, &request, &error));
    omma_session_destroy(&session);
    assert_null(session);
}

/* F5, F7: what cannot fit is refused with its counts; what fills the context ends with "length". */
static void test_limits_of_length(void **state)
{
    const struct world *world = *state;
    struct omma_request request = request_of(world, first_turn, 1);
    struct omma_session *session =
        omma_test_make_session(world->engine, &(struct omma_session_options){.n_context = 500});
    struct omma_tokens tokens;
    struct omma_error error;
    struct omma_test_answer answer;

    assert_fails(OMMA_STATUS_PROMPT, "3 tiles x 256",
                 omma_session_submit(session, &request, &error));
    assert_non_null(strstr(error.message, "500"));
    omma_session_destroy(&session);

    assert_ok(omma_render(world->model, &request.conversation, &tokens, &error));
    session = omma_test_make_session(
        world->engine, &(struct omma_session_options){.n_context = tokens.n_tokens + 3});
    request.ignore_stop_ids = true;
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_LENGTH);
    assert_int_equal(answer.n_tokens, 4); /* the last one need not fit */
    request.max_new_tokens = 2;
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.done.finish, OMMA_FINISH_LENGTH);
    assert_int_equal(answer.n_tokens, 2);
    omma_session_destroy(&session);
    omma_tokens_free(&tokens);

    session = NULL;
    assert_fails(OMMA_STATUS_USAGE, "context",
                 omma_session_create(world->engine,
                                     &(struct omma_session_options){.n_context = 1 << 20}, &session,
                                     &error));
}

static void test_prompts_of_ids(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL);
    struct omma_request request = request_of(world, first_turn, 1), by_ids = {0};
    struct omma_tokens tokens;
    struct omma_error error;
    struct omma_test_answer answer;
    int32_t bad[] = {1, 621};

    assert_ok(omma_render(world->model, &request.conversation, &tokens, &error));
    by_ids.prompt_ids = tokens.ids;
    by_ids.n_prompt_ids = tokens.n_tokens;
    assert_fails(OMMA_STATUS_PROMPT, "expected 0 context ids",
                 omma_session_submit(session, &by_ids, &error));
    by_ids.conversation.images = request.conversation.images;
    by_ids.conversation.n_images = 1;
    omma_test_ask(session, &by_ids, &answer);
    assert_string_equal(answer.text, "One.");
    by_ids.n_prompt_ids = 0;
    by_ids.conversation.n_images = 0;
    assert_fails(OMMA_STATUS_PROMPT, "empty", omma_session_submit(session, &by_ids, &error));
    by_ids.prompt_ids = bad;
    by_ids.n_prompt_ids = 2;
    assert_fails(OMMA_STATUS_PROMPT, "621", omma_session_submit(session, &by_ids, &error));
    omma_tokens_free(&tokens);
    omma_session_destroy(&session);
}

static void test_stop_texts_and_forced_tokens(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL);
    struct omma_request request = request_of(world, first_turn, 1);
    struct omma_stop stop = {"e.", 2};
    struct omma_test_answer answer, forced;
    int32_t ids[3];

    request.stops = &stop;
    request.n_stops = 1;
    omma_test_ask(session, &request, &answer);
    assert_string_equal(answer.text, "On");
    assert_int_equal(answer.done.finish, OMMA_FINISH_STOP);
    request.n_stops = 0;
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.n_tokens, 3);

    /* forced to its own choices it chooses the same; forced elsewhere it still reports its choice
     */
    memcpy(ids, answer.ids, sizeof ids);
    request.forced_ids = ids;
    request.n_forced_ids = 3;
    omma_test_ask(session, &request, &forced);
    assert_int_equal(forced.n_tokens, 3);
    assert_memory_equal(forced.ids, answer.ids, sizeof ids);
    ids[0] = 13;
    omma_test_ask(session, &request, &forced);
    assert_int_equal(forced.n_tokens, 3);
    assert_int_equal(forced.ids[0], answer.ids[0]);
    omma_session_destroy(&session);
}

/* Sampling: the same seed gives the same answer, another one may not. */
static void test_sampling_is_seeded(void **state)
{
    const struct world *world = *state;
    struct omma_session *session = omma_test_make_session(world->engine, NULL);
    struct omma_request request = request_of(world, first_turn, 1);
    struct omma_test_answer first, again;
    size_t n_different = 0;

    request.ignore_stop_ids = true;
    request.max_new_tokens = 20;
    request.sampling = (struct omma_sampling){.temperature = 5.0f, .seed = 1};
    omma_test_ask(session, &request, &first);
    omma_test_ask(session, &request, &again);
    assert_memory_equal(first.ids, again.ids, 20 * sizeof *first.ids);
    for (request.sampling.seed = 2; request.sampling.seed < 6; request.sampling.seed++) {
        omma_test_ask(session, &request, &again);
        n_different += memcmp(first.ids, again.ids, 20 * sizeof *first.ids) != 0;
    }
    assert_int_equal(n_different, 4);
    omma_session_destroy(&session);
}

/* Place of a tensor's data in a folder's model.safetensors. */
static off_t find_tensor(const char *path, const char *name)
{
    struct omma_tensor_file *file = NULL;
    struct omma_error error;
    struct stat status;
    const struct omma_tensor *last, *tensor;
    off_t offset;

    assert_ok(omma_tensor_file_open(path, &file, &error));
    tensor = omma_tensor_file_find(file, name);
    assert_non_null(tensor);
    last = omma_tensor_file_get(file, omma_tensor_file_count(file) - 1);
    assert_int_equal(stat(path, &status), 0);
    /* data ends with the file */
    offset = status.st_size -
             (off_t)((const char *)last->data + last->n_bytes - (const char *)tensor->data);
    omma_tensor_file_close(&file);
    return offset;
}

static void overwrite(const char *path, off_t offset, const void *bytes, size_t n_bytes)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n_bytes, offset), n_bytes);
    close(fd);
}

/* F11: a value that is not finite ends the request and names the layer. */
static void test_values_not_finite(void **state)
{
    char *demo = omma_test_source("share/omma/demo"), *dir = omma_test_folder();
    char *path = omma_test_join(dir, "model.safetensors");
    const uint16_t nan = 0x7FC0;
    struct omma_request request = {.conversation = {.turns = first_turn, .n_turns = 1}};
    struct world world = {0};
    struct omma_session *session;
    struct omma_test_answer answer;

    (void)state;
    omma_test_copy_folder(demo, dir);
    overwrite(path, find_tensor(path, "language_model.model.layers.2.mlp.down_proj.weight"), &nan,
              sizeof nan);
    world.model = omma_test_open_model(dir);
    world.engine = omma_test_make_engine(world.model, &OPTIONS);
    session = omma_test_make_session(world.engine, NULL);
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.status, OMMA_STATUS_INTERNAL);
    assert_int_equal(answer.done.finish, OMMA_FINISH_ERROR);
    assert_non_null(strstr(answer.error.message, "language layer 2"));
    assert_int_equal(answer.n_tokens, 0);
    omma_session_destroy(&session);
    omma_engine_destroy(&world.engine);
    omma_model_close(&world.model);
    free(demo);
    free(dir);
    free(path);
}

/* J11, J12: weights overwritten in place are noticed; a file renamed over the old one does no harm.
 */
static void test_changed_files(void **state)
{
    char *demo = omma_test_source("share/omma/demo"), *dir = omma_test_folder();
    char *path = omma_test_join(dir, "model.safetensors");
    char *copy = omma_test_join(dir, "model.safetensors.new");
    struct omma_request request = {.conversation = {.turns = first_turn, .n_turns = 1}};
    struct world world = {0};
    struct omma_session *session;
    struct omma_test_answer answer, before;

    (void)state;
    omma_test_copy_folder(demo, dir);
    omma_test_copy(path, copy);
    world.model = omma_test_open_model(dir);
    world.engine = omma_test_make_engine(world.model, &OPTIONS);
    session = omma_test_make_session(world.engine, NULL);
    omma_test_ask(session, &request, &before);
    assert_int_equal(before.status, OMMA_OK);
    assert_int_equal(rename(copy, path), 0);
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.status, OMMA_OK);
    assert_string_equal(answer.text, before.text);
    omma_session_destroy(&session);
    omma_engine_destroy(&world.engine);
    omma_model_close(&world.model);

    world.model = omma_test_open_model(dir);
    world.engine = omma_test_make_engine(world.model, &OPTIONS);
    session = omma_test_make_session(world.engine, NULL);
    omma_test_ask(session, &request, &before);
    assert_int_equal(before.status, OMMA_OK);
    usleep(20000); /* a change in the same tick of the file system's clock cannot be told */
    overwrite(path, find_tensor(path, "language_model.model.layers.2.mlp.down_proj.weight"),
              "\x00\x3F", 2);
    omma_test_ask(session, &request, &answer);
    assert_int_equal(answer.status, OMMA_STATUS_CHANGED);
    assert_non_null(strstr(answer.error.message, "model.safetensors"));
    omma_session_destroy(&session);
    omma_engine_destroy(&world.engine);
    omma_model_close(&world.model);
    free(demo);
    free(dir);
    free(path);
    free(copy);
}

/* Replace a text that occurs once in a file. */
static void edit(const char *path, const char *from, const char *to)
{
    char *text = omma_test_read(path, NULL);
    char *at = strstr(text, from), *edited = NULL;

    assert_non_null(at);
    assert_true(asprintf(&edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
    omma_test_write(path, edited, strlen(edited));
    free(edited);
    free(text);
}

/* Dynamic NTK: a prefix is reused under the same base alone. */
static void test_reuse_under_the_same_base(void **state)
{
    char *demo = omma_test_source("share/omma/demo"), *dir = omma_test_folder();
    char *path = omma_test_join(dir, "config.json");
    struct omma_request request = {.max_new_tokens = 1, .ignore_stop_ids = true};
    struct world world = {0};
    struct omma_session *session;
    struct omma_test_answer answer;
    int32_t ids[300];
    static const struct {
        size_t n_ids, n_cached;
    } steps[] = {
        {150, 0},   {190, 150}, /* both within 200: the plain base */
        {250, 0},   {260, 0},   /* 250 and 260 have bases of their own */
        {260, 259}, {100, 0},
    };

    (void)state;
    omma_test_copy_folder(demo, dir);
    edit(path, "\"rope_scaling\": null",
         "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.0}");
    edit(path, "\"max_position_embeddings\": 8192", "\"max_position_embeddings\": 200");
    world.model = omma_test_open_model(dir);
    world.engine = omma_test_make_engine(world.model, &OPTIONS);
    session =
        omma_test_make_session(world.engine, &(struct omma_session_options){.n_context = 300});
    for (size_t i = 0; i < 300; i++) {
        ids[i] = (int32_t)(i * 7 % 600);
    }
    request.prompt_ids = ids;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        request.n_prompt_ids = steps[i].n_ids;
        omma_test_ask(session, &request, &answer);
        assert_int_equal(answer.status, OMMA_OK);
        assert_int_equal(answer.done.usage.cached_tokens, steps[i].n_cached);
    }
    omma_session_destroy(&session);
    omma_engine_destroy(&world.engine);
    omma_model_close(&world.model);
    free(demo);
    free(dir);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_turn_reuses_the_first),
        cmocka_unit_test(test_another_picture_is_not_reused),
        cmocka_unit_test(test_cancel_leaves_a_session_that_goes_on),
        cmocka_unit_test(test_limits_of_length),
        cmocka_unit_test(test_prompts_of_ids),
        cmocka_unit_test(test_stop_texts_and_forced_tokens),
        cmocka_unit_test(test_sampling_is_seeded),
        cmocka_unit_test(test_reuse_under_the_same_base),
        cmocka_unit_test(test_values_not_finite),
        cmocka_unit_test(test_changed_files),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

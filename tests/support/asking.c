/* Asking: see the header. */
#include "support/asking.h"

#include <stdlib.h>
#include <string.h>

#include "support/support.h"

struct omma_model *omma_test_open_model(const char *dir)
{
    struct omma_model *model = NULL;
    struct omma_error error;

    assert_ok(omma_model_open(dir, NULL, &model, &error));
    return model;
}

struct omma_model *omma_test_open_demo(void)
{
    char *dir = omma_test_source("share/omma/demo");
    struct omma_model *model = omma_test_open_model(dir);

    free(dir);
    return model;
}

struct omma_image *omma_test_open_picture(const char *name,
                                          const struct omma_image_options *options)
{
    char *folder = omma_test_source("share/omma/demo/pictures");
    char *path = omma_test_join(folder, name);
    struct omma_image *image = NULL;
    struct omma_error error;

    assert_ok(omma_image_open(path, options, &image, &error));
    free(path);
    free(folder);
    return image;
}

struct omma_engine *omma_test_make_engine(struct omma_model *model,
                                          const struct omma_engine_options *options)
{
    struct omma_engine *engine = NULL;
    struct omma_error error;

    assert_ok(omma_engine_create(model, options, &engine, &error));
    return engine;
}

struct omma_session *omma_test_make_session(struct omma_engine *engine,
                                            const struct omma_session_options *options)
{
    struct omma_session *session = NULL;
    struct omma_error error;

    assert_ok(omma_session_create(engine, options, &session, &error));
    return session;
}

int omma_test_set_up_demo(void **state)
{
    *state = omma_test_open_demo();
    return 0;
}

int omma_test_tear_down_demo(void **state)
{
    struct omma_model *model = *state;

    omma_model_close(&model);
    return 0;
}

int omma_test_set_up_world(void **state)
{
    struct omma_test_world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->model = omma_test_open_demo();
    world->image = omma_test_open_picture("tall.png", &(struct omma_image_options){.max_tiles = 4});
    *state = world;
    return 0;
}

int omma_test_tear_down_world(void **state)
{
    struct omma_test_world *world = *state;

    omma_model_close(&world->model);
    omma_image_close(&world->image);
    free(world);
    return 0;
}

static void take_progress(const struct omma_event *event, struct omma_test_answer *answer)
{
    if (event->phase == OMMA_PHASE_ENCODE) {
        assert_int_equal(event->n_done, ++answer->n_tiles);
    } else {
        assert_true(event->n_done > answer->n_prefilled);
        assert_true(event->n_done <= event->n_total);
        answer->n_prefilled = event->n_done;
        answer->n_chunks++;
    }
}

void omma_test_collect(struct omma_session *session, struct omma_test_answer *answer)
{
    struct omma_event event;

    memset(answer, 0, sizeof *answer);
    do {
        answer->status = omma_session_poll(session, -1, &event, &answer->error);
        answer->n_events++;
        if (event.n_bytes > 0 && answer->n_bytes + event.n_bytes < sizeof answer->text) {
            memcpy(answer->text + answer->n_bytes, event.text, event.n_bytes);
            answer->n_bytes += event.n_bytes;
        }
        if (event.type == OMMA_EVENT_TOKEN) {
            if (answer->n_tokens < OMMA_TEST_MAX_TOKENS) {
                answer->ids[answer->n_tokens] = event.id;
                answer->margins[answer->n_tokens] = event.margin;
            }
            answer->n_tokens++;
        } else if (event.type == OMMA_EVENT_PROGRESS) {
            take_progress(&event, answer);
        }
    } while (event.type != OMMA_EVENT_DONE);
    answer->done = event;
}

void omma_test_ask(struct omma_session *session, const struct omma_request *request,
                   struct omma_test_answer *answer)
{
    struct omma_error error;

    assert_ok(omma_session_submit(session, request, &error));
    omma_test_collect(session, answer);
    assert_int_equal(answer->n_tokens, answer->done.usage.completion_tokens);
}

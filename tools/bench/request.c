/*
 * The values of weights and inputs do not change the work, so ids are random and a tile is cut from
 * a picture of one pixel.
 */
#include "tools/bench/request.h"

#include <stdlib.h>

#include "tools/clock.h"

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void bench_draw_ids(int32_t *ids, size_t n_ids, const struct omma_model_info *model,
                    uint64_t *state)
{
    for (size_t i = 0; i < n_ids; i++) {
        do {
            ids[i] = (int32_t)(bench_random(state) % model->vocab);
        } while (ids[i] == model->context_id);
    }
}

static enum omma_status follow(struct omma_session *session, struct bench_outcome *outcome,
                               struct omma_error *error)
{
    struct omma_event event = {0};

    outcome->first_token = 0;
    while (event.type != OMMA_EVENT_DONE) {
        TRY(omma_session_poll(session, -1, &event, error));
        if (event.type == OMMA_EVENT_TOKEN && outcome->first_token == 0) {
            outcome->first_token = now_s();
        }
    }
    outcome->timings = event.timings;
    return OMMA_OK;
}

enum omma_status bench_answer(struct omma_engine *engine, const struct omma_request *request,
                              struct bench_outcome *outcome, struct omma_error *error)
{
    struct omma_session_options options = {.n_context =
                                               request->n_prompt_ids + request->max_new_tokens};
    struct omma_session *session = NULL;
    enum omma_status status;

    TRY(omma_session_create(engine, &options, &session, error));
    TRY_OR(status, done, omma_session_submit(session, request, error));
    status = follow(session, outcome, error);
done:
    omma_session_destroy(&session);
    return status;
}

/* A PNG of one gray pixel. */
static const uint8_t PIXEL_PNG[] = {
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3A, 0x7E, 0x9B, 0x55, 0x00, 0x00, 0x00, 0x0A, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xDA, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0xDA, 0x45, 0x08, 0x3B, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82};

enum omma_status bench_answer_picture(const struct bench_subject *subject,
                                      const struct omma_image *image, size_t n_text,
                                      const struct omma_observer *observer, uint64_t *state,
                                      struct bench_outcome *outcome, struct omma_error *error)
{
    size_t n_visual = omma_image_info(image)->n_tokens, n_ids = n_visual + n_text;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    struct omma_request request = {.conversation = {.images = &image, .n_images = 1},
                                   .prompt_ids = ids,
                                   .n_prompt_ids = n_ids,
                                   .max_new_tokens = 1,
                                   .ignore_stop_ids = true};
    enum omma_status status;

    if (ids == NULL) {
        return fail_memory(error);
    }
    for (size_t i = 0; i < n_visual; i++) {
        ids[i] = subject->model->context_id;
    }
    bench_draw_ids(ids + n_visual, n_text, subject->model, state);
    if (observer != NULL) {
        request.observer = *observer;
    }
    status = bench_answer(subject->engine, &request, outcome, error);
    free(ids);
    return status;
}

struct omma_image_options bench_exactly(size_t n_tiles)
{
    return (struct omma_image_options){
        .min_tiles = n_tiles, .max_tiles = n_tiles, .no_thumbnail = true};
}

enum omma_status bench_pixel_tiles(size_t n_tiles, struct omma_image **image,
                                   struct omma_error *error)
{
    struct omma_image_options options = bench_exactly(n_tiles);

    return omma_image_open_memory("a pixel", PIXEL_PNG, sizeof PIXEL_PNG, &options, image, error);
}

/*
 * overlap [VISION_LAYERS]: a random 1B on two cores, one encoding tiles and one decoding at a time,
 * each beside what one core does of it alone.
 *
 * The picture's stages are watched, so that nothing of its prompt is computed before its last tile.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/omma.h"
#include "tools/clock.h"

enum { N_TILES = 4, N_TOKENS = 60, N_PROMPT = 32, CONTEXT = 4096, ASKED = 85 };

/* A PNG of one gray pixel. */
static const uint8_t pixel_png[] = {
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3A, 0x7E, 0x9B, 0x55, 0x00, 0x00, 0x00, 0x0A, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xDA, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0xDA, 0x45, 0x08, 0x3B, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82};

static struct omma_error error;

static void check(enum omma_status status)
{
    if (status != OMMA_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

static struct omma_engine *start(struct omma_model *model, size_t n_threads)
{
    const struct omma_engine_options options = {
        .n_threads = n_threads, .n_vision_threads = 1, .no_vision_threads = n_threads == 1};
    struct omma_engine *engine;

    check(omma_engine_create(model, &options, &engine, &error));
    return engine;
}

static struct omma_session *open_session(struct omma_engine *engine)
{
    const struct omma_session_options options = {.n_context = CONTEXT};
    struct omma_session *session;

    check(omma_session_create(engine, &options, &session, &error));
    return session;
}

static void ignore(void *user, const char *stage, size_t first_row, size_t n_rows, size_t width,
                   const float *values)
{
    (void)user;
    (void)stage;
    (void)first_row;
    (void)n_rows;
    (void)width;
    (void)values;
}

static void submit_picture(struct omma_session *session, const struct omma_image *image)
{
    size_t n = omma_image_info(image)->n_tokens;
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    struct omma_request request = {.conversation = {.images = &image, .n_images = 1},
                                   .prompt_ids = ids,
                                   .n_prompt_ids = n + 1,
                                   .max_new_tokens = 1,
                                   .observer = {ignore, NULL}};

    for (size_t i = 0; i < n; i++) {
        ids[i] = 151667; /* <IMG_CONTEXT> of the released models */
    }
    ids[n] = 1;
    check(omma_session_submit(session, &request, &error));
    free(ids);
}

/* Submit an answer that does not end, and wait for its first token. */
static void submit_text(struct omma_session *session)
{
    int32_t ids[N_PROMPT];
    struct omma_event event = {0};
    struct omma_request request = {.prompt_ids = ids,
                                   .n_prompt_ids = N_PROMPT,
                                   .max_new_tokens = CONTEXT,
                                   .ignore_stop_ids = true};

    for (int32_t i = 0; i < N_PROMPT; i++) {
        ids[i] = 100 + i;
    }
    check(omma_session_submit(session, &request, &error));
    while (event.type != OMMA_EVENT_TOKEN) {
        check(omma_session_poll(session, -1, &event, &error));
    }
}

static void wait_for_tile(struct omma_session *session)
{
    struct omma_event event = {0};

    while (event.type != OMMA_EVENT_PROGRESS || event.phase != OMMA_PHASE_ENCODE) {
        check(omma_session_poll(session, -1, &event, &error));
    }
}

/* Tokens a second of one core. */
static double decode_alone(struct omma_model *model)
{
    struct omma_engine *engine = start(model, 1);
    struct omma_session *session = open_session(engine);
    struct omma_event event = {0};
    double begin;

    submit_text(session);
    begin = now_s();
    for (size_t n = 0; n < N_TOKENS; n += event.type == OMMA_EVENT_TOKEN) {
        check(omma_session_poll(session, -1, &event, &error));
    }
    begin = N_TOKENS / (now_s() - begin);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
    return begin;
}

/* Tiles a second, and the tokens of other requests meanwhile, from the first tile, for which the
 * encoder is made, to the last but one. */
static void encode(struct omma_engine *engine, const struct omma_image *image, double *tiles,
                   double *tokens)
{
    struct omma_session *session = open_session(engine);
    struct omma_engine_stats before, after;
    double begin;

    submit_picture(session, image);
    wait_for_tile(session);
    begin = now_s();
    omma_engine_stats(engine, &before);
    for (size_t i = 0; i < N_TILES; i++) {
        wait_for_tile(session);
    }
    begin = now_s() - begin;
    omma_engine_stats(engine, &after);
    *tiles = N_TILES / begin;
    *tokens = (double)(after.decoded_tokens - before.decoded_tokens) / begin;
    omma_session_destroy(&session);
}

static double encode_alone(struct omma_model *model, const struct omma_image *image)
{
    struct omma_engine *engine = start(model, 1);
    double tiles, tokens;

    encode(engine, image, &tiles, &tokens);
    omma_engine_destroy(&engine);
    return tiles;
}

static void both(struct omma_model *model, const struct omma_image *image, double *tiles,
                 double *tokens)
{
    struct omma_engine *engine = start(model, 2);
    struct omma_session *session = open_session(engine);

    submit_text(session);
    encode(engine, image, tiles, tokens);
    omma_session_destroy(&session);
    omma_engine_destroy(&engine);
}

static struct omma_image *open_image(void)
{
    const struct omma_image_options cut = {
        .min_tiles = N_TILES + 2, .max_tiles = N_TILES + 2, .no_thumbnail = true};
    struct omma_image *image;

    check(omma_image_open_memory("a pixel", pixel_png, sizeof pixel_png, &cut, &image, &error));
    return image;
}

int main(int argc, char **argv)
{
    struct omma_model_shape shape = {
        .size = "1B", .n_vision_layers = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, .seed = 1};
    struct omma_image *image = open_image();
    struct omma_model *model;
    double tiles, tokens, tiles_alone, tokens_alone, of_tiles, of_tokens;

    check(omma_model_generate(&shape, &model, &error));
    tokens_alone = decode_alone(model);
    tiles_alone = encode_alone(model, image);
    both(model, image, &tiles, &tokens);
    of_tiles = 100.0 * tiles / tiles_alone;
    of_tokens = 100.0 * tokens / tokens_alone;
    printf("encoding: %.3f tiles a second, on one core alone %.3f: %.0f %% (asked: %d, %s)\n",
           tiles, tiles_alone, of_tiles, ASKED, of_tiles >= ASKED ? "met" : "missed");
    printf("decoding: %.1f tokens a second, on one core alone %.1f: %.0f %% (asked: %d, %s)\n",
           tokens, tokens_alone, of_tokens, ASKED, of_tokens >= ASKED ? "met" : "missed");
    omma_model_close(&model);
    omma_image_close(&image);
    return 0;
}

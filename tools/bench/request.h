/*
 * request.h - requests of random ids and pictures, each in a session of its own, timed.
 */
#ifndef OMMA_BENCH_REQUEST_H
#define OMMA_BENCH_REQUEST_H

#include "tools/bench/measure.h"

/* The next number of splitmix64. */
uint64_t bench_random(uint64_t *state);

/* Ids of the vocabulary at random, none of them the place of a picture. */
void bench_draw_ids(int32_t *ids, size_t n_ids, const struct omma_model_info *model,
                    uint64_t *state);

/* What a request took. */
struct bench_outcome {
    struct omma_timings timings;
    double first_token; /* by now_s() */
};

enum omma_status bench_answer(struct omma_engine *engine, const struct omma_request *request,
                              struct bench_outcome *outcome, struct omma_error *error);

/* A prompt of the picture and n_text ids behind it, and one token.  observer may be NULL. */
enum omma_status bench_answer_picture(const struct bench_subject *subject,
                                      const struct omma_image *image, size_t n_text,
                                      const struct omma_observer *observer, uint64_t *state,
                                      struct bench_outcome *outcome, struct omma_error *error);

/* Options for just so many tiles. */
struct omma_image_options bench_exactly(size_t n_tiles);

/* A picture of so many tiles, gray. */
enum omma_status bench_pixel_tiles(size_t n_tiles, struct omma_image **image,
                                   struct omma_error *error);

#endif

/*
 * work.h - a request, copied and checked before anything of it is computed.
 */
#ifndef OMMA_ENGINE_WORK_H
#define OMMA_ENGINE_WORK_H

#include "api/omma.h"
#include "base/arena.h"
#include "base/status.h"

/* What stands at a position of the cache.  Equal slots have equal keys and values, if all before
 * them are equal too. */
struct omma_slot {
    uint64_t content;   /* the id, or for a visual token its picture's digest and place */
    size_t rope_length; /* omma_rope_length() under which the key was rotated */
    bool of_answer;     /* computed as a token of an answer, in other bits than a prompt's */
};

/* A picture's place in a prompt. */
struct omma_image_span {
    const struct omma_image *image;
    size_t first; /* position of its first visual token */
    size_t n_tokens;
    size_t first_tile; /* over all pictures of the request */
};

/* A request, copied; lives in its arena. */
struct omma_work {
    struct omma_arena arena;
    const int32_t *prompt;
    size_t n_prompt;
    struct omma_image_span *images;
    size_t n_images, n_image_tokens;
    size_t max_new_tokens;
    struct omma_sampling sampling;
    const struct omma_stop *stops;
    size_t n_stops;
    bool ignore_stop_ids;
    const int32_t *forced;
    size_t n_forced;
    const struct omma_schema *schema;
    bool logprobs;
    size_t n_top_logprobs;
    size_t score_from; /* 0: an answer is given */
    int priority;
    struct omma_observer observer;
    double submitted; /* omma_clock_now() */
    double deadline;  /* of that clock; INFINITY: none */
};

/* Copy and check a request for a context of n_context tokens: ids, places of pictures, whether it
 * fits.  On failure work is empty. */
enum omma_status omma_work_prepare(const struct omma_model *model, size_t n_context,
                                   const struct omma_request *request, struct omma_work *work,
                                   struct omma_error *error);

/* The slot of position i of a prompt, rotated under rope_length. */
struct omma_slot omma_work_slot(const struct omma_work *work, size_t i, size_t rope_length);

#endif

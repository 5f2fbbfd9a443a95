/*
 * comparison.h - one run of the engine on a dump's prompt, held against the dump part by part: ids,
 * pixels, stages, and the choice at every step of the greedy continuation.
 */
#ifndef OMMA_COMPARE_COMPARISON_H
#define OMMA_COMPARE_COMPARISON_H

#include "tools/compare/operators.h"
#include "tools/compare/stages.h"

struct compare_ids {
    size_t n_ours, n_dump;
    bool equal;
    size_t first_difference; /* index, if not equal; the shorter's length if it is how the other
                                begins */
};

struct compare_pixels {
    bool in_dump;
    size_t n_tiles;
    double error; /* |ours - dump| / |dump| over all tiles */
    double tolerance;
};

struct compare_step {
    int64_t expected;
    int32_t chosen;
    float margin;  /* of the reference's choice */
    bool compared; /* the margin is wide enough that other arithmetic may not flip it */
};

struct comparison {
    struct compare_ids ids;
    struct compare_pixels pixels;
    struct compare_stages stages;
    struct compare_operators operators;
    bool operators_run;         /* false: not in the dump, or int8 activations are off */
    struct compare_step *steps; /* [n_steps] */
    size_t n_steps;
    size_t n_done; /* steps that the engine took */
    float margin;  /* steps of no wider one are not compared */
};

/*
 * The margin from which on a step is compared.  1e-3 in f32.  In bf16 the reference's own bf16 run
 * is the yardstick: where that leaves the f32 continuation (there first, for then its history is
 * another) it shows a margin that bf16 may flip, and only wider ones are compared.  For a quantized
 * model it is three times what quantization does to a logit on average.
 */
float compare_margin(const struct compare_dump *dump, enum omma_precision precision);

/* A model and an engine over it. */
struct compare_subject {
    struct omma_model *model;
    struct omma_engine *engine;
};

/* Run the engine; exact is the model before it was quantized, NULL: not at hand.  What follows the
 * ids is left out if these differ: the prompts are others then. *comparison must be closed whatever
 * is returned. */
enum omma_status comparison_run(const struct compare_dump *dump, const char *image_dir,
                                const struct compare_subject *subject,
                                const struct compare_subject *exact,
                                const struct compare_tolerances *tolerances,
                                struct comparison *comparison, struct omma_error *error);
void comparison_close(struct comparison *comparison);

/* Nothing is beyond its tolerance, missing or different. */
bool comparison_is_within(const struct comparison *comparison);
/* The first stage that is beyond or missing; NULL: none. */
const struct compare_stage *comparison_first_beyond(const struct comparison *comparison);
size_t comparison_steps_compared(const struct comparison *comparison);
size_t comparison_steps_different(const struct comparison *comparison);

#endif

/*
 * stages.h - the stages of a dump, and the error of an engine's run against each.
 *
 * The engine hands every row it computes to compare_stages_observe(); only the rows that the dump
 * kept are looked at, and of these only two sums a stage are kept: memory does not grow with the
 * prompt.
 */
#ifndef OMMA_COMPARE_STAGES_H
#define OMMA_COMPARE_STAGES_H

#include "tools/compare/dump.h"

struct compare_stage {
    const char *name;                 /* owned by the dump's file */
    const struct omma_tensor *values; /* [n_rows, width] F32 */
    const struct omma_tensor *rows;   /* [n_rows] I64, ascending; NULL: all rows, from 0 on */
    size_t n_rows, width;
    double tolerance;          /* of the error; negative: none, and the stage is not judged */
    double reference_error;    /* of the reference's own bf16 run; negative: not in the dump */
    double difference2, norm2; /* sums of squares: ours - dump, dump */
    size_t n_seen;             /* rows of the dump that were computed */
    size_t wrong_width;        /* width that the engine reported instead; 0: none */

    /* Of a quantized model's dump: distances to the stage of the unquantized model, |quantized -
     * exact| / |exact| over all rows. */
    double int8_error;        /* the reference's; negative: not in the dump */
    float *exact;             /* [n_exact][width]; NULL: no unquantized model was run */
    size_t n_exact, capacity; /* rows, and those that exact has room for */
    double distance2, exact2; /* sums of squares: ours - exact, exact */
    size_t n_measured;        /* rows of ours */
};

struct compare_stages {
    struct compare_stage *items; /* [n_items] in the order of the computation */
    size_t n_items;
    const char **unknown; /* [n_unknown] tensors of the dump that are no stage of the model's */
    size_t n_unknown;
    char **absent; /* [n_absent] stages of the model that the dump lacks */
    size_t n_absent;
};

struct compare_tolerance {
    const char *stage; /* a stage, or the beginning of several up to a dot: "vision.layer" */
    double limit;
};

struct compare_tolerances {
    enum omma_precision precision;       /* BF16 or F32: which rule applies */
    const struct compare_tolerance *set; /* [n_set] the user's; the last that fits wins */
    size_t n_set;
};

/* Fails with OMMA_STATUS_USAGE on stages of a wrong type or shape, or a tolerance that fits no
 * stage.  The dump must outlive stages. */
enum omma_status compare_stages_open(const struct compare_dump *dump,
                                     const struct omma_model_info *model,
                                     const struct compare_tolerances *tolerances,
                                     struct compare_stages *stages, struct omma_error *error);
void compare_stages_close(struct compare_stages *stages);

/* An omma_observe_fn; user is the struct compare_stages. */
void compare_stages_observe(void *user, const char *stage, size_t first_row, size_t n_rows,
                            size_t width, const float *values);

/* The same for the unquantized model, which runs first: all its rows are kept.  A row for which
 * there is no memory is missed, and the stage is COMPARE_MISSING. */
void compare_stages_keep(void *user, const char *stage, size_t first_row, size_t n_rows,
                         size_t width, const float *values);

/* |ours - dump| / |dump| over the dump's rows. */
double compare_stage_error(const struct compare_stage *stage);

/* |ours - exact| / |exact|; negative: no unquantized model was run. */
double compare_stage_distance(const struct compare_stage *stage);

/* How a stage that quantization changes is judged: by its distance, which must be the reference's
 * times a factor between these.  Rounding flips are amplified from layer to layer, so that two
 * right implementations differ from each other, but not in their distance to what is exact. */
struct compare_band {
    double low, high;
};
struct compare_band compare_stage_band(const struct compare_stage *stage);

enum compare_verdict {
    COMPARE_WITHIN,
    COMPARE_BEYOND,  /* more than the tolerance, or not a number */
    COMPARE_MISSING, /* the engine did not compute all rows of the dump, or in another width */
    COMPARE_UNJUDGED /* no tolerance applies: a bf16 run, and no bf16 error in the dump; or int8,
                        and no unquantized model */
};
enum compare_verdict compare_stage_verdict(const struct compare_stage *stage);

#endif

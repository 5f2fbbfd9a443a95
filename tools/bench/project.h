/*
 * project.h - what a whole model does on a machine that is described, from the layers measured
 * here.
 */
#ifndef OMMA_BENCH_PROJECT_H
#define OMMA_BENCH_PROJECT_H

#include "tools/bench/layers.h"
#include "tools/bench/machine.h"

enum { BENCH_N_DEPTHS = 3 };

/* What was measured, on what, and what is to be told. */
struct bench_projection {
    const char *size;                    /* "78B" */
    size_t n_layers, n_vision_layers;    /* of the whole model */
    const struct omma_model_info *model; /* the one measured, with fewer */
    const struct omma_engine_info *engine;
    const struct omma_limits *limits;
    const struct bench_layers *layers;
    const struct bench_machine *machine;
};

/* Seconds, and the fractions of the limits that they stand on. */
struct bench_forecast {
    size_t depths[BENCH_N_DEPTHS]; /* 0, 4096, 32768 */
    double step_s[BENCH_N_DEPTHS]; /* a decoding step at these */
    double prefill_s;              /* of layers->n_prompt tokens */
    double tile_s;
    double first_token_s; /* 13 tiles and 64 tokens of text; pictures are prepared already */
    double decode_layer, decode_rest; /* fractions of the read bandwidth here */
    double prefill_layer, tile_layer; /* fractions of the peak here */
    double
        prefill_idle; /* of the machine's threads, where panels of 32 rows do not divide evenly */
    double weight_bytes;                    /* of the language model, as a step reads them */
    const char *multiply, *multiply_vision; /* "int8 dot product", "bf16 dot product" */
};

/* OMMA_STATUS_USAGE if the machine's description lacks the rate of the multiply-add that was
 * measured. */
enum omma_status bench_project(const struct bench_projection *projection,
                               struct bench_forecast *forecast, struct omma_error *error);

/* With the assumptions, as text or as one JSON object. */
enum omma_status bench_forecast_report(const struct bench_projection *projection,
                                       const struct bench_forecast *forecast, bool is_json,
                                       struct omma_error *error);

#endif

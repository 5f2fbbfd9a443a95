/*
 * layers.h - where the time of a pass goes: a layer, and all that is not in the layers.
 */
#ifndef OMMA_BENCH_LAYERS_H
#define OMMA_BENCH_LAYERS_H

#include "tools/bench/measure.h"

/* Seconds of a pass: one layer's, and of the pass without its layers. */
struct bench_split {
    double layer_s, rest_s;
};

/* What a projection stands on. */
struct bench_layers {
    size_t n_prompt;            /* tokens of the prefill */
    double depth;               /* mean tokens in the cache of the decoding steps */
    struct bench_split prefill; /* n_prompt tokens */
    struct bench_split decode;  /* one token */
    struct bench_split tile;
    double read_bytes_per_s; /* the machine's meanwhile: the median of readings beside the steps */
};

/* Medians of n_repeats measurements.  A layer's time is the mean of those from the second on, from
 * one observation to the next; what is not in the layers is left of passes that were not observed.
 * The model needs two layers of each kind at least: OMMA_STATUS_USAGE. */
enum omma_status bench_layers_measure(const struct bench_subject *subject, size_t n_repeats,
                                      uint64_t seed, const struct omma_limits *limits,
                                      struct bench_layers *layers, struct omma_error *error);

#endif

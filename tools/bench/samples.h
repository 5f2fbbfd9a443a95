/*
 * samples.h - the repetitions of one measurement, and their order statistics.
 */
#ifndef OMMA_BENCH_SAMPLES_H
#define OMMA_BENCH_SAMPLES_H

#include <stddef.h>

enum { BENCH_MAX_REPEATS = 100 };

struct bench_samples {
    double values[BENCH_MAX_REPEATS];
    size_t n_values;
};

/* Beyond BENCH_MAX_REPEATS nothing is added. */
void bench_samples_add(struct bench_samples *samples, double value);

/* 0 without samples. */
double bench_median(const struct bench_samples *samples);
double bench_minimum(const struct bench_samples *samples);
double bench_maximum(const struct bench_samples *samples);

/* The standard deviation of the sample, over n - 1; 0 with fewer than 2. */
double bench_deviation(const struct bench_samples *samples);

#endif

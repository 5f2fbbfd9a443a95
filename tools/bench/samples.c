/* Samples are few: they are sorted anew for each median. */
#include "tools/bench/samples.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_samples_add(struct bench_samples *samples, double value)
{
    if (samples->n_values < BENCH_MAX_REPEATS) {
        samples->values[samples->n_values++] = value;
    }
}

double bench_median(const struct bench_samples *samples)
{
    struct bench_samples sorted = *samples;
    size_t n = sorted.n_values;

    if (n == 0) {
        return 0;
    }
    qsort(sorted.values, n, sizeof *sorted.values, compare);
    return (sorted.values[(n - 1) / 2] + sorted.values[n / 2]) / 2;
}

double bench_minimum(const struct bench_samples *samples)
{
    double minimum = samples->n_values > 0 ? samples->values[0] : 0;

    for (size_t i = 1; i < samples->n_values; i++) {
        minimum = fmin(minimum, samples->values[i]);
    }
    return minimum;
}

double bench_maximum(const struct bench_samples *samples)
{
    double maximum = 0;

    for (size_t i = 0; i < samples->n_values; i++) {
        maximum = fmax(maximum, samples->values[i]);
    }
    return maximum;
}

double bench_deviation(const struct bench_samples *samples)
{
    double n = (double)samples->n_values, mean = 0, squares = 0;

    for (size_t i = 0; i < samples->n_values; i++) {
        mean += samples->values[i] / n;
    }
    for (size_t i = 0; i < samples->n_values; i++) {
        squares += (samples->values[i] - mean) * (samples->values[i] - mean);
    }
    return samples->n_values > 1 ? sqrt(squares / (n - 1)) : 0;
}

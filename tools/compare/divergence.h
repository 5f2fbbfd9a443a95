/*
 * divergence.h - how far a distribution over tokens is from another one, and what many such
 * distances are like.
 */
#ifndef OMMA_COMPARE_DIVERGENCE_H
#define OMMA_COMPARE_DIVERGENCE_H

#include <stdbool.h>
#include <stddef.h>

/* The Kullback-Leibler divergence, in nats, of the softmax of q from that of p, at least 0:
 * sum over i of P[i] log(P[i] / Q[i]), in double.  *is_same_top: the largest logits, of equal ones
 * the first, stand at the same place.  p, q: [n] finite logits, n > 0. */
double divergence_of(const float *p, const float *q, size_t n, bool *is_same_top);

struct divergence_summary {
    double mean, standard_error; /* the latter 0 for a single value */
    double median, percentile_99;
    double max;
    size_t max_at;
};

/* Of values [n], n > 0.  Between two values, a percentile is interpolated linearly.  False: memory
 * lacks. */
bool divergence_summarize(const double *values, size_t n, struct divergence_summary *summary);

/* The standard error of a share: n_same of n. */
double divergence_share_error(size_t n_same, size_t n);

#endif

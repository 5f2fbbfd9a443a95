/* With w[i] = exp(p[i] - max p) the divergence is log sum exp q - log sum exp p + sum(w (p - q)) /
 * sum(w): two exponentials an element. */
#include "tools/compare/divergence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t top_of(const float *logits, size_t n)
{
    size_t top = 0;

    for (size_t i = 1; i < n; i++) {
        top = logits[i] > logits[top] ? i : top;
    }
    return top;
}

double divergence_of(const float *p, const float *q, size_t n, bool *is_same_top)
{
    size_t p_top = top_of(p, n), q_top = top_of(q, n);
    double p_max = (double)p[p_top], q_max = (double)q[q_top];
    double p_sum = 0, q_sum = 0, distance = 0, divergence;

    for (size_t i = 0; i < n; i++) {
        double weight = exp((double)p[i] - p_max);

        p_sum += weight;
        q_sum += exp((double)q[i] - q_max);
        distance += weight * ((double)p[i] - (double)q[i]);
    }
    *is_same_top = p_top == q_top;
    divergence = (q_max + log(q_sum)) - (p_max + log(p_sum)) + distance / p_sum;
    return divergence > 0 ? divergence : 0;
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t n, double share)
{
    double place = share * (double)(n - 1);
    size_t below = (size_t)place;

    return below + 1 < n
               ? sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below])
               : sorted[n - 1];
}

bool divergence_summarize(const double *values, size_t n, struct divergence_summary *summary)
{
    double *sorted = malloc(n * sizeof *sorted), sum = 0, squares = 0;

    if (sorted == NULL) {
        return false;
    }
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_values);
    *summary = (struct divergence_summary){0};
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
        summary->max_at = values[i] > values[summary->max_at] ? i : summary->max_at;
    }
    summary->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        squares += (values[i] - summary->mean) * (values[i] - summary->mean);
    }
    summary->standard_error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : 0;
    summary->median = percentile(sorted, n, 0.5);
    summary->percentile_99 = percentile(sorted, n, 0.99);
    summary->max = values[summary->max_at];
    free(sorted);
    return true;
}

double divergence_share_error(size_t n_same, size_t n)
{
    double share = (double)n_same / (double)n;

    return n > 1 ? sqrt(share * (1 - share) / (double)(n - 1)) : 0;
}

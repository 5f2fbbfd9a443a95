/*
 * statistics.h - how sure a score and a difference of scores are.
 */
#ifndef OMMA_TOOLS_EVAL_STATISTICS_H
#define OMMA_TOOLS_EVAL_STATISTICS_H

#include <stddef.h>

struct interval {
    double low, high;
};

/* Wilson's score interval of 95 % for a share of n_hits among n, without a correction for
 * continuity; 0 to 1 if n is 0.  E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209. */
struct interval statistics_wilson(size_t n_hits, size_t n);

/* McNemar's exact test: how likely a split as uneven as n_first to n_second, or more so, is among
 * pairs that differ, if either side were as likely; two-sided, 1 if there are none.  Exact for any
 * number of pairs. */
double statistics_mcnemar(size_t n_first, size_t n_second);

/* The difference of two shares of the same n rows, of which n_first are hits of the first alone and
 * n_second of the second alone: (n_second - n_first) / n, with the interval of 95 % that its
 * standard error gives. */
struct interval statistics_paired_difference(size_t n_first, size_t n_second, size_t n);

#endif

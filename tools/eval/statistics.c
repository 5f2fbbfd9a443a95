/* Intervals and McNemar's test. */
#include "tools/eval/statistics.h"

#include <math.h>

static const double z = 1.959963984540054; /* the normal distribution's quantile of 0.975 */

struct interval statistics_wilson(size_t n_hits, size_t n)
{
    double share, middle, half;

    if (n == 0) {
        return (struct interval){0, 1};
    }
    share = (double)n_hits / (double)n;
    middle = (share + z * z / (2 * (double)n)) / (1 + z * z / (double)n);
    half = z / (1 + z * z / (double)n) *
           sqrt(share * (1 - share) / (double)n + z * z / (4 * (double)n * (double)n));
    /* at the ends the difference is 0 but for rounding */
    return (struct interval){n_hits == 0 ? 0 : middle - half, n_hits == n ? 1 : middle + half};
}

/* n over k divided by 2^n, as mantissa and exponent, for 2^n has none of a double. */
static double probability(size_t k, size_t n, int *exponent)
{
    double mantissa = 1;
    int shift;

    *exponent = 0;
    for (size_t i = 1; i <= k; i++) {
        mantissa = frexp(mantissa * ((double)(n - k + i) / (double)i), &shift);
        *exponent += shift;
    }
    *exponent -= (int)n;
    return mantissa;
}

double statistics_mcnemar(size_t n_first, size_t n_second)
{
    size_t n = n_first + n_second, k = n_first < n_second ? n_first : n_second;
    double sum = 0, term = 1, mantissa, p;
    int exponent;

    if (n_first == n_second) {
        return 1;
    }
    /* P(X <= k) = P(X = k) (1 + k / (n - k + 1) (1 + (k - 1) / (n - k + 2) (...))) */
    for (size_t i = 0; i <= k && term > 0; i++) {
        sum += term;
        term *= (double)(k - i) / (double)(n - k + 1 + i);
    }
    mantissa = probability(k, n, &exponent);
    p = 2 * ldexp(mantissa * sum, exponent);
    return p < 1 ? p : 1;
}

struct interval statistics_paired_difference(size_t n_first, size_t n_second, size_t n)
{
    double a = (double)n_first, b = (double)n_second, difference, half;

    if (n == 0) {
        return (struct interval){0, 0};
    }
    difference = (b - a) / (double)n;
    half = z * sqrt((a + b - (b - a) * (b - a) / (double)n)) / (double)n;
    return (struct interval){difference - half, difference + half};
}

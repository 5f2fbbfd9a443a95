/*
 * checked.h - arithmetic on sizes that tells when it overflows.
 *
 * Each returns true and stores the result, or returns false and leaves *result alone.
 */
#ifndef OMMA_BASE_CHECKED_H
#define OMMA_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>

static inline bool omma_checked_add(size_t a, size_t b, size_t *result)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *result = sum;
    return true;
}

static inline bool omma_checked_multiply(size_t a, size_t b, size_t *result)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *result = product;
    return true;
}

/* a rounded up to a multiple of unit; a + unit must not overflow */
static inline size_t omma_round_up(size_t a, size_t unit)
{
    return (a + unit - 1) / unit * unit;
}

static inline size_t omma_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t omma_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif

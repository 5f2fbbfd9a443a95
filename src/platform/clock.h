/*
 * clock.h - monotonic time.
 */
#ifndef OMMA_PLATFORM_CLOCK_H
#define OMMA_PLATFORM_CLOCK_H

#include <time.h>

/* Seconds since some fixed moment; never goes back. */
static inline double omma_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif

/*
 * clock.h - monotonic time, for what a command tells of its own speed.
 */
#ifndef OMMA_TOOLS_CLOCK_H
#define OMMA_TOOLS_CLOCK_H

#include <time.h>

/* Seconds since some fixed moment; never goes back. */
static inline double now_s(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif

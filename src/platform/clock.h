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

/* The moment of that clock timeout_ms from now, for pthread_cond_timedwait(). */
static inline struct timespec omma_clock_after(int timeout_ms)
{
    struct timespec moment;

    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += timeout_ms / 1000;
    moment.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (moment.tv_nsec >= 1000000000L) {
        moment.tv_sec++;
        moment.tv_nsec -= 1000000000L;
    }
    return moment;
}

#endif

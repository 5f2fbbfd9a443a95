/*
 * omp.h - OpenMP without OpenMP, for fuzz builds: clang's runtime is often not installed, gcc's
 * header is not clang's language, and no fuzz target starts a team.  Pragmas are ignored there, so
 * every region has one thread.
 */
#ifndef OMMA_TESTS_FUZZ_OMP_H
#define OMMA_TESTS_FUZZ_OMP_H

static inline int omp_get_max_threads(void)
{
    return 1;
}

static inline int omp_get_num_threads(void)
{
    return 1;
}

static inline int omp_get_thread_num(void)
{
    return 0;
}

static inline void omp_set_dynamic(int on)
{
    (void)on;
}

#endif

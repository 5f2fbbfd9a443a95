/*
 * failing_allocations.h - allocations that fail when told to.
 *
 * For programs linked with $(FAILING_ALLOCATIONS_LDFLAGS), which puts the wrappers of
 * failing_allocations.c before the C library's allocators.
 */
#ifndef OMMA_TESTS_FAILING_ALLOCATIONS_H
#define OMMA_TESTS_FAILING_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>

/* From now on n_left calls succeed and the next one fails; those after it too if it persists. */
void omma_test_fail_allocations(size_t n_left, bool persists);

/* All succeed again; whether one failed. */
bool omma_test_end_failing(void);

#endif

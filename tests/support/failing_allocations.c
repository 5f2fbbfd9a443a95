/* The linker's --wrap leads every call of an allocator here. */
#include "support/failing_allocations.h"

#include <stdlib.h>

void *__real_malloc(size_t n_bytes);
void *__real_calloc(size_t n_items, size_t item_bytes);
void *__real_realloc(void *bytes, size_t n_bytes);
void *__real_aligned_alloc(size_t alignment, size_t n_bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_calloc(size_t n_items, size_t item_bytes);
void *__wrap_realloc(void *bytes, size_t n_bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes);
char *__wrap_strdup(const char *text);

/* A test program allocates on one thread. */
static struct {
    bool is_on, persists;
    size_t n_left; /* calls that still succeed */
    bool failed;
} plan;

void omma_test_fail_allocations(size_t n_left, bool persists)
{
    plan.n_left = n_left;
    plan.persists = persists;
    plan.failed = false;
    plan.is_on = true;
}

bool omma_test_end_failing(void)
{
    plan.is_on = false;
    return plan.failed;
}

static bool fails(void)
{
    if (!plan.is_on || (plan.failed && !plan.persists)) {
        return false;
    }
    if (plan.n_left > 0) {
        plan.n_left--;
        return false;
    }
    plan.failed = true;
    return true;
}

void *__wrap_malloc(size_t n_bytes)
{
    return fails() ? NULL : __real_malloc(n_bytes);
}

void *__wrap_calloc(size_t n_items, size_t item_bytes)
{
    return fails() ? NULL : __real_calloc(n_items, item_bytes);
}

void *__wrap_realloc(void *bytes, size_t n_bytes)
{
    return fails() ? NULL : __real_realloc(bytes, n_bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n_bytes)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n_bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

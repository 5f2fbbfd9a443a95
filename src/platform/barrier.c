/*
 * A group is a central counter with a generation number; who waits only reads.  The last of a group
 * to arrive goes on to the group above, and lets its own group go when it comes back.
 *
 * The tree is built from the seats in rounds, one for each level of the machine.  A round takes
 * the members that are left (threads, or groups of the round before) and joins neighbours of the
 * same place; one that is alone there goes to the next round as it is.
 */
#include "platform/barrier.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"

enum {
    MOST_MEMBERS =
        16, /* more would wait for the line of the counter; they are cut into equal groups */
    CACHE_LINE = 64,
};

struct group {
    _Alignas(CACHE_LINE) _Atomic uint32_t n_arrived; /* in this generation */
    uint32_t n_members;
    struct group *above; /* NULL: the top */
    /* grows when all have arrived; what sleepers wait on */
    _Alignas(CACHE_LINE) _Atomic uint32_t generation;
    _Atomic uint32_t n_sleeping;
};

struct omma_barrier {
    uint32_t n_spins;
    size_t n_groups;
    struct group *groups; /* one thread less than threads at most */
    struct group **first; /* [n_threads]: where a thread arrives; NULL: it is alone */
};

enum level { LEVEL_CACHE, LEVEL_NODE, LEVEL_MACHINE, N_LEVELS };

/* A thread or a group that is not yet in one. */
struct member {
    const struct omma_seat *seat; /* of its first thread */
    struct group **above;         /* where to note the group that it joins */
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static bool same_place(const struct omma_seat *a, const struct omma_seat *b, enum level level)
{
    switch (level) {
    case LEVEL_CACHE:
        return a->node == b->node && a->cache == b->cache;
    case LEVEL_NODE:
        return a->node == b->node;
    case LEVEL_MACHINE:
    case N_LEVELS:
        break;
    }
    return true;
}

/* Make members [0, n) one group; what it is as a member. */
static struct member join(struct omma_barrier *barrier, const struct member *members, size_t n)
{
    struct group *group;

    if (n == 1) {
        return members[0];
    }
    group = &barrier->groups[barrier->n_groups++];
    group->n_members = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        *members[i].above = group;
    }
    return (struct member){members[0].seat, &group->above};
}

/* Join n members of one place to as few groups as may be, in place; their number. */
static size_t join_place(struct omma_barrier *barrier, struct member *members, size_t n)
{
    size_t n_groups = (n + MOST_MEMBERS - 1) / MOST_MEMBERS;

    for (size_t i = 0; i < n_groups; i++) {
        size_t begin = n * i / n_groups, end = n * (i + 1) / n_groups;

        members[i] = join(barrier, members + begin, end - begin);
    }
    return n_groups;
}

/* One round over n members, in place; how many are left. */
static size_t join_level(struct omma_barrier *barrier, struct member *members, size_t n,
                         enum level level)
{
    size_t n_left = 0, begin = 0;

    while (begin < n) {
        size_t end = begin + 1, n_joined;

        while (end < n && same_place(members[begin].seat, members[end].seat, level)) {
            end++;
        }
        for (n_joined = end - begin; n_joined > 1;) {
            n_joined = join_place(barrier, members + begin, n_joined);
        }
        members[n_left++] = members[begin];
        begin = end;
    }
    return n_left;
}

enum omma_status omma_barrier_create(const struct omma_seat *seats, size_t n_threads,
                                     uint32_t n_spins, struct omma_barrier **barrier,
                                     struct omma_error *error)
{
    struct omma_barrier *made = calloc(1, sizeof *made);
    struct member *members = calloc(n_threads, sizeof *members);
    size_t n = n_threads;

    if (made != NULL) {
        made->n_spins = n_spins;
        made->groups = aligned_alloc(CACHE_LINE, n_threads * sizeof *made->groups);
        made->first = calloc(n_threads, sizeof *made->first);
    }
    if (made == NULL || members == NULL || made->groups == NULL || made->first == NULL) {
        free(members);
        omma_barrier_destroy(&made);
        return omma_fail_memory(error, n_threads * sizeof *made->groups, "a barrier");
    }
    memset(made->groups, 0, n_threads * sizeof *made->groups);
    for (size_t i = 0; i < n_threads; i++) {
        members[i] = (struct member){&seats[i], &made->first[i]};
    }
    for (enum level level = LEVEL_CACHE; level < N_LEVELS; level++) {
        n = join_level(made, members, n, level);
    }
    free(members);
    *barrier = made;
    return OMMA_OK;
}

void omma_barrier_destroy(struct omma_barrier **barrier)
{
    if (*barrier != NULL) {
        free((*barrier)->groups);
        free((*barrier)->first);
        free(*barrier);
        *barrier = NULL;
    }
}

size_t omma_barrier_depth(const struct omma_barrier *barrier, size_t thread)
{
    size_t depth = 0;

    for (const struct group *group = barrier->first[thread]; group != NULL; group = group->above) {
        depth++;
    }
    return depth;
}

static void sleep_until_left(struct group *group, uint32_t generation)
{
    atomic_fetch_add(&group->n_sleeping, 1);
    while (atomic_load(&group->generation) == generation) {
        futex(&group->generation, FUTEX_WAIT, generation);
    }
    atomic_fetch_sub(&group->n_sleeping, 1);
}

static void wait_in(struct group *group, uint32_t n_spins, omma_idle_fn idle, void *argument)
{
    uint32_t generation = atomic_load_explicit(&group->generation, memory_order_acquire);

    if (atomic_fetch_add_explicit(&group->n_arrived, 1, memory_order_acq_rel) + 1 ==
        group->n_members) {
        if (group->above != NULL) {
            wait_in(group->above, n_spins, idle, argument);
        }
        atomic_store_explicit(&group->n_arrived, 0, memory_order_relaxed);
        /* seq_cst here and above: either the sleeper sees the new generation or it is counted */
        atomic_fetch_add(&group->generation, 1);
        if (atomic_load(&group->n_sleeping) != 0) {
            futex(&group->generation, FUTEX_WAKE, INT32_MAX);
        }
        return;
    }
    for (uint32_t i = 0; i < n_spins; i++) {
        if (atomic_load_explicit(&group->generation, memory_order_acquire) != generation) {
            return;
        }
        if (idle == NULL || !idle(argument)) {
            idle = NULL;
            relax();
        }
    }
    sleep_until_left(group, generation);
}

void omma_barrier_wait(struct omma_barrier *barrier, size_t thread, omma_idle_fn idle,
                       void *argument)
{
    if (barrier->first[thread] != NULL) {
        wait_in(barrier->first[thread], barrier->n_spins, idle, argument);
    }
}

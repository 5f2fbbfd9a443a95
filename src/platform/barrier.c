/* A central counter with a generation number; hardware threads that wait only read. */
#include "platform/barrier.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

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

void omma_barrier_init(struct omma_barrier *barrier, uint32_t n_threads, uint32_t n_spins)
{
    atomic_init(&barrier->n_arrived, 0);
    atomic_init(&barrier->generation, 0);
    atomic_init(&barrier->n_sleeping, 0);
    barrier->n_threads = n_threads;
    barrier->n_spins = n_spins;
}

void omma_barrier_wait(struct omma_barrier *barrier)
{
    uint32_t generation = atomic_load_explicit(&barrier->generation, memory_order_acquire);

    if (atomic_fetch_add_explicit(&barrier->n_arrived, 1, memory_order_acq_rel) + 1 ==
        barrier->n_threads) {
        atomic_store_explicit(&barrier->n_arrived, 0, memory_order_relaxed);
        /* seq_cst here and below: either the sleeper sees the new generation or it is counted */
        atomic_fetch_add(&barrier->generation, 1);
        if (atomic_load(&barrier->n_sleeping) != 0) {
            futex(&barrier->generation, FUTEX_WAKE, INT32_MAX);
        }
        return;
    }
    for (uint32_t i = 0; i < barrier->n_spins; i++) {
        if (atomic_load_explicit(&barrier->generation, memory_order_acquire) != generation) {
            return;
        }
        relax();
    }
    atomic_fetch_add(&barrier->n_sleeping, 1);
    while (atomic_load(&barrier->generation) == generation) {
        futex(&barrier->generation, FUTEX_WAIT, generation);
    }
    atomic_fetch_sub(&barrier->n_sleeping, 1);
}

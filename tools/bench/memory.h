/*
 * memory.h - what this process took at most.
 */
#ifndef OMMA_BENCH_MEMORY_H
#define OMMA_BENCH_MEMORY_H

/* Forget how much memory was resident at its highest so far. */
void bench_memory_forget(void);

/* *peak: resident memory at its highest, mapped files included; *anonymous: what is resident now
 * and no file's.  Bytes; 0 where the operating system does not tell. */
void bench_memory(double *peak, double *anonymous);

#endif

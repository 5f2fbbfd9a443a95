/*
 * probe_read.h - the body of probe_read: reads memory and keeps the exclusive or of all of it.
 *
 * Before it is included: probe_vec, a vector; probe_load(at), probe_xor(a, b), and probe_fold(x),
 * 64 bits that depend on all of x; PROBE_READ, the kernel's name.
 */
#ifndef OMMA_SIMD_TMPL_PROBE_READ_H
#define OMMA_SIMD_TMPL_PROBE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_LINE = 64, PROBE_UNIT = 4 * PROBE_LINE, PROBE_SUMS = 4 };

/* A unit of each stream in turn.  n_streams and whether it prefetches are constants where it is
 * called. */
static inline __attribute__((always_inline)) void probe_read_streams(
    const char *bytes, size_t n_bytes, size_t n_streams, bool does_prefetch, size_t prefetch_bytes,
    probe_vec sums[PROBE_SUMS])
{
    size_t stream_bytes = n_bytes / n_streams;

    for (size_t offset = 0; offset < stream_bytes; offset += PROBE_UNIT) {
        UNROLL
        for (size_t stream = 0; stream < n_streams; stream++) {
            const char *at = bytes + stream * stream_bytes + offset;

            for (size_t i = 0; does_prefetch && i < PROBE_UNIT; i += PROBE_LINE) {
                __builtin_prefetch(at + prefetch_bytes + i);
            }
            UNROLL
            for (size_t i = 0; i < PROBE_UNIT / sizeof(probe_vec); i++) {
                sums[i % PROBE_SUMS] =
                    probe_xor(sums[i % PROBE_SUMS], probe_load(at + i * sizeof(probe_vec)));
            }
        }
    }
}

static inline __attribute__((always_inline)) void probe_read_some(const char *bytes, size_t n_bytes,
                                                                  size_t n_streams,
                                                                  bool does_prefetch,
                                                                  size_t prefetch_bytes,
                                                                  probe_vec sums[PROBE_SUMS])
{
    switch (n_streams) {
    case 1:
        probe_read_streams(bytes, n_bytes, 1, does_prefetch, prefetch_bytes, sums);
        break;
    case 2:
        probe_read_streams(bytes, n_bytes, 2, does_prefetch, prefetch_bytes, sums);
        break;
    case 4:
        probe_read_streams(bytes, n_bytes, 4, does_prefetch, prefetch_bytes, sums);
        break;
    default:
        probe_read_streams(bytes, n_bytes, 8, does_prefetch, prefetch_bytes, sums);
        break;
    }
}

uint64_t PROBE_READ(const void *bytes, size_t n_bytes, size_t n_streams, size_t prefetch_bytes)
{
    probe_vec sums[PROBE_SUMS] = {probe_load(bytes)};

    sums[0] = probe_xor(sums[0], sums[0]);
    sums[1] = sums[2] = sums[3] = sums[0];
    if (prefetch_bytes == 0) {
        probe_read_some(bytes, n_bytes, n_streams, false, 0, sums);
    } else {
        probe_read_some(bytes, n_bytes, n_streams, true, prefetch_bytes, sums);
    }
    return probe_fold(probe_xor(probe_xor(sums[0], sums[1]), probe_xor(sums[2], sums[3])));
}

#endif

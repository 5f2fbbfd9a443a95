/*
 * philox.h - random numbers from a key and a counter, without any state: Philox4x32-10 (Salmon et
 * al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
 */
#ifndef OMMA_BASE_PHILOX_H
#define OMMA_BASE_PHILOX_H

#include <stdint.h>

static inline void omma_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t random[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    random[0] = c0;
    random[1] = c1;
    random[2] = c2;
    random[3] = c3;
}

/* Number `counter` of the stream `key`, uniform in [0, 1) in steps of 2^-53. */
static inline double omma_philox_uniform(uint64_t key, uint64_t counter)
{
    const uint32_t keys[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    const uint32_t counters[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
    uint32_t random[4];

    omma_philox(keys, counters, random);
    return (double)(((uint64_t)random[0] << 32 | random[1]) >> 11) * 0x1p-53;
}

#endif

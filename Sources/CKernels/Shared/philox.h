// Private to this target: counter-based random numbers, sixteen counters side by side.
#pragma once
#include "clones.h"
#include <stdint.h>

// Philox4x32-10 (Salmon et al. 2011, section 4.3) on sixteen counters at once: word w of counter j
// is the random number of element 16 * w + j of a block of 64 elements.
RONDO_INLINE void philox_block(uint32_t out[64], uint32_t blockIndex, const uint32_t counter[3],
                               uint64_t key) {
    for (uint32_t j = 0; j < 16; j++) {
        uint32_t c0 = blockIndex * 16 + j, c1 = counter[0], c2 = counter[1], c3 = counter[2];
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
            uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c1 = (uint32_t)p1;
            c3 = (uint32_t)p0;
            c0 = n0;
            c2 = n2;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        out[j] = c0;
        out[16 + j] = c1;
        out[32 + j] = c2;
        out[48 + j] = c3;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Adding many vectors pairwise, whatever their number.
 *
 * A sum of n terms one after the other can lose n bits' worth of roundings; as
 * a tree it loses log n. Level k holds a sum of 2^k terms where bit k of the count is set.
 */
#ifndef RF_KERNELS_VECTOR_CASCADE_H
#define RF_KERNELS_VECTOR_CASCADE_H

#include "kernels/vector/vector.h"

enum { RF_CASCADE_LEVELS = 48 };

typedef struct rf_cascade {
    uint64_t count;
    rf_vec levels[RF_CASCADE_LEVELS];
} rf_cascade;

RF_INLINE void rf_cascade_add(rf_cascade *cascade, rf_vec term)
{
    int level = 0;
    for (uint64_t rest = cascade->count++; rest & 1; rest >>= 1)
        term = cascade->levels[level++] + term;
    cascade->levels[level] = term;
}

RF_INLINE rf_vec rf_cascade_sum(const rf_cascade *cascade)
{
    rf_vec sum = {0};
    int level = 0;
    for (uint64_t rest = cascade->count; rest; rest >>= 1, level++)
        if (rest & 1)
            sum = cascade->levels[level] + sum;
    return sum;
}

/* All lanes added up, in pairs. */
RF_INLINE float rf_add_lanes(rf_vec v)
{
    float lanes[RF_LANES];
    rf_store(lanes, v);
    for (int half = RF_LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

#endif

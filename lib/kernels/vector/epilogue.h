/* SPDX-License-Identifier: MIT */
/*
 * What happens to a vector of results on its way to memory: map(x + residual).
 *
 * Functions of a few instructions are applied where the sum is made. The others
 * stay out of line, so that they don't take registers from a tile of sums.
 */
#ifndef RF_KERNELS_VECTOR_EPILOGUE_H
#define RF_KERNELS_VECTOR_EPILOGUE_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"
#include "kernels/vector/vector_map.h"

static __attribute__((noinline, unused)) rf_vec rf_map_far(rf_vec x, rf_map map)
{
    return rf_vmap(x, map);
}

/* map(x) in every lane. */
RF_INLINE rf_vec rf_map_vector(rf_vec x, rf_map map)
{
    switch (map.function) {
    case RF_MAP_NONE: return x;
    case RF_MAP_RELU: return rf_at_least(x, rf_set(0.0f));
    case RF_MAP_CLIP: return rf_vbetween(x, map.a, map.b);
    case RF_MAP_LEAKY_RELU: return rf_select(x < rf_set(0.0f), x * map.a, x);
    case RF_MAP_HARD_SIGMOID: return rf_vbetween(x * map.a + map.b, 0.0f, 1.0f);
    case RF_MAP_HARD_SWISH: return x * rf_vbetween(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f);
    case RF_MAP_AFFINE: return x * map.a + map.b;
    default: return rf_map_far(x, map);
    }
}

/* Stores map(x + residual) to a whole vector; `residual` may be NULL. */
RF_INLINE void rf_finish(float *to, rf_vec x, const float *residual, rf_map map)
{
    if (residual)
        x += rf_load(residual);
    rf_store(to, rf_map_vector(x, map));
}

/* The same for the first `count` lanes only. */
RF_INLINE void rf_finish_some(float *to, rf_vec x, const float *residual, rf_map map, int64_t count)
{
    if (residual)
        x += rf_load_some(residual, count);
    rf_store_some(to, rf_map_vector(x, map), count);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary that vector kernels are written in, once for all instruction
 * sets: the build compiles every file of this folder once for each, with
 * RF_ISA (a name suffix) and RF_VECTOR_BYTES set.
 */
#ifndef RF_KERNELS_VECTOR_VECTOR_H
#define RF_KERNELS_VECTOR_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/vector/vector_isa.h"

#define RF_JOIN2(a, b) a##_##b
#define RF_JOIN(a, b) RF_JOIN2(a, b)
/* The name of a function or table of this instruction set: rf_make_map becomes rf_make_map_avx512. */
#define RF_ISA_NAME(name) RF_JOIN(name, RF_ISA)

enum { RF_LANES = RF_VECTOR_BYTES / 4 };

typedef float rf_vec __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef int32_t rf_ivec __attribute__((vector_size(RF_VECTOR_BYTES)));
/* The same at a float's alignment, for loads and stores anywhere. */
typedef float rf_vec_anywhere __attribute__((vector_size(RF_VECTOR_BYTES), aligned(4), may_alias));

#define RF_INLINE static inline __attribute__((always_inline))

/* Before a loop of a constant number of steps: without it, arrays of sums stay in memory. */
#if defined(__clang__)
#define RF_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RF_UNROLL _Pragma("GCC unroll 64")
#endif

RF_INLINE rf_vec rf_load(const float *from)
{
    return *(const rf_vec_anywhere *)from;
}

RF_INLINE void rf_store(float *to, rf_vec v)
{
    *(rf_vec_anywhere *)to = v;
}

/* At most a vector's floats, in pieces of sizes that a compiler knows: calls of memcpy() take longer. */
RF_INLINE void rf_copy_some(float *to, const float *from, int64_t count)
{
    RF_UNROLL
    for (int piece = RF_LANES; piece; piece /= 2) {
        if (!(count & piece))
            continue;
        memcpy(to, from, (size_t)piece * sizeof *to);
        to += piece;
        from += piece;
    }
}

RF_INLINE rf_vec rf_load_pieces(const float *from, int64_t count)
{
    float lanes[RF_LANES] = {0};
    rf_copy_some(lanes, from, count);
    return rf_load(lanes);
}

RF_INLINE void rf_store_pieces(float *to, rf_vec v, int64_t count)
{
    float lanes[RF_LANES];
    rf_store(lanes, v);
    rf_copy_some(to, lanes, count);
}

/* The first `count` lanes, 0 in the others; nothing beyond them is read. */
RF_INLINE rf_vec rf_load_some(const float *from, int64_t count)
{
    return RF_LOAD_FIRST(from, count);
}

RF_INLINE void rf_store_some(float *to, rf_vec v, int64_t count)
{
    RF_STORE_FIRST(to, v, count);
}

RF_INLINE rf_vec rf_set(float x)
{
    return x - (rf_vec){0};
}

/* mask ? a : b, lane by lane; masks are all ones or zeros, as comparisons give them. */
RF_INLINE rf_vec rf_select(rf_ivec mask, rf_vec a, rf_vec b)
{
    return (rf_vec)((mask & (rf_ivec)a) | (~mask & (rf_ivec)b));
}

/* x < low ? low : x; NaN stays. */
RF_INLINE rf_vec rf_at_least(rf_vec x, rf_vec low)
{
    return RF_LARGER(low, x);
}

RF_INLINE rf_vec rf_at_most(rf_vec x, rf_vec high)
{
    return RF_SMALLER(high, x);
}

/* The larger, or NaN where either is. */
RF_INLINE rf_vec rf_vmax(rf_vec a, rf_vec b)
{
    return RF_LARGEST(a, b);
}

RF_INLINE rf_vec rf_vmin(rf_vec a, rf_vec b)
{
    return RF_SMALLEST(a, b);
}

#endif

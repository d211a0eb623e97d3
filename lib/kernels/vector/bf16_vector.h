/* SPDX-License-Identifier: MIT */
/*
 * Pairs of bfloat16: two neighbouring numbers in the 32 bits of a lane, the first
 * in the lower half. Vectors and arrays of them pass for vectors and arrays of
 * floats, so that tiles find them as they find floats.
 *
 * Numbers are rounded to the nearest, ties to even; NaN stays NaN. The processor
 * takes and gives 0 for what is smaller than a normal number.
 */
#ifndef RF_KERNELS_VECTOR_BF16_VECTOR_H
#define RF_KERNELS_VECTOR_BF16_VECTOR_H

#include "kernels/vector/vector.h"

typedef int16_t rf_halves __attribute__((vector_size(RF_VECTOR_BYTES)));

/* Two vectors of floats, one after the other, as the pairs that they are made of. */
RF_INLINE rf_vec rf_bf16_round(rf_vec first, rf_vec second)
{
    return (rf_vec)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}

/* Lane by lane, a pair of a float of each. */
RF_INLINE rf_vec rf_bf16_pair(rf_vec low, rf_vec high)
{
    rf_halves v = (rf_halves)rf_bf16_round(low, high);
    return (rf_vec)__builtin_shufflevector(v, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25,
                                           10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* sums + both products of each lane's pair. */
RF_INLINE rf_vec rf_bf16_add(rf_vec sums, rf_vec a, rf_vec b)
{
    return (rf_vec)_mm512_dpbf16_ps((__m512)sums, (__m512bh)a, (__m512bh)b);
}

/* One pair in every lane. */
RF_INLINE rf_vec rf_bf16_set(const float *pair)
{
    int32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return (rf_vec)_mm512_set1_epi32(bits);
}

/* Up to two vectors' numbers as pairs; a last one without a partner gets 0. */
RF_INLINE rf_vec rf_bf16_round_some(const float *from, int64_t count)
{
    int64_t first = count < RF_LANES ? count : RF_LANES;
    return rf_bf16_round(rf_load_some(from, first), rf_load_some(from + first, count - first));
}

#endif

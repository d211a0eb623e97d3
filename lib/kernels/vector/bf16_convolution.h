/* SPDX-License-Identifier: MIT */
/*
 * Direct convolutions and products by a constant matrix of numbers rounded to
 * bfloat16: two products a lane at once, their sums in float32.
 *
 * Where the compiler lacks the instructions the maker makes nothing.
 */
#ifndef RF_KERNELS_VECTOR_BF16_CONVOLUTION_H
#define RF_KERNELS_VECTOR_BF16_CONVOLUTION_H

#include "kernels/vector/direct_convolution.h"

#ifdef RF_HAS_BFLOAT16
/* Operands: input, output, residual where there is one. */
bool RF_ISA_NAME(rf_make_bf16)(const rf_direct_spec *spec, rf_arena *arena, rf_work *work);
#else
static inline bool RF_ISA_NAME(rf_make_bf16)(const rf_direct_spec *spec, rf_arena *arena, rf_work *work)
{
    (void)spec;
    (void)arena;
    (void)work;
    return false;
}
#endif

#endif

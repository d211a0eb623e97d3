/* SPDX-License-Identifier: MIT */
/* The one list of fast kernels, for the instruction set that this is compiled for. */
#include "kernels/vector/makers.h"

#define RF_TEXT2(text) #text
#define RF_TEXT_OF(text) RF_TEXT2(text)

extern const struct rf_updates RF_ISA_NAME(rf_updates);
extern const rf_kernels RF_ISA_NAME(rf_kernels);

const rf_kernels RF_ISA_NAME(rf_kernels) = {
    .isa = RF_TEXT_OF(RF_ISA),
    .vector_bytes = RF_VECTOR_BYTES,
    .convolution = RF_ISA_NAME(rf_make_convolution),
    .matmul = RF_ISA_NAME(rf_make_matmul),
    .integer_sum = RF_ISA_NAME(rf_make_integer_sum),
    .levels = RF_ISA_NAME(rf_make_levels),
    .pool = RF_ISA_NAME(rf_make_pool),
    .weight_gradient = RF_ISA_NAME(rf_make_weight_gradient),
    .pool_gradient = RF_ISA_NAME(rf_make_pool_gradient),
    .slope = RF_ISA_NAME(rf_make_slope),
    .map = RF_ISA_NAME(rf_make_map),
    .pair = RF_ISA_NAME(rf_make_pair),
    .scale = RF_ISA_NAME(rf_make_scale),
    .reduce = RF_ISA_NAME(rf_make_reduce),
    .softmax = RF_ISA_NAME(rf_make_softmax),
    .resample = RF_ISA_NAME(rf_make_resample),
    .copy = RF_ISA_NAME(rf_make_copy),
    .fill = RF_ISA_NAME(rf_make_fill),
    .spin = RF_ISA_NAME(rf_spin),
    .updates = &RF_ISA_NAME(rf_updates),
};

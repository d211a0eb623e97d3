/* SPDX-License-Identifier: MIT */
/* The makers of this instruction set; kernel_list.c lists them. What each promises: kernels/kernel.h. */
#ifndef RF_KERNELS_VECTOR_MAKERS_H
#define RF_KERNELS_VECTOR_MAKERS_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

bool RF_ISA_NAME(rf_make_convolution)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_depthwise)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_grouped)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_transposed)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_integer_sum)(const rf_integer_sum_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_levels)(const rf_levels_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_int8_pool)(const rf_pool_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_pool)(const rf_pool_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_weight_gradient)(const rf_weight_gradient_spec *spec, rf_arena *arena,
                                          rf_weight_gradient_work *work);
bool RF_ISA_NAME(rf_make_pool_gradient)(const rf_pool_gradient_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_slope)(const rf_slope_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_map)(const rf_map_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_pair)(const rf_pair_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_scale)(const rf_scale_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_reduce)(const rf_reduce_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_softmax)(const rf_softmax_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_resample)(const rf_resample_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_copy)(const rf_copy_spec *spec, rf_arena *arena, rf_work *work);
bool RF_ISA_NAME(rf_make_fill)(const rf_fill_spec *spec, rf_arena *arena, rf_work *work);

/* Does multiply-adds that wait for nothing, in proportion to `steps`, and tells how many. */
uint64_t RF_ISA_NAME(rf_spin)(uint64_t steps);

#endif

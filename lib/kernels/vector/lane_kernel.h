/* SPDX-License-Identifier: MIT */
/*
 * Convolutions whose output channel k sees input channels of the same vector
 * only: depthwise ones, and groups of as many inputs as outputs that are
 * narrower than a vector. A vector of inputs then meets a vector of outputs.
 */
#ifndef RF_KERNELS_VECTOR_LANE_KERNEL_H
#define RF_KERNELS_VECTOR_LANE_KERNEL_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

bool RF_ISA_NAME(rf_make_lanes)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Convolutions in groups and transposed ones, of any window: each group by
 * itself, as tiles of pixels that are reached by the same taps.
 */
#ifndef RF_KERNELS_VECTOR_TAP_TILES_H
#define RF_KERNELS_VECTOR_TAP_TILES_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

bool RF_ISA_NAME(rf_make_tap_tiles)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Winograd's convolution: fewer products than outputs have taps, for a rounding error that grows with the tile.
 * Along one axis or two a kernel of 3, 5 or 7, dilated or not, or of 3 that moves by 2, or of 1 along one of two.
 * A NaN or infinity in an input pixel reaches all outputs of the tiles that read it.
 */
#ifndef RF_KERNELS_VECTOR_WINOGRAD_CONVOLUTION_H
#define RF_KERNELS_VECTOR_WINOGRAD_CONVOLUTION_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

/* With the tile that should be fastest; false where a direct convolution should be faster still. */
bool RF_ISA_NAME(rf_make_winograd)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work);

/* With tiles of outputs[0] x outputs[1], which rf_winograd_schemes has for the kernel; else false. */
bool RF_ISA_NAME(rf_make_winograd_sized)(const rf_convolution_spec *spec, const int outputs[2], rf_arena *arena,
                                         rf_work *work);

enum { RF_WINOGRAD_CANDIDATES = 16 };

/* One of all tiles that are accurate, from 0 to RF_WINOGRAD_CANDIDATES - 1, large ones first. False where
 * there is none of that number, and for convolutions so small that a direct one has to be good enough. */
bool RF_ISA_NAME(rf_make_winograd_candidate)(const rf_convolution_spec *spec, int32_t number, rf_arena *arena,
                                             rf_work *work);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Strassen's product of matrices, in Winograd's form, for convolutions of one tap: pixels, input channels and
 * output channels are halved once, and seven products of halves take the place of eight. The rounding error
 * grows about as that of the smallest of Winograd's tiles. A NaN or infinity in a pixel reaches all outputs of the
 * pixel that it goes with, one in a weight those of another output channel.
 * V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969); in the form with 15 additions
 * that N. J. Higham gives, Accuracy and Stability of Numerical Algorithms (2002), chapter 23.
 */
#ifndef RF_KERNELS_VECTOR_STRASSEN_CONVOLUTION_H
#define RF_KERNELS_VECTOR_STRASSEN_CONVOLUTION_H

#include "kernels/vector/direct_convolution.h"

/* Where it should be faster than a direct convolution, or `always` where it can be done; else false. */
bool RF_ISA_NAME(rf_make_strassen)(const rf_direct_spec *spec, bool always, rf_arena *arena, rf_work *work);

#endif

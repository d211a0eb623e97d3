/* SPDX-License-Identifier: MIT */
/* Transposed convolutions by gathering: what reaches an output is known from where it lies. */
#include "kernels/vector/makers.h"
#include "kernels/vector/tap_tiles.h"

bool RF_ISA_NAME(rf_make_transposed)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    return spec->transposed && RF_ISA_NAME(rf_make_tap_tiles)(spec, arena, work);
}

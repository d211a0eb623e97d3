/* SPDX-License-Identifier: MIT */
/* Convolutions in groups: several to a vector where they are narrow, else one by one. */
#include "kernels/vector/lane_kernel.h"
#include "kernels/vector/makers.h"
#include "kernels/vector/tap_tiles.h"

bool RF_ISA_NAME(rf_make_grouped)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->groups <= 1 || spec->transposed)
        return false;
    return RF_ISA_NAME(rf_make_lanes)(spec, arena, work) || RF_ISA_NAME(rf_make_tap_tiles)(spec, arena, work);
}

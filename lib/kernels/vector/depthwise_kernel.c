/* SPDX-License-Identifier: MIT */
/* A filter for each channel, of any window, transposed too. */
#include "kernels/vector/lane_kernel.h"
#include "kernels/vector/makers.h"
#include "kernels/vector/tap_tiles.h"

bool RF_ISA_NAME(rf_make_depthwise)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->groups != spec->input.dims[1] || (spec->groups == 1 && !spec->transposed))
        return false;
    return RF_ISA_NAME(rf_make_lanes)(spec, arena, work) || RF_ISA_NAME(rf_make_tap_tiles)(spec, arena, work);
}

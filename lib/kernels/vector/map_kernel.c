/* SPDX-License-Identifier: MIT */
#include "kernels/vector/makers.h"

bool RF_ISA_NAME(rf_make_map)(const rf_map_spec *spec, rf_arena *arena, rf_work *work)
{
    (void)spec;
    (void)arena;
    (void)work;
    return false;
}

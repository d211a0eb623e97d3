/* SPDX-License-Identifier: MIT */
#include "kernels/vector/makers.h"

bool RF_ISA_NAME(rf_make_matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work)
{
    (void)spec;
    (void)arena;
    (void)work;
    return false;
}

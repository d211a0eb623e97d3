/* SPDX-License-Identifier: MIT */
#include "kernels/machine.h"

extern const rf_kernels rf_kernels_baseline;

static const rf_kernels *const all[] = {&rf_kernels_baseline, NULL};

const rf_kernels *const *rf_machine_built(void)
{
    return all;
}

const rf_kernels *const *rf_machine_kernels(void)
{
    return all;
}

bool rf_machine_has_bfloat16(const rf_kernels *kernels)
{
    (void)kernels;
    return false;
}

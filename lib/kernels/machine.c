/* SPDX-License-Identifier: MIT */
#include "kernels/machine.h"

#include <string.h>

const rf_kernels *rf_machine_find(const char *isa)
{
    const rf_kernels *const *sets = rf_machine_kernels();
    if (!isa)
        return *sets;
    while (*sets && strcmp((*sets)->isa, isa) != 0)
        sets++;
    return *sets;
}

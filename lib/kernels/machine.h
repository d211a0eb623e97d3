/* SPDX-License-Identifier: MIT */
/* Which fast kernels this machine can run. */
#ifndef RF_KERNELS_MACHINE_H
#define RF_KERNELS_MACHINE_H

#include "kernels/kernel.h"

/* The instruction sets that were built and that processor and system allow, best first; ended by
 * NULL. The last one runs everywhere. */
const rf_kernels *const *rf_machine_kernels(void);

/* The set of that name among them, or NULL; the best for a NULL name. */
const rf_kernels *rf_machine_find(const char *isa);

#endif

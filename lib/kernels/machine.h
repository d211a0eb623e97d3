/* SPDX-License-Identifier: MIT */
/* Which fast kernels this machine can run, and which of them a model gets. */
#ifndef RF_KERNELS_MACHINE_H
#define RF_KERNELS_MACHINE_H

#include <rfield/status.h>

#include "kernels/kernel.h"

/* The instruction sets that were built, best first; ended by NULL. */
const rf_kernels *const *rf_machine_built(void);

/* The end of that list that processor and system allow. The last one runs everywhere. */
const rf_kernels *const *rf_machine_kernels(void);

/* The set of that name among those that are allowed, or NULL; the best for a NULL name. */
const rf_kernels *rf_machine_find(const char *isa);

/* Whether the kernels of that set may be asked for bfloat16. */
bool rf_machine_has_bfloat16(const rf_kernels *kernels);

/*
 * The best set that the machine allows, that is no better than `isa` (unless NULL) and that `mask`
 * leaves: NULL or "" for all, one name for it and what is below, or several with commas for just
 * those. RF_ERROR_UNSUPPORTED for names that are unknown and where nothing is left.
 */
rf_status rf_machine_choose(const char *isa, const char *mask, const rf_kernels **kernels, rf_error *error);

#endif

/* SPDX-License-Identifier: MIT */
/* The choice of a layer's algorithm by trying. */
#ifndef RF_PLAN_TUNING_H
#define RF_PLAN_TUNING_H

#include "plan/plan.h"

/* What trying takes, until rf_plan_end_tuning(). */
rf_status rf_plan_start_tuning(rf_plan *plan);
void rf_plan_end_tuning(rf_plan *plan);

/* The candidate to ask for: 0 where nothing is tuned or is to be tried. Without memory the plan's arena is
 * marked as refused. */
int32_t rf_plan_tune(rf_plan *plan, const rf_convolution_spec *spec);

#endif

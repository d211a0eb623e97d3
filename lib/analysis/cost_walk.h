/* SPDX-License-Identifier: MIT */
/* The walk that adds up what layers compute, hold and move. */
#ifndef RF_ANALYSIS_COST_WALK_H
#define RF_ANALYSIS_COST_WALK_H

#include "analysis/analysis_owner.h"

/* Fills the counts, parameters and bytes of every layer and of the whole. RF_ERROR_OVERFLOW names
 * the layer whose count leaves 64 bits. */
rf_status rf_cost_walk(rf_analysis_owner *owner, rf_error *error);

#endif

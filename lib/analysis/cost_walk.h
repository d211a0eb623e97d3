/* SPDX-License-Identifier: MIT */
/* The walk that adds up what layers compute, hold and move. */
#ifndef RF_ANALYSIS_COST_WALK_H
#define RF_ANALYSIS_COST_WALK_H

#include "analysis/analysis_owner.h"

/* Fills the operations and bytes of layer `n` and adds them to the whole's. RF_ERROR_OVERFLOW names
 * the layer whose count leaves 64 bits. */
rf_status rf_cost_layer(rf_analysis_owner *owner, size_t n, rf_error *error);

/* Fills the parameters of all layers, and what depends on all of them. */
rf_status rf_cost_network(rf_analysis_owner *owner, rf_error *error);

#endif

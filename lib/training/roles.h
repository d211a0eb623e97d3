/* SPDX-License-Identifier: MIT */
/* What a layer's weights are to it, from its row and its shapes. */
#ifndef RF_TRAINING_ROLES_H
#define RF_TRAINING_ROLES_H

#include "ops/op.h"
#include "training/schemes.h"

/* Input `i` of a layer, of shape `shape`, seen as a weight; the input may be implied. */
rf_weight_view rf_weight_view_of(const rf_node *node, uint32_t i, const rf_shape *shape);

/* A tensor that no layer reads as a weight. */
rf_weight_view rf_weight_view_alone(const rf_shape *shape);

/* Whether input `i` is what an analysis counts as a parameter or statistic. */
bool rf_is_weight_input(const rf_node *node, uint32_t i);

#endif

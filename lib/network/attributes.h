/* SPDX-License-Identifier: MIT */
/* From a layer's attributes to the parameter struct of its operator's row. */
#ifndef RF_NETWORK_ATTRIBUTES_H
#define RF_NETWORK_ATTRIBUTES_H

#include "ops/op.h"

/* Sets node->params: the row's defaults, then the layer's attributes. Fails by name for an
 * attribute that the row does not know, of another type, given twice, or missing. */
rf_status rf_attributes_apply(rf_node *node);

#endif

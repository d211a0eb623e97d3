/* SPDX-License-Identifier: MIT */
/* An order in which layers can run. */
#ifndef RF_NETWORK_ORDER_H
#define RF_NETWORK_ORDER_H

#include "network/graph.h"

/*
 * Puts graph->nodes into an order in which every layer follows those that it reads, keeping the
 * description's order where it already is one, and numbers the producers of values anew.
 * RF_ERROR_GRAPH names a layer on a cycle. Linear in layers and inputs.
 */
rf_status rf_graph_order(rf_graph *graph, rf_error *error);

#endif

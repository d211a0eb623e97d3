/* SPDX-License-Identifier: MIT */
/* The shape walk: binds inputs, then asks every operator's row what it puts out. */
#ifndef RF_NETWORK_INFER_H
#define RF_NETWORK_INFER_H

#include "network/graph.h"

/* Gives an input its type and shape: the declaration's, overridden by its binding; an unknown
 * first dimension becomes 1. */
rf_status rf_infer_input(rf_value *value, const rf_binding *bindings, size_t count, rf_error *error);

/* Makes an input, whose shape is bound, a constant of the elements given. */
rf_status rf_infer_fixed(rf_value *value, const rf_tensor *fixed, rf_error *error);

/* Gives a declared constant its type, shape and data. */
rf_status rf_infer_constant(rf_value *value, rf_error *error);

/* Fails for a binding that names none of the network's inputs. */
rf_status rf_infer_check_bindings(const rf_network *network, const rf_binding *bindings, size_t count,
                                  rf_error *error);

/* Infers all nodes in order and folds the elements of small constants. */
rf_status rf_infer_nodes(rf_graph *graph, const rf_graph_options *options);

#endif

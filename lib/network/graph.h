/* SPDX-License-Identifier: MIT */
/*
 * A description resolved: names turned into pointers, layers in an order in
 * which they can run, every shape known, shape arithmetic folded away.
 *
 * It is what the analysis and the plan both walk.
 */
#ifndef RF_NETWORK_GRAPH_H
#define RF_NETWORK_GRAPH_H

#include "base/arena.h"
#include "base/names.h"
#include "ops/op.h"

typedef struct rf_graph {
    rf_arena arena;          /* owns everything, this struct included */
    rf_limits limits;
    const rf_network *network;
    rf_value *values;        /* inputs first, then constants, then what layers put out */
    size_t value_count;
    size_t input_count;
    rf_node *nodes;          /* in topological order, stable with respect to the description */
    size_t node_count;
    rf_value **outputs;      /* of the network */
    size_t output_count;
    rf_names names;          /* value by name */
} rf_graph;

/* What rf_graph_make needs beside the network. */
typedef struct rf_graph_options {
    const rf_binding *bindings;
    size_t binding_count;
    const rf_tensor *fixed;  /* inputs that are constants: name, dtype, shape, data */
    size_t fixed_count;
    bool allow_unknown;
    bool names_only;         /* names resolved and layers ordered; shapes, rows and data left out */
    bool fold_floats;        /* as far as limits.folded_elements and not only what shapes need */
    size_t bytes_per_layer;  /* that the arena will hold, about; 0 for what an analysis takes */
    const rf_allocator *allocator;
    rf_limits limits;
} rf_graph_options;

/* Validates and resolves. *graph is NULL after a failure. */
rf_status rf_graph_make(const rf_network *network, const rf_graph_options *options,
                        rf_graph **graph, rf_error *error);

void rf_graph_free(rf_graph *graph);

#endif

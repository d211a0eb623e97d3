/* SPDX-License-Identifier: MIT */
/* The layers with weights of a graph, and the activations behind them. */
#ifndef RF_TRAINING_GRADIENT_LAYERS_H
#define RF_TRAINING_GRADIENT_LAYERS_H

#include "network/graph.h"

typedef struct rf_weighted_layer {
    const rf_node *node;
    const rf_value *weight, *bias;  /* constants with elements; `bias` may be NULL */
    const rf_value *pre_activation; /* what the activation reads, or the layer puts out */
    const rf_node *activation;      /* NULL for none */
} rf_weighted_layer;

/* Those that `output`, a value of the graph, depends on, in the order in which they run. NULL without memory. */
rf_weighted_layer *rf_weighted_layers(const rf_graph *graph, const rf_value *output, rf_arena *arena, size_t *count);

#endif

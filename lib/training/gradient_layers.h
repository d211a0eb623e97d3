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

/* In the order in which they run. NULL without memory. */
rf_weighted_layer *rf_weighted_layers(const rf_graph *graph, rf_arena *arena, size_t *count);

#endif

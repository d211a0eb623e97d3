/* SPDX-License-Identifier: MIT */
/*
 * What a gradient is built from: the network's layers by explicit names, in an
 * order in which they can run, with parameters and the loss's target as inputs.
 */
#ifndef RF_TRAINING_DRAFT_H
#define RF_TRAINING_DRAFT_H

#include <rfield/gradient.h>

#include "network/graph.h"

/* Lists of tensors' names. */
typedef struct rf_name_list {
    const char **at;
    size_t count;
} rf_name_list;

typedef struct rf_draft {
    rf_arena *arena; /* of what is described */
    rf_error *error;
    const rf_gradient_options *options;
    const rf_graph *graph;  /* of the network as it was */
    rf_network network;     /* forward layers, then the loss */
    rf_layer *layers;       /* with room for all of them */
    rf_tensor *constants;
    size_t named;           /* names of its own, tried ones too */
    rf_name_list parameters, statistics; /* running ones that batches are measured for */
    const char *output;
} rf_draft;

/* Fills in `network`, `parameters`, `statistics` and `output`. */
rf_status rf_draft_make(rf_draft *draft);

/* Adds a layer of the domain "rfield"; `output` NULL for a name of its own. Returns what it puts out, or NULL
 * without memory. */
const char *rf_draft_layer(rf_draft *draft, const char *type, const char *const *inputs,
                           const rf_attribute *attributes, const char *output);
/* A constant of int64; NULL without memory. */
const char *rf_draft_ints(rf_draft *draft, const int64_t *ints, size_t count);
/* A float32 scalar. */
const char *rf_draft_number(rf_draft *draft, double number);

rf_status rf_draft_no_memory(const rf_draft *draft);

/* batch_statistics.c: the layers of a batch normalisation that measures its input. */
rf_status rf_draft_measure(rf_draft *draft, const rf_node *node);

/* loss.c: the layers of the loss. */
rf_status rf_draft_loss(rf_draft *draft, const rf_value *output);

/* Most layers and constants that a batch normalisation or a loss becomes. */
enum { RF_DRAFT_LAYERS = 16, RF_DRAFT_CONSTANTS = 8 };

#endif

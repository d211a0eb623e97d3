/* SPDX-License-Identifier: MIT */
/* Constant folding: what depends on known elements only is computed once, within a budget. */
#ifndef RF_NETWORK_FOLDING_H
#define RF_NETWORK_FOLDING_H

#include "ops/op.h"

typedef struct rf_folding {
    uint64_t budget;      /* elements that may still be looked at, so that no description makes it slow */
    uint64_t most_floats; /* elements of one tensor of floats */
    bool defers;          /* what only makes floats of 8-bit integers waits until someone reads the floats */
    uint64_t deferred;    /* bytes of such */
} rf_folding;

/* Shape arithmetic is made of integers; of floats it needs at most a few scales. With `floats`,
 * weights are folded too, or deferred. */
rf_folding rf_folding_start(bool floats);

/* Computes the outputs of a node, whose shapes are known, where all its inputs' elements are. */
rf_status rf_folding_node(rf_folding *folding, rf_node *node);

/* Computes a value that was deferred; does nothing with others. */
rf_status rf_folding_settle(rf_value *value);

#endif

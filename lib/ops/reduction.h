/* SPDX-License-Identifier: MIT */
/*
 * What operators that take axes away share: ReduceSum and its like, and
 * ArgMax and ArgMin.
 */
#ifndef RF_OPS_REDUCTION_H
#define RF_OPS_REDUCTION_H

#include "ops/fold.h"

/* What `infer` leaves: which axes go, and how many elements become one. */
typedef struct rf_reduction {
    uint32_t set; /* bit k: axis k of the input */
    bool keepdims;
    uint64_t count;
} rf_reduction;

static inline bool rf_reduction_takes(const rf_reduction *reduction, int32_t axis)
{
    return reduction->set >> axis & 1;
}

/* Fills in node->state and sets output 0, of type `dtype`. */
rf_status rf_reduction_infer(rf_node *node, uint32_t axes, bool keepdims, rf_dtype dtype);

void rf_reduction_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

/* Operations that join elements: those read, less one for each output. */
uint64_t rf_reduction_joins(const rf_node *node);

/* The walk over output elements, and from each the walk over the elements that become it. */
typedef struct rf_reduction_walk {
    rf_view outer, inner;
    rf_shape inner_shape;
} rf_reduction_walk;

void rf_reduction_walk_make(const rf_node *node, rf_reduction_walk *walk);

/* ---- References of Reduce* -------------------------------------------------------------- */

rf_status rf_reduce_sum(rf_node *node);
rf_status rf_reduce_mean(rf_node *node);
rf_status rf_reduce_prod(rf_node *node);
rf_status rf_reduce_min(rf_node *node);
rf_status rf_reduce_max(rf_node *node);
rf_status rf_reduce_l1(rf_node *node);
rf_status rf_reduce_l2(rf_node *node);
rf_status rf_reduce_sum_square(rf_node *node);
rf_status rf_reduce_log_sum(rf_node *node);
rf_status rf_reduce_log_sum_exp(rf_node *node);

#endif

/* SPDX-License-Identifier: MIT */
/* What operators on corresponding elements share: broadcasting old and new, and counts. */
#ifndef RF_OPS_ELEMENTWISE_H
#define RF_OPS_ELEMENTWISE_H

#include "ops/op.h"
#include "ops/task.h"

/*
 * Two-input operators up to operator set 6 broadcast only where `broadcast` is
 * set, and only input 1: its axes lie along those of input 0 from `axis` on,
 * or along the last ones. Parameter structs of such operators begin with this.
 */
typedef struct rf_pair_params {
    int64_t broadcast, axis;
} rf_pair_params;

#define RF_PAIR_AXIS_ABSENT INT64_MIN

extern const rf_pair_params rf_pair_defaults;
extern const rf_attribute_spec rf_pair_attributes[];

/* Output 0 has the type `dtype` and the shape that inputs 0 and 1 broadcast to. */
rf_status rf_pair_infer(const rf_node *node, rf_dtype dtype);

/* The axis of the output that axis 0 of an input lies along. */
int32_t rf_pair_shift(const rf_node *node, uint32_t input);

void rf_pair_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

/* Output 0 has the type of input 0, which all others share, and the shape that all broadcast to;
 * before operator set 8 all shapes are alike. */
rf_status rf_series_infer(rf_node *node);

/* The tasks of a layer whose output 0 is float32: a function of each element, or of pairs that
 * broadcast from the right. False where the layer is something else. */
bool rf_lower_map(const rf_node *node, rf_map_function function, float a, float b, rf_task *task);
bool rf_lower_pair(const rf_node *node, rf_pair_function function, rf_task *task);

/* Output 0 is input 0 as it is, of any type, and no other output is asked for. */
bool rf_lower_same(const rf_node *node, rf_task *task);

/* Elements of output 0; none where it is omitted. */
uint64_t rf_output_elements(const rf_node *node);

/* One operation of that kind for each element of output 0. */
bool rf_cost_activations(const rf_node *node, rf_cost *cost);
bool rf_cost_additions(const rf_node *node, rf_cost *cost);
bool rf_cost_multiplications(const rf_node *node, rf_cost *cost);
bool rf_cost_divisions(const rf_node *node, rf_cost *cost);
bool rf_cost_comparisons(const rf_node *node, rf_cost *cost);
bool rf_cost_exponentials(const rf_node *node, rf_cost *cost);
bool rf_cost_square_roots(const rf_node *node, rf_cost *cost);

#endif

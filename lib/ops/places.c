/* SPDX-License-Identifier: MIT */
/* The places of extremes: ArgMax and ArgMin, which compare n - 1 times for n elements. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/elementwise.h"
#include "ops/lanes.h"
#include "ops/order_key.h"
#include "ops/reduction.h"

typedef struct place_params {
    int64_t axis, keepdims, select_last_index;
} place_params;

static const place_params place_defaults = {.keepdims = 1};
static const rf_attribute_spec place_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(place_params, axis), false},
    {"keepdims", RF_ATTRIBUTE_INT, offsetof(place_params, keepdims), false},
    {"select_last_index", RF_ATTRIBUTE_INT, offsetof(place_params, select_last_index), false},
    {.name = NULL},
};

static rf_status infer_place(rf_node *node)
{
    const place_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    int32_t axis;
    RF_TRY(rf_node_axis(node, "axis", params->axis, in->rank, &axis));
    if (in->dims[axis] == 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "shape %s has no element along axis %d",
                            rf_shape_print(in).text, (int)axis);
    return rf_reduction_infer(node, UINT32_C(1) << axis, params->keepdims != 0, RF_INT64);
}

static bool cost_place(const rf_node *node, rf_cost *cost)
{
    cost->dense.comparisons = cost->valid.comparisons = rf_reduction_joins(node);
    return true;
}

/* The place of the extreme of one lane; a NaN is one wherever it is. */
static uint64_t find_place(const rf_value *in, rf_lane lane, bool least, bool last, rf_counts *tally)
{
    uint64_t best = 0;
    uint64_t best_key = rf_order_key(in, lane.at, least);
    for (uint64_t i = 1; i < lane.count; i++) {
        uint64_t key = rf_order_key(in, lane.at + i * lane.step, least);
        if (key > best_key || (last && key == best_key)) {
            best = i;
            best_key = key;
        }
    }
    if (tally)
        tally->comparisons += lane.count - 1;
    return best;
}

static rf_status find_places(rf_node *node, bool least)
{
    const place_params *params = node->params;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!out || !rf_order_knows(in->dtype))
        return rf_fold_refuse(node);
    int32_t axis = (int32_t)(params->axis < 0 ? params->axis + in->shape.rank : params->axis);
    rf_lanes lanes = rf_lanes_make(&in->shape, axis, axis + 1);
    for (uint64_t k = 0; k < lanes.count; k++) {
        uint64_t place = find_place(in, rf_lanes_at(&lanes, k), least, params->select_last_index != 0, node->tally);
        rf_store_int(rf_fold_data(out), out->dtype, k, (int64_t)place);
    }
    return RF_OK;
}

static rf_status evaluate_arg_max(rf_node *node)
{
    return find_places(node, false);
}

static rf_status evaluate_arg_min(rf_node *node)
{
    return find_places(node, true);
}

#define PLACE(type_, evaluate_)                                                  \
    const rf_op rf_op_##type_ = {                                                \
        .type = #type_, .class = RF_CLASS_REDUCTION,                             \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,    \
        .attributes = place_attributes, .defaults = &place_defaults,             \
        .params_size = sizeof(place_params),                                     \
        .infer = infer_place, .link = rf_reduction_link, .cost = cost_place,     \
        .evaluate = (evaluate_),                                                 \
    };

PLACE(ArgMax, evaluate_arg_max)
PLACE(ArgMin, evaluate_arg_min)

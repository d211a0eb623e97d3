/* SPDX-License-Identifier: MIT */
#include "ops/elementwise.h"

#include <stddef.h>

#include "ops/checks.h"

enum { PAIRS_BROADCAST_SINCE = 7, SERIES_BROADCAST_SINCE = 8 };

const rf_pair_params rf_pair_defaults = {.broadcast = 0, .axis = RF_PAIR_AXIS_ABSENT};

const rf_attribute_spec rf_pair_attributes[] = {
    {"broadcast", RF_ATTRIBUTE_INT, offsetof(rf_pair_params, broadcast), false},
    {"axis", RF_ATTRIBUTE_INT, offsetof(rf_pair_params, axis), false},
    {.name = NULL},
};

static bool is_single(const rf_shape *shape)
{
    for (int32_t axis = 0; axis < shape->rank; axis++)
        if (shape->dims[axis] != 1)
            return false;
    return true;
}

static int32_t old_shift(const rf_node *node)
{
    const rf_pair_params *params = node->params;
    const rf_shape *a = &node->inputs[0]->shape, *b = &node->inputs[1]->shape;
    if (params->axis == RF_PAIR_AXIS_ABSENT || is_single(b))
        return a->rank - b->rank;
    return (int32_t)(params->axis < 0 ? params->axis + a->rank : params->axis);
}

static rf_status fail_old(const rf_node *node)
{
    return rf_node_fail(node, RF_ERROR_SHAPE, "shape %s does not broadcast to %s by the rules of operator set %d",
                        rf_shape_print(&node->inputs[1]->shape).text,
                        rf_shape_print(&node->inputs[0]->shape).text, (int)node->opset);
}

static rf_status check_old(const rf_node *node)
{
    const rf_pair_params *params = node->params;
    const rf_shape *a = &node->inputs[0]->shape, *b = &node->inputs[1]->shape;
    int32_t ignored;
    if (rf_shape_equal(a, b))
        return RF_OK;
    if (!params->broadcast || b->rank > a->rank)
        return fail_old(node);
    if (params->axis != RF_PAIR_AXIS_ABSENT)
        RF_TRY(rf_node_axis(node, "axis", params->axis, (int64_t)a->rank, &ignored));
    int32_t shift = old_shift(node);
    if (shift + b->rank > a->rank)
        return fail_old(node);
    for (int32_t axis = 0; axis < b->rank; axis++)
        if (b->dims[axis] != 1 && b->dims[axis] != a->dims[axis + shift])
            return fail_old(node);
    return RF_OK;
}

rf_status rf_pair_infer(const rf_node *node, rf_dtype dtype)
{
    const rf_pair_params *params = node->params;
    const rf_shape *a = &node->inputs[0]->shape;
    if (node->opset < PAIRS_BROADCAST_SINCE) {
        RF_TRY(check_old(node));
        rf_set_output(node, 0, dtype, a);
        return RF_OK;
    }
    if (params && (params->broadcast || params->axis != RF_PAIR_AXIS_ABSENT))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                            "attributes 'broadcast' and 'axis' ended with operator set 6, but this is %d",
                            (int)node->opset);
    rf_shape shape;
    RF_TRY(rf_node_broadcast(node, a, &node->inputs[1]->shape, &shape));
    rf_set_output(node, 0, dtype, &shape);
    return RF_OK;
}

int32_t rf_pair_shift(const rf_node *node, uint32_t input)
{
    if (input == 0 || node->opset >= PAIRS_BROADCAST_SINCE
        || rf_shape_equal(&node->inputs[0]->shape, &node->inputs[1]->shape))
        return node->outputs[0]->shape.rank - node->inputs[input]->shape.rank;
    return old_shift(node);
}

void rf_pair_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *in = &node->inputs[input]->shape, *out = &node->outputs[output]->shape;
    int32_t shift = rf_pair_shift(node, input);
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (in->dims[axis] == 1 && out->dims[axis + shift] != 1)
            rf_link_range(&links[axis], 0, 0);
        else
            rf_link_same(&links[axis], axis + shift);
    }
}

rf_status rf_series_infer(rf_node *node)
{
    rf_value *value;
    RF_TRY(rf_node_require(node, 0, "data", &value));
    rf_shape shape = value->shape;
    for (uint32_t i = 1; i < node->input_count; i++) {
        RF_TRY(rf_node_require(node, i, "data", &value));
        RF_TRY(rf_check_same_dtype(node, 0, i));
        if (node->opset < SERIES_BROADCAST_SINCE && !rf_shape_equal(&shape, &value->shape))
            return rf_node_fail(node, RF_ERROR_SHAPE, "inputs have shapes %s and %s, but operator set %d wants them alike",
                                rf_shape_print(&shape).text, rf_shape_print(&value->shape).text,
                                (int)node->opset);
        RF_TRY(rf_node_broadcast(node, &shape, &value->shape, &shape));
    }
    rf_set_output(node, 0, value->dtype, &shape);
    return RF_OK;
}

static bool is_float32(const rf_node *node, uint32_t inputs)
{
    for (uint32_t i = 0; i < inputs; i++)
        if (!rf_input(node, i) || node->inputs[i]->dtype != RF_FLOAT32)
            return false;
    return rf_output(node, 0) && node->outputs[0]->dtype == RF_FLOAT32;
}

bool rf_lower_map(const rf_node *node, rf_map_function function, float a, float b, rf_task *task)
{
    if (!is_float32(node, 1))
        return false;
    *task = (rf_task){.kind = RF_TASK_MAP, .as.map = {function, a, b}};
    return true;
}

bool rf_lower_pair(const rf_node *node, rf_pair_function function, rf_task *task)
{
    if (!is_float32(node, 2))
        return false;
    *task = (rf_task){.kind = RF_TASK_PAIR, .as.pair = function};
    return true;
}

bool rf_lower_same(const rf_node *node, rf_task *task)
{
    const rf_value *out = rf_output(node, 0);
    for (uint32_t i = 1; i < node->output_count; i++)
        if (node->outputs[i])
            return false;
    if (!out || out->dtype != node->inputs[0]->dtype || !rf_shape_equal(&out->shape, &node->inputs[0]->shape))
        return false;
    *task = (rf_task){.kind = RF_TASK_VIEW};
    return true;
}

uint64_t rf_output_elements(const rf_node *node)
{
    const rf_value *output = rf_output(node, 0);
    return output ? rf_elements(&output->shape) : 0;
}

bool rf_cost_activations(const rf_node *node, rf_cost *cost)
{
    cost->dense.activations = cost->valid.activations = rf_output_elements(node);
    return true;
}

bool rf_cost_additions(const rf_node *node, rf_cost *cost)
{
    cost->dense.additions = cost->valid.additions = rf_output_elements(node);
    return true;
}

bool rf_cost_multiplications(const rf_node *node, rf_cost *cost)
{
    cost->dense.multiplications = cost->valid.multiplications = rf_output_elements(node);
    return true;
}

bool rf_cost_divisions(const rf_node *node, rf_cost *cost)
{
    cost->dense.divisions = cost->valid.divisions = rf_output_elements(node);
    return true;
}

bool rf_cost_comparisons(const rf_node *node, rf_cost *cost)
{
    cost->dense.comparisons = cost->valid.comparisons = rf_output_elements(node);
    return true;
}

bool rf_cost_exponentials(const rf_node *node, rf_cost *cost)
{
    cost->dense.exponentials = cost->valid.exponentials = rf_output_elements(node);
    return true;
}

bool rf_cost_square_roots(const rf_node *node, rf_cost *cost)
{
    cost->dense.square_roots = cost->valid.square_roots = rf_output_elements(node);
    return true;
}

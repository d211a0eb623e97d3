/* SPDX-License-Identifier: MIT */
/*
 * Softmax and its logarithm, counted as every implementation computes them: a
 * group of n elements takes n - 1 comparisons for its largest, n additions
 * (subtracting that), n exponentials, n - 1 additions, and then
 *   Softmax      n divisions
 *   LogSoftmax   1 exponential (the logarithm) and n additions.
 */
#include "ops/table.h"

#include <stddef.h>

#include "ops/elementwise.h"

/* The axis's default changed from 1 to -1; no file has an axis of this number. */
#define AXIS_ABSENT INT64_MIN

/* Before this operator set, the axes from `axis` on were flattened into one. */
enum { SINGLE_AXIS_SINCE = 13 };

typedef struct softmax_params {
    int64_t axis;
} softmax_params;

static const softmax_params softmax_defaults = {AXIS_ABSENT};
static const rf_attribute_spec softmax_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(softmax_params, axis), false},
    {.name = NULL},
};

static int64_t axis_of(const rf_node *node)
{
    const softmax_params *params = node->params;
    if (params->axis != AXIS_ABSENT)
        return params->axis;
    return node->opset < SINGLE_AXIS_SINCE ? 1 : -1;
}

static rf_status infer_softmax(rf_node *node)
{
    int32_t ignored;
    RF_TRY(rf_node_axis(node, "axis", axis_of(node), node->inputs[0]->shape.rank, &ignored));
    return rf_infer_same(node);
}

/* Axes first .. end - 1 make up a group. */
static void group_axes(const rf_node *node, int32_t *first, int32_t *end)
{
    int32_t rank = node->inputs[0]->shape.rank;
    int64_t axis = axis_of(node);
    *first = (int32_t)(axis < 0 ? axis + rank : axis);
    *end = node->opset < SINGLE_AXIS_SINCE ? rank : *first + 1;
}

static void link_softmax(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    int32_t first, end;
    (void)output;
    group_axes(node, &first, &end);
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (axis >= first && axis < end)
            rf_link_all(&links[axis]);
        else
            rf_link_same(&links[axis], axis);
    }
}

static uint64_t count_groups(const rf_node *node)
{
    const rf_shape *shape = &node->inputs[0]->shape;
    int32_t first, end;
    uint64_t groups = rf_elements(shape);
    group_axes(node, &first, &end);
    for (int32_t axis = first; axis < end && groups; axis++)
        groups /= (uint64_t)shape->dims[axis];
    return groups;
}

static bool cost_softmax(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), groups = count_groups(node);
    cost->dense.comparisons = elements - groups;
    cost->dense.exponentials = elements;
    cost->dense.divisions = elements;
    if (!rf_checked_add(elements, elements - groups, &cost->dense.additions))
        return false;
    cost->valid = cost->dense;
    return true;
}

static bool cost_log_softmax(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), groups = count_groups(node);
    cost->dense.comparisons = elements - groups;
    cost->dense.additions = elements - groups;
    if (!rf_add_product(&cost->dense.additions, 2, elements)
        || !rf_checked_add(elements, groups, &cost->dense.exponentials))
        return false;
    cost->valid = cost->dense;
    return true;
}

#define SOFTMAX(type_, cost_)                                                    \
    const rf_op rf_op_##type_ = {                                                \
        .type = #type_, .class = RF_CLASS_SOFTMAX,                               \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,    \
        .attributes = softmax_attributes, .defaults = &softmax_defaults,         \
        .params_size = sizeof(softmax_params),                                   \
        .infer = infer_softmax, .link = link_softmax, .cost = (cost_),           \
    };

SOFTMAX(Softmax, cost_softmax)
SOFTMAX(LogSoftmax, cost_log_softmax)

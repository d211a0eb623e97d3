/* SPDX-License-Identifier: MIT */
/* Operators that give the same elements in the same order another shape. */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/regroup.h"
#include "ops/task.h"

static void link_reshape(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 0)
        rf_link_regroup(&node->inputs[0]->shape, &node->outputs[output]->shape, links);
    else
        rf_link_nothing(&links[0]);
}

/* Elements of less than a byte are packed alike on both sides. */
static rf_status evaluate_view(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    uint64_t bytes;
    if (rf_dtype_bits(in->dtype) == 0 || !rf_tensor_bytes(in->dtype, &in->shape, &bytes))
        return rf_fold_refuse(node);
    if (out && bytes)
        memcpy(rf_fold_data(out), in->data, bytes);
    return RF_OK;
}

static bool lower_view(const rf_node *node, rf_task *task)
{
    task->kind = RF_TASK_VIEW;
    return rf_is_movable(node);
}

static rf_status set_shape(rf_node *node, const rf_shape *shape)
{
    rf_set_output(node, 0, node->inputs[0]->dtype, shape);
    return RF_OK;
}

/* ---- Reshape ---------------------------------------------------------------------------- */

/* `shape` is an attribute where no input gives it: operator sets below 5, and descriptions that
 * hold no tensors. */
typedef struct reshape_params {
    rf_ints shape;
    int64_t allowzero;
} reshape_params;

static const reshape_params reshape_defaults = {.allowzero = 0};
static const rf_attribute_spec reshape_attributes[] = {
    {"shape", RF_ATTRIBUTE_INTS, offsetof(reshape_params, shape), false},
    {"allowzero", RF_ATTRIBUTE_INT, offsetof(reshape_params, allowzero), false},
    {.name = NULL},
};

static rf_status fail_reshape(const rf_node *node, const rf_shape *wanted)
{
    return rf_node_fail(node, RF_ERROR_SHAPE, "shape %s cannot become %s",
                        rf_shape_print(&node->inputs[0]->shape).text, rf_shape_print(wanted).text);
}

/* The extents asked for, 0 replaced by the input's and -1 kept; *open is its axis or -1. */
static rf_status wanted_shape(const rf_node *node, const rf_ints *list, rf_shape *wanted, int32_t *open)
{
    const reshape_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    RF_TRY(rf_check_rank(node, list->count));
    wanted->rank = (int32_t)list->count;
    *open = -1;
    for (int32_t axis = 0; axis < wanted->rank; axis++) {
        int64_t dim = list->at[axis];
        if (dim < -1 || (dim == -1 && *open >= 0))
            return rf_node_fail(node, RF_ERROR_SHAPE, "the shape's element %d is %lld%s", (int)axis,
                                (long long)dim, dim == -1 ? " for the second time" : ", less than -1");
        if (dim == 0 && !params->allowzero && axis >= in->rank)
            return rf_node_fail(node, RF_ERROR_SHAPE,
                                "the shape's element %d is 0 (copy), but the input has only %d axes",
                                (int)axis, (int)in->rank);
        if (dim == -1)
            *open = axis;
        wanted->dims[axis] = dim == 0 && !params->allowzero ? in->dims[axis] : dim;
    }
    return RF_OK;
}

static rf_status infer_reshape(rf_node *node)
{
    const reshape_params *params = node->params;
    rf_ints list;
    rf_shape out;
    int32_t open;
    uint64_t have, given;
    RF_TRY(rf_check_list(node, 1, "the shape"));
    RF_TRY(rf_node_ints(node, 1, &params->shape, "the shape", &list));
    if (!rf_input(node, 1) && !list.at)
        return rf_node_fail(node, RF_ERROR_GRAPH, "input 1 (shape) is required");
    RF_TRY(wanted_shape(node, &list, &out, &open));
    RF_TRY(rf_node_elements(node, &node->inputs[0]->shape, &have));
    if (open < 0) {
        RF_TRY(rf_node_elements(node, &out, &given));
        return given == have ? set_shape(node, &out) : fail_reshape(node, &out);
    }
    out.dims[open] = 1;
    RF_TRY(rf_node_elements(node, &out, &given));
    out.dims[open] = RF_UNKNOWN_DIM;
    if (given == 0 || have % given != 0)
        return fail_reshape(node, &out);
    out.dims[open] = (int64_t)(have / given);
    return set_shape(node, &out);
}

const rf_op rf_op_Reshape = {
    .type = "Reshape", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = reshape_attributes, .defaults = &reshape_defaults, .params_size = sizeof(reshape_params),
    .infer = infer_reshape, .link = link_reshape, .evaluate = evaluate_view, .lower = lower_view,
    .gradient = rf_gradient_same,
};

/* ---- Flatten ---------------------------------------------------------------------------- */

typedef struct flatten_params {
    int64_t axis;
} flatten_params;

static const flatten_params flatten_defaults = {.axis = 1};
static const rf_attribute_spec flatten_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(flatten_params, axis), false},
    {.name = NULL},
};

static rf_status infer_flatten(rf_node *node)
{
    const flatten_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    if (params->axis < -in->rank || params->axis > in->rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %lld is outside -%d..%d", (long long)params->axis,
                            (int)in->rank, (int)in->rank);
    int32_t cut = (int32_t)(params->axis < 0 ? params->axis + in->rank : params->axis);
    rf_shape out = {.rank = 2, .dims = {1, 1}};
    for (int32_t axis = 0; axis < in->rank; axis++) {
        int64_t *dim = &out.dims[axis >= cut];
        if (!rf_checked_mul(*dim, in->dims[axis], dim))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "its input of shape %s is too large",
                                rf_shape_print(in).text);
    }
    return set_shape(node, &out);
}

const rf_op rf_op_Flatten = {
    .type = "Flatten", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = flatten_attributes, .defaults = &flatten_defaults, .params_size = sizeof(flatten_params),
    .infer = infer_flatten, .link = link_reshape, .evaluate = evaluate_view, .lower = lower_view,
    .gradient = rf_gradient_same,
};

/* ---- Squeeze and Unsqueeze -------------------------------------------------------------- */

/* The axes are an attribute up to operator set 12 and then input 1. */
typedef struct axes_params {
    rf_ints axes;
} axes_params;

static const axes_params axes_defaults = {.axes = {0, NULL}};
static const rf_attribute_spec axes_attributes[] = {
    {"axes", RF_ATTRIBUTE_INTS, offsetof(axes_params, axes), false},
    {.name = NULL},
};

static rf_status infer_squeeze(rf_node *node)
{
    const axes_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    rf_ints axes;
    uint32_t gone;
    RF_TRY(rf_check_list(node, 1, "axes"));
    RF_TRY(rf_node_ints(node, 1, &params->axes, "axes", &axes));
    RF_TRY(rf_check_axes(node, &axes, in->rank, &gone));
    rf_shape out;
    out.rank = 0;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        bool listed = gone >> axis & 1;
        if (listed && in->dims[axis] != 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d of shape %s has extent %lld instead of 1",
                                (int)axis, rf_shape_print(in).text, (long long)in->dims[axis]);
        if (axes.count ? !listed : in->dims[axis] != 1)
            out.dims[out.rank++] = in->dims[axis];
    }
    return set_shape(node, &out);
}

const rf_op rf_op_Squeeze = {
    .type = "Squeeze", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = axes_attributes, .defaults = &axes_defaults, .params_size = sizeof(axes_params),
    .infer = infer_squeeze, .link = link_reshape, .evaluate = evaluate_view, .lower = lower_view,
    .gradient = rf_gradient_same,
};

static rf_status infer_unsqueeze(rf_node *node)
{
    const axes_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    rf_ints axes;
    uint32_t made;
    RF_TRY(rf_check_list(node, 1, "axes"));
    RF_TRY(rf_node_ints(node, 1, &params->axes, "axes", &axes));
    if (!rf_input(node, 1) && !axes.at)
        return rf_node_fail(node, RF_ERROR_GRAPH, "input 1 (axes) is required");
    if (axes.count > RF_MAX_RANK)
        return rf_check_rank(node, axes.count);
    RF_TRY(rf_check_rank(node, (uint64_t)in->rank + axes.count));
    rf_shape out = {.rank = in->rank + (int32_t)axes.count};
    RF_TRY(rf_check_axes(node, &axes, out.rank, &made));
    int32_t from = 0;
    for (int32_t axis = 0; axis < out.rank; axis++)
        out.dims[axis] = made >> axis & 1 ? 1 : in->dims[from++];
    return set_shape(node, &out);
}

const rf_op rf_op_Unsqueeze = {
    .type = "Unsqueeze", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = axes_attributes, .defaults = &axes_defaults, .params_size = sizeof(axes_params),
    .infer = infer_unsqueeze, .link = link_reshape, .evaluate = evaluate_view, .lower = lower_view,
    .gradient = rf_gradient_same,
};

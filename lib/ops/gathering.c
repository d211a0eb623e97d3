/* SPDX-License-Identifier: MIT */
/* Gathers whose indices are a tensor as large as the output: one place, or one tuple, for each element. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"

/* ---- GatherElements --------------------------------------------------------------------- */

typedef struct elements_params {
    int64_t axis;
} elements_params;

static const elements_params elements_defaults = {.axis = 0};
static const rf_attribute_spec elements_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(elements_params, axis), false},
    {.name = NULL},
};

static int32_t axis_of(const rf_node *node)
{
    const elements_params *params = node->params;
    return (int32_t)(params->axis < 0 ? params->axis + node->inputs[0]->shape.rank : params->axis);
}

static rf_status infer_elements(rf_node *node)
{
    const elements_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    int32_t axis;
    RF_TRY(rf_check_index_type(node, 1));
    RF_TRY(rf_node_axis(node, "axis", params->axis, in->rank, &axis));
    bool fits = in->rank == indices->rank;
    for (int32_t k = 0; fits && k < in->rank; k++)
        fits = k == axis || indices->dims[k] <= in->dims[k];
    if (!fits)
        return rf_node_fail(node, RF_ERROR_SHAPE, "indices of shape %s do not fit data of shape %s beside axis %d",
                            rf_shape_print(indices).text, rf_shape_print(in).text, (int)axis);
    rf_set_output(node, 0, node->inputs[0]->dtype, indices);
    return RF_OK;
}

static void link_elements(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++)
        rf_link_same(&links[k], k);
    if (input == 0)
        rf_link_all(&links[axis_of(node)]);
}

static rf_status evaluate_elements(rf_node *node)
{
    const rf_value *in = node->inputs[0], *indices = node->inputs[1], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t count = out ? rf_elements(&indices->shape) : 0;
    size_t bytes = rf_dtype_bits(in->dtype) / 8;
    int32_t axis = axis_of(node);
    rf_view view = {.offset = 0};
    rf_cursor at;
    rf_view_strides(&in->shape, view.strides);
    int64_t stride = view.strides[axis], place;
    view.strides[axis] = 0;
    rf_cursor_start(&at, &indices->shape, &view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at)) {
        RF_TRY(rf_check_index(node, rf_value_int(indices, i), in->shape.dims[axis], &place));
        rf_fold_move(rf_fold_data(out), i, in->data, (uint64_t)(at.at + place * stride), bytes);
    }
    return RF_OK;
}

const rf_op rf_op_GatherElements = {
    .type = "GatherElements", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = elements_attributes, .defaults = &elements_defaults, .params_size = sizeof(elements_params),
    .parameter_inputs = 1u,
    .infer = infer_elements, .link = link_elements, .evaluate = evaluate_elements,
};

/* ---- GatherND --------------------------------------------------------------------------- */

/* The last axis of the indices holds tuples, each of which names a part of the data. */
typedef struct tuples_params {
    int64_t batch_dims;
} tuples_params;

static const tuples_params tuples_defaults = {.batch_dims = 0};
static const rf_attribute_spec tuples_attributes[] = {
    {"batch_dims", RF_ATTRIBUTE_INT, offsetof(tuples_params, batch_dims), false},
    {.name = NULL},
};

static rf_status check_tuples(const rf_node *node)
{
    const tuples_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    int64_t batch = params->batch_dims;
    RF_TRY(rf_check_index_type(node, 1));
    if (batch < 0 || batch >= in->rank || batch >= indices->rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "batch_dims is %lld for data of shape %s and indices of shape %s",
                            (long long)batch, rf_shape_print(in).text, rf_shape_print(indices).text);
    int64_t count = indices->dims[indices->rank - 1];
    if (count < 1 || count > in->rank - batch)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its tuples have %lld indices, but must have 1 to %lld",
                            (long long)count, (long long)(in->rank - batch));
    for (int64_t k = 0; k < batch; k++)
        if (in->dims[k] != indices->dims[k])
            return rf_node_fail(node, RF_ERROR_SHAPE, "data of shape %s and indices of shape %s differ in axis %lld",
                                rf_shape_print(in).text, rf_shape_print(indices).text, (long long)k);
    return RF_OK;
}

static rf_status infer_tuples(rf_node *node)
{
    const tuples_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    RF_TRY(check_tuples(node));
    int32_t left = (int32_t)(params->batch_dims + indices->dims[indices->rank - 1]);
    RF_TRY(rf_check_rank(node, (uint64_t)(indices->rank - 1 + in->rank - left)));
    rf_shape out = {.rank = 0};
    for (int32_t k = 0; k < indices->rank - 1; k++)
        out.dims[out.rank++] = indices->dims[k];
    for (int32_t k = left; k < in->rank; k++)
        out.dims[out.rank++] = in->dims[k];
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_tuples(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const tuples_params *params = node->params;
    const rf_shape *indices = &node->inputs[1]->shape;
    int32_t last = indices->rank - 1, left = (int32_t)(params->batch_dims + indices->dims[last]);
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++) {
        if (input == 1 ? k < last : k < params->batch_dims)
            rf_link_same(&links[k], k);
        else if (input == 1 || k < left)
            rf_link_all(&links[k]);
        else
            rf_link_same(&links[k], last + k - left);
    }
}

static rf_status evaluate_tuples(rf_node *node)
{
    const tuples_params *params = node->params;
    const rf_value *in = node->inputs[0], *indices = node->inputs[1], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    int32_t batch = (int32_t)params->batch_dims, length = (int32_t)indices->shape.dims[indices->shape.rank - 1];
    uint64_t rows = rf_elements(&indices->shape) / (uint64_t)length, batches = 1, one = 1, inner = 1;
    for (int32_t k = 0; k < in->shape.rank; k++)
        *(k < batch ? &batches : k < batch + length ? &one : &inner) *= (uint64_t)in->shape.dims[k];
    size_t bytes = inner * (rf_dtype_bits(in->dtype) / 8);
    int64_t strides[RF_MAX_RANK] = {0}, at, stride = (int64_t)one;
    for (int32_t k = 0; k < length && one; k++)
        strides[k] = stride /= in->shape.dims[batch + k];
    for (uint64_t row = 0; row < rows; row++) {
        RF_TRY(rf_check_tuple(node, indices, row, length, in->shape.dims + batch, strides, &at));
        rf_fold_move(rf_fold_data(out), row, in->data, row / (rows / batches) * one + (uint64_t)at, bytes);
    }
    return RF_OK;
}

const rf_op rf_op_GatherND = {
    .type = "GatherND", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = tuples_attributes, .defaults = &tuples_defaults, .params_size = sizeof(tuples_params),
    .parameter_inputs = 1u,
    .infer = infer_tuples, .link = link_tuples, .evaluate = evaluate_tuples,
};

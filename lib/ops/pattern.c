/* SPDX-License-Identifier: MIT */
/* Operators that write a pattern of two values, or keep one triangle: OneHot, EyeLike, Trilu. */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/operands.h"

/* ---- OneHot ----------------------------------------------------------------------------- */

typedef struct one_hot_params {
    int64_t axis;
} one_hot_params;

static const one_hot_params one_hot_defaults = {.axis = -1};
static const rf_attribute_spec one_hot_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(one_hot_params, axis), false},
    {.name = NULL},
};

static int32_t new_axis(const rf_node *node)
{
    const one_hot_params *params = node->params;
    return (int32_t)(params->axis < 0 ? params->axis + node->inputs[0]->shape.rank + 1 : params->axis);
}

static rf_status read_depth(const rf_node *node, int64_t *depth)
{
    const rf_value *value = node->inputs[1];
    RF_TRY(rf_check_single(node, 1, "the depth"));
    if (!value->data)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                            "the depth comes from tensor '%.80s', whose elements are known only when running",
                            value->name);
    *depth = rf_value_int(value, 0);
    if (!rf_fold_reads(value->dtype) || *depth < 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the depth is %lld of type %s, but must be a number from 0 up",
                            (long long)*depth, rf_dtype_name(value->dtype));
    return RF_OK;
}

static rf_status infer_one_hot(rf_node *node)
{
    const one_hot_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *values = &node->inputs[2]->shape;
    int32_t axis;
    int64_t depth = 0;
    RF_TRY(read_depth(node, &depth));
    if (values->rank != 1 || values->dims[0] != 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the values have shape %s, but must have [2]",
                            rf_shape_print(values).text);
    RF_TRY(rf_check_rank(node, (uint64_t)in->rank + 1));
    RF_TRY(rf_node_axis(node, "axis", params->axis, in->rank + 1, &axis));
    rf_shape out = {.rank = in->rank + 1};
    for (int32_t k = 0; k < out.rank; k++)
        out.dims[k] = k == axis ? depth : in->dims[k < axis ? k : k - 1];
    rf_set_output(node, 0, node->inputs[2]->dtype, &out);
    return RF_OK;
}

static void link_one_hot(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    int32_t axis = new_axis(node);
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++) {
        if (input == 0)
            rf_link_same(&links[k], k < axis ? k : k + 1);
        else if (input == 1)
            rf_link_nothing(&links[k]);
        else
            rf_link_all(&links[k]);
    }
}

/* An index out of range is no error here: its whole line holds the first value. */
static rf_status evaluate_one_hot(rf_node *node)
{
    const rf_value *in = node->inputs[0], *values = node->inputs[2], *out = rf_output(node, 0);
    if (rf_dtype_bits(values->dtype) < 8 || !rf_fold_reads(in->dtype))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0, inner = 1;
    if (total == 0)
        return RF_OK;
    size_t bytes = rf_dtype_bits(out->dtype) / 8;
    int64_t depth = out->shape.dims[new_axis(node)];
    for (int32_t k = new_axis(node) + 1; k < out->shape.rank; k++)
        inner *= (uint64_t)out->shape.dims[k];
    for (uint64_t i = 0; i < total; i++)
        rf_fold_move(rf_fold_data(out), i, values->data, 0, bytes);
    for (uint64_t i = 0; i < total / (uint64_t)depth; i++) {
        int64_t index = rf_value_int(in, i);
        bool negative = index < 0 && in->dtype != RF_UINT64;
        index += negative ? depth : 0;
        if (index >= 0 && index < depth)
            rf_fold_move(rf_fold_data(out), (i / inner * (uint64_t)depth + (uint64_t)index) * inner + i % inner,
                         values->data, 1, bytes);
    }
    return RF_OK;
}

const rf_op rf_op_OneHot = {
    .type = "OneHot", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = one_hot_attributes, .defaults = &one_hot_defaults, .params_size = sizeof(one_hot_params),
    .infer = infer_one_hot, .link = link_one_hot, .evaluate = evaluate_one_hot,
};

/* ---- EyeLike ---------------------------------------------------------------------------- */

typedef struct eye_params {
    int64_t dtype, k;
} eye_params;

static const eye_params eye_defaults = {.dtype = RF_ABSENT};
static const rf_attribute_spec eye_attributes[] = {
    {"dtype", RF_ATTRIBUTE_INT, offsetof(eye_params, dtype), false},
    {"k", RF_ATTRIBUTE_INT, offsetof(eye_params, k), false},
    {.name = NULL},
};

static rf_status infer_eye(rf_node *node)
{
    const eye_params *params = node->params;
    const rf_value *in = node->inputs[0];
    if (in->shape.rank != 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but must have rank 2",
                            rf_shape_print(&in->shape).text);
    int64_t dtype = params->dtype == RF_ABSENT ? (int64_t)in->dtype : params->dtype;
    if (dtype <= RF_DTYPE_UNDEFINED || dtype > RF_INT4 || !rf_fold_reads((rf_dtype)dtype))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "dtype is %lld, which is no type of numbers",
                            (long long)dtype);
    rf_set_output(node, 0, (rf_dtype)dtype, &in->shape);
    return RF_OK;
}

static void link_eye(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)node;
    (void)output;
    (void)input;
    rf_link_nothing(&links[0]);
    rf_link_nothing(&links[1]);
}

static rf_status evaluate_eye(rf_node *node)
{
    const eye_params *params = node->params;
    const rf_value *out = rf_output(node, 0);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    int64_t rows = out->shape.dims[0], columns = out->shape.dims[1], column;
    memset(rf_fold_data(out), 0, total * (rf_dtype_bits(out->dtype) / 8));
    for (int64_t row = 0; row < rows; row++)
        if (rf_checked_add(row, params->k, &column) && column >= 0 && column < columns)
            rf_store_float(rf_fold_data(out), out->dtype, (uint64_t)(row * columns + column), 1);
    return RF_OK;
}

const rf_op rf_op_EyeLike = {
    .type = "EyeLike", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = eye_attributes, .defaults = &eye_defaults, .params_size = sizeof(eye_params),
    .infer = infer_eye, .link = link_eye, .evaluate = evaluate_eye,
};

/* ---- Trilu ------------------------------------------------------------------------------ */

typedef struct trilu_params {
    int64_t upper;
} trilu_params;

static const trilu_params trilu_defaults = {.upper = 1};
static const rf_attribute_spec trilu_attributes[] = {
    {"upper", RF_ATTRIBUTE_INT, offsetof(trilu_params, upper), false},
    {.name = NULL},
};

static rf_status infer_trilu(rf_node *node)
{
    const rf_value *in = node->inputs[0];
    if (in->shape.rank < 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but must have rank 2 or more",
                            rf_shape_print(&in->shape).text);
    RF_TRY(rf_check_single(node, 1, "k"));
    RF_TRY(rf_check_dtype(node, 1, RF_INT64));
    rf_set_output(node, 0, in->dtype, &in->shape);
    return RF_OK;
}

static void link_trilu(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 0)
        rf_link_broadcast(node, output, input, links);
    else
        rf_link_everything(node, output, input, links);
}

static rf_status evaluate_trilu(rf_node *node)
{
    const trilu_params *params = node->params;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    size_t bytes = rf_dtype_bits(in->dtype) / 8;
    int64_t rows = in->shape.dims[in->shape.rank - 2], columns = in->shape.dims[in->shape.rank - 1];
    int64_t k = rf_input(node, 1) ? rf_value_int(node->inputs[1], 0) : 0;
    k = rf_max(-rows, rf_min(k, columns));
    memset(rf_fold_data(out), 0, total * bytes);
    for (uint64_t line = 0; line < total / (uint64_t)columns; line++) {
        int64_t diagonal = (int64_t)(line % (uint64_t)rows) + k;
        int64_t first = params->upper ? rf_max(0, rf_min(diagonal, columns)) : 0;
        int64_t end = params->upper ? columns : rf_max(0, rf_min(diagonal + 1, columns));
        size_t at = ((size_t)line * (size_t)columns + (size_t)first) * bytes;
        memcpy((unsigned char *)rf_fold_data(out) + at, (const unsigned char *)in->data + at,
               (size_t)(end - first) * bytes);
    }
    return RF_OK;
}

const rf_op rf_op_Trilu = {
    .type = "Trilu", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = trilu_attributes, .defaults = &trilu_defaults, .params_size = sizeof(trilu_params),
    .infer = infer_trilu, .link = link_trilu, .evaluate = evaluate_trilu,
};

/* SPDX-License-Identifier: MIT */
/* Operators that keep what a condition holds for, as many as there are: NonZero and Compress. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"

/* ---- NonZero ---------------------------------------------------------------------------- */

static rf_status infer_non_zero(rf_node *node)
{
    const rf_shape *in = &node->inputs[0]->shape;
    uint64_t elements;
    RF_TRY(rf_node_elements(node, in, &elements));
    rf_shape out = {.rank = 2, .dims = {in->rank, (int64_t)elements}};
    rf_set_output(node, 0, RF_INT64, &out);
    if (rf_output(node, 0))
        node->outputs[0]->ragged = true;
    return RF_OK;
}

static bool holds(const rf_value *value, uint64_t i)
{
    return rf_dtype_is_float(value->dtype) ? rf_value_float(value, i) != 0 : rf_value_int(value, i) != 0;
}

/* One column for each element that is not 0: its index along each axis. */
static rf_status evaluate_non_zero(rf_node *node)
{
    const rf_value *in = node->inputs[0];
    rf_value *out = rf_output(node, 0);
    if (!rf_fold_reads(in->dtype))
        return rf_fold_refuse(node);
    if (!out)
        return RF_OK;
    uint64_t total = rf_elements(&in->shape), found = 0, column = 0;
    for (uint64_t i = 0; i < total; i++)
        found += holds(in, i);
    rf_view none = {.offset = 0};
    rf_cursor at;
    rf_cursor_start(&at, &in->shape, &none);
    for (uint64_t i = 0; i < total; i++, rf_cursor_next(&at)) {
        if (!holds(in, i))
            continue;
        for (int32_t axis = 0; axis < in->shape.rank; axis++)
            rf_store_int(rf_fold_data(out), RF_INT64, (uint64_t)axis * found + column, at.index[axis]);
        column++;
    }
    rf_settle_shape(out, &(rf_shape){.rank = 2, .dims = {in->shape.rank, (int64_t)found}});
    return RF_OK;
}

const rf_op rf_op_NonZero = {
    .type = "NonZero", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_non_zero, .link = rf_link_everything, .evaluate = evaluate_non_zero,
};

/* ---- Compress --------------------------------------------------------------------------- */

typedef struct compress_params {
    int64_t axis;
} compress_params;

static const compress_params compress_defaults = {.axis = INT64_MIN};
static const rf_attribute_spec compress_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(compress_params, axis), false},
    {.name = NULL},
};

/* What `infer` leaves: the axis, or -1 where all elements are one line; which places are kept,
 * where that is known. */
typedef struct compress {
    int32_t axis;
    const int64_t *kept;
    int64_t kept_count;
} compress;

static rf_status find_kept(const rf_node *node, compress *made)
{
    const rf_value *condition = node->inputs[1];
    uint64_t length = rf_elements(&condition->shape);
    if (!condition->data || length > node->limits->folded_elements)
        return RF_OK;
    int64_t *kept = RF_TAKE(node->arena, int64_t, length);
    if (!kept)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its condition");
    for (uint64_t i = 0; i < length; i++)
        if (rf_value_int(condition, i))
            kept[made->kept_count++] = (int64_t)i;
    made->kept = kept;
    return RF_OK;
}

static rf_status infer_compress(rf_node *node)
{
    const compress_params *params = node->params;
    const rf_value *in = node->inputs[0];
    uint64_t elements;
    compress *made = RF_TAKE(node->arena, compress, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its condition");
    node->state = made;
    made->axis = -1;
    RF_TRY(rf_check_list(node, 1, "the condition"));
    RF_TRY(rf_check_dtype(node, 1, RF_BOOL));
    RF_TRY(rf_node_elements(node, &in->shape, &elements));
    if (params->axis != INT64_MIN)
        RF_TRY(rf_node_axis(node, "axis", params->axis, in->shape.rank, &made->axis));
    rf_shape out = made->axis < 0 ? (rf_shape){.rank = 1, .dims = {(int64_t)elements}} : in->shape;
    int64_t *extent = &out.dims[rf_max(made->axis, 0)], length = node->inputs[1]->shape.dims[0];
    if (length > *extent)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the condition has %lld elements for an extent of %lld",
                            (long long)length, (long long)*extent);
    RF_TRY(find_kept(node, made));
    *extent = made->kept ? made->kept_count : length;
    rf_set_output(node, 0, in->dtype, &out);
    if (rf_output(node, 0))
        node->outputs[0]->ragged = !made->kept;
    return RF_OK;
}

static void link_compress(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const compress *made = node->state;
    rf_link_everything(node, output, input, links);
    if (input != 0 || made->axis < 0)
        return;
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++)
        if (axis != made->axis)
            rf_link_same(&links[axis], axis);
    if (!made->kept)
        return;
    rf_link *link = &links[made->axis];
    link->kind = RF_LINK_TABLE;
    link->axis = made->axis;
    link->table_first = link->table_last = made->kept;
}

static rf_status evaluate_compress(rf_node *node)
{
    const compress *made = node->state;
    const rf_value *in = node->inputs[0], *condition = node->inputs[1];
    rf_value *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out)
        return RF_OK;
    rf_shape shape = made->axis < 0 ? (rf_shape){.rank = 1} : in->shape;
    uint64_t length = rf_elements(&condition->shape), outer = 1, extent = 1, inner = 1, kept = 0, to = 0;
    for (int32_t axis = 0; axis < in->shape.rank; axis++)
        *(axis < made->axis ? &outer : axis > made->axis && made->axis >= 0 ? &inner : &extent)
            *= (uint64_t)in->shape.dims[axis];
    size_t bytes = inner * (rf_dtype_bits(in->dtype) / 8);
    for (uint64_t i = 0; i < length; i++)
        kept += rf_value_int(condition, i) != 0;
    for (uint64_t o = 0; bytes && kept && o < outer; o++)
        for (uint64_t i = 0; i < length; i++)
            if (rf_value_int(condition, i))
                rf_fold_move(rf_fold_data(out), to++, in->data, o * extent + i, bytes);
    shape.dims[rf_max(made->axis, 0)] = (int64_t)kept;
    rf_settle_shape(out, &shape);
    return RF_OK;
}

const rf_op rf_op_Compress = {
    .type = "Compress", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = compress_attributes, .defaults = &compress_defaults, .params_size = sizeof(compress_params),
    .infer = infer_compress, .link = link_compress, .evaluate = evaluate_compress,
};

/* SPDX-License-Identifier: MIT */
#include "ops/fold.h"

#include <string.h>

bool rf_fold_reads(rf_dtype dtype)
{
    switch (dtype) {
    case RF_FLOAT16:
    case RF_BFLOAT16:
    case RF_FLOAT32:
    case RF_FLOAT64:
    case RF_UINT8:
    case RF_INT8:
    case RF_UINT16:
    case RF_INT16:
    case RF_UINT32:
    case RF_INT32:
    case RF_INT64:
    case RF_BOOL:
        return true;
    default: /* uint64 too: as int64_t it would order and divide wrongly */
        return false;
    }
}

rf_status rf_fold_refuse(const rf_node *node)
{
    const rf_value *in = rf_input(node, 0), *out = rf_output(node, 0);
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it is not computed from %s to %s",
                        in ? rf_dtype_name(in->dtype) : "nothing", out ? rf_dtype_name(out->dtype) : "nothing");
}

static bool all_readable(rf_value *const *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!values[i] || !values[i]->data || !rf_fold_reads(values[i]->dtype))
            return false;
    return true;
}

bool rf_fold_ready(const rf_node *node)
{
    return all_readable(node->inputs, node->input_count) && all_readable(node->outputs, node->output_count);
}

void rf_view_strides(const rf_shape *shape, int64_t strides[RF_MAX_RANK])
{
    int64_t stride = rf_elements(shape) ? 1 : 0;
    for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= shape->dims[axis];
    }
}

void rf_view_broadcast(const rf_shape *in, const rf_shape *out, int32_t shift, rf_view *view)
{
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(in, strides);
    *view = (rf_view){.offset = 0};
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (axis + shift < out->rank && in->dims[axis] != 1)
            view->strides[axis + shift] = strides[axis];
}

void rf_cursor_start(rf_cursor *cursor, const rf_shape *shape, const rf_view *view)
{
    *cursor = (rf_cursor){.shape = shape, .view = view, .at = view->offset};
}

void rf_cursor_next(rf_cursor *cursor)
{
    for (int32_t axis = cursor->shape->rank - 1; axis >= 0; axis--) {
        cursor->at += cursor->view->strides[axis];
        if (++cursor->index[axis] < cursor->shape->dims[axis])
            return;
        cursor->at -= cursor->view->strides[axis] * cursor->index[axis];
        cursor->index[axis] = 0;
    }
}

void rf_fold_move(void *to, uint64_t i, const void *from, uint64_t j, size_t element_bytes)
{
    memcpy((unsigned char *)to + i * element_bytes, (const unsigned char *)from + j * element_bytes,
           element_bytes);
}

void rf_fold_copy_view(const rf_value *in, const rf_value *out, const rf_view *view)
{
    uint64_t count = rf_elements(&out->shape);
    size_t bytes = rf_dtype_bits(out->dtype) / 8;
    rf_cursor cursor;
    rf_cursor_start(&cursor, &out->shape, view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&cursor))
        rf_fold_move(rf_fold_data(out), i, in->data, (uint64_t)cursor.at, bytes);
}

rf_status rf_fold_copy(rf_node *node)
{
    const rf_value *out = rf_output(node, 0);
    if (out && out->data_bytes)
        memcpy(rf_fold_data(out), node->inputs[0]->data, out->data_bytes);
    return RF_OK;
}

rf_status rf_fold_each(const rf_node *node, int64_t (*ints)(int64_t), double (*floats)(double))
{
    if (!rf_fold_ready(node))
        return rf_fold_refuse(node);
    const rf_value *in = node->inputs[0], *out = node->outputs[0];
    uint64_t count = rf_elements(&out->shape);
    bool as_float = rf_dtype_is_float(in->dtype);
    if (as_float ? !floats : !ints)
        return rf_fold_refuse(node);
    for (uint64_t i = 0; i < count; i++) {
        if (as_float)
            rf_store_float(rf_fold_data(out), out->dtype, i, floats(rf_value_float(in, i)));
        else
            rf_store_int(rf_fold_data(out), out->dtype, i, ints(rf_value_int(in, i)));
    }
    return RF_OK;
}

/* out[i] = a[at] op b[at], `as_float` or as integers. */
static rf_status fold_one(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats, uint64_t i,
                          const rf_value *a, uint64_t at_a, const rf_value *b, uint64_t at_b)
{
    const rf_value *out = node->outputs[0];
    if (rf_dtype_is_float(a->dtype) || rf_dtype_is_float(b->dtype)) {
        double result = floats(rf_value_float(a, at_a), rf_value_float(b, at_b));
        rf_store_float(rf_fold_data(out), out->dtype, i, result);
        return RF_OK;
    }
    int64_t result;
    RF_TRY(ints(node, rf_value_int(a, at_a), rf_value_int(b, at_b), &result));
    rf_store_int(rf_fold_data(out), out->dtype, i, result);
    return RF_OK;
}

static bool has_functions(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats)
{
    bool any_float = false;
    for (uint32_t i = 0; i < node->input_count; i++)
        any_float |= rf_dtype_is_float(node->inputs[i]->dtype);
    return any_float ? floats != NULL : ints != NULL;
}

rf_status rf_fold_pairs(const rf_node *node, int32_t shift, rf_fold_ints ints, rf_fold_floats floats)
{
    if (!rf_fold_ready(node) || !has_functions(node, ints, floats))
        return rf_fold_refuse(node);
    const rf_value *a = node->inputs[0], *b = node->inputs[1], *out = node->outputs[0];
    uint64_t count = rf_elements(&out->shape);
    rf_view view_a, view_b;
    rf_cursor at_a, at_b;
    rf_view_broadcast(&a->shape, &out->shape, out->shape.rank - a->shape.rank, &view_a);
    rf_view_broadcast(&b->shape, &out->shape, shift, &view_b);
    rf_cursor_start(&at_a, &out->shape, &view_a);
    rf_cursor_start(&at_b, &out->shape, &view_b);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at_a), rf_cursor_next(&at_b))
        RF_TRY(fold_one(node, ints, floats, i, a, (uint64_t)at_a.at, b, (uint64_t)at_b.at));
    return RF_OK;
}

rf_status rf_fold_series(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats)
{
    if (!rf_fold_ready(node) || !has_functions(node, ints, floats))
        return rf_fold_refuse(node);
    const rf_value *out = node->outputs[0];
    uint64_t count = rf_elements(&out->shape);
    for (uint32_t input = 0; input < node->input_count; input++) {
        const rf_value *in = node->inputs[input];
        rf_view view;
        rf_view_broadcast(&in->shape, &out->shape, out->shape.rank - in->shape.rank, &view);
        if (input == 0) {
            rf_fold_copy_view(in, out, &view);
            continue;
        }
        rf_cursor at;
        rf_cursor_start(&at, &out->shape, &view);
        for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at))
            RF_TRY(fold_one(node, ints, floats, i, out, i, in, (uint64_t)at.at));
    }
    return RF_OK;
}

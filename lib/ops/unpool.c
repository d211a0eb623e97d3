/* SPDX-License-Identifier: MIT */
/*
 * The inverse of a max pool that kept its indices: elements go back where they
 * came from, zeros elsewhere.
 *
 * Indices count in the shape that kernel, strides and pads give back. Where the
 * layer asks for a larger one, that shape lies at its beginning. Nothing is
 * counted: elements are moved.
 */
#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/table.h"
#include "ops/window.h"

static const rf_attribute_spec attributes[] = {
    {"kernel_shape", RF_ATTRIBUTE_INTS, offsetof(rf_window_params, kernel_shape), true},
    {"strides", RF_ATTRIBUTE_INTS, offsetof(rf_window_params, strides), false},
    {"pads", RF_ATTRIBUTE_INTS, offsetof(rf_window_params, pads), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_window_params defaults = {.auto_pad = NULL};

/* The shape that indices count in, in node->state. */
static rf_status make_pooled_shape(rf_node *node, rf_shape **pooled)
{
    const rf_ints none = {0, NULL};
    const rf_shape *x = &node->inputs[0]->shape;
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;
    node->state = *pooled = RF_TAKE(node->arena, rf_shape, 1);
    if (!*pooled)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its shape");
    RF_TRY(rf_windows_make_transposed(node, node->params, x, NULL, &none, &none, windows, &axes));
    **pooled = *x;
    for (int32_t i = 0; i < axes; i++)
        (*pooled)->dims[2 + i] = windows[i].output;
    uint64_t elements;
    return rf_node_elements(node, *pooled, &elements);
}

/* What the input output_shape asks for: nothing of what the indices reach may be cut off. */
static rf_status read_shape(const rf_node *node, const rf_shape *pooled, rf_shape *output)
{
    rf_ints asked;
    *output = *pooled;
    RF_TRY(rf_node_ints(node, 2, NULL, "output_shape", &asked));
    if (!asked.at)
        return RF_OK;
    RF_TRY(rf_check_extents(node, &asked, "output_shape", output));
    bool fits = output->rank == pooled->rank;
    for (int32_t i = 0; i < pooled->rank && fits; i++)
        fits = i < 2 ? output->dims[i] == pooled->dims[i] : output->dims[i] >= pooled->dims[i];
    if (fits)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "output_shape is %s, but its elements need %s",
                        rf_shape_print(output).text, rf_shape_print(pooled).text);
}

static rf_status infer(rf_node *node)
{
    rf_value *x, *indices = node->inputs[1];
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_check_dtype(node, 1, RF_INT64));
    if (!rf_shape_equal(&x->shape, &indices->shape))
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but its indices have %s",
                            rf_shape_print(&x->shape).text, rf_shape_print(&indices->shape).text);
    rf_shape *pooled, output;
    RF_TRY(make_pooled_shape(node, &pooled));
    RF_TRY(read_shape(node, pooled, &output));
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

/* An element goes wherever its index says. */
static void link_anywhere(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input < 2)
        rf_link_everything(node, output, input, links);
    else
        rf_link_nothing(&links[0]);
}

/* The element of `outer` at the place that element `index` has in `inner`, which lies at its beginning. */
static uint64_t moved(int64_t index, const rf_shape *inner, const rf_shape *outer)
{
    uint64_t element = 0, stride = 1;
    for (int32_t i = inner->rank - 1; i >= 0; i--) {
        element += (uint64_t)(index % inner->dims[i]) * stride;
        index /= inner->dims[i];
        stride *= (uint64_t)outer->dims[i];
    }
    return element;
}

static rf_status evaluate(rf_node *node)
{
    const rf_value *x = node->inputs[0], *indices = node->inputs[1], *out = node->outputs[0];
    const rf_shape *pooled = node->state;
    size_t bytes = rf_dtype_bits(x->dtype) / 8;
    uint64_t count = rf_elements(&x->shape), reach = rf_elements(pooled), all = rf_elements(&out->shape);
    if (all)
        memset(rf_fold_data(out), 0, all * bytes);
    for (uint64_t i = 0; i < count; i++) {
        int64_t index = rf_value_int(indices, i);
        if (index < 0 || (uint64_t)index >= reach)
            return rf_node_fail(node, RF_ERROR_SHAPE, "index %lld is outside 0..%lld", (long long)index,
                                (long long)reach - 1);
        rf_fold_move(rf_fold_data(out), moved(index, pooled, &out->shape), x->data, i, bytes);
    }
    return RF_OK;
}

const rf_op rf_op_MaxUnpool = {
    .type = "MaxUnpool",
    .class = RF_CLASS_OTHER,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = attributes,
    .defaults = &defaults,
    .params_size = sizeof(rf_window_params),
    .infer = infer,
    .link = link_anywhere,
    .evaluate = evaluate,
};

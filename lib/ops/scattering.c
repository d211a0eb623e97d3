/* SPDX-License-Identifier: MIT */
/*
 * Scatters: the data with updates written over the places that indices name,
 * or joined to what is there. Updates are taken in their order; of several to
 * one place the last is seen, and joined floats are rounded each time.
 */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/operands.h"

/* In the order of reduction_names. */
typedef enum reduction {
    OVERWRITE,
    SUM,
    PRODUCT,
    LARGEST,
    SMALLEST
} reduction;

static const char *const reduction_names[] = {"none", "add", "mul", "max", "min", NULL};

typedef struct scatter_params {
    int64_t axis;
    const char *reduction;
} scatter_params;

/* What `infer` leaves. */
typedef struct scatter {
    int32_t axis; /* of ScatterElements */
    reduction reduction;
} scatter;

static const scatter_params scatter_defaults = {.axis = 0};
static const rf_attribute_spec old_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(scatter_params, axis), false},
    {.name = NULL},
};
static const rf_attribute_spec elements_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(scatter_params, axis), false},
    {"reduction", RF_ATTRIBUTE_STRING, offsetof(scatter_params, reduction), false},
    {.name = NULL},
};
static const rf_attribute_spec tuples_attributes[] = {
    {"reduction", RF_ATTRIBUTE_STRING, offsetof(scatter_params, reduction), false},
    {.name = NULL},
};

static rf_status infer_scatter(rf_node *node, scatter **made)
{
    const scatter_params *params = node->params;
    int choice;
    RF_TRY(rf_check_index_type(node, 1));
    RF_TRY(rf_check_same_dtype(node, 0, 2));
    RF_TRY(rf_node_choice(node, "reduction", params->reduction, reduction_names, &choice));
    *made = RF_TAKE(node->arena, scatter, 1);
    if (!*made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its settings");
    (*made)->reduction = (reduction)choice;
    node->state = *made;
    rf_set_output(node, 0, node->inputs[0]->dtype, &node->inputs[0]->shape);
    return RF_OK;
}

static bool cost_scatter(const rf_node *node, rf_cost *cost)
{
    const scatter *made = node->state;
    uint64_t updates = rf_elements(&node->inputs[2]->shape);
    if (made->reduction == SUM)
        cost->dense.additions = updates;
    else if (made->reduction == PRODUCT)
        cost->dense.multiplications = updates;
    else if (made->reduction != OVERWRITE)
        cost->dense.comparisons = updates;
    cost->valid = cost->dense;
    return true;
}

static size_t counter_of(reduction kind)
{
    switch (kind) {
    case SUM:
        return RF_COUNTER(additions);
    case PRODUCT:
        return RF_COUNTER(multiplications);
    case LARGEST:
    case SMALLEST:
        return RF_COUNTER(comparisons);
    default:
        return RF_NO_COUNTER;
    }
}

/* ---- Joining ---------------------------------------------------------------------------- */

/* NaN where either is. */
static double join_floats(reduction kind, double a, double b)
{
    switch (kind) {
    case SUM:
        return a + b;
    case PRODUCT:
        return a * b;
    case LARGEST:
        return a != a || a > b ? a : b;
    default:
        return a != a || a < b ? a : b;
    }
}

static int64_t join_ints(reduction kind, rf_dtype dtype, int64_t a, int64_t b)
{
    bool larger = rf_fold_order(dtype, a) > rf_fold_order(dtype, b);
    switch (kind) {
    case SUM:
        return rf_wrap_add(a, b);
    case PRODUCT:
        return rf_wrap_mul(a, b);
    case LARGEST:
        return larger ? a : b;
    default:
        return larger ? b : a;
    }
}

/* `count` updates from element `from` on, to the output from element `at` on. */
static void update(const rf_node *node, uint64_t at, uint64_t from, uint64_t count)
{
    const scatter *made = node->state;
    const rf_value *updates = node->inputs[2], *out = node->outputs[0];
    void *data = rf_fold_data(out);
    if (made->reduction == OVERWRITE) {
        size_t bytes = rf_dtype_bits(out->dtype) / 8;
        memcpy((unsigned char *)data + at * bytes, (const unsigned char *)updates->data + from * bytes, count * bytes);
        return;
    }
    bool as_float = rf_dtype_is_float(out->dtype);
    for (uint64_t i = 0; i < count; i++) {
        if (as_float)
            rf_store_float(data, out->dtype, at + i, join_floats(made->reduction, rf_value_float(out, at + i),
                                                                 rf_value_float(updates, from + i)));
        else
            rf_store_int(data, out->dtype, at + i, join_ints(made->reduction, out->dtype, rf_value_int(out, at + i),
                                                             rf_value_int(updates, from + i)));
    }
    rf_tally_add(node, counter_of(made->reduction), count);
}

/* Copies the data; *todo tells whether there are elements to update. */
static rf_status start(const rf_node *node, bool *todo)
{
    const scatter *made = node->state;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node) || (made->reduction != OVERWRITE && !rf_fold_reads(in->dtype)))
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&in->shape);
    if (out && count)
        memcpy(rf_fold_data(out), in->data, count * (rf_dtype_bits(in->dtype) / 8));
    *todo = out && rf_elements(&node->inputs[2]->shape) > 0;
    return RF_OK;
}

/* ---- Scatter and ScatterElements -------------------------------------------------------- */

static rf_status infer_elements(rf_node *node)
{
    const scatter_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    scatter *made;
    RF_TRY(infer_scatter(node, &made));
    RF_TRY(rf_node_axis(node, "axis", params->axis, in->rank, &made->axis));
    bool fits = in->rank == indices->rank && rf_shape_equal(indices, &node->inputs[2]->shape);
    for (int32_t k = 0; fits && k < in->rank; k++)
        fits = k == made->axis || indices->dims[k] <= in->dims[k];
    if (fits)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "indices of shape %s and updates of shape %s do not fit data of shape %s",
                        rf_shape_print(indices).text, rf_shape_print(&node->inputs[2]->shape).text,
                        rf_shape_print(in).text);
}

/* An update may go anywhere along the axis, and elsewhere to its own index. */
static void link_elements(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const scatter *made = node->state;
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++) {
        if (input == 0)
            rf_link_same(&links[k], k);
        else if (k == made->axis)
            rf_link_all(&links[k]);
        else
            rf_link_part(&links[k], k, 0);
    }
}

static rf_status evaluate_elements(rf_node *node)
{
    const scatter *made = node->state;
    const rf_value *indices = node->inputs[1];
    const rf_shape *in = &node->inputs[0]->shape;
    uint64_t count = rf_elements(&indices->shape);
    bool todo;
    RF_TRY(start(node, &todo));
    rf_view view = {.offset = 0};
    rf_cursor at;
    rf_view_strides(in, view.strides);
    int64_t stride = view.strides[made->axis], place;
    view.strides[made->axis] = 0;
    rf_cursor_start(&at, &indices->shape, &view);
    for (uint64_t i = 0; todo && i < count; i++, rf_cursor_next(&at)) {
        RF_TRY(rf_check_index(node, rf_value_int(indices, i), in->dims[made->axis], &place));
        update(node, (uint64_t)(at.at + place * stride), i, 1);
    }
    return RF_OK;
}

#define SCATTER(type_, attributes_)                                             \
    const rf_op rf_op_##type_ = {                                               \
        .type = #type_, .class = RF_CLASS_OTHER,                                \
        .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,   \
        .attributes = (attributes_), .defaults = &scatter_defaults,             \
        .params_size = sizeof(scatter_params), .infer = infer_elements,         \
        .link = link_elements, .cost = cost_scatter, .evaluate = evaluate_elements, \
    };

SCATTER(Scatter, old_attributes)
SCATTER(ScatterElements, elements_attributes)

/* ---- ScatterND -------------------------------------------------------------------------- */

static rf_status infer_tuples(rf_node *node)
{
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    const rf_shape *updates = &node->inputs[2]->shape;
    scatter *made;
    RF_TRY(infer_scatter(node, &made));
    if (indices->rank < 1 || indices->dims[indices->rank - 1] < 1 || indices->dims[indices->rank - 1] > in->rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "indices of shape %s hold no tuples of 1 to %d indices",
                            rf_shape_print(indices).text, (int)in->rank);
    int32_t rows = indices->rank - 1, length = (int32_t)indices->dims[rows];
    bool fits = updates->rank == rows + in->rank - length;
    for (int32_t k = 0; fits && k < updates->rank; k++)
        fits = updates->dims[k] == (k < rows ? indices->dims[k] : in->dims[length + k - rows]);
    if (fits)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "updates of shape %s do not fit indices of shape %s and data of shape %s",
                        rf_shape_print(updates).text, rf_shape_print(indices).text, rf_shape_print(in).text);
}

static void link_tuples(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *indices = &node->inputs[1]->shape;
    int32_t rows = indices->rank - 1, length = (int32_t)indices->dims[rows];
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++) {
        if (input == 0)
            rf_link_same(&links[k], k);
        else if (input == 1 || k < rows)
            rf_link_all(&links[k]);
        else
            rf_link_same(&links[k], length + k - rows);
    }
}

static rf_status evaluate_tuples(rf_node *node)
{
    const rf_value *indices = node->inputs[1];
    const rf_shape *in = &node->inputs[0]->shape;
    int32_t length = (int32_t)indices->shape.dims[indices->shape.rank - 1];
    uint64_t rows = rf_elements(&indices->shape) / (uint64_t)length;
    int64_t strides[RF_MAX_RANK], at;
    bool todo;
    RF_TRY(start(node, &todo));
    rf_view_strides(in, strides);
    uint64_t inner = todo ? rf_elements(&node->inputs[2]->shape) / rows : 0;
    for (uint64_t row = 0; todo && row < rows; row++) {
        RF_TRY(rf_check_tuple(node, indices, row, length, in->dims, strides, &at));
        update(node, (uint64_t)at, row * inner, inner);
    }
    return RF_OK;
}

const rf_op rf_op_ScatterND = {
    .type = "ScatterND", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = tuples_attributes, .defaults = &scatter_defaults, .params_size = sizeof(scatter_params),
    .infer = infer_tuples, .link = link_tuples, .cost = cost_scatter, .evaluate = evaluate_tuples,
};

/* SPDX-License-Identifier: MIT */
/* Operators that join tensors along an axis or take them apart. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/moving.h"
#include "ops/task.h"

/* What `infer` leaves: the axis, and where along it each part begins. */
typedef struct parts {
    int32_t axis;
    int64_t begin[];
} parts;

static parts *take_parts(const rf_node *node, uint32_t count)
{
    return rf_arena_take(node->arena, 1, sizeof(parts) + count * sizeof(int64_t));
}

/* ---- Concat ----------------------------------------------------------------------------- */

typedef struct concat_params {
    int64_t axis;
} concat_params;

static const concat_params concat_defaults = {.axis = 1};
static const rf_attribute_spec concat_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(concat_params, axis), true},
    {.name = NULL},
};

static bool differ_elsewhere(const rf_shape *a, const rf_shape *b, int32_t axis)
{
    if (a->rank != b->rank)
        return true;
    for (int32_t k = 0; k < a->rank; k++)
        if (k != axis && a->dims[k] != b->dims[k])
            return true;
    return false;
}

static rf_status add_part(const rf_node *node, uint32_t i, int32_t axis, rf_shape *out)
{
    rf_value *part;
    RF_TRY(rf_node_require(node, i, "a part", &part));
    RF_TRY(rf_check_same_dtype(node, 0, i));
    if (differ_elsewhere(out, &part->shape, axis))
        return rf_node_fail(node, RF_ERROR_SHAPE, "inputs 0 and %u of shapes %s and %s do not join along axis %d",
                            (unsigned)i, rf_shape_print(&node->inputs[0]->shape).text,
                            rf_shape_print(&part->shape).text, (int)axis);
    if (!rf_checked_add(out->dims[axis], part->shape.dims[axis], &out->dims[axis]))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "its output is too large along axis %d", (int)axis);
    return RF_OK;
}

static rf_status infer_concat(rf_node *node)
{
    const concat_params *params = node->params;
    rf_shape out = node->inputs[0]->shape;
    parts *made = take_parts(node, node->input_count);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its parts");
    RF_TRY(rf_node_axis(node, "axis", params->axis, out.rank, &made->axis));
    for (uint32_t i = 1; i < node->input_count; i++) {
        made->begin[i] = out.dims[made->axis];
        RF_TRY(add_part(node, i, made->axis, &out));
    }
    node->state = made;
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_concat(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const parts *parts_of = node->state;
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (axis == parts_of->axis)
            rf_link_part(&links[axis], axis, parts_of->begin[input]);
        else
            rf_link_same(&links[axis], axis);
    }
}

static void move_part(const parts *parts_of, uint32_t input, const rf_value *in, const rf_value *out)
{
    int64_t from[RF_MAX_RANK], to[RF_MAX_RANK];
    rf_move move = {.rank = 0};
    if (rf_elements(&in->shape) == 0)
        return;
    rf_view_strides(&in->shape, from);
    rf_view_strides(&out->shape, to);
    for (int32_t axis = 0; axis < in->shape.rank; axis++)
        rf_move_axis(&move, in->shape.dims[axis], from[axis], to[axis]);
    rf_move_run(&move, rf_fold_data(out), parts_of->begin[input] * to[parts_of->axis], in->data, 0,
                rf_dtype_bits(out->dtype) / 8);
}

static rf_status evaluate_concat(rf_node *node)
{
    const rf_value *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    for (uint32_t input = 0; out && input < node->input_count; input++)
        move_part(node->state, input, node->inputs[input], out);
    return RF_OK;
}

static bool lower_concat(const rf_node *node, rf_task *task)
{
    const parts *parts_of = node->state;
    task->kind = RF_TASK_JOIN;
    task->as.axis = parts_of->axis;
    return rf_is_movable(node);
}

static const char *slice_layer(rf_gradient *to, const char *name, int64_t axis, int64_t begin, int64_t end)
{
    const char *first = rf_gradient_ints(to, &begin, 1), *last = rf_gradient_ints(to, &end, 1);
    return rf_gradient_layer(to, "Slice", RF_NAMES(name, first, last, rf_gradient_ints(to, &axis, 1)), NULL);
}

static rf_status gradient_concat(const rf_node *node, rf_gradient *to)
{
    const parts *parts_of = node->state;
    const char *dy = rf_gradient_of(to, node, 0);
    for (uint32_t i = 0; i < node->input_count; i++) {
        int64_t begin = parts_of->begin[i], extent = node->inputs[i]->shape.dims[parts_of->axis];
        if (rf_gradient_wanted(to, node, i))
            rf_gradient_give(to, node, i, slice_layer(to, dy, parts_of->axis, begin, begin + extent));
    }
    return RF_OK;
}

const rf_op rf_op_Concat = {
    .type = "Concat", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = RF_MANY, .min_outputs = 1, .max_outputs = 1,
    .attributes = concat_attributes, .defaults = &concat_defaults, .params_size = sizeof(concat_params),
    .parameter_inputs = UINT32_MAX, /* such as a class token */
    .infer = infer_concat, .link = link_concat, .evaluate = evaluate_concat,
    .lower = lower_concat, .gradient = gradient_concat,
};

/* ---- Split ------------------------------------------------------------------------------ */

/* The sizes are an attribute up to operator set 12 and then input 1. */
typedef struct split_params {
    int64_t axis, num_outputs;
    rf_ints split;
} split_params;

static const split_params split_defaults = {.axis = 0};
static const rf_attribute_spec split_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(split_params, axis), false},
    {"num_outputs", RF_ATTRIBUTE_INT, offsetof(split_params, num_outputs), false},
    {"split", RF_ATTRIBUTE_INTS, offsetof(split_params, split), false},
    {.name = NULL},
};

/* Sizes stated, or with none stated all alike but, where num_outputs allows it, the last. */
static rf_status part_size(const rf_node *node, const rf_ints *sizes, int64_t extent, uint32_t i, int64_t *size)
{
    const split_params *params = node->params;
    int64_t count = node->output_count;
    if (sizes->at) {
        *size = sizes->at[i];
        if (*size < 0)
            return rf_node_fail(node, RF_ERROR_SHAPE, "split holds %lld, but must hold 0 or more",
                                (long long)*size);
        return RF_OK;
    }
    int64_t each = rf_div_ceil(extent, count), before;
    if (!rf_checked_mul(each, count - 1, &before) || before > extent || (!params->num_outputs && extent % count))
        return rf_node_fail(node, RF_ERROR_SHAPE, "extent %lld does not split into %lld parts",
                            (long long)extent, (long long)count);
    *size = i + 1 < count ? each : extent - before;
    return RF_OK;
}

static rf_status check_counts(const rf_node *node, const rf_ints *sizes)
{
    const split_params *params = node->params;
    if (sizes->at && sizes->count != node->output_count)
        return rf_node_fail(node, RF_ERROR_SHAPE, "split has %zu elements for %u outputs", sizes->count,
                            (unsigned)node->output_count);
    if (params->num_outputs && params->num_outputs != (int64_t)node->output_count)
        return rf_node_fail(node, RF_ERROR_SHAPE, "num_outputs is %lld for %u outputs",
                            (long long)params->num_outputs, (unsigned)node->output_count);
    return RF_OK;
}

static rf_status infer_split(rf_node *node)
{
    const split_params *params = node->params;
    rf_shape out = node->inputs[0]->shape;
    rf_ints sizes;
    parts *made = take_parts(node, node->output_count);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its parts");
    RF_TRY(rf_node_axis(node, "axis", params->axis, out.rank, &made->axis));
    RF_TRY(rf_check_list(node, 1, "split"));
    RF_TRY(rf_node_ints(node, 1, &params->split, "split", &sizes));
    RF_TRY(check_counts(node, &sizes));
    int64_t extent = out.dims[made->axis], end = 0;
    for (uint32_t i = 0; i < node->output_count; i++) {
        int64_t size = 0;
        RF_TRY(part_size(node, &sizes, extent, i, &size));
        made->begin[i] = end;
        out.dims[made->axis] = size;
        rf_set_output(node, i, node->inputs[0]->dtype, &out);
        if (!rf_checked_add(end, size, &end) || end > extent)
            break;
    }
    if (end != extent)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the elements of split do not add up to the extent %lld",
                            (long long)extent);
    node->state = made;
    return RF_OK;
}

static void link_split(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const parts *parts_of = node->state;
    if (input != 0) {
        rf_link_nothing(&links[0]);
        return;
    }
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++)
        rf_link_window(&links[axis], axis, 1, 1, 1, axis == parts_of->axis ? -parts_of->begin[output] : 0);
}

static rf_status evaluate_split(rf_node *node)
{
    const parts *parts_of = node->state;
    const rf_value *in = node->inputs[0];
    rf_view view = {.offset = 0};
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    rf_view_strides(&in->shape, view.strides);
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (!node->outputs[i])
            continue;
        view.offset = parts_of->begin[i] * view.strides[parts_of->axis];
        rf_move_view(in, node->outputs[i], &view);
    }
    return RF_OK;
}

static bool lower_split(const rf_node *node, rf_task *task)
{
    const parts *parts_of = node->state;
    task->kind = RF_TASK_SPLIT;
    task->as.axis = parts_of->axis;
    for (uint32_t i = 0; i < node->output_count; i++)
        if (!node->outputs[i])
            return false;
    return rf_is_movable(node);
}

/* Parts that the loss doesn't depend on are zeros. */
static const char *part_of(const rf_node *node, rf_gradient *to, uint32_t i)
{
    const char *dy = rf_gradient_of(to, node, i);
    return dy ? dy : rf_gradient_expand(to, rf_gradient_number(to, 0), &node->outputs[i]->shape);
}

static rf_status gradient_split(const rf_node *node, rf_gradient *to)
{
    const parts *parts_of = node->state;
    const char **names = RF_TAKE(node->arena, const char *, node->output_count + 1);
    if (!names)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its gradient");
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (!node->outputs[i])
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient where an output is omitted");
        names[i] = part_of(node, to, i);
    }
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, "Concat", names, RF_ATTRIBUTES(RF_INT("axis", parts_of->axis))));
    return RF_OK;
}

const rf_op rf_op_Split = {
    .type = "Split", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = RF_MANY,
    .attributes = split_attributes, .defaults = &split_defaults, .params_size = sizeof(split_params),
    .infer = infer_split, .link = link_split, .evaluate = evaluate_split,
    .lower = lower_split, .gradient = gradient_split,
};

/* SPDX-License-Identifier: MIT */
/* Operators that pick elements by their indices: Slice and Gather. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/moving.h"
#include "ops/task.h"

/* ---- Slice ------------------------------------------------------------------------------ */

/* All lists are attributes up to operator set 9 and then inputs 1 to 4. */
typedef struct slice_params {
    rf_ints starts, ends, axes, steps;
} slice_params;

static const slice_params slice_defaults = {.starts = {0, NULL}};
static const rf_attribute_spec slice_attributes[] = {
    {"starts", RF_ATTRIBUTE_INTS, offsetof(slice_params, starts), false},
    {"ends", RF_ATTRIBUTE_INTS, offsetof(slice_params, ends), false},
    {"axes", RF_ATTRIBUTE_INTS, offsetof(slice_params, axes), false},
    {.name = NULL},
};

/* What `infer` leaves: output index i of an axis is input index start + step * i. */
typedef struct slice {
    int64_t start[RF_MAX_RANK], step[RF_MAX_RANK];
} slice;

static rf_status read_lists(const rf_node *node, slice_params *lists)
{
    const slice_params *params = node->params;
    RF_TRY(rf_node_ints(node, 1, &params->starts, "starts", &lists->starts));
    RF_TRY(rf_node_ints(node, 2, &params->ends, "ends", &lists->ends));
    RF_TRY(rf_node_ints(node, 3, &params->axes, "axes", &lists->axes));
    RF_TRY(rf_node_ints(node, 4, NULL, "steps", &lists->steps));
    if (!lists->starts.at || !lists->ends.at)
        return rf_node_fail(node, RF_ERROR_GRAPH, "starts and ends are required");
    size_t count = lists->starts.count;
    if (lists->ends.count != count || (lists->axes.at && lists->axes.count != count)
        || (lists->steps.at && lists->steps.count != count))
        return rf_node_fail(node, RF_ERROR_SHAPE, "starts has %zu elements, ends %zu, axes %zu, steps %zu",
                            count, lists->ends.count, lists->axes.count, lists->steps.count);
    return RF_OK;
}

static int64_t clamp(int64_t index, int64_t extent, int64_t low, int64_t high)
{
    if (index < 0)
        index += extent;
    return rf_max(low, rf_min(index, high));
}

/* Elements from `start` to before `end` in steps of either sign; *start is clamped. */
static int64_t count_steps(int64_t extent, int64_t *start, int64_t end, int64_t step)
{
    if (extent == 0) {
        *start = 0;
        return 0;
    }
    uint64_t distance, stride;
    if (step > 0) {
        *start = clamp(*start, extent, 0, extent);
        end = clamp(end, extent, 0, extent);
        distance = end > *start ? (uint64_t)(end - *start) : 0;
        stride = (uint64_t)step;
    } else {
        *start = clamp(*start, extent, 0, extent - 1);
        end = clamp(end, extent, -1, extent - 1);
        distance = *start > end ? (uint64_t)(*start - end) : 0;
        stride = 0 - (uint64_t)step;
    }
    return (int64_t)(distance / stride + (distance % stride != 0));
}

static rf_status slice_axis(const rf_node *node, const slice_params *lists, size_t k, uint32_t *seen,
                            slice *made, rf_shape *out)
{
    int32_t axis;
    int64_t step = lists->steps.at ? lists->steps.at[k] : 1;
    int64_t start = lists->starts.at[k];
    RF_TRY(rf_node_axis(node, "axis", lists->axes.at ? lists->axes.at[k] : (int64_t)k, out->rank, &axis));
    if (*seen >> axis & 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is listed twice", (int)axis);
    *seen |= UINT32_C(1) << axis;
    if (step == 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the step along axis %d is 0", (int)axis);
    int64_t count = count_steps(out->dims[axis], &start, lists->ends.at[k], step);
    made->start[axis] = start;
    made->step[axis] = count > 1 ? step : 1; /* so that it stays below the extent */
    out->dims[axis] = count;
    return RF_OK;
}

static rf_status infer_slice(rf_node *node)
{
    rf_shape out = node->inputs[0]->shape;
    slice_params lists;
    uint32_t seen = 0;
    RF_TRY(read_lists(node, &lists));
    slice *made = RF_TAKE(node->arena, slice, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its bounds");
    for (int32_t axis = 0; axis < out.rank; axis++)
        made->step[axis] = 1;
    for (size_t k = 0; k < lists.starts.count; k++)
        RF_TRY(slice_axis(node, &lists, k, &seen, made, &out));
    node->state = made;
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_slice(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const slice *bounds = node->state;
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (input != 0)
            rf_link_nothing(&links[axis]);
        else
            rf_link_window(&links[axis], axis, 1, bounds->step[axis], 1, -bounds->start[axis]);
    }
}

static rf_status evaluate_slice(rf_node *node)
{
    const slice *bounds = node->state;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out || rf_elements(&out->shape) == 0)
        return RF_OK;
    rf_view view = {.offset = 0};
    rf_view_strides(&in->shape, view.strides);
    for (int32_t axis = 0; axis < in->shape.rank; axis++) {
        view.offset += bounds->start[axis] * view.strides[axis];
        view.strides[axis] *= bounds->step[axis];
    }
    rf_move_view(in, out, &view);
    return RF_OK;
}

static bool lower_slice(const rf_node *node, rf_task *task)
{
    const slice *bounds = node->state;
    task->kind = RF_TASK_SLICE;
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++) {
        task->as.slice.starts[axis] = bounds->start[axis];
        task->as.slice.steps[axis] = bounds->step[axis];
    }
    return rf_is_movable(node);
}

/* `name` with step - 1 zeros after each index of an axis. */
static const char *spread(rf_gradient *to, const char *name, rf_shape *shape, int32_t axis, int64_t step)
{
    int64_t begin[RF_MAX_RANK] = {0}, end[RF_MAX_RANK] = {0};
    rf_shape split = {.rank = shape->rank + 1};
    for (int32_t k = 0; k < split.rank; k++)
        split.dims[k] = k <= axis ? shape->dims[k] : k == axis + 1 ? 1 : shape->dims[k - 1];
    end[axis + 1] = step - 1;
    name = rf_gradient_pad(to, rf_gradient_reshape(to, name, &split), split.rank, begin, end);
    shape->dims[axis] *= step;
    return rf_gradient_reshape(to, name, shape);
}

static rf_status gradient_slice(const rf_node *node, rf_gradient *to)
{
    const slice *bounds = node->state;
    const rf_shape *in = &node->inputs[0]->shape;
    rf_shape shape = node->outputs[0]->shape;
    const char *dx = rf_gradient_of(to, node, 0);
    int64_t begin[RF_MAX_RANK], end[RF_MAX_RANK];
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (bounds->step[axis] < 1 || (bounds->step[axis] > 1 && in->rank == RF_MAX_RANK))
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient for a step of %lld along axis %d",
                                (long long)bounds->step[axis], (int)axis);
        if (bounds->step[axis] > 1)
            dx = spread(to, dx, &shape, axis, bounds->step[axis]);
        begin[axis] = bounds->start[axis];
        end[axis] = in->dims[axis] - begin[axis] - shape.dims[axis];
    }
    rf_gradient_give(to, node, 0, rf_gradient_pad(to, dx, in->rank, begin, end));
    return RF_OK;
}

const rf_op rf_op_Slice = {
    .type = "Slice", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1,
    .attributes = slice_attributes, .defaults = &slice_defaults, .params_size = sizeof(slice_params),
    .infer = infer_slice, .link = link_slice, .evaluate = evaluate_slice,
    .lower = lower_slice, .gradient = gradient_slice,
};

/* ---- Gather ----------------------------------------------------------------------------- */

typedef struct gather_params {
    int64_t axis;
} gather_params;

static const gather_params gather_defaults = {.axis = 0};
static const rf_attribute_spec gather_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(gather_params, axis), false},
    {.name = NULL},
};

/* What `infer` leaves. Where the indices are known and vary along one output axis at most,
 * `table` holds them, counted along that axis. */
typedef struct gather {
    int32_t axis, along;
    const int64_t *table;
} gather;

/* The only axis of the indices that is not of extent 1; -1 where there are several. */
static int32_t varying_axis(const rf_shape *indices)
{
    int32_t found = 0, count = 0;
    for (int32_t axis = 0; axis < indices->rank; axis++)
        if (indices->dims[axis] != 1) {
            found = axis;
            count++;
        }
    return count > 1 ? -1 : found;
}

static rf_status make_table(const rf_node *node, gather *made)
{
    const rf_value *indices = node->inputs[1];
    int64_t extent = node->inputs[0]->shape.dims[made->axis];
    uint64_t count = rf_elements(&indices->shape);
    int32_t varying = varying_axis(&indices->shape);
    if (!indices->data || varying < 0 || count > node->limits->folded_elements)
        return RF_OK;
    int64_t *table = RF_TAKE(node->arena, int64_t, count);
    if (!table)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its indices");
    for (uint64_t i = 0; i < count; i++) {
        RF_TRY(rf_check_index(node, rf_value_int(indices, i), extent, &table[i]));
    }
    made->table = table;
    made->along = made->axis + varying;
    return RF_OK;
}

static rf_status infer_gather(rf_node *node)
{
    const gather_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    gather *made = RF_TAKE(node->arena, gather, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its indices");
    RF_TRY(rf_check_index_type(node, 1));
    RF_TRY(rf_node_axis(node, "axis", params->axis, in->rank, &made->axis));
    RF_TRY(rf_check_rank(node, (uint64_t)(in->rank + indices->rank - 1)));
    RF_TRY(make_table(node, made));
    rf_shape out;
    out.rank = 0;
    for (int32_t axis = 0; axis < made->axis; axis++)
        out.dims[out.rank++] = in->dims[axis];
    for (int32_t axis = 0; axis < indices->rank; axis++)
        out.dims[out.rank++] = indices->dims[axis];
    for (int32_t axis = made->axis + 1; axis < in->rank; axis++)
        out.dims[out.rank++] = in->dims[axis];
    node->state = made;
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_gathered(const gather *made, const rf_shape *indices, rf_link *link)
{
    if (!made->table) {
        rf_link_all(link);
    } else if (rf_elements(indices) == 1) {
        rf_link_range(link, made->table[0], made->table[0]);
    } else {
        link->kind = RF_LINK_TABLE;
        link->axis = made->along;
        link->table_first = link->table_last = made->table;
    }
}

static void link_gather(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const gather *made = node->state;
    const rf_shape *in = &node->inputs[0]->shape, *indices = &node->inputs[1]->shape;
    (void)output;
    if (input == 1) {
        for (int32_t axis = 0; axis < indices->rank; axis++)
            rf_link_same(&links[axis], made->axis + axis);
        return;
    }
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (axis != made->axis)
            rf_link_same(&links[axis], axis < made->axis ? axis : axis + indices->rank - 1);
    link_gathered(made, indices, &links[made->axis]);
}

/* One step for each place before the axis and each index: what lies after the axis is moved whole. */
static rf_status evaluate_gather(rf_node *node)
{
    const gather *made = node->state;
    const rf_value *in = node->inputs[0], *indices = node->inputs[1], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    uint64_t count = rf_elements(&indices->shape), inner = 1;
    int64_t extent = in->shape.dims[made->axis];
    for (int32_t axis = made->axis + 1; axis < in->shape.rank; axis++)
        inner *= (uint64_t)in->shape.dims[axis];
    size_t bytes = inner * (rf_dtype_bits(out->dtype) / 8);
    for (uint64_t i = 0; i < total / inner; i++) {
        int64_t place;
        RF_TRY(rf_check_index(node, rf_value_int(indices, i % count), extent, &place));
        rf_fold_move(rf_fold_data(out), i, in->data, i / count * (uint64_t)extent + (uint64_t)place, bytes);
    }
    return RF_OK;
}

/* Indices that are known and follow each other by the same step are a slice. */
static bool lower_gather(const rf_node *node, rf_task *task)
{
    const gather *made = node->state;
    const rf_shape *indices = &node->inputs[1]->shape;
    if (!made->table || indices->rank != 1 || indices->dims[0] == 0 || !rf_is_movable(node))
        return false;
    int64_t step = indices->dims[0] > 1 ? made->table[1] - made->table[0] : 1;
    for (int64_t i = 1; i < indices->dims[0]; i++)
        if (step == 0 || made->table[i] - made->table[i - 1] != step)
            return false;
    task->kind = RF_TASK_SLICE;
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++) {
        task->as.slice.starts[axis] = axis == made->axis ? made->table[0] : 0;
        task->as.slice.steps[axis] = axis == made->axis ? step : 1;
    }
    return true;
}

const rf_op rf_op_Gather = {
    .type = "Gather", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = gather_attributes, .defaults = &gather_defaults, .params_size = sizeof(gather_params),
    .parameter_inputs = 1u,
    .infer = infer_gather, .link = link_gather, .evaluate = evaluate_gather,
    .lower = lower_gather,
};

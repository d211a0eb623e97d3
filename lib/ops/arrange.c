/* SPDX-License-Identifier: MIT */
/* Operators that rearrange or repeat elements along axes. */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/moving.h"
#include "ops/task.h"

/* ---- Transpose -------------------------------------------------------------------------- */

typedef struct transpose_params {
    rf_ints perm; /* absent: all axes reversed */
} transpose_params;

static const transpose_params transpose_defaults = {.perm = {0, NULL}};
static const rf_attribute_spec transpose_attributes[] = {
    {"perm", RF_ATTRIBUTE_INTS, offsetof(transpose_params, perm), false},
    {.name = NULL},
};

/* The input's axis that axis k of the output is. */
static int32_t source_axis(const rf_node *node, int32_t k)
{
    const transpose_params *params = node->params;
    return params->perm.count ? (int32_t)params->perm.at[k] : node->inputs[0]->shape.rank - 1 - k;
}

static rf_status check_permutation(const rf_node *node)
{
    const transpose_params *params = node->params;
    int32_t rank = node->inputs[0]->shape.rank;
    uint32_t seen = 0;
    if (params->perm.count == 0)
        return RF_OK;
    if (params->perm.count != (size_t)rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "perm has %zu elements for an input of rank %d",
                            params->perm.count, (int)rank);
    for (int32_t k = 0; k < rank; k++) {
        int64_t axis = params->perm.at[k];
        if (axis < 0 || axis >= rank || (seen >> axis & 1))
            return rf_node_fail(node, RF_ERROR_SHAPE, "perm holds %lld, but must hold each of 0..%d once",
                                (long long)axis, (int)rank - 1);
        seen |= UINT32_C(1) << axis;
    }
    return RF_OK;
}

static rf_status infer_transpose(rf_node *node)
{
    const rf_shape *in = &node->inputs[0]->shape;
    RF_TRY(check_permutation(node));
    rf_shape out;
    out.rank = in->rank;
    for (int32_t k = 0; k < in->rank; k++)
        out.dims[k] = in->dims[source_axis(node, k)];
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_transpose(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    for (int32_t k = 0; k < node->inputs[input]->shape.rank; k++)
        rf_link_same(&links[source_axis(node, k)], k);
}

static rf_status evaluate_transpose(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out)
        return RF_OK;
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(&in->shape, strides);
    rf_view view = {.offset = 0};
    for (int32_t k = 0; k < in->shape.rank; k++)
        view.strides[k] = strides[source_axis(node, k)];
    rf_move_view(in, out, &view);
    return RF_OK;
}

static bool lower_transpose(const rf_node *node, rf_task *task)
{
    task->kind = RF_TASK_TRANSPOSE;
    for (int32_t k = 0; k < node->inputs[0]->shape.rank; k++)
        task->as.transpose.axes[k] = source_axis(node, k);
    return rf_is_movable(node);
}

static rf_status gradient_transpose(const rf_node *node, rf_gradient *to)
{
    int64_t back[RF_MAX_RANK];
    size_t rank = (size_t)node->inputs[0]->shape.rank;
    for (size_t k = 0; k < rank; k++)
        back[source_axis(node, (int32_t)k)] = (int64_t)k;
    const rf_attribute attributes[] = {
        {.name = "perm", .type = RF_ATTRIBUTE_INTS, .count = rank, .value = {.ints = back}}, {.name = NULL}};
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, "Transpose", RF_NAMES(rf_gradient_of(to, node, 0)), attributes));
    return RF_OK;
}

const rf_op rf_op_Transpose = {
    .type = "Transpose", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = transpose_attributes, .defaults = &transpose_defaults,
    .params_size = sizeof(transpose_params),
    .infer = infer_transpose, .link = link_transpose, .evaluate = evaluate_transpose,
    .lower = lower_transpose, .gradient = gradient_transpose,
};

/* ---- DepthToSpace and SpaceToDepth ------------------------------------------------------ */

/* In both, a block of b x b pixels of C channels goes with one pixel of b * b * C channels. */
typedef struct block_params {
    int64_t blocksize;
    const char *mode;
} block_params;

static const block_params block_defaults = {.mode = "DCR"};
static const rf_attribute_spec to_space_attributes[] = {
    {"blocksize", RF_ATTRIBUTE_INT, offsetof(block_params, blocksize), true},
    {"mode", RF_ATTRIBUTE_STRING, offsetof(block_params, mode), false},
    {.name = NULL},
};
static const rf_attribute_spec to_depth_attributes[] = {
    {"blocksize", RF_ATTRIBUTE_INT, offsetof(block_params, blocksize), true},
    {.name = NULL},
};

static bool is_empty(const rf_shape *shape)
{
    for (int32_t axis = 0; axis < shape->rank; axis++)
        if (shape->dims[axis] == 0)
            return true;
    return false;
}

static rf_status check_blocks(const rf_node *node, int64_t *block_area)
{
    const block_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    if (in->rank != 4)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but must have rank 4",
                            rf_shape_print(in).text);
    if (params->blocksize < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "blocksize is %lld, but must be 1 or more",
                            (long long)params->blocksize);
    if (!rf_checked_mul(params->blocksize, params->blocksize, block_area))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "blocksize %lld is too large",
                            (long long)params->blocksize);
    return RF_OK;
}

static rf_status infer_to_space(rf_node *node)
{
    const block_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    int64_t area = 1;
    RF_TRY(check_blocks(node, &area));
    if (strcmp(params->mode, "DCR") != 0 && strcmp(params->mode, "CRD") != 0)
        return rf_node_fail(node, RF_ERROR_FORMAT, "mode is '%.40s', but must be 'DCR' or 'CRD'", params->mode);
    if (in->dims[1] % area != 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "%lld channels are no multiple of blocksize squared, %lld",
                            (long long)in->dims[1], (long long)area);
    rf_shape out = {.rank = 4, .dims = {in->dims[0], in->dims[1] / area, 0, 0}};
    if (!rf_checked_mul(in->dims[2], params->blocksize, &out.dims[2])
        || !rf_checked_mul(in->dims[3], params->blocksize, &out.dims[3]))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "blocksize %lld is too large", (long long)params->blocksize);
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_to_space(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const block_params *params = node->params;
    const rf_shape *in = &node->inputs[input]->shape, *out = &node->outputs[output]->shape;
    int64_t block = params->blocksize, channels = out->dims[1];
    bool depth_last = strcmp(params->mode, "DCR") == 0; /* the block's place is the slower digit */
    rf_link_same(&links[0], 0);
    rf_link_block(&links[2], 2, block, 1);
    rf_link_block(&links[3], 3, block, 1);
    if (is_empty(out)) {
        rf_link_nothing(&links[1]);
        return;
    }
    links[1].kind = RF_LINK_DIGITS;
    links[1].divisor = 1;
    links[1].modulus = in->dims[1];
    links[1].term_count = 3;
    links[1].terms[0] = (rf_link_term){1, 1, channels, depth_last ? 1 : block * block};
    links[1].terms[1] = (rf_link_term){2, 1, block, depth_last ? block * channels : block};
    links[1].terms[2] = (rf_link_term){3, 1, block, depth_last ? channels : 1};
}

/* The output's rows and columns are two axes each: the pixel, and the place in its block. */
static rf_status evaluate_to_space(rf_node *node)
{
    const block_params *params = node->params;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out || is_empty(&out->shape))
        return RF_OK;
    int64_t block = params->blocksize, channels = out->shape.dims[1];
    int64_t height = in->shape.dims[2], width = in->shape.dims[3], plane = height * width;
    bool depth_last = strcmp(params->mode, "DCR") == 0;
    int64_t column = depth_last ? channels * plane : plane, channel = depth_last ? plane : block * block * plane;
    const int64_t dims[] = {in->shape.dims[0], channels, height, block, width, block};
    const int64_t strides[] = {in->shape.dims[1] * plane, channel, width, block * column, 1, column};
    rf_move_gather(rf_fold_data(out), 6, dims, in->data, 0, strides, rf_dtype_bits(out->dtype) / 8);
    return RF_OK;
}

const rf_op rf_op_DepthToSpace = {
    .type = "DepthToSpace", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = to_space_attributes, .defaults = &block_defaults, .params_size = sizeof(block_params),
    .infer = infer_to_space, .link = link_to_space, .evaluate = evaluate_to_space,
};

static rf_status infer_to_depth(rf_node *node)
{
    const block_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    int64_t block = params->blocksize, area = 1;
    RF_TRY(check_blocks(node, &area));
    if (in->dims[2] % block != 0 || in->dims[3] % block != 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "extents %lld and %lld are no multiples of blocksize %lld",
                            (long long)in->dims[2], (long long)in->dims[3], (long long)block);
    rf_shape out = {.rank = 4, .dims = {in->dims[0], 0, in->dims[2] / block, in->dims[3] / block}};
    if (!rf_checked_mul(in->dims[1], area, &out.dims[1]))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "blocksize %lld is too large", (long long)block);
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

/* Rows or columns: block * i plus the digit of the channel whose unit is `unit`. */
static void link_in_block(rf_link *link, int32_t axis, int64_t block, int64_t unit, const rf_shape *in)
{
    link->kind = RF_LINK_DIGITS;
    link->divisor = 1;
    link->modulus = in->dims[axis];
    link->term_count = 2;
    link->terms[0] = (rf_link_term){axis, 1, RF_WHOLE_INDEX, block};
    link->terms[1] = (rf_link_term){1, unit, block, 1};
}

static void link_to_depth(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const block_params *params = node->params;
    const rf_shape *in = &node->inputs[input]->shape;
    int64_t block = params->blocksize, channels = in->dims[1];
    (void)output;
    if (is_empty(in)) {
        for (int32_t axis = 0; axis < in->rank; axis++)
            rf_link_nothing(&links[axis]);
        return;
    }
    rf_link_same(&links[0], 0);
    links[1].kind = RF_LINK_DIGITS;
    links[1].divisor = 1;
    links[1].modulus = channels;
    links[1].term_count = 1;
    links[1].terms[0] = (rf_link_term){1, 1, channels, 1};
    link_in_block(&links[2], 2, block, block * channels, in);
    link_in_block(&links[3], 3, block, channels, in);
}

static rf_status evaluate_to_depth(rf_node *node)
{
    const block_params *params = node->params;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out || is_empty(&out->shape))
        return RF_OK;
    int64_t block = params->blocksize, channels = in->shape.dims[1];
    int64_t width = in->shape.dims[3], plane = in->shape.dims[2] * width;
    const int64_t dims[] = {in->shape.dims[0], block, block, channels, out->shape.dims[2], out->shape.dims[3]};
    const int64_t strides[] = {channels * plane, width, 1, plane, block * width, block};
    rf_move_gather(rf_fold_data(out), 6, dims, in->data, 0, strides, rf_dtype_bits(out->dtype) / 8);
    return RF_OK;
}

const rf_op rf_op_SpaceToDepth = {
    .type = "SpaceToDepth", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = to_depth_attributes, .defaults = &block_defaults, .params_size = sizeof(block_params),
    .infer = infer_to_depth, .link = link_to_depth, .evaluate = evaluate_to_depth,
};

/* ---- Expand ----------------------------------------------------------------------------- */

static rf_status infer_expand(rf_node *node)
{
    rf_ints list;
    rf_shape wanted, out;
    RF_TRY(rf_check_list(node, 1, "the shape"));
    RF_TRY(rf_node_ints(node, 1, NULL, "the shape", &list));
    RF_TRY(rf_check_extents(node, &list, "the shape", &wanted));
    RF_TRY(rf_node_broadcast(node, &node->inputs[0]->shape, &wanted, &out));
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_expand(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 0)
        rf_link_broadcast(node, output, input, links);
    else
        rf_link_nothing(&links[0]);
}

static rf_status evaluate_expand(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out)
        return RF_OK;
    rf_view view;
    rf_view_broadcast(&in->shape, &out->shape, out->shape.rank - in->shape.rank, &view);
    rf_move_view(in, out, &view);
    return RF_OK;
}

static bool lower_expand(const rf_node *node, rf_task *task)
{
    task->kind = RF_TASK_EXPAND;
    return rf_is_movable(node);
}

static rf_status gradient_expand(const rf_node *node, rf_gradient *to)
{
    rf_gradient_give_broadcast(to, node, 0, rf_gradient_of(to, node, 0));
    return RF_OK;
}

const rf_op rf_op_Expand = {
    .type = "Expand", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_expand, .link = link_expand, .evaluate = evaluate_expand,
    .lower = lower_expand, .gradient = gradient_expand,
};

/* ---- Tile ------------------------------------------------------------------------------- */

static rf_status infer_tile(rf_node *node)
{
    const rf_shape *in = &node->inputs[0]->shape;
    rf_ints list;
    rf_shape out;
    RF_TRY(rf_check_list(node, 1, "repeats"));
    RF_TRY(rf_node_ints(node, 1, NULL, "repeats", &list));
    if (list.count != (size_t)in->rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "repeats has %zu elements for an input of rank %d",
                            list.count, (int)in->rank);
    RF_TRY(rf_check_extents(node, &list, "repeats", &out));
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (!rf_checked_mul(in->dims[axis], list.at[axis], &out.dims[axis]))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "%lld repeats of extent %lld are too many",
                                (long long)list.at[axis], (long long)in->dims[axis]);
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_repeats(rf_link *link, int32_t axis, int64_t from, int64_t to)
{
    if (from == to) {
        rf_link_same(link, axis);
    } else if (to == 0) {
        rf_link_nothing(link);
    } else if (from == 1) {
        rf_link_range(link, 0, 0);
    } else {
        link->kind = RF_LINK_DIGITS;
        link->divisor = 1;
        link->modulus = from;
        link->term_count = 1;
        link->terms[0] = (rf_link_term){axis, 1, to, 1};
    }
}

static void link_tile(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *in = &node->inputs[input]->shape, *out = &node->outputs[output]->shape;
    if (input != 0) {
        rf_link_nothing(&links[0]);
        return;
    }
    for (int32_t axis = 0; axis < in->rank; axis++)
        link_repeats(&links[axis], axis, in->dims[axis], out->dims[axis]);
}

/* Each axis of the output is two: the tiles, which all read the same, and the places in one. */
static rf_status evaluate_tile(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    if (!out || is_empty(&out->shape))
        return RF_OK;
    int64_t dims[RF_MOVE_AXES], strides[RF_MOVE_AXES], dense[RF_MAX_RANK];
    rf_view_strides(&in->shape, dense);
    for (int32_t axis = 0; axis < in->shape.rank; axis++) {
        dims[2 * axis] = out->shape.dims[axis] / in->shape.dims[axis];
        strides[2 * axis] = 0;
        dims[2 * axis + 1] = in->shape.dims[axis];
        strides[2 * axis + 1] = dense[axis];
    }
    rf_move_gather(rf_fold_data(out), 2 * in->shape.rank, dims, in->data, 0, strides,
                   rf_dtype_bits(out->dtype) / 8);
    return RF_OK;
}

const rf_op rf_op_Tile = {
    .type = "Tile", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_tile, .link = link_tile, .evaluate = evaluate_tile,
};

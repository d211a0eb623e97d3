/* SPDX-License-Identifier: MIT */
/*
 * Col2Im: columns of window contents added up to the image that they overlap
 * in, up to three axes. Tap t of window l falls on stride * l - pad + dilation * t.
 */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/window.h"

typedef struct image_params {
    rf_ints dilations, pads, strides;
} image_params;

static const rf_attribute_spec attributes[] = {
    {"dilations", RF_ATTRIBUTE_INTS, offsetof(image_params, dilations), false},
    {"pads", RF_ATTRIBUTE_INTS, offsetof(image_params, pads), false},
    {"strides", RF_ATTRIBUTE_INTS, offsetof(image_params, strides), false},
    {.name = NULL},
};

/* What `infer` leaves: three windows, those of axes that there are not of one tap at one place. */
typedef struct image {
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;
    int64_t taps, places, pixels;
} image;

static rf_status read_shapes(const rf_node *node, rf_ints *block, rf_shape *shape)
{
    rf_ints extents;
    RF_TRY(rf_check_list(node, 1, "image_shape"));
    RF_TRY(rf_check_list(node, 2, "block_shape"));
    RF_TRY(rf_node_ints(node, 1, NULL, "image_shape", &extents));
    RF_TRY(rf_node_ints(node, 2, NULL, "block_shape", block));
    if (extents.count != block->count || extents.count < 1 || extents.count > RF_MAX_SPATIAL)
        return rf_node_fail(node, RF_ERROR_SHAPE, "image_shape has %zu elements and block_shape %zu, but both must have 1 to %d",
                            extents.count, block->count, RF_MAX_SPATIAL);
    *shape = (rf_shape){.rank = 2 + (int32_t)extents.count};
    for (size_t k = 0; k < extents.count; k++) {
        if (extents.at[k] < 1 || block->at[k] < 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "extent %lld of the image and %lld of the block must be 1 or more",
                                (long long)extents.at[k], (long long)block->at[k]);
        shape->dims[2 + k] = extents.at[k];
    }
    return RF_OK;
}

static bool count_all(image *made)
{
    made->taps = made->places = made->pixels = 1;
    for (int32_t k = made->axes; k < RF_MAX_SPATIAL; k++)
        made->windows[k] = (rf_window){.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
    for (int32_t k = 0; k < RF_MAX_SPATIAL; k++)
        if (!rf_checked_mul(made->taps, made->windows[k].kernel, &made->taps)
            || !rf_checked_mul(made->places, made->windows[k].output, &made->places)
            || !rf_checked_mul(made->pixels, made->windows[k].input, &made->pixels))
            return false;
    return true;
}

static rf_status infer(rf_node *node)
{
    const image_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    rf_window_params window = {.strides = params->strides, .dilations = params->dilations, .pads = params->pads};
    rf_ints block;
    rf_shape out;
    image *made = RF_TAKE(node->arena, image, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its windows");
    node->state = made;
    RF_TRY(read_shapes(node, &block, &out));
    if (in->rank != 3)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but must have rank 3", rf_shape_print(in).text);
    RF_TRY(rf_windows_make(node, &window, &out, block.at, false, made->windows, &made->axes));
    if (!count_all(made))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "its windows are too many");
    if (in->dims[1] % made->taps != 0 || in->dims[2] != made->places)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but %lld windows of %lld taps are described",
                            rf_shape_print(in).text, (long long)made->places, (long long)made->taps);
    out.dims[0] = in->dims[0];
    out.dims[1] = in->dims[1] / made->taps;
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

static void link_image(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const image *made = node->state;
    (void)output;
    if (input != 0) {
        rf_link_nothing(&links[0]);
        return;
    }
    rf_link_same(&links[0], 0);
    rf_link_block(&links[1], 1, 1, made->taps);
    rf_link_all(&links[2]);
}

static bool cost_image(const rf_node *node, rf_cost *cost)
{
    const image *made = node->state;
    const rf_shape *in = &node->inputs[0]->shape;
    uint64_t landed = (uint64_t)in->dims[0] * (uint64_t)(in->dims[1] / made->taps), taps;
    for (int32_t k = 0; k < made->axes; k++)
        if (!rf_window_valid_taps(&made->windows[k], &taps) || !rf_checked_mul(landed, taps, &landed))
            return false;
    cost->dense.additions = rf_elements(in);
    cost->valid.additions = landed;
    return true;
}

/* The image, and the places of one tap, as doubles. */
static bool scratch(const rf_node *node, uint64_t *bytes)
{
    const image *made = node->state;
    uint64_t doubles;
    return rf_checked_add((uint64_t)made->pixels, (uint64_t)made->places, &doubles)
        && rf_doubles_bytes(doubles, 0, bytes);
}

/* Where tap t of the window at index i falls; -1 beside the image. */
static int64_t landing(const rf_window *window, int64_t i, int64_t t)
{
    int64_t at = window->stride * i - window->pad_begin + window->dilation * t;
    return at >= 0 && at < window->input ? at : -1;
}

/* Adds one tap of all windows; returns how many fell on the image. */
static uint64_t add_tap(const image *made, int64_t tap, const double *places, double *sums)
{
    const rf_window *w = made->windows;
    int64_t t2 = tap % w[2].kernel, t1 = tap / w[2].kernel % w[1].kernel, t0 = tap / w[2].kernel / w[1].kernel;
    uint64_t added = 0;
    for (int64_t i = 0; i < w[0].output; i++) {
        for (int64_t j = 0; j < w[1].output; j++, places += w[2].output) {
            int64_t y = landing(&w[0], i, t0), x = landing(&w[1], j, t1);
            for (int64_t k = 0; k < w[2].output && y >= 0 && x >= 0; k++) {
                int64_t z = landing(&w[2], k, t2);
                if (z < 0)
                    continue;
                sums[(y * w[1].input + x) * w[2].input + z] += places[k];
                added++;
            }
        }
    }
    return added;
}

static rf_status evaluate(rf_node *node)
{
    const image *made = node->state;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_fold_reads(in->dtype) || in->dtype == RF_INT64 || in->dtype == RF_UINT64)
        return rf_fold_refuse(node);
    uint64_t planes = out ? (uint64_t)out->shape.dims[0] * (uint64_t)out->shape.dims[1] : 0;
    uint64_t places = (uint64_t)made->places, pixels = (uint64_t)made->pixels;
    double *sums = node->scratch, *contents = sums + pixels;
    for (uint64_t plane = 0; plane < planes; plane++) {
        for (uint64_t i = 0; i < pixels; i++)
            sums[i] = 0;
        for (int64_t tap = 0; tap < made->taps; tap++) {
            rf_doubles_read(in, (plane * (uint64_t)made->taps + (uint64_t)tap) * places, places, contents);
            rf_tally_add(node, RF_COUNTER(additions), add_tap(made, tap, contents, sums));
        }
        rf_doubles_write(out, plane * pixels, pixels, sums);
    }
    return RF_OK;
}

const rf_op rf_op_Col2Im = {
    .type = "Col2Im", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = attributes, .params_size = sizeof(image_params),
    .infer = infer, .link = link_image, .cost = cost_image, .evaluate = evaluate, .scratch = scratch,
};

/* SPDX-License-Identifier: MIT */
/*
 * Clip. Its bounds are attributes up to operator set 10 and inputs of the
 * data's type after that, where a bound left out is none.
 */
#include "ops/table.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/gradient.h"

enum { INPUTS_SINCE = 11 };

typedef struct clip_params {
    float min, max;
} clip_params;

static const clip_params clip_defaults = {.min = -FLT_MAX, .max = FLT_MAX};
static const rf_attribute_spec clip_attributes[] = {
    {"min", RF_ATTRIBUTE_FLOAT, offsetof(clip_params, min), false},
    {"max", RF_ATTRIBUTE_FLOAT, offsetof(clip_params, max), false},
    {.name = NULL},
};

static rf_status infer_clip(rf_node *node)
{
    static const char *const names[] = {"", "min", "max"};
    for (uint32_t i = 1; i < 3; i++) {
        if (!rf_input(node, i))
            continue;
        RF_TRY(rf_check_same_dtype(node, 0, i));
        RF_TRY(rf_check_single(node, i, names[i]));
    }
    return rf_infer_same(node);
}

static void link_clip(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 0)
        rf_link_broadcast(node, output, input, links);
    else
        rf_link_everything(node, output, input, links);
}

/* The bound at input `i`, `from_attribute` where bounds are attributes, `none` where there is none or it
 * is NaN. False where it is not known. */
static bool read_bound(const rf_node *node, uint32_t i, float from_attribute, double none, double *bound)
{
    const rf_value *value = rf_input(node, i);
    if (value && !value->data)
        return false;
    *bound = value ? rf_value_float(value, 0) : node->opset < INPUTS_SINCE ? (double)from_attribute : none;
    if (*bound != *bound)
        *bound = none;
    return true;
}

/* Where the bounds cross, the upper one is the result. */
static bool read_bounds(const rf_node *node, double *least, double *most)
{
    const clip_params *params = node->params;
    if (!read_bound(node, 1, params->min, (double)-INFINITY, least)
        || !read_bound(node, 2, params->max, (double)INFINITY, most))
        return false;
    if (*least > *most)
        *least = *most;
    return true;
}

/* The bounds may be too large to be doubles. */
static int64_t clip_int(const rf_node *node, int64_t x)
{
    const rf_value *min = rf_input(node, 1), *max = rf_input(node, 2);
    rf_dtype dtype = node->inputs[0]->dtype;
    if (min && rf_fold_order(dtype, x) < rf_fold_order(dtype, rf_value_int(min, 0)))
        x = rf_value_int(min, 0);
    if (max && rf_fold_order(dtype, x) > rf_fold_order(dtype, rf_value_int(max, 0)))
        x = rf_value_int(max, 0);
    return x;
}

static rf_status evaluate_clip(rf_node *node)
{
    rf_fold_one one = {.floats = rf_map_real(RF_MAP_CLIP), .counter = RF_COUNTER(activations)};
    one.ints = node->opset < INPUTS_SINCE ? NULL : clip_int;
    if (!read_bounds(node, &one.a, &one.b))
        return rf_fold_refuse(node);
    return rf_fold_each(node, &one);
}

static bool lower_clip(const rf_node *node, rf_task *task)
{
    double least, most;
    return node->inputs[0]->dtype == RF_FLOAT32 && read_bounds(node, &least, &most)
        && rf_lower_map(node, RF_MAP_CLIP, (float)least, (float)most, task);
}

/* Nothing for the bounds, which must be known. */
static rf_status gradient_clip(const rf_node *node, rf_gradient *to)
{
    double least, most;
    if (!read_bounds(node, &least, &most))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient only where its bounds are constants");
    return rf_gradient_slope(to, node, "Clip", least, most, false);
}

const rf_op rf_op_Clip = {
    .type = "Clip", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = clip_attributes, .defaults = &clip_defaults, .params_size = sizeof(clip_params),
    .infer = infer_clip, .link = link_clip, .cost = rf_cost_activations, .evaluate = evaluate_clip,
    .lower = lower_clip, .gradient = gradient_clip,
};

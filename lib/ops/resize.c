/* SPDX-License-Identifier: MIT */
/*
 * Resize and its forerunner Upsample.
 *
 * Output extents are computed as ONNX's own shape inference does, in float32.
 * A scale is then taken as the ratio of the extents where that rounds to the
 * float given, else as the simplest fraction that does: 0.33333334 is a third.
 *
 * Counting. Nearest costs nothing. Linear takes a multiplication for each of 2
 * taps along each resized axis, so 2^d for an output, and an addition less;
 * cubic 4^d. With antialiasing the taps of an axis number at most
 * ceil(2 * reach / scale), which is what is counted. Computing the weights is
 * left out: they depend on shapes alone.
 */
#include "ops/resize.h"

#include "ops/gradient.h"

#include "ops/operands.h"
#include "ops/resample.h"
#include "ops/table.h"

typedef struct resize_params {
    const char *mode, *coordinates, *nearest_mode, *policy;
    float cubic_a, extrapolation_value;
    int64_t exclude_outside, antialias;
    rf_ints axes;
    rf_floats scales;
} resize_params;

/* What is resized, while it is being worked out. */
typedef struct resizing {
    const rf_value *x;
    rf_shape output;
    uint32_t roi, scales, sizes; /* inputs; RF_MANY for one that this form lacks */
    int32_t axes[RF_MAX_RANK];   /* that the lists speak of, in their order */
    int32_t count;
    rf_resample each[RF_MAX_RANK];
} resizing;

static const resize_params defaults = {.cubic_a = -0.75F};

static const rf_attribute_spec resize_attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(resize_params, mode), false},
    {"coordinate_transformation_mode", RF_ATTRIBUTE_STRING, offsetof(resize_params, coordinates), false},
    {"nearest_mode", RF_ATTRIBUTE_STRING, offsetof(resize_params, nearest_mode), false},
    {"cubic_coeff_a", RF_ATTRIBUTE_FLOAT, offsetof(resize_params, cubic_a), false},
    {"exclude_outside", RF_ATTRIBUTE_INT, offsetof(resize_params, exclude_outside), false},
    {"extrapolation_value", RF_ATTRIBUTE_FLOAT, offsetof(resize_params, extrapolation_value), false},
    {"antialias", RF_ATTRIBUTE_INT, offsetof(resize_params, antialias), false},
    {"axes", RF_ATTRIBUTE_INTS, offsetof(resize_params, axes), false},
    {"keep_aspect_ratio_policy", RF_ATTRIBUTE_STRING, offsetof(resize_params, policy), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec upsample_attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(resize_params, mode), false},
    {"scales", RF_ATTRIBUTE_FLOATS, offsetof(resize_params, scales), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* In the order of rf_interpolation, rf_coordinates and rf_rounding. */
static const char *const mode_names[] = {"nearest", "linear", "cubic", NULL};
static const char *const old_mode_names[] = {"nearest", "linear", NULL};
static const char *const coordinate_names[] = {
    "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
    "asymmetric",    "tf_half_pixel_for_nn", "tf_crop_and_resize",   NULL,
};
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};

typedef enum policy { POLICY_STRETCH, POLICY_NOT_LARGER, POLICY_NOT_SMALLER } policy;
static const char *const policy_names[] = {"stretch", "not_larger", "not_smaller", NULL};

/* ---- Attributes and lists --------------------------------------------------------------- */

static rf_status read_axes(const rf_node *node, resizing *plan)
{
    const resize_params *params = node->params;
    int32_t rank = plan->x->shape.rank;
    uint32_t seen = 0;
    plan->count = params->axes.count ? 0 : rank;
    for (int32_t i = 0; i < plan->count; i++)
        plan->axes[i] = i;
    for (size_t i = 0; i < params->axes.count; i++) {
        int32_t axis;
        RF_TRY(rf_node_axis(node, "an axis", params->axes.at[i], rank, &axis));
        if (seen >> axis & 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is named twice", (int)axis);
        seen |= 1U << axis;
        plan->axes[plan->count++] = axis;
    }
    return RF_OK;
}

/* Sets how every axis is sampled and that none is resized yet. */
static rf_status begin_axes(const rf_node *node, bool asymmetric, resizing *plan)
{
    const resize_params *params = node->params;
    int mode, coordinates, rounding;
    RF_TRY(rf_node_choice(node, "mode", params->mode, asymmetric ? old_mode_names : mode_names, &mode));
    RF_TRY(rf_node_choice(node, "coordinate_transformation_mode", params->coordinates, coordinate_names,
                          &coordinates));
    RF_TRY(rf_node_choice(node, "nearest_mode", params->nearest_mode, nearest_names, &rounding));
    for (int32_t i = 0; i < plan->x->shape.rank; i++) {
        int64_t extent = plan->x->shape.dims[i];
        plan->each[i] = (rf_resample){
            .input = extent,
            .output = extent,
            .scale = {1, 1},
            .coordinates = asymmetric ? RF_COORDINATES_ASYMMETRIC : (rf_coordinates)coordinates,
            .interpolation = (rf_interpolation)mode,
            .rounding = asymmetric ? RF_ROUNDING_FLOOR : (rf_rounding)rounding,
            .antialias = params->antialias != 0,
            .short_cubic = params->cubic_a == 0,
            .cubic_a = (double)params->cubic_a,
            .exclude_outside = params->exclude_outside != 0 && mode != RF_INTERPOLATION_NEAREST,
            .begin = {0, 1},
            .end = {1, 1},
        };
    }
    plan->output = plan->x->shape;
    return RF_OK;
}

/* Input `i` where it has elements: an empty list stands for an omitted one. */
static const rf_value *list_input(const rf_node *node, uint32_t i)
{
    const rf_value *value = rf_input(node, i);
    return value && rf_elements(&value->shape) ? value : NULL;
}

static rf_status check_count(const rf_node *node, const char *what, uint64_t count, int32_t needed)
{
    if (count == (uint64_t)needed)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s has %llu entries, but %d are needed", what,
                        (unsigned long long)count, (int)needed);
}

/* Checks a list of `needed` floats whose elements are known. */
static rf_status check_floats(const rf_node *node, const rf_value *value, const char *what, int32_t needed)
{
    if (!value->data)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                            "%s comes from tensor '%.80s', whose elements are known only when running",
                            what, value->name);
    if (value->dtype != RF_FLOAT32 && value->dtype != RF_FLOAT64)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "%s of type %s is not supported", what,
                            rf_dtype_name(value->dtype));
    return check_count(node, what, rf_elements(&value->shape), needed);
}

/* ---- Scales and sizes ------------------------------------------------------------------- */

static rf_status set_extent(const rf_node *node, resizing *plan, int32_t axis, int64_t extent)
{
    rf_resample *each = &plan->each[axis];
    if (extent < 0 || (each->input == 0 && extent > 0))
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d cannot be resized from %lld to %lld", (int)axis,
                            (long long)each->input, (long long)extent);
    if (each->input != extent && (each->input > RF_RESAMPLE_MAX || extent > RF_RESAMPLE_MAX))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "resizing axis %d from %lld to %lld, more than %lld",
                            (int)axis, (long long)each->input, (long long)extent, (long long)RF_RESAMPLE_MAX);
    each->output = extent;
    plan->output.dims[axis] = extent;
    return RF_OK;
}

static void set_ratio(rf_resample *each, int64_t output, int64_t input)
{
    int64_t common = rf_gcd(output, input);
    each->scale = common ? (rf_ratio){output / common, input / common} : (rf_ratio){1, 1};
}

static rf_status set_scale(const rf_node *node, resizing *plan, int32_t axis, float scale)
{
    rf_resample *each = &plan->each[axis];
    float extent = (float)each->input * scale;
    if (!(scale > 0) || !(extent < 0x1p62F))
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d, %lld long, cannot be scaled by %g", (int)axis,
                            (long long)each->input, (double)scale);
    if (scale == 1) /* the product with 1 may still round */
        return RF_OK;
    RF_TRY(set_extent(node, plan, axis, (int64_t)extent));
    if (each->input && (float)((double)each->output / (double)each->input) == scale) {
        set_ratio(each, each->output, each->input);
        return RF_OK;
    }
    if (each->input && (each->input > RF_RESAMPLE_MAX || !rf_ratio_of_float(scale, &each->scale)))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "axis %d, %lld long, cannot be scaled exactly by %g",
                            (int)axis, (long long)each->input, (double)scale);
    return RF_OK;
}

static rf_status read_scales(const rf_node *node, resizing *plan)
{
    const resize_params *params = node->params;
    const rf_value *value = list_input(node, plan->scales);
    if (!value) {
        RF_TRY(check_count(node, "scales", params->scales.count, plan->count));
        for (int32_t i = 0; i < plan->count; i++)
            RF_TRY(set_scale(node, plan, plan->axes[i], params->scales.at[i]));
        return RF_OK;
    }
    RF_TRY(check_floats(node, value, "scales", plan->count));
    for (int32_t i = 0; i < plan->count; i++)
        RF_TRY(set_scale(node, plan, plan->axes[i], (float)rf_value_float(value, (uint64_t)i)));
    return RF_OK;
}

/* The entry whose ratio all axes take under `rule`: the smallest or the largest. */
static int32_t decisive_axis(const resizing *plan, const rf_ints *sizes, policy rule, float *scale)
{
    int32_t decisive = 0;
    for (int32_t i = 0; i < plan->count; i++) {
        float ratio = (float)sizes->at[i] / (float)plan->each[plan->axes[i]].input;
        if (i == 0 || (rule == POLICY_NOT_LARGER ? ratio < *scale : ratio > *scale)) {
            *scale = ratio;
            decisive = i;
        }
    }
    return decisive;
}

static rf_status keep_aspect(const rf_node *node, resizing *plan, const rf_ints *sizes, policy rule)
{
    for (int32_t i = 0; i < plan->count; i++)
        if (sizes->at[i] < 1 || sizes->at[i] > RF_RESAMPLE_MAX || plan->each[plan->axes[i]].input < 1
            || plan->each[plan->axes[i]].input > RF_RESAMPLE_MAX)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d cannot be resized from %lld to %lld",
                                (int)plan->axes[i], (long long)plan->each[plan->axes[i]].input,
                                (long long)sizes->at[i]);
    float scale = 1;
    int32_t decisive = decisive_axis(plan, sizes, rule, &scale);
    for (int32_t i = 0; i < plan->count; i++) {
        rf_resample *each = &plan->each[plan->axes[i]];
        double extent = (double)(scale * (float)each->input) + 0.5;
        RF_TRY(set_extent(node, plan, plan->axes[i], extent < 0x1p62 ? (int64_t)extent : INT64_MAX));
        set_ratio(each, sizes->at[decisive], plan->each[plan->axes[decisive]].input);
    }
    return RF_OK;
}

static rf_status read_sizes(const rf_node *node, resizing *plan)
{
    const resize_params *params = node->params;
    int chosen;
    rf_ints sizes;
    RF_TRY(rf_node_choice(node, "keep_aspect_ratio_policy", params->policy, policy_names, &chosen));
    RF_TRY(rf_node_ints(node, plan->sizes, NULL, "sizes", &sizes));
    RF_TRY(check_count(node, "sizes", sizes.count, plan->count));
    if (chosen != POLICY_STRETCH)
        return keep_aspect(node, plan, &sizes, (policy)chosen);
    for (int32_t i = 0; i < plan->count; i++) {
        rf_resample *each = &plan->each[plan->axes[i]];
        RF_TRY(set_extent(node, plan, plan->axes[i], sizes.at[i]));
        set_ratio(each, each->output, each->input);
    }
    return RF_OK;
}

static rf_status read_region(const rf_node *node, resizing *plan)
{
    const rf_value *roi = list_input(node, plan->roi);
    if (plan->x->shape.rank == 0 || plan->each[0].coordinates != RF_COORDINATES_TF_CROP_AND_RESIZE)
        return RF_OK;
    if (!roi)
        return rf_node_fail(node, RF_ERROR_GRAPH, "tf_crop_and_resize needs the input roi");
    RF_TRY(check_floats(node, roi, "roi", 2 * plan->count));
    for (int32_t i = 0; i < plan->count; i++) {
        rf_resample *each = &plan->each[plan->axes[i]];
        float begin = (float)rf_value_float(roi, (uint64_t)i);
        float end = (float)rf_value_float(roi, (uint64_t)(plan->count + i));
        if (!rf_ratio_of_float(begin, &each->begin) || !rf_ratio_of_float(end, &each->end))
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the roi %g..%g of axis %d is not supported",
                                (double)begin, (double)end, (int)plan->axes[i]);
    }
    return RF_OK;
}

/* ---- The rows' functions ---------------------------------------------------------------- */

static rf_status make_axis(rf_node *node, int32_t i, const rf_resample *axis, rf_resize *state)
{
    bool made = true;
    RF_TRY(rf_resample_link(node, i, axis, &state->links[i]));
    state->taps[i] = 1;
    state->tables[i] = (rf_axis_taps){.taps = 1};
    if (rf_resample_is_identity(axis))
        return RF_OK;
    state->passes = false;
    state->taps[i] = rf_resample_taps(axis);
    RF_TRY(rf_resample_table(node, axis, &state->tables[i], &made, &state->extrapolates));
    state->tabled &= made;
    return RF_OK;
}

static rf_status make_state(rf_node *node, const resizing *plan)
{
    const resize_params *params = node->params;
    int32_t rank = plan->x->shape.rank;
    rf_resize *state = RF_TAKE(node->arena, rf_resize, 1);
    rf_link *links = RF_TAKE(node->arena, rf_link, (size_t)rank);
    if (!state || !links)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its links");
    *state = (rf_resize){.links = links, .tabled = true, .passes = true, .outside = params->extrapolation_value,
                         .nearest = rank == 0 || plan->each[0].interpolation == RF_INTERPOLATION_NEAREST};
    for (int32_t i = 0; i < rank; i++)
        RF_TRY(make_axis(node, i, &plan->each[i], state));
    node->state = state;
    return RF_OK;
}

/*
 * Version 10 knows scales alone and reads at x / scale: rounded down where it
 * enlarges, and up where it shrinks, as onnxruntime does and the operator's own
 * published example shows.
 */
static void round_up_where_shrinking(resizing *plan)
{
    for (int32_t i = 0; i < plan->x->shape.rank; i++)
        if (plan->each[i].scale.numerator < plan->each[i].scale.denominator)
            plan->each[i].rounding = RF_ROUNDING_CEIL;
}

static rf_status infer_resize(rf_node *node)
{
    bool old = node->opset < 11;
    resizing plan = {.x = node->inputs[0], .roi = old ? RF_MANY : 1, .scales = old ? 1 : 2,
                     .sizes = old ? RF_MANY : 3};
    RF_TRY(begin_axes(node, old, &plan));
    RF_TRY(read_axes(node, &plan));
    bool by_sizes = list_input(node, plan.sizes), by_scales = list_input(node, plan.scales);
    if (by_sizes == by_scales)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it needs scales%s%s", old ? "" : " or sizes",
                            by_sizes ? ", not both" : "");
    RF_TRY(by_sizes ? read_sizes(node, &plan) : read_scales(node, &plan));
    RF_TRY(read_region(node, &plan));
    if (old)
        round_up_where_shrinking(&plan);
    RF_TRY(make_state(node, &plan));
    rf_set_output(node, 0, plan.x->dtype, &plan.output);
    return RF_OK;
}

static rf_status infer_upsample(rf_node *node)
{
    const resize_params *params = node->params;
    resizing plan = {.x = node->inputs[0], .roi = RF_MANY, .scales = 1, .sizes = RF_MANY};
    RF_TRY(begin_axes(node, true, &plan));
    RF_TRY(read_axes(node, &plan));
    if ((list_input(node, 1) != NULL) == (params->scales.count != 0))
        return rf_node_fail(node, RF_ERROR_GRAPH, "it needs scales as an input or as an attribute%s",
                            params->scales.count ? ", not both" : "");
    RF_TRY(read_scales(node, &plan));
    RF_TRY(make_state(node, &plan));
    rf_set_output(node, 0, plan.x->dtype, &plan.output);
    return RF_OK;
}

static void link_resize(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const rf_resize *state = node->state;
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++) {
        if (input == 0)
            links[i] = state->links[i];
        else
            rf_link_nothing(&links[i]);
    }
}

static bool cost_resize(const rf_node *node, rf_cost *cost)
{
    const rf_resize *state = node->state;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape), taps = 1;
    for (int32_t i = 0; i < node->inputs[0]->shape.rank; i++)
        if (!rf_checked_mul(taps, state->taps[i], &taps))
            return false;
    if (taps == 1)
        return true;
    if (!rf_checked_mul(outputs, taps, &cost->dense.multiplications))
        return false;
    cost->dense.additions = cost->dense.multiplications - outputs;
    cost->valid = cost->dense;
    return true;
}

/* A table holds an entry for every output index, but none for what is put outside the input. */
static bool lower_resize(const rf_node *node, rf_task *task)
{
    const rf_resize *state = node->state;
    const rf_value *x = node->inputs[0];
    if (state->passes && rf_dtype_bits(x->dtype) >= 8) {
        task->kind = RF_TASK_VIEW;
        return true;
    }
    if (x->dtype != RF_FLOAT32 || !state->tabled || state->extrapolates)
        return false;
    task->kind = RF_TASK_RESAMPLE;
    memcpy(task->as.resample, state->tables, sizeof state->tables);
    return true;
}

/* ---- Gradient --------------------------------------------------------------------------- */

/* Most elements of an axis' matrix: a resize of 4096 by 4096 positions. */
enum { MOST_WEIGHTS = 1 << 24 };

/* What resamples an axis, as a matrix [outputs, inputs]; NULL, after a failure, where it is too large. */
static const char *axis_matrix(const rf_node *node, rf_gradient *to, int32_t axis)
{
    const rf_resize *state = node->state;
    const rf_axis_taps *table = &state->tables[axis];
    int64_t inputs = node->inputs[0]->shape.dims[axis], outputs = node->outputs[0]->shape.dims[axis], elements;
    if (!rf_checked_mul(inputs, outputs, &elements) || elements > MOST_WEIGHTS)
        return NULL;
    float *matrix = RF_TAKE(node->arena, float, (size_t)elements);
    if (!matrix)
        return NULL;
    for (int64_t i = 0; i < outputs; i++)
        for (int64_t t = 0; t < table->taps; t++) {
            int64_t at = i * table->taps + t;
            matrix[i * inputs + table->indices[at]] += table->weights ? table->weights[at] : 1.0f;
        }
    return rf_gradient_matrix(to, matrix, outputs, inputs);
}

/* `name` with an axis and the last one exchanged. */
static const char *swapped(rf_gradient *to, const char *name, int32_t rank, int32_t axis)
{
    int64_t axes[RF_MAX_RANK];
    for (int32_t k = 0; k < rank; k++)
        axes[k] = k == axis ? rank - 1 : k == rank - 1 ? axis : k;
    const rf_attribute attributes[] = {
        {.name = "perm", .type = RF_ATTRIBUTE_INTS, .count = (size_t)rank, .value = {.ints = axes}}, {.name = NULL}};
    return axis == rank - 1 ? name : rf_gradient_layer(to, "Transpose", RF_NAMES(name), attributes);
}

/* Each axis is resampled by a matrix, and the derivatives go back by it. */
static rf_status gradient_resize(const rf_node *node, rf_gradient *to)
{
    const rf_resize *state = node->state;
    int32_t rank = node->inputs[0]->shape.rank;
    if (state->passes)
        return rf_gradient_same(node, to);
    if (!state->tabled || state->extrapolates)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient for what lies outside of its input");
    const char *dx = rf_gradient_of(to, node, 0);
    for (int32_t axis = 0; axis < rank; axis++) {
        if (!state->tables[axis].indices)
            continue;
        const char *matrix = axis_matrix(node, to, axis);
        if (!matrix)
            return rf_node_fail(node, RF_ERROR_LIMIT, "a resampling from %lld to %lld positions is too large to differentiate",
                                (long long)node->inputs[0]->shape.dims[axis], (long long)node->outputs[0]->shape.dims[axis]);
        dx = swapped(to, rf_gradient_two(to, "MatMul", swapped(to, dx, rank, axis), matrix), rank, axis);
    }
    rf_gradient_give(to, node, 0, dx);
    return RF_OK;
}

const rf_op rf_op_Resize = {
    .type = "Resize",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = resize_attributes,
    .defaults = &defaults,
    .params_size = sizeof(resize_params),
    .infer = infer_resize,
    .link = link_resize,
    .cost = cost_resize,
    .evaluate = rf_resize_evaluate,
    .lower = lower_resize,
    .gradient = gradient_resize,
};

const rf_op rf_op_Upsample = {
    .type = "Upsample",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = upsample_attributes,
    .defaults = &defaults,
    .params_size = sizeof(resize_params),
    .infer = infer_upsample,
    .link = link_resize,
    .cost = cost_resize,
    .evaluate = rf_resize_evaluate,
    .lower = lower_resize,
    .gradient = gradient_resize,
};

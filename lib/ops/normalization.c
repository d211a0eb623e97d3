/* SPDX-License-Identifier: MIT */
/*
 * Normalisation.
 *
 * Counting. Batch norm at inference is a multiplication and an addition an
 * element, the statistics folded with scale and bias beforehand.
 *
 * Those that measure their input (instance, group, layer, mean-variance, batch
 * norm in training) take, for a group of m elements: the mean, m - 1 additions
 * and a division; the differences from it, m additions; their squares' mean,
 * m multiplications, m - 1 additions and a division; epsilon, an addition; the
 * root and its reciprocal, a square root and a division; m multiplications by
 * it. In all 3m - 1 additions, 2m multiplications, 3 divisions and a square
 * root. Scale adds m multiplications and bias m additions.
 *
 * Lp normalisation takes m - 1 additions and m divisions for a group, with
 * p = 2 also m multiplications and a square root.
 */
#include "ops/table.h"

#include "ops/operands.h"

/* ---- What several share ----------------------------------------------------------------- */

/* Bit a set: axis a is summed over. */
typedef struct norm_state {
    uint32_t axes;
    int32_t axis;
} norm_state;

static rf_status take_state(rf_node *node, norm_state **state)
{
    *state = RF_TAKE(node->arena, norm_state, 1);
    if (!*state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axes");
    node->state = *state;
    return RF_OK;
}

static rf_status require_rank(const rf_node *node, const rf_shape *shape, int32_t least)
{
    if (shape->rank >= least)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but %d axes are needed",
                        rf_shape_print(shape).text, (int)least);
}

static rf_status imply_pair(rf_node *node, const rf_shape *shape)
{
    RF_TRY(rf_node_imply_weight(node, shape));
    return rf_node_imply_weight(node, shape);
}

/* Axes in `axes` are seen whole, others index by index. */
static void link_axes(const rf_node *node, uint32_t input, uint32_t axes, rf_link *links)
{
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++) {
        if (axes >> i & 1)
            rf_link_all(&links[i]);
        else
            rf_link_same(&links[i], i);
    }
}

/* `groups` groups that share `elements` evenly. */
static bool count_groups(uint64_t elements, uint64_t groups, bool scale, bool bias, rf_cost *cost)
{
    rf_counts *counts = &cost->dense;
    if (elements == 0)
        return true;
    if (!rf_checked_mul(elements, 3 + (uint64_t)bias, &counts->additions)
        || !rf_checked_mul(elements, 2 + (uint64_t)scale, &counts->multiplications)
        || !rf_checked_mul(groups, 3, &counts->divisions))
        return false;
    counts->additions -= groups;
    counts->square_roots = groups;
    cost->valid = *counts;
    return true;
}

/* Groups that the axes outside `axes` number. */
static uint64_t count_outside(const rf_shape *shape, uint32_t axes)
{
    rf_shape outside = *shape;
    for (int32_t i = 0; i < outside.rank; i++)
        if (axes >> i & 1)
            outside.dims[i] = 1;
    return rf_elements(shape) ? rf_elements(&outside) : 0;
}

/* ---- BatchNormalization ----------------------------------------------------------------- */

typedef struct batch_params {
    float epsilon, momentum;
    int64_t is_test, spatial, training_mode;
} batch_params;

static const batch_params batch_defaults = {.epsilon = 1e-5F, .momentum = 0.9F, .spatial = 1};

static const rf_attribute_spec batch_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(batch_params, epsilon), false},
    {"momentum", RF_ATTRIBUTE_FLOAT, offsetof(batch_params, momentum), false},
    {"is_test", RF_ATTRIBUTE_INT, offsetof(batch_params, is_test), false},
    {"spatial", RF_ATTRIBUTE_INT, offsetof(batch_params, spatial), false},
    {"training_mode", RF_ATTRIBUTE_INT, offsetof(batch_params, training_mode), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const char *const batch_inputs[] = {"its input", "its scale", "its bias", "its mean",
                                           "its variance"};

/* Before operator set 14, asking for the statistics is what turns training on. */
static bool is_training(const rf_node *node)
{
    const batch_params *params = node->params;
    return params->training_mode != 0 || (node->opset < 14 && node->output_count > 1);
}

static rf_status check_batch_outputs(const rf_node *node)
{
    uint32_t most = is_training(node) ? (node->opset < 14 ? 5 : 3) : 1;
    if (node->output_count <= most)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_GRAPH, "it has %u outputs, but gives at most %u%s",
                        (unsigned)node->output_count, (unsigned)most,
                        most == 1 ? " unless training_mode is set" : "");
}

static rf_status check_batch_inputs(const rf_node *node, int64_t channels)
{
    for (uint32_t i = 1; i < 5; i++) {
        rf_value *value;
        RF_TRY(rf_node_require_real(node, i, batch_inputs[i], &value));
        if (node->opset < 14)
            RF_TRY(rf_node_agree(node, i, batch_inputs[i], node->inputs[0]->dtype));
        RF_TRY(rf_node_vector(node, i, batch_inputs[i], channels));
    }
    return RF_OK;
}

static rf_status infer_batch(rf_node *node)
{
    const batch_params *params = node->params;
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, batch_inputs[0], &x));
    RF_TRY(require_rank(node, &x->shape, 1));
    if (!params->spatial)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "spatial = 0 is not supported");
    RF_TRY(check_batch_outputs(node));
    rf_shape vector = RF_SHAPE(x->shape.rank > 1 ? x->shape.dims[1] : 1);
    if (node->input_count > 1) {
        RF_TRY(check_batch_inputs(node, vector.dims[0]));
    } else {
        RF_TRY(imply_pair(node, &vector));
        RF_TRY(rf_node_imply(node, &vector, true));
        RF_TRY(rf_node_imply(node, &vector, true));
    }
    rf_dtype statistic = node->input_count > 1 ? node->inputs[3]->dtype : x->dtype;
    rf_set_output(node, 0, x->dtype, &x->shape);
    for (uint32_t i = 1; i < node->output_count; i++)
        rf_set_output(node, i, statistic, &vector);
    return RF_OK;
}

static void link_batch(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *x = &node->inputs[0]->shape;
    bool training = is_training(node);
    if (input == 0) {
        link_axes(node, 0, training || output ? ~2U : 0, links);
        if (output && x->rank > 1)
            rf_link_same(&links[1], 0);
        return;
    }
    bool read = output == 0 ? input <= 2 || !training : input >= 3;
    if (!read)
        rf_link_nothing(&links[0]);
    else if (x->rank == 1)
        rf_link_all(&links[0]);
    else
        rf_link_same(&links[0], output == 0 ? 1 : 0);
}

static bool cost_batch(const rf_node *node, rf_cost *cost)
{
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x);
    if (is_training(node))
        return count_groups(elements, count_outside(x, ~2U), true, true, cost);
    cost->dense.multiplications = cost->dense.additions = elements;
    cost->valid = cost->dense;
    return true;
}

/* ---- InstanceNormalization -------------------------------------------------------------- */

typedef struct measured_params {
    float epsilon;
    int64_t num_groups, axis, stash_type;
} measured_params;

static const measured_params measured_defaults = {.epsilon = 1e-5F, .axis = -1, .stash_type = RF_FLOAT32};

static const rf_attribute_spec instance_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(measured_params, epsilon), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* Scale and bias of `length` elements, or none of either and `channels` elements implied. */
static rf_status read_affine(rf_node *node, rf_dtype dtype, int64_t length, int64_t channels)
{
    rf_value *value;
    rf_shape implied = RF_SHAPE(channels);
    if (node->input_count == 1)
        return imply_pair(node, &implied);
    for (uint32_t i = 1; i < 3; i++) {
        RF_TRY(rf_node_require(node, i, batch_inputs[i], &value));
        RF_TRY(rf_node_agree(node, i, batch_inputs[i], dtype));
        RF_TRY(rf_node_vector(node, i, batch_inputs[i], length));
    }
    return RF_OK;
}

static rf_status infer_instance(rf_node *node)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(require_rank(node, &x->shape, 3));
    RF_TRY(read_affine(node, x->dtype, x->shape.dims[1], x->shape.dims[1]));
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_instance(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    if (input == 0)
        link_axes(node, 0, ~3U, links);
    else
        rf_link_same(&links[0], 1);
}

static bool cost_instance(const rf_node *node, rf_cost *cost)
{
    const rf_shape *x = &node->inputs[0]->shape;
    return count_groups(rf_elements(x), count_outside(x, ~3U), true, true, cost);
}

/* ---- GroupNormalization ----------------------------------------------------------------- */

static const rf_attribute_spec group_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(measured_params, epsilon), false},
    {"num_groups", RF_ATTRIBUTE_INT, offsetof(measured_params, num_groups), true},
    {"stash_type", RF_ATTRIBUTE_INT, offsetof(measured_params, stash_type), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* Until operator set 20 the scale was a group's, since then it is a channel's. */
static bool scales_groups(const rf_node *node)
{
    return node->opset < 21;
}

static rf_status infer_group(rf_node *node)
{
    const measured_params *params = node->params;
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(require_rank(node, &x->shape, 2));
    int64_t channels = x->shape.dims[1];
    if (params->num_groups < 1 || channels % params->num_groups)
        return rf_node_fail(node, RF_ERROR_SHAPE, "%lld channels cannot be split into %lld groups",
                            (long long)channels, (long long)params->num_groups);
    RF_TRY(read_affine(node, x->dtype, scales_groups(node) ? params->num_groups : channels, channels));
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_group(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const measured_params *params = node->params;
    int64_t channels = rf_max(node->inputs[0]->shape.dims[1] / params->num_groups, 1);
    if (input == 0) {
        link_axes(node, 0, ~3U, links);
        rf_link_block(&links[1], 1, channels, channels);
    } else if (scales_groups(node)) {
        rf_link_block(&links[0], 1, channels, 1);
    } else {
        rf_link_same(&links[0], 1);
    }
}

static bool cost_group(const rf_node *node, rf_cost *cost)
{
    const measured_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x), groups = (uint64_t)params->num_groups;
    if (elements && !rf_checked_mul((uint64_t)x->dims[0], groups, &groups))
        return false;
    return count_groups(elements, groups, true, true, cost);
}

/* ---- LayerNormalization ----------------------------------------------------------------- */

static const rf_attribute_spec layer_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(measured_params, epsilon), false},
    {"axis", RF_ATTRIBUTE_INT, offsetof(measured_params, axis), false},
    {"stash_type", RF_ATTRIBUTE_INT, offsetof(measured_params, stash_type), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status check_layer_input(const rf_node *node, uint32_t i, const rf_value *x)
{
    const rf_value *value = rf_input(node, i);
    rf_shape both;
    if (!value)
        return RF_OK;
    RF_TRY(rf_node_agree(node, i, batch_inputs[i], x->dtype));
    RF_TRY(rf_node_broadcast(node, &x->shape, &value->shape, &both));
    if (rf_shape_equal(&both, &x->shape))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s of shape %s does not broadcast to the input's %s",
                        batch_inputs[i], rf_shape_print(&value->shape).text, rf_shape_print(&x->shape).text);
}

static rf_status imply_layer(rf_node *node, const rf_shape *x, int32_t axis)
{
    if (node->input_count > 1)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has a bias tensor but no scale tensor");
    rf_shape normalized = {.rank = x->rank - axis};
    memcpy(normalized.dims, x->dims + axis, (size_t)normalized.rank * sizeof *x->dims);
    return imply_pair(node, &normalized);
}

static rf_status infer_layer(rf_node *node)
{
    const measured_params *params = node->params;
    rf_value *x;
    norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(take_state(node, &state));
    RF_TRY(rf_node_axis(node, "axis", params->axis, x->shape.rank, &state->axis));
    state->axes = ~0U << state->axis;
    if (params->stash_type != RF_FLOAT32 && params->stash_type != RF_BFLOAT16)
        return rf_node_fail(node, RF_ERROR_FORMAT, "stash_type is %lld, but must be 1 (float) or 16 (bfloat16)",
                            (long long)params->stash_type);
    if (rf_input(node, 1)) {
        RF_TRY(check_layer_input(node, 1, x));
        RF_TRY(check_layer_input(node, 2, x));
    } else {
        RF_TRY(imply_layer(node, &x->shape, state->axis));
    }
    rf_shape measured = x->shape;
    for (int32_t i = state->axis; i < measured.rank; i++)
        measured.dims[i] = 1;
    rf_set_output(node, 0, x->dtype, &x->shape);
    rf_set_output(node, 1, (rf_dtype)params->stash_type, &measured);
    rf_set_output(node, 2, (rf_dtype)params->stash_type, &measured);
    return RF_OK;
}

static void link_layer(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const norm_state *state = node->state;
    if (input == 0)
        link_axes(node, 0, state->axes, links);
    else if (output == 0)
        rf_link_broadcast(node, output, input, links);
    else
        for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++)
            rf_link_nothing(&links[i]);
}

static bool cost_layer(const rf_node *node, rf_cost *cost)
{
    const norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    bool bias = node->input_count == 1 || rf_input(node, 2);
    return count_groups(rf_elements(x), count_outside(x, state->axes), true, bias, cost);
}

/* ---- MeanVarianceNormalization ---------------------------------------------------------- */

typedef struct mean_variance_params {
    rf_ints axes;
} mean_variance_params;

static const rf_attribute_spec mean_variance_attributes[] = {
    {"axes", RF_ATTRIBUTE_INTS, offsetof(mean_variance_params, axes), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const int64_t mean_variance_axes[] = {0, 2, 3};
static const mean_variance_params mean_variance_defaults = {.axes = {3, mean_variance_axes}};

static rf_status infer_mean_variance(rf_node *node)
{
    const mean_variance_params *params = node->params;
    rf_value *x;
    norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(take_state(node, &state));
    for (size_t i = 0; i < params->axes.count; i++) {
        RF_TRY(rf_node_axis(node, "an axis", params->axes.at[i], x->shape.rank, &state->axis));
        if (state->axes >> state->axis & 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is named twice", (int)state->axis);
        state->axes |= 1U << state->axis;
    }
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_state_axes(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const norm_state *state = node->state;
    link_axes(node, input, state->axes, links);
}

static bool cost_mean_variance(const rf_node *node, rf_cost *cost)
{
    const norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    return count_groups(rf_elements(x), count_outside(x, state->axes), false, false, cost);
}

/* ---- LpNormalization -------------------------------------------------------------------- */

typedef struct lp_params {
    int64_t axis, p;
} lp_params;

static const lp_params lp_defaults = {.axis = -1, .p = 2};

static const rf_attribute_spec lp_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(lp_params, axis), false},
    {"p", RF_ATTRIBUTE_INT, offsetof(lp_params, p), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status infer_lp(rf_node *node)
{
    const lp_params *params = node->params;
    rf_value *x;
    norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(take_state(node, &state));
    RF_TRY(rf_node_axis(node, "axis", params->axis, x->shape.rank, &state->axis));
    state->axes = 1U << state->axis;
    if (params->p != 1 && params->p != 2)
        return rf_node_fail(node, RF_ERROR_FORMAT, "p is %lld, but must be 1 or 2", (long long)params->p);
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static bool cost_lp(const rf_node *node, rf_cost *cost)
{
    const norm_state *state = node->state;
    const lp_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x), groups = count_outside(x, state->axes);
    cost->dense.additions = elements - groups;
    cost->dense.divisions = elements;
    cost->dense.multiplications = params->p == 2 ? elements : 0;
    cost->dense.square_roots = params->p == 2 ? groups : 0;
    cost->valid = cost->dense;
    return true;
}

/* ---- Rows ------------------------------------------------------------------------------- */

const rf_op rf_op_BatchNormalization = {
    .type = "BatchNormalization",
    .class = RF_CLASS_BATCH_NORM,
    .min_inputs = 1,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 5,
    .attributes = batch_attributes,
    .defaults = &batch_defaults,
    .params_size = sizeof(batch_params),
    .parameter_inputs = 1 << 1 | 1 << 2,
    .statistic_inputs = 1 << 3 | 1 << 4,
    .infer = infer_batch,
    .link = link_batch,
    .cost = cost_batch,
};

/* Rows with scale and bias at inputs 1 and 2 where there is more than one. */
#define NORM_ROW(type_, inputs_, outputs_, attributes_, defaults_, size_, infer_, link_, cost_) \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_,                                                                         \
        .class = RF_CLASS_NORM,                                                                 \
        .min_inputs = 1,                                                                        \
        .max_inputs = inputs_,                                                                  \
        .min_outputs = 1,                                                                       \
        .max_outputs = outputs_,                                                                \
        .attributes = attributes_,                                                              \
        .defaults = defaults_,                                                                  \
        .params_size = size_,                                                                   \
        .parameter_inputs = 1 << 1 | 1 << 2,                                                    \
        .infer = infer_,                                                                        \
        .link = link_,                                                                          \
        .cost = cost_,                                                                          \
    }

NORM_ROW(InstanceNormalization, 3, 1, instance_attributes, &measured_defaults, sizeof(measured_params),
         infer_instance, link_instance, cost_instance);
NORM_ROW(GroupNormalization, 3, 1, group_attributes, &measured_defaults, sizeof(measured_params),
         infer_group, link_group, cost_group);
NORM_ROW(LayerNormalization, 3, 3, layer_attributes, &measured_defaults, sizeof(measured_params),
         infer_layer, link_layer, cost_layer);
NORM_ROW(MeanVarianceNormalization, 1, 1, mean_variance_attributes, &mean_variance_defaults,
         sizeof(mean_variance_params), infer_mean_variance, link_state_axes, cost_mean_variance);
NORM_ROW(LpNormalization, 1, 1, lp_attributes, &lp_defaults, sizeof(lp_params), infer_lp,
         link_state_axes, cost_lp);

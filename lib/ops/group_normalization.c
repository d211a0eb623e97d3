/* SPDX-License-Identifier: MIT */
/* Normalisation of channels and of groups of channels of each image: instance and group norm. */
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/normalization.h"
#include "ops/table.h"

/* ---- InstanceNormalization -------------------------------------------------------------- */

typedef struct measured_params {
    float epsilon;
    int64_t num_groups, stash_type;
} measured_params;

static const measured_params measured_defaults = {.epsilon = 1e-5F, .stash_type = RF_FLOAT32};

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
        return rf_norm_imply_pair(node, &implied);
    for (uint32_t i = 1; i < 3; i++) {
        RF_TRY(rf_node_require(node, i, rf_norm_inputs[i], &value));
        RF_TRY(rf_node_agree(node, i, rf_norm_inputs[i], dtype));
        RF_TRY(rf_node_vector(node, i, rf_norm_inputs[i], length));
    }
    return RF_OK;
}

static rf_status infer_instance(rf_node *node)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_norm_require_rank(node, &x->shape, 3));
    RF_TRY(read_affine(node, x->dtype, x->shape.dims[1], x->shape.dims[1]));
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_instance(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    if (input == 0)
        rf_norm_link_axes(node, 0, ~3U, links);
    else
        rf_link_same(&links[0], 1);
}

static bool cost_instance(const rf_node *node, rf_cost *cost)
{
    const rf_shape *x = &node->inputs[0]->shape;
    return rf_norm_cost(rf_elements(x), rf_norm_outside(x, ~3U), true, true, cost);
}

static bool scratch_instance(const rf_node *node, uint64_t *bytes)
{
    return rf_norm_scratch(&node->inputs[0]->shape, ~3U, bytes);
}

static void change_instance(const rf_node *node, uint64_t group, double *x, uint64_t count)
{
    const measured_params *params = node->params;
    uint64_t channel = group % (uint64_t)node->inputs[0]->shape.dims[1];
    rf_norm_standardize(x, count, (double)params->epsilon, RF_EPSILON_TO_VARIANCE, node->tally);
    rf_norm_affine(x, count, node->inputs[1], node->inputs[2], channel, node->tally);
}

static rf_status fail_weightless(const rf_node *node)
{
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
}

static rf_status evaluate_instance(rf_node *node)
{
    if (node->input_count == 1)
        return fail_weightless(node);
    rf_norm_each_group(node, &node->inputs[0]->shape, ~3U, change_instance);
    return RF_OK;
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
    RF_TRY(rf_norm_require_rank(node, &x->shape, 2));
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
        rf_norm_link_axes(node, 0, ~3U, links);
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
    return rf_norm_cost(elements, groups, true, true, cost);
}

/* The input as [N, groups, elements of a group]. */
static rf_shape grouped_shape(const rf_node *node)
{
    const measured_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x);
    rf_shape grouped = RF_SHAPE(x->dims[0], params->num_groups, 0);
    if (elements)
        grouped.dims[2] = (int64_t)(elements / (uint64_t)x->dims[0] / (uint64_t)params->num_groups);
    return grouped;
}

static bool scratch_group(const rf_node *node, uint64_t *bytes)
{
    const rf_shape grouped = grouped_shape(node);
    return rf_norm_scratch(&grouped, 1U << 2, bytes);
}

static void change_group(const rf_node *node, uint64_t group, double *x, uint64_t count)
{
    const measured_params *params = node->params;
    const rf_value *scale = node->inputs[1], *bias = node->inputs[2];
    uint64_t channels = (uint64_t)(node->inputs[0]->shape.dims[1] / params->num_groups);
    uint64_t number = group % (uint64_t)params->num_groups, plane = count / channels;
    rf_norm_standardize(x, count, (double)params->epsilon, RF_EPSILON_TO_VARIANCE, node->tally);
    for (uint64_t c = 0; c < channels; c++)
        rf_norm_affine(x + c * plane, plane, scale, bias, scales_groups(node) ? number : number * channels + c,
                       node->tally);
}

static rf_status evaluate_group(rf_node *node)
{
    const rf_shape grouped = grouped_shape(node);
    if (node->input_count == 1)
        return fail_weightless(node);
    rf_norm_each_group(node, &grouped, 1U << 2, change_group);
    return RF_OK;
}

/* ---- Gradients -------------------------------------------------------------------------- */

/* [N, length, rest]. */
static rf_shape view_of(const rf_shape *x, int64_t length)
{
    int64_t image = x->dims[0] > 0 ? (int64_t)rf_elements(x) / x->dims[0] : 0;
    rf_shape view = RF_SHAPE(x->dims[0], length, length > 0 ? image / length : 0);
    return view;
}

/* With x^ the input standardised in `groups` parts of each image, and all seen as [N, L, rest] where L is how many
 * scales there are: dX goes back from dY scale, dS = sum dY x^, dB = sum dY. */
static rf_status give_groups(const rf_node *node, rf_gradient *to, int64_t groups)
{
    const measured_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    if (!rf_input(node, 1))
        return fail_weightless(node);
    const rf_shape *scales = &node->inputs[1]->shape;
    const rf_shape grouped = view_of(x, groups), view = view_of(x, scales->dims[0]), column = RF_SHAPE(scales->dims[0], 1);
    const char *dy = rf_gradient_reshape(to, rf_gradient_of(to, node, 0), &view);
    const char *parts = rf_gradient_reshape(to, node->inputs[0]->name, &grouped);
    const rf_standard standard = rf_gradient_standardize(to, parts, 1U << 2, (double)params->epsilon);
    if (rf_gradient_wanted(to, node, 0)) {
        const char *scaled = rf_gradient_two(to, "Mul", dy, rf_gradient_reshape(to, node->inputs[1]->name, &column));
        const char *back = rf_gradient_unstandardize(to, &standard, rf_gradient_reshape(to, scaled, &grouped));
        rf_gradient_give(to, node, 0, rf_gradient_reshape(to, back, x));
    }
    if (rf_gradient_wanted(to, node, 1)) {
        const char *product = rf_gradient_two(to, "Mul", dy, rf_gradient_reshape(to, standard.values, &view));
        rf_gradient_give(to, node, 1, rf_gradient_sum(to, product, 1U << 0 | 1U << 2, false));
    }
    if (rf_gradient_wanted(to, node, 2))
        rf_gradient_give(to, node, 2, rf_gradient_sum(to, dy, 1U << 0 | 1U << 2, false));
    return RF_OK;
}

static rf_status gradient_instance(const rf_node *node, rf_gradient *to)
{
    return give_groups(node, to, node->inputs[0]->shape.dims[1]);
}

static rf_status gradient_group(const rf_node *node, rf_gradient *to)
{
    const measured_params *params = node->params;
    return give_groups(node, to, params->num_groups);
}

/* ---- Rows ------------------------------------------------------------------------------- */

#define GROUP_ROW(type_, attributes_, name_)        \
    const rf_op rf_op_##type_ = {                   \
        .type = #type_,                             \
        .class = RF_CLASS_NORM,                     \
        .min_inputs = 1,                            \
        .max_inputs = 3,                            \
        .min_outputs = 1,                           \
        .max_outputs = 1,                           \
        .attributes = attributes_,                  \
        .defaults = &measured_defaults,             \
        .params_size = sizeof(measured_params),     \
        .parameter_inputs = 1 << 1 | 1 << 2,        \
        .infer = infer_##name_,                     \
        .link = link_##name_,                       \
        .cost = cost_##name_,                       \
        .evaluate = evaluate_##name_,               \
        .scratch = scratch_##name_,                 \
        .gradient = gradient_##name_,               \
    }

GROUP_ROW(InstanceNormalization, instance_attributes, instance);
GROUP_ROW(GroupNormalization, group_attributes, group);

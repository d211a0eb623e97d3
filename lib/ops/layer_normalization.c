/* SPDX-License-Identifier: MIT */
/* Layer normalisation: of the axes from one on, together. */
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/normalization.h"
#include "ops/table.h"

typedef struct layer_params {
    float epsilon;
    int64_t axis, stash_type;
} layer_params;

static const layer_params layer_defaults = {.epsilon = 1e-5F, .axis = -1, .stash_type = RF_FLOAT32};

static const rf_attribute_spec layer_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(layer_params, epsilon), false},
    {"axis", RF_ATTRIBUTE_INT, offsetof(layer_params, axis), false},
    {"stash_type", RF_ATTRIBUTE_INT, offsetof(layer_params, stash_type), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status check_layer_input(const rf_node *node, uint32_t i, const rf_value *x)
{
    const rf_value *value = rf_input(node, i);
    rf_shape both;
    if (!value)
        return RF_OK;
    RF_TRY(rf_node_agree(node, i, rf_norm_inputs[i], x->dtype));
    RF_TRY(rf_node_broadcast(node, &x->shape, &value->shape, &both));
    if (rf_shape_equal(&both, &x->shape))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s of shape %s does not broadcast to the input's %s",
                        rf_norm_inputs[i], rf_shape_print(&value->shape).text, rf_shape_print(&x->shape).text);
}

static rf_status imply_layer(rf_node *node, const rf_shape *x, int32_t axis)
{
    if (node->input_count > 1)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has a bias tensor but no scale tensor");
    rf_shape normalized = {.rank = x->rank - axis};
    memcpy(normalized.dims, x->dims + axis, (size_t)normalized.rank * sizeof *x->dims);
    return rf_norm_imply_pair(node, &normalized);
}

static rf_status infer_layer(rf_node *node)
{
    const layer_params *params = node->params;
    rf_value *x;
    rf_norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_norm_take_state(node, &state));
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
    const rf_norm_state *state = node->state;
    if (input == 0)
        rf_norm_link_axes(node, 0, state->axes, links);
    else if (output == 0)
        rf_link_broadcast(node, output, input, links);
    else
        for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++)
            rf_link_nothing(&links[i]);
}

static bool cost_layer(const rf_node *node, rf_cost *cost)
{
    const rf_norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    bool bias = node->input_count == 1 || rf_input(node, 2);
    return rf_norm_cost(rf_elements(x), rf_norm_outside(x, state->axes), true, bias, cost);
}

static bool scratch_layer(const rf_node *node, uint64_t *bytes)
{
    const rf_norm_state *state = node->state;
    return rf_norm_scratch(&node->inputs[0]->shape, state->axes, bytes);
}

/* The elements of a scale or bias that go with group number `group`, over the normalised axes. */
static rf_view view_of_group(const rf_node *node, const rf_value *value, uint64_t group)
{
    const rf_norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    rf_view whole, view = {.offset = 0};
    rf_view_broadcast(&value->shape, x, x->rank - value->shape.rank, &whole);
    for (int32_t axis = state->axis - 1; axis >= 0; axis--) {
        view.offset += (int64_t)(group % (uint64_t)x->dims[axis]) * whole.strides[axis];
        group /= (uint64_t)x->dims[axis];
    }
    for (int32_t axis = state->axis; axis < x->rank; axis++)
        view.strides[axis - state->axis] = whole.strides[axis];
    return view;
}

static void apply(const rf_node *node, uint32_t input, uint64_t group, double *x, uint64_t count)
{
    const rf_norm_state *state = node->state;
    const rf_value *value = rf_input(node, input);
    const rf_shape *all = &node->inputs[0]->shape;
    rf_shape inner = {.rank = all->rank - state->axis};
    if (!value)
        return;
    memcpy(inner.dims, all->dims + state->axis, (size_t)inner.rank * sizeof *inner.dims);
    rf_view view = view_of_group(node, value, group);
    rf_cursor at;
    rf_cursor_start(&at, &inner, &view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at)) {
        double element = rf_value_float(value, (uint64_t)at.at);
        x[i] = input == 1 ? x[i] * element : x[i] + element;
    }
    if (node->tally && input == 1)
        node->tally->multiplications += count;
    else if (node->tally)
        node->tally->additions += count;
}

static void change_layer(const rf_node *node, uint64_t group, double *x, uint64_t count)
{
    const layer_params *params = node->params;
    const rf_value *mean = rf_output(node, 1), *factor = rf_output(node, 2);
    double epsilon = (double)params->epsilon;
    rf_moments moments = rf_norm_standardize(x, count, epsilon, RF_EPSILON_TO_VARIANCE, node->tally);
    apply(node, 1, group, x, count);
    apply(node, 2, group, x, count);
    if (mean)
        rf_doubles_write(mean, group, 1, &moments.mean);
    if (factor)
        rf_doubles_write(factor, group, 1, &moments.factor);
}

static rf_status evaluate_layer(rf_node *node)
{
    const rf_norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    if (!rf_input(node, 1))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
    for (uint32_t i = 1; i < node->output_count; i++)
        if (rf_elements(x) == 0 && node->outputs[i] && rf_elements(&node->outputs[i]->shape))
            return rf_node_fail(node, RF_ERROR_SHAPE, "a mean of no elements is asked for: the input has shape %s",
                                rf_shape_print(x).text);
    rf_norm_each_group(node, x, state->axes, change_layer);
    return RF_OK;
}

/* With x^ the input standardised: dX goes back from dY scale, dS = sum dY x^, dB = sum dY. */
static rf_status gradient_layer(const rf_node *node, rf_gradient *to)
{
    const layer_params *params = node->params;
    const rf_norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    const char *dy = rf_gradient_of(to, node, 0);
    if (!rf_input(node, 1) || rf_gradient_of(to, node, 1) || rf_gradient_of(to, node, 2))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient of its first output, with weights");
    const uint32_t axes = state->axes & ((UINT32_C(1) << x->rank) - 1);
    const rf_standard standard = rf_gradient_standardize(to, node->inputs[0]->name, axes, (double)params->epsilon);
    if (rf_gradient_wanted(to, node, 0))
        rf_gradient_give(to, node, 0, rf_gradient_unstandardize(to, &standard, rf_gradient_two(to, "Mul", dy,
                                                                node->inputs[1]->name)));
    if (rf_gradient_wanted(to, node, 1))
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_two(to, "Mul", dy, standard.values));
    rf_gradient_give_broadcast(to, node, 2, dy);
    return RF_OK;
}

const rf_op rf_op_LayerNormalization = {
    .type = "LayerNormalization",
    .class = RF_CLASS_NORM,
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 3,
    .attributes = layer_attributes,
    .defaults = &layer_defaults,
    .params_size = sizeof(layer_params),
    .parameter_inputs = 1 << 1 | 1 << 2,
    .infer = infer_layer,
    .link = link_layer,
    .cost = cost_layer,
    .evaluate = evaluate_layer,
    .scratch = scratch_layer,
    .gradient = gradient_layer,
};

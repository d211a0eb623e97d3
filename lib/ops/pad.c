/* SPDX-License-Identifier: MIT */
/* Pad: constant, edge, reflect and wrap; negative pads crop. */
#include "ops/table.h"

#include "ops/operands.h"

typedef struct pad_params {
    const char *mode;
    rf_ints pads;
    float value;
} pad_params;

typedef struct pad_state {
    rf_border border;
    int64_t begin[RF_MAX_RANK];
} pad_state;

static const rf_attribute_spec attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(pad_params, mode), false},
    {"pads", RF_ATTRIBUTE_INTS, offsetof(pad_params, pads), false},
    {"value", RF_ATTRIBUTE_FLOAT, offsetof(pad_params, value), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* In the order of rf_border. */
static const char *const mode_names[] = {"constant", "edge", "reflect", "wrap", NULL};

static rf_status pad_axis(const rf_node *node, int32_t axis, int64_t begin, int64_t end, pad_state *state,
                          rf_shape *output)
{
    int64_t extent = output->dims[axis], padded;
    if (!rf_checked_add(extent, begin, &padded) || !rf_checked_add(padded, end, &padded) || begin == INT64_MIN || padded < 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "pads %lld and %lld do not fit axis %d, %lld long",
                            (long long)begin, (long long)end, (int)axis, (long long)extent);
    if (state->border != RF_BORDER_PADDING && extent == 0 && padded > 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is empty: there is nothing to pad it with",
                            (int)axis);
    state->begin[axis] = begin;
    output->dims[axis] = padded;
    return RF_OK;
}

static rf_status read_pads(const rf_node *node, rf_ints *pads, size_t axes)
{
    const pad_params *params = node->params;
    if (rf_input(node, 1) && params->pads.count)
        return rf_node_fail(node, RF_ERROR_GRAPH, "pads are both an input and an attribute");
    RF_TRY(rf_node_ints(node, 1, &params->pads, "pads", pads));
    if (pads->count == 2 * axes && (pads->at || axes == 0))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "pads has %zu entries, but %zu are needed", pads->count, 2 * axes);
}

static rf_status infer(rf_node *node)
{
    const pad_params *params = node->params;
    const rf_value *x = node->inputs[0];
    rf_shape output = x->shape;
    rf_ints axes, pads;
    int mode;
    pad_state *state = RF_TAKE(node->arena, pad_state, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its pads");
    node->state = state;
    RF_TRY(rf_node_choice(node, "mode", params->mode, mode_names, &mode));
    state->border = (rf_border)mode;
    RF_TRY(rf_node_ints(node, 3, NULL, "axes", &axes));
    size_t count = rf_input(node, 3) ? axes.count : (size_t)x->shape.rank;
    RF_TRY(read_pads(node, &pads, count));
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t axis;
        RF_TRY(rf_node_axis(node, "an axis", axes.at ? axes.at[i] : (int64_t)i, x->shape.rank, &axis));
        if (seen >> axis & 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is named twice", (int)axis);
        seen |= 1U << axis;
        RF_TRY(pad_axis(node, axis, pads.at[i], pads.at[count + i], state, &output));
    }
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

/* Of the other inputs only the constant's value reaches the output. */
static void link_pad(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const pad_state *state = node->state;
    if (input == 2 && state->border == RF_BORDER_PADDING) {
        rf_link_everything(node, output, input, links);
        return;
    }
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++) {
        if (input == 0) {
            rf_link_window(&links[i], i, 1, 1, 1, state->begin[i]);
            links[i].border = state->border;
        } else {
            rf_link_nothing(&links[i]);
        }
    }
}

const rf_op rf_op_Pad = {
    .type = "Pad",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = attributes,
    .params_size = sizeof(pad_params),
    .infer = infer,
    .link = link_pad,
};

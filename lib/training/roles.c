/* SPDX-License-Identifier: MIT */
/*
 * Fans follow from the extents alone: a convolution's weight has C_in C_out T / g elements however
 * it is laid out, so that dividing by the channels of one side leaves the fan of the other.
 */
#include "training/roles.h"

#include <string.h>

#include "ops/operands.h"

/* Inputs whose role neither the class of the operator nor the rank tells. */
static const struct special {
    const char *type;
    uint32_t input;
    rf_weight_role role;
} specials[] = {
    {"PRelu", 1, RF_ROLE_SLOPE}, {"Add", 0, RF_ROLE_BIAS},  {"Add", 1, RF_ROLE_BIAS},  {"Sub", 0, RF_ROLE_BIAS},
    {"Sub", 1, RF_ROLE_BIAS},    {"Mul", 0, RF_ROLE_ONE},   {"Mul", 1, RF_ROLE_ONE},   {"Div", 0, RF_ROLE_ONE},
    {"Div", 1, RF_ROLE_ONE},     {"LSTM", 3, RF_ROLE_BIAS}, {"LSTM", 7, RF_ROLE_BIAS}, {"GRU", 3, RF_ROLE_BIAS},
    {"RNN", 3, RF_ROLE_BIAS},
};

static rf_weight_role normalization_role(uint32_t i)
{
    return i == 1 || i == 4 ? RF_ROLE_ONE : RF_ROLE_ZERO;
}

static rf_weight_role role_of(const rf_node *node, uint32_t i, const rf_shape *shape)
{
    const rf_op *op = node->op;
    if (op->class == RF_CLASS_BATCH_NORM || op->class == RF_CLASS_NORM)
        return normalization_role(i);
    if (op->class == RF_CLASS_CONVOLUTION || op->class == RF_CLASS_DENSE)
        return i == 1 ? RF_ROLE_WEIGHT : RF_ROLE_BIAS;
    for (size_t s = 0; s < sizeof specials / sizeof *specials; s++)
        if (specials[s].input == i && strcmp(specials[s].type, op->type) == 0)
            return specials[s].role;
    return shape->rank >= 2 || op->class == RF_CLASS_MATMUL ? RF_ROLE_WEIGHT : RF_ROLE_BIAS;
}

static double at_least_1(double fan)
{
    return fan > 1 ? fan : 1;
}

/* The first axis is one of outputs, the others of inputs. */
rf_weight_view rf_weight_view_alone(const rf_shape *shape)
{
    uint64_t elements = rf_elements(shape);
    rf_weight_view view = {.role = shape->rank >= 2 ? RF_ROLE_WEIGHT : RF_ROLE_BIAS, .count = 1, .rows = 1};
    if (shape->rank > 0 && elements)
        view.rows = (uint64_t)shape->dims[0];
    view.columns = elements / view.rows;
    view.fan_in = at_least_1((double)view.columns);
    view.fan_out = at_least_1((double)view.rows);
    return view;
}

/* A stack of matrices, of inputs by outputs or, where a product has the weight to its left or a cell of a
 * recurrent layer reads it, of outputs by inputs. */
static void see_matrices(rf_weight_view *view, const rf_shape *shape, bool outputs_first)
{
    uint64_t elements = rf_elements(shape);
    if (shape->rank < 2 || elements == 0)
        return;
    view->rows = (uint64_t)shape->dims[shape->rank - 2];
    view->columns = (uint64_t)shape->dims[shape->rank - 1];
    view->count = elements / view->rows / view->columns;
    view->fan_in = (double)(outputs_first ? view->columns : view->rows);
    view->fan_out = (double)(outputs_first ? view->rows : view->columns);
}

static void see_channels(rf_weight_view *view, double elements, int64_t inputs, int64_t outputs)
{
    view->fan_in = at_least_1(outputs > 0 ? elements / (double)outputs : 1);
    view->fan_out = at_least_1(inputs > 0 ? elements / (double)inputs : 1);
}

static rf_weight_view weight_view(const rf_node *node, uint32_t i, const rf_shape *shape)
{
    rf_weight_view view = rf_weight_view_alone(shape);
    const rf_value *input = rf_input(node, 0), *output = rf_output(node, 0);
    double elements = (double)rf_elements(shape);
    bool known = input && output && input->shape.rank > 1 && output->shape.rank > 1;
    if (node->op->class == RF_CLASS_CONVOLUTION && known)
        see_channels(&view, elements, input->shape.dims[1], output->shape.dims[1]);
    else if (node->op->class == RF_CLASS_DENSE && known)
        see_channels(&view, elements, (int64_t)(elements / at_least_1((double)output->shape.dims[1])),
                     output->shape.dims[1]);
    else if (node->op->class == RF_CLASS_MATMUL)
        see_matrices(&view, shape, i == 0);
    else if (shape->rank == 3 && i >= 1)
        see_matrices(&view, shape, true);
    view.role = RF_ROLE_WEIGHT;
    return view;
}

/* The shape of a layer's second input, which may be implied. */
static const rf_shape *weight_shape(const rf_node *node)
{
    const rf_value *weight = rf_input(node, 1);
    return weight ? &weight->shape : node->implied ? &node->implied->shape : NULL;
}

rf_weight_view rf_weight_view_of(const rf_node *node, uint32_t i, const rf_shape *shape)
{
    rf_weight_role role = role_of(node, i, shape);
    if (role == RF_ROLE_WEIGHT)
        return weight_view(node, i, shape);
    rf_weight_view view = rf_weight_view_alone(shape);
    view.role = role;
    if (role == RF_ROLE_BIAS && i > 1 && weight_shape(node)) {
        rf_weight_view weight = weight_view(node, 1, weight_shape(node));
        view.fan_in = weight.fan_in;
        view.fan_out = weight.fan_out;
    }
    return view;
}

bool rf_is_weight_input(const rf_node *node, uint32_t i)
{
    const rf_value *value = node->inputs[i];
    uint32_t bit = i < 32 ? UINT32_C(1) << i : 0;
    if (!node->op || !value || !value->in_description || !rf_dtype_is_real(value->dtype))
        return false;
    if (!((node->op->parameter_inputs | node->op->statistic_inputs) & bit))
        return false;
    /* Where any constant may stand, a single number that is applied everywhere is part of the formula. */
    bool general = node->op->class == RF_CLASS_ELEMENTWISE || node->op->class == RF_CLASS_OTHER;
    return !general || rf_elements(&value->shape) > 1;
}

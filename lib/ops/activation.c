/* SPDX-License-Identifier: MIT */
/*
 * Activation functions. Each counts one activation for each element and
 * nothing else, whatever it is made of: that is how papers count them.
 */
#include "ops/table.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"

/* No activation's parameters matter to shapes, fields or counts; they are checked and kept. */
typedef struct activation_params {
    float alpha, beta, gamma;
} activation_params;

#define ALPHA {"alpha", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, alpha), false}
#define BETA {"beta", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, beta), false}
#define GAMMA {"gamma", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, gamma), false}

static const rf_attribute_spec with_alpha[] = {ALPHA, {.name = NULL}};
static const rf_attribute_spec with_beta[] = {ALPHA, BETA, {.name = NULL}};
static const rf_attribute_spec with_gamma[] = {ALPHA, GAMMA, {.name = NULL}};

static const activation_params alpha_one = {.alpha = 1.0f};
static const activation_params leaky = {.alpha = 0.01f};
static const activation_params selu = {.alpha = 1.67326319f, .gamma = 1.05070102f};
static const activation_params hard_sigmoid = {.alpha = 0.2f, .beta = 0.5f};

static int64_t relu_int(int64_t x)
{
    return x > 0 ? x : 0;
}

static double relu_float(double x)
{
    return x > 0 || x != x ? x : 0;
}

static rf_status evaluate_relu(rf_node *node)
{
    return rf_fold_each(node, relu_int, relu_float);
}

static double sigmoid_float(double x)
{
    return 1 / (1 + exp(-x));
}

static rf_status evaluate_sigmoid(rf_node *node)
{
    return rf_fold_each(node, NULL, sigmoid_float);
}

static rf_status evaluate_tanh(rf_node *node)
{
    return rf_fold_each(node, NULL, tanh);
}

#define ACTIVATION(type_, attributes_, defaults_, params_size_, evaluate_)                      \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_, .class = RF_CLASS_ACTIVATION,                                           \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,                   \
        .attributes = (attributes_), .defaults = (defaults_), .params_size = (params_size_),    \
        .infer = rf_infer_same, .cost = rf_cost_activations, .evaluate = (evaluate_),           \
    };

ACTIVATION(Relu, NULL, NULL, 0, evaluate_relu)
ACTIVATION(Sigmoid, NULL, NULL, 0, evaluate_sigmoid)
ACTIVATION(Tanh, NULL, NULL, 0, evaluate_tanh)
ACTIVATION(HardSwish, NULL, NULL, 0, NULL)
ACTIVATION(Softplus, NULL, NULL, 0, NULL)
ACTIVATION(Softsign, NULL, NULL, 0, NULL)
ACTIVATION(Mish, NULL, NULL, 0, NULL)
ACTIVATION(Erf, NULL, NULL, 0, NULL)
ACTIVATION(LeakyRelu, with_alpha, &leaky, sizeof(activation_params), NULL)
ACTIVATION(Elu, with_alpha, &alpha_one, sizeof(activation_params), NULL)
ACTIVATION(Celu, with_alpha, &alpha_one, sizeof(activation_params), NULL)
ACTIVATION(ThresholdedRelu, with_alpha, &alpha_one, sizeof(activation_params), NULL)
ACTIVATION(Selu, with_gamma, &selu, sizeof(activation_params), NULL)
ACTIVATION(HardSigmoid, with_beta, &hard_sigmoid, sizeof(activation_params), NULL)

/* ---- Gelu ------------------------------------------------------------------------------- */

typedef struct gelu_params {
    const char *approximate;
} gelu_params;

static const gelu_params gelu_defaults = {.approximate = "none"};
static const rf_attribute_spec gelu_attributes[] = {
    {"approximate", RF_ATTRIBUTE_STRING, offsetof(gelu_params, approximate), false},
    {.name = NULL},
};

static rf_status infer_gelu(rf_node *node)
{
    const gelu_params *params = node->params;
    if (strcmp(params->approximate, "none") != 0 && strcmp(params->approximate, "tanh") != 0)
        return rf_node_fail(node, RF_ERROR_FORMAT, "approximate is '%.40s', but must be 'none' or 'tanh'",
                            params->approximate);
    return rf_infer_same(node);
}

const rf_op rf_op_Gelu = {
    .type = "Gelu", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = gelu_attributes, .defaults = &gelu_defaults, .params_size = sizeof(gelu_params),
    .infer = infer_gelu, .cost = rf_cost_activations,
};

/* ---- Clip ------------------------------------------------------------------------------- */

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

const rf_op rf_op_Clip = {
    .type = "Clip", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = clip_attributes, .defaults = &clip_defaults, .params_size = sizeof(clip_params),
    .infer = infer_clip, .link = link_clip, .cost = rf_cost_activations,
};

/* ---- PRelu ------------------------------------------------------------------------------ */

/* Before operator set 7, a slope of one dimension counts along the channels. */
static bool slope_is_per_channel(const rf_node *node)
{
    const rf_shape *data = &node->inputs[0]->shape, *slope = &node->inputs[1]->shape;
    return node->opset < 7 && slope->rank == 1 && data->rank > 1 && slope->dims[0] == data->dims[1];
}

static rf_status infer_prelu(rf_node *node)
{
    const rf_shape *data = &node->inputs[0]->shape, *slope = &node->inputs[1]->shape;
    RF_TRY(rf_check_same_dtype(node, 0, 1));
    rf_shape both;
    if (!slope_is_per_channel(node)) {
        RF_TRY(rf_node_broadcast(node, data, slope, &both));
        if (!rf_shape_equal(data, &both))
            return rf_node_fail(node, RF_ERROR_SHAPE, "the slope's shape %s does not broadcast to %s",
                                rf_shape_print(slope).text, rf_shape_print(data).text);
    }
    return rf_infer_same(node);
}

static void link_prelu(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 1 && slope_is_per_channel(node))
        rf_link_same(&links[0], 1);
    else
        rf_link_broadcast(node, output, input, links);
}

const rf_op rf_op_PRelu = {
    .type = "PRelu", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .parameter_inputs = 1u << 1,
    .infer = infer_prelu, .link = link_prelu, .cost = rf_cost_activations,
};

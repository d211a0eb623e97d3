/* SPDX-License-Identifier: MIT */
/*
 * Activation functions. Each counts one activation for each element and
 * nothing else, whatever it is made of: that is how papers count them.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/gradient.h"

/* Of the function as rf_map knows it. */
typedef struct activation_params {
    float a, b;
} activation_params;

#define ALPHA {"alpha", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, a), false}
#define BETA {"beta", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, b), false}
#define GAMMA {"gamma", RF_ATTRIBUTE_FLOAT, offsetof(activation_params, b), false}

static const rf_attribute_spec with_alpha[] = {ALPHA, {.name = NULL}};
static const rf_attribute_spec with_beta[] = {ALPHA, BETA, {.name = NULL}};
static const rf_attribute_spec with_gamma[] = {ALPHA, GAMMA, {.name = NULL}};

static const activation_params no_params;
static const activation_params alpha_one = {.a = 1.0f};
static const activation_params leaky = {.a = 0.01f};
static const activation_params selu = {.a = 1.67326319f, .b = 1.05070102f};
static const activation_params hard_sigmoid = {.a = 0.2f, .b = 0.5f};

static int64_t relu_int(const rf_node *node, int64_t x)
{
    return node->inputs[0]->dtype == RF_UINT64 || x > 0 ? x : 0;
}

static int64_t erf_int(const rf_node *node, int64_t x)
{
    return node->inputs[0]->dtype == RF_UINT64 && x < 0 ? 1 : (int64_t)erf((double)x);
}

static const activation_params *params_of(const rf_node *node)
{
    return node->params ? node->params : &no_params;
}

static rf_status evaluate_map(const rf_node *node, rf_map_function function,
                              int64_t (*ints)(const rf_node *, int64_t))
{
    const activation_params *params = params_of(node);
    rf_fold_one one = {.ints = ints, .floats = rf_map_real(function), .a = (double)params->a,
                       .b = (double)params->b, .counter = RF_COUNTER(activations)};
    return rf_fold_each(node, &one);
}

static bool lower_map(const rf_node *node, rf_map_function function, rf_task *task)
{
    const activation_params *params = params_of(node);
    /* With another sign, the two branches of Celu meet elsewhere than at 0. */
    if (function == RF_MAP_CELU && !(params->a > 0))
        return false;
    return rf_lower_map(node, function, params->a, params->b, task);
}

/* Those whose slope follows from what they put out leave it to that: nothing else then reads the input,
 * and the layer before may put out the activation at once. */
static rf_status gradient_map(const rf_node *node, rf_gradient *to, rf_map_function function, const char *name)
{
    const activation_params *params = params_of(node);
    bool relu = function == RF_MAP_RELU, sigmoid = function == RF_MAP_SIGMOID, tanh = function == RF_MAP_TANH;
    return rf_gradient_slope(to, node, sigmoid ? "SigmoidOutput" : tanh ? "TanhOutput" : name, (double)params->a,
                             (double)params->b, relu || sigmoid || tanh);
}

#define ACTIVATION(type_, function_, ints_, attributes_, defaults_, params_size_)               \
    static rf_status evaluate_##type_(rf_node *node)                                            \
    {                                                                                           \
        return evaluate_map(node, (function_), (ints_));                                        \
    }                                                                                           \
    static bool lower_##type_(const rf_node *node, rf_task *task)                               \
    {                                                                                           \
        return lower_map(node, (function_), task);                                              \
    }                                                                                           \
    static rf_status gradient_##type_(const rf_node *node, rf_gradient *to)                     \
    {                                                                                           \
        return gradient_map(node, to, (function_), #type_);                                     \
    }                                                                                           \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_, .class = RF_CLASS_ACTIVATION,                                           \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,                   \
        .attributes = (attributes_), .defaults = (defaults_), .params_size = (params_size_),    \
        .infer = rf_infer_same, .cost = rf_cost_activations, .evaluate = evaluate_##type_,      \
        .lower = lower_##type_, .gradient = gradient_##type_,                                   \
    };

#define PLAIN(type_, function_, ints_) ACTIVATION(type_, function_, ints_, NULL, NULL, 0)
#define SET_UP(type_, function_, attributes_, defaults_) \
    ACTIVATION(type_, function_, NULL, attributes_, defaults_, sizeof(activation_params))

PLAIN(Relu, RF_MAP_RELU, relu_int)
PLAIN(Sigmoid, RF_MAP_SIGMOID, NULL)
PLAIN(Tanh, RF_MAP_TANH, NULL)
PLAIN(HardSwish, RF_MAP_HARD_SWISH, NULL)
PLAIN(Softplus, RF_MAP_SOFTPLUS, NULL)
PLAIN(Softsign, RF_MAP_SOFTSIGN, NULL)
PLAIN(Mish, RF_MAP_MISH, NULL)
PLAIN(Erf, RF_MAP_ERF, erf_int)
SET_UP(LeakyRelu, RF_MAP_LEAKY_RELU, with_alpha, &leaky)
SET_UP(Elu, RF_MAP_ELU, with_alpha, &alpha_one)
SET_UP(Celu, RF_MAP_CELU, with_alpha, &alpha_one)
SET_UP(ThresholdedRelu, RF_MAP_THRESHOLD, with_alpha, &alpha_one)
SET_UP(Selu, RF_MAP_SELU, with_gamma, &selu)
SET_UP(HardSigmoid, RF_MAP_HARD_SIGMOID, with_beta, &hard_sigmoid)

/* ---- Gelu ------------------------------------------------------------------------------- */

typedef struct gelu_params {
    const char *approximate;
} gelu_params;

static const gelu_params gelu_defaults = {.approximate = "none"};
static const rf_attribute_spec gelu_attributes[] = {
    {"approximate", RF_ATTRIBUTE_STRING, offsetof(gelu_params, approximate), false},
    {.name = NULL},
};

static rf_map_function gelu_function(const rf_node *node)
{
    const gelu_params *params = node->params;
    return strcmp(params->approximate, "tanh") == 0 ? RF_MAP_GELU_TANH : RF_MAP_GELU;
}

static rf_status infer_gelu(rf_node *node)
{
    const gelu_params *params = node->params;
    if (strcmp(params->approximate, "none") != 0 && strcmp(params->approximate, "tanh") != 0)
        return rf_node_fail(node, RF_ERROR_FORMAT, "approximate is '%.40s', but must be 'none' or 'tanh'",
                            params->approximate);
    return rf_infer_same(node);
}

static rf_status evaluate_gelu(rf_node *node)
{
    rf_fold_one one = {.floats = rf_map_real(gelu_function(node)), .counter = RF_COUNTER(activations)};
    return rf_fold_each(node, &one);
}

static bool lower_gelu(const rf_node *node, rf_task *task)
{
    return rf_lower_map(node, gelu_function(node), 0, 0, task);
}

static rf_status gradient_gelu(const rf_node *node, rf_gradient *to)
{
    return rf_gradient_slope(to, node, gelu_function(node) == RF_MAP_GELU ? "Gelu" : "GeluTanh", 0, 0, false);
}

const rf_op rf_op_Gelu = {
    .type = "Gelu", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = gelu_attributes, .defaults = &gelu_defaults, .params_size = sizeof(gelu_params),
    .infer = infer_gelu, .cost = rf_cost_activations, .evaluate = evaluate_gelu, .lower = lower_gelu,
    .gradient = gradient_gelu,
};

/* ---- Shrink ----------------------------------------------------------------------------- */

typedef struct shrink_params {
    float lambd, bias;
} shrink_params;

static const shrink_params shrink_defaults = {.lambd = 0.5f};
static const rf_attribute_spec shrink_attributes[] = {
    {"lambd", RF_ATTRIBUTE_FLOAT, offsetof(shrink_params, lambd), false},
    {"bias", RF_ATTRIBUTE_FLOAT, offsetof(shrink_params, bias), false},
    {.name = NULL},
};

/* Towards 0 by the bias; NaN stays. */
static double shrink_float(double x, double lambd, double bias)
{
    return x < -lambd ? x + bias : x > lambd ? x - bias : x != x ? x : 0;
}

/* A bias that moves an integer to where a double cannot tell integers apart leaves it as it is. */
static int64_t shrink_int(const rf_node *node, int64_t x)
{
    const shrink_params *params = node->params;
    bool huge = node->inputs[0]->dtype == RF_UINT64 && x < 0;
    double real = huge ? (double)(uint64_t)x : (double)x;
    double shrunk = shrink_float(real, (double)params->lambd, (double)params->bias);
    if (shrunk == real || fabs(shrunk) >= 0x1p53)
        return x;
    return shrunk == shrunk ? (int64_t)shrunk : 0;
}

static rf_status evaluate_shrink(rf_node *node)
{
    const shrink_params *params = node->params;
    rf_fold_one one = {.ints = shrink_int, .floats = shrink_float, .a = (double)params->lambd,
                       .b = (double)params->bias, .counter = RF_COUNTER(activations)};
    return rf_fold_each(node, &one);
}

const rf_op rf_op_Shrink = {
    .type = "Shrink", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = shrink_attributes, .defaults = &shrink_defaults, .params_size = sizeof(shrink_params),
    .infer = rf_infer_same, .cost = rf_cost_activations, .evaluate = evaluate_shrink,
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

static rf_status prelu_ints(const rf_node *node, int64_t x, int64_t slope, int64_t *result)
{
    *result = x < 0 && node->inputs[0]->dtype != RF_UINT64 ? rf_wrap_mul(slope, x) : x;
    return RF_OK;
}

static double prelu_floats(double x, double slope)
{
    return x < 0 ? slope * x : x;
}

static const rf_fold_two prelu = {prelu_ints, prelu_floats, RF_COUNTER(activations)};

static rf_status evaluate_prelu(rf_node *node)
{
    int32_t shift = node->inputs[0]->shape.rank - node->inputs[1]->shape.rank;
    return rf_fold_pairs(node, slope_is_per_channel(node) ? 1 : shift, &prelu);
}

static bool lower_prelu(const rf_node *node, rf_task *task)
{
    return !slope_is_per_channel(node) && rf_lower_pair(node, RF_PAIR_PRELU, task);
}

/* dy * (x < 0 ? slope : 1) is PRelu's slope of dy; dy * min(x, 0), summed, is the slope's. */
static rf_status gradient_prelu(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0), *x = node->inputs[0]->name;
    if (slope_is_per_channel(node))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient in operator set %d", (int)node->opset);
    const char *below = rf_gradient_two(to, "Less", x, rf_gradient_number(to, 0));
    if (rf_gradient_wanted(to, node, 0))
        rf_gradient_give(to, node, 0,
                         rf_gradient_layer(to, "Where", RF_NAMES(below, rf_gradient_two(to, "Mul", dy,
                                                                 node->inputs[1]->name), dy), NULL));
    if (rf_gradient_wanted(to, node, 1)) {
        const char *zero = rf_gradient_number(to, 0);
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_layer(to, "Where", RF_NAMES(below,
                                                rf_gradient_two(to, "Mul", dy, x), zero), NULL));
    }
    return RF_OK;
}

const rf_op rf_op_PRelu = {
    .type = "PRelu", .class = RF_CLASS_ACTIVATION,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .parameter_inputs = 1u << 1,
    .infer = infer_prelu, .link = link_prelu, .cost = rf_cost_activations, .evaluate = evaluate_prelu,
    .lower = lower_prelu, .gradient = gradient_prelu,
};

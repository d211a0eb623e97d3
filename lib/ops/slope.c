/* SPDX-License-Identifier: MIT */
/*
 * Slope: dL/dx of a function of one element, dL/dy times f'(x).
 *
 * The function goes by the name of ONNX's operator, `alpha` and `beta` by what
 * ONNX calls them (a Clip's are its bounds, a Selu's `beta` its gamma); where they
 * are left out they are ONNX's defaults. Where a plan makes only a function's
 * output y, that may stand for x: for Relu, since y > 0 where x > 0, for LeakyRelu
 * and ThresholdedRelu of an `alpha` of 0 and more, and for "SigmoidOutput" and
 * "TanhOutput", whose slopes are y (1 - y) and 1 - y^2.
 *
 * Counted: an activation and a multiplication for each element.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "ops/doubles.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/slopes.h"
#include "ops/table.h"

typedef struct slope_params {
    const char *function;
    float alpha, beta; /* NaN where absent */
} slope_params;

static const slope_params slope_defaults = {.alpha = NAN, .beta = NAN};
static const rf_attribute_spec slope_attributes[] = {
    {"function", RF_ATTRIBUTE_STRING, offsetof(slope_params, function), true},
    {"alpha", RF_ATTRIBUTE_FLOAT, offsetof(slope_params, alpha), false},
    {"beta", RF_ATTRIBUTE_FLOAT, offsetof(slope_params, beta), false},
    {.name = NULL},
};

/* What `infer` leaves. */
typedef struct slope {
    rf_map map;
    bool of_output;
} slope;

typedef struct known_function {
    const char *name;
    slope is;
} known_function;

static const known_function functions[] = {
    {"Abs", {{RF_MAP_ABS, 0, 0}, false}},
    {"Ceil", {{RF_MAP_CEIL, 0, 0}, false}},
    {"Celu", {{RF_MAP_CELU, 1, 0}, false}},
    {"Clip", {{RF_MAP_CLIP, -INFINITY, INFINITY}, false}},
    {"Cos", {{RF_MAP_COS, 0, 0}, false}},
    {"Elu", {{RF_MAP_ELU, 1, 0}, false}},
    {"Erf", {{RF_MAP_ERF, 0, 0}, false}},
    {"Exp", {{RF_MAP_EXP, 0, 0}, false}},
    {"Floor", {{RF_MAP_FLOOR, 0, 0}, false}},
    {"Gelu", {{RF_MAP_GELU, 0, 0}, false}},
    {"GeluTanh", {{RF_MAP_GELU_TANH, 0, 0}, false}},
    {"HardSigmoid", {{RF_MAP_HARD_SIGMOID, 0.2f, 0.5f}, false}},
    {"HardSwish", {{RF_MAP_HARD_SWISH, 0, 0}, false}},
    {"LeakyRelu", {{RF_MAP_LEAKY_RELU, 0.01f, 0}, false}},
    {"Log", {{RF_MAP_LOG, 0, 0}, false}},
    {"Mish", {{RF_MAP_MISH, 0, 0}, false}},
    {"Neg", {{RF_MAP_NEGATE, 0, 0}, false}},
    {"Reciprocal", {{RF_MAP_RECIPROCAL, 0, 0}, false}},
    {"Relu", {{RF_MAP_RELU, 0, 0}, false}},
    {"Round", {{RF_MAP_ROUND, 0, 0}, false}},
    {"Selu", {{RF_MAP_SELU, 1.67326319f, 1.05070102f}, false}},
    {"Sigmoid", {{RF_MAP_SIGMOID, 0, 0}, false}},
    {"SigmoidOutput", {{RF_MAP_SIGMOID, 0, 0}, true}},
    {"Sign", {{RF_MAP_SIGN, 0, 0}, false}},
    {"Silu", {{RF_MAP_SILU, 0, 0}, false}},
    {"Sin", {{RF_MAP_SIN, 0, 0}, false}},
    {"Softplus", {{RF_MAP_SOFTPLUS, 0, 0}, false}},
    {"Softsign", {{RF_MAP_SOFTSIGN, 0, 0}, false}},
    {"Sqrt", {{RF_MAP_SQRT, 0, 0}, false}},
    {"Tanh", {{RF_MAP_TANH, 0, 0}, false}},
    {"TanhOutput", {{RF_MAP_TANH, 0, 0}, true}},
    {"ThresholdedRelu", {{RF_MAP_THRESHOLD, 1, 0}, false}},
};

static rf_status find_function(const rf_node *node, slope *found)
{
    const slope_params *params = node->params;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(params->function, functions[i].name) != 0)
            continue;
        *found = functions[i].is;
        if (params->alpha == params->alpha)
            found->map.a = params->alpha;
        if (params->beta == params->beta)
            found->map.b = params->beta;
        return RF_OK;
    }
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "function '%.40s' has no slope that is known", params->function);
}

static rf_status infer_slope(rf_node *node)
{
    rf_value *dy, *x;
    RF_TRY(rf_node_require_real(node, 0, "the gradient by the output", &dy));
    RF_TRY(rf_node_require(node, 1, "the function's input", &x));
    RF_TRY(rf_node_agree(node, 1, "the function's input", dy->dtype));
    if (!rf_shape_equal(&dy->shape, &x->shape))
        return rf_node_fail(node, RF_ERROR_SHAPE, "the gradient has shape %s, but the function's input %s",
                            rf_shape_print(&dy->shape).text, rf_shape_print(&x->shape).text);
    slope *found = RF_TAKE(node->arena, slope, 1);
    if (!found)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its function");
    node->state = found;
    RF_TRY(find_function(node, found));
    return rf_infer_same(node);
}

static bool cost_slope(const rf_node *node, rf_cost *cost)
{
    cost->dense.activations = cost->dense.multiplications = rf_output_elements(node);
    cost->valid = cost->dense;
    return true;
}

static rf_status evaluate_slope(rf_node *node)
{
    enum { RUN = 64 };
    const slope *found = node->state;
    const rf_real_function function = rf_map_slope(found->map.function, found->of_output);
    const uint64_t elements = rf_output_elements(node);
    double dy[RUN], x[RUN];
    for (uint64_t at = 0; at < elements; at += RUN) {
        uint64_t count = elements - at < RUN ? elements - at : RUN;
        rf_doubles_read(node->inputs[0], at, count, dy);
        rf_doubles_read(node->inputs[1], at, count, x);
        for (uint64_t i = 0; i < count; i++)
            dy[i] *= function(x[i], (double)found->map.a, (double)found->map.b);
        rf_doubles_write(node->outputs[0], at, count, dy);
    }
    rf_tally_add(node, RF_COUNTER(activations), elements);
    rf_tally_add(node, RF_COUNTER(multiplications), elements);
    return RF_OK;
}

static bool lower_slope(const rf_node *node, rf_task *task)
{
    const slope *found = node->state;
    if (node->inputs[0]->dtype != RF_FLOAT32 || !rf_output(node, 0))
        return false;
    task->kind = RF_TASK_SLOPE;
    task->as.slope.map = found->map;
    task->as.slope.of_output = found->of_output;
    return true;
}

const rf_op rf_op_Slope = {
    .type = "Slope", .class = RF_CLASS_ACTIVATION, .own = true,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = slope_attributes, .defaults = &slope_defaults, .params_size = sizeof(slope_params),
    .infer = infer_slope, .cost = cost_slope, .evaluate = evaluate_slope, .lower = lower_slope,
};

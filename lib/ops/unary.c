/* SPDX-License-Identifier: MIT */
/*
 * Functions of one element that are not activations.
 *
 * Counted: a square root, a division (Reciprocal), or an exponential, which
 * stands for logarithms, trigonometric and hyperbolic functions too. Changes
 * of sign, rounding and tests are bit operations and count nothing.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"

static int64_t abs_int(int64_t x)
{
    return x < 0 ? rf_wrap_sub(0, x) : x;
}

static int64_t neg_int(int64_t x)
{
    return rf_wrap_sub(0, x);
}

static double neg_float(double x)
{
    return -x;
}

static int64_t sign_int(int64_t x)
{
    return (x > 0) - (x < 0);
}

static double sign_float(double x)
{
    return x != x ? x : (x > 0) - (x < 0);
}

/* Halves go to the even neighbour, whatever the rounding mode of the caller. */
static double round_float(double x)
{
    double down = floor(x), rest = x - down;
    if (rest < 0.5 || x != x || isinf(x))
        return rest == 0 || x != x || isinf(x) ? x : down;
    return rest > 0.5 || fmod(down, 2) != 0 ? down + 1 : down;
}

static double reciprocal_float(double x)
{
    return 1 / x;
}

static int64_t not_int(int64_t x)
{
    return !x;
}

#define EVALUATE(name_, ints_, floats_)               \
    static rf_status evaluate_##name_(rf_node *node)  \
    {                                                 \
        return rf_fold_each(node, (ints_), (floats_)); \
    }

EVALUATE(abs, abs_int, fabs)
EVALUATE(neg, neg_int, neg_float)
EVALUATE(sign, sign_int, sign_float)
EVALUATE(ceil, NULL, ceil)
EVALUATE(floor, NULL, floor)
EVALUATE(round, NULL, round_float)
EVALUATE(sqrt, NULL, sqrt)
EVALUATE(exp, NULL, exp)
EVALUATE(log, NULL, log)
EVALUATE(reciprocal, NULL, reciprocal_float)
EVALUATE(not, not_int, NULL)

static rf_status infer_not(rf_node *node)
{
    RF_TRY(rf_check_dtype(node, 0, RF_BOOL));
    return rf_infer_same(node);
}

static rf_status infer_test(rf_node *node)
{
    rf_set_output(node, 0, RF_BOOL, &node->inputs[0]->shape);
    return RF_OK;
}

#define UNARY(type_, infer_, cost_, evaluate_)                                        \
    const rf_op rf_op_##type_ = {                                                     \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,         \
        .infer = (infer_), .cost = (cost_), .evaluate = (evaluate_),                  \
    };

UNARY(Abs, rf_infer_same, NULL, evaluate_abs)
UNARY(Neg, rf_infer_same, NULL, evaluate_neg)
UNARY(Sign, rf_infer_same, NULL, evaluate_sign)
UNARY(Ceil, rf_infer_same, NULL, evaluate_ceil)
UNARY(Floor, rf_infer_same, NULL, evaluate_floor)
UNARY(Round, rf_infer_same, NULL, evaluate_round)
UNARY(Not, infer_not, NULL, evaluate_not)
UNARY(IsNaN, infer_test, NULL, NULL)
UNARY(Sqrt, rf_infer_same, rf_cost_square_roots, evaluate_sqrt)
UNARY(Reciprocal, rf_infer_same, rf_cost_divisions, evaluate_reciprocal)
UNARY(Exp, rf_infer_same, rf_cost_exponentials, evaluate_exp)
UNARY(Log, rf_infer_same, rf_cost_exponentials, evaluate_log)
UNARY(Sin, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Cos, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Tan, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Asin, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Acos, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Atan, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Sinh, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Cosh, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Asinh, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Acosh, rf_infer_same, rf_cost_exponentials, NULL)
UNARY(Atanh, rf_infer_same, rf_cost_exponentials, NULL)

typedef struct infinity_params {
    int64_t detect_negative, detect_positive;
} infinity_params;

static const infinity_params infinity_defaults = {1, 1};
static const rf_attribute_spec infinity_attributes[] = {
    {"detect_negative", RF_ATTRIBUTE_INT, offsetof(infinity_params, detect_negative), false},
    {"detect_positive", RF_ATTRIBUTE_INT, offsetof(infinity_params, detect_positive), false},
    {.name = NULL},
};

const rf_op rf_op_IsInf = {
    .type = "IsInf", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = infinity_attributes, .defaults = &infinity_defaults,
    .params_size = sizeof(infinity_params), .infer = infer_test,
};

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
#include "ops/gradient.h"

static int64_t abs_int(const rf_node *node, int64_t x)
{
    return x < 0 && node->inputs[0]->dtype != RF_UINT64 ? rf_wrap_sub(0, x) : x;
}

static int64_t neg_int(const rf_node *node, int64_t x)
{
    (void)node;
    return rf_wrap_sub(0, x);
}

static int64_t sign_int(const rf_node *node, int64_t x)
{
    return node->inputs[0]->dtype == RF_UINT64 ? x != 0 : (x > 0) - (x < 0);
}

static int64_t not_int(const rf_node *node, int64_t x)
{
    (void)node;
    return !x;
}

static int64_t bitwise_not_int(const rf_node *node, int64_t x)
{
    (void)node;
    return ~x;
}

/* A function of <math.h> or a test, as rf_fold_one wants it. */
#define REAL(name_, expression_)                            \
    static double name_##_float(double x, double a, double b) \
    {                                                       \
        (void)a;                                            \
        (void)b;                                            \
        return (expression_);                               \
    }

REAL(tan, tan(x))
REAL(asin, asin(x))
REAL(acos, acos(x))
REAL(atan, atan(x))
REAL(sinh, sinh(x))
REAL(cosh, cosh(x))
REAL(asinh, asinh(x))
REAL(acosh, acosh(x))
REAL(atanh, atanh(x))
REAL(is_nan, x != x)

/* Counts of layers that count nothing. */
#define NOTHING RF_NO_COUNTER, NULL
#define EXPONENTIALS RF_COUNTER(exponentials), rf_cost_exponentials
#define SQUARE_ROOTS RF_COUNTER(square_roots), rf_cost_square_roots
#define DIVISIONS RF_COUNTER(divisions), rf_cost_divisions

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

static rf_status infer_bitwise_not(rf_node *node)
{
    RF_TRY(rf_check_integer(node, 0));
    return rf_infer_same(node);
}

#define ROW(type_, infer_, ints_, floats_, counter_, cost_, lower_, gradient_)        \
    static rf_status evaluate_##type_(rf_node *node)                                  \
    {                                                                                 \
        rf_fold_one one = {.ints = (ints_), .floats = (floats_), .counter = (counter_)}; \
        return rf_fold_each(node, &one);                                              \
    }                                                                                 \
    const rf_op rf_op_##type_ = {                                                     \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,         \
        .infer = (infer_), .cost = (cost_), .evaluate = evaluate_##type_, .lower = (lower_), \
        .gradient = (gradient_),                                                      \
    };
#define EXPANDED_ROW(...) ROW(__VA_ARGS__)

/* A function that kernels know, and one that they don't. */
#define MAP(type_, function_, ints_, counts_)                                         \
    static bool lower_##type_(const rf_node *node, rf_task *task)                     \
    {                                                                                 \
        return rf_lower_map(node, (function_), 0, 0, task);                           \
    }                                                                                 \
    static rf_status gradient_##type_(const rf_node *node, rf_gradient *to)           \
    {                                                                                 \
        return rf_gradient_slope(to, node, #type_, 0, 0, false);                      \
    }                                                                                 \
    EXPANDED_ROW(type_, rf_infer_same, ints_, rf_map_real(function_), counts_, lower_##type_, gradient_##type_)
#define UNARY(type_, infer_, ints_, floats_, counts_) EXPANDED_ROW(type_, infer_, ints_, floats_, counts_, NULL, NULL)

MAP(Abs, RF_MAP_ABS, abs_int, NOTHING)
MAP(Neg, RF_MAP_NEGATE, neg_int, NOTHING)
MAP(Sign, RF_MAP_SIGN, sign_int, NOTHING)
MAP(Ceil, RF_MAP_CEIL, NULL, NOTHING)
MAP(Floor, RF_MAP_FLOOR, NULL, NOTHING)
MAP(Round, RF_MAP_ROUND, NULL, NOTHING)
MAP(Sqrt, RF_MAP_SQRT, NULL, SQUARE_ROOTS)
MAP(Reciprocal, RF_MAP_RECIPROCAL, NULL, DIVISIONS)
MAP(Exp, RF_MAP_EXP, NULL, EXPONENTIALS)
MAP(Log, RF_MAP_LOG, NULL, EXPONENTIALS)
MAP(Sin, RF_MAP_SIN, NULL, EXPONENTIALS)
MAP(Cos, RF_MAP_COS, NULL, EXPONENTIALS)
UNARY(Not, infer_not, not_int, NULL, NOTHING)
UNARY(BitwiseNot, infer_bitwise_not, bitwise_not_int, NULL, NOTHING)
UNARY(IsNaN, infer_test, NULL, is_nan_float, NOTHING)
UNARY(Tan, rf_infer_same, NULL, tan_float, EXPONENTIALS)
UNARY(Asin, rf_infer_same, NULL, asin_float, EXPONENTIALS)
UNARY(Acos, rf_infer_same, NULL, acos_float, EXPONENTIALS)
UNARY(Atan, rf_infer_same, NULL, atan_float, EXPONENTIALS)
UNARY(Sinh, rf_infer_same, NULL, sinh_float, EXPONENTIALS)
UNARY(Cosh, rf_infer_same, NULL, cosh_float, EXPONENTIALS)
UNARY(Asinh, rf_infer_same, NULL, asinh_float, EXPONENTIALS)
UNARY(Acosh, rf_infer_same, NULL, acosh_float, EXPONENTIALS)
UNARY(Atanh, rf_infer_same, NULL, atanh_float, EXPONENTIALS)

/* ---- IsInf ------------------------------------------------------------------------------ */

typedef struct infinity_params {
    int64_t detect_negative, detect_positive;
} infinity_params;

static const infinity_params infinity_defaults = {1, 1};
static const rf_attribute_spec infinity_attributes[] = {
    {"detect_negative", RF_ATTRIBUTE_INT, offsetof(infinity_params, detect_negative), false},
    {"detect_positive", RF_ATTRIBUTE_INT, offsetof(infinity_params, detect_positive), false},
    {.name = NULL},
};

static double is_infinite(double x, double negative, double positive)
{
    return isinf(x) && (x < 0 ? negative != 0 : positive != 0);
}

static rf_status evaluate_is_inf(rf_node *node)
{
    const infinity_params *params = node->params;
    rf_fold_one one = {.floats = is_infinite, .a = params->detect_negative != 0,
                       .b = params->detect_positive != 0, .counter = RF_NO_COUNTER};
    return rf_fold_each(node, &one);
}

const rf_op rf_op_IsInf = {
    .type = "IsInf", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = infinity_attributes, .defaults = &infinity_defaults,
    .params_size = sizeof(infinity_params), .infer = infer_test, .evaluate = evaluate_is_inf,
};

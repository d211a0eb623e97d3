/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on two tensors or on any number of them.
 *
 * Each element of the output counts one operation, of n inputs n - 1: an
 * addition, multiplication, division (Mod too), exponential (Pow) or
 * comparison (Min, Max). Mean divides once more.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"

static rf_status add_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    (void)node;
    *result = rf_wrap_add(a, b);
    return RF_OK;
}

static double add_floats(double a, double b)
{
    return a + b;
}

static rf_status sub_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    (void)node;
    *result = rf_wrap_sub(a, b);
    return RF_OK;
}

static double sub_floats(double a, double b)
{
    return a - b;
}

static rf_status mul_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    (void)node;
    *result = rf_wrap_mul(a, b);
    return RF_OK;
}

static double mul_floats(double a, double b)
{
    return a * b;
}

static rf_status check_divisor(const rf_node *node, int64_t a, int64_t b)
{
    if (b)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%lld is divided by the integer 0", (long long)a);
}

static rf_status div_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    RF_TRY(check_divisor(node, a, b));
    *result = b == -1 ? rf_wrap_sub(0, a) : a / b;
    return RF_OK;
}

static double div_floats(double a, double b)
{
    return a / b;
}

/* The remainder with the sign of the dividend. */
static rf_status fmod_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    RF_TRY(check_divisor(node, a, b));
    *result = b == -1 ? 0 : a % b;
    return RF_OK;
}

/* The remainder with the sign of the divisor. */
static rf_status mod_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    RF_TRY(fmod_ints(node, a, b, result));
    if (*result && (*result < 0) != (b < 0))
        *result += b;
    return RF_OK;
}

static rf_status pow_ints(const rf_node *node, int64_t base, int64_t exponent, int64_t *result)
{
    int64_t power = 1;
    if (exponent < 0) {
        RF_TRY(check_divisor(node, 1, base));
        power = base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
    }
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            power = rf_wrap_mul(power, base);
        base = rf_wrap_mul(base, base);
    }
    *result = power;
    return RF_OK;
}

static rf_status min_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    (void)node;
    *result = rf_min(a, b);
    return RF_OK;
}

static double min_floats(double a, double b)
{
    return a < b || a != a ? a : b;
}

static rf_status max_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    (void)node;
    *result = rf_max(a, b);
    return RF_OK;
}

static double max_floats(double a, double b)
{
    return a > b || a != a ? a : b;
}

/* ---- Two inputs ------------------------------------------------------------------------- */

static rf_status infer_pair(rf_node *node)
{
    RF_TRY(rf_check_same_dtype(node, 0, 1));
    return rf_pair_infer(node, node->inputs[0]->dtype);
}

static rf_status evaluate_pair(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats)
{
    return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), ints, floats) : RF_OK;
}

static rf_status evaluate_add(rf_node *node)
{
    return evaluate_pair(node, add_ints, add_floats);
}

static rf_status evaluate_sub(rf_node *node)
{
    return evaluate_pair(node, sub_ints, sub_floats);
}

static rf_status evaluate_mul(rf_node *node)
{
    return evaluate_pair(node, mul_ints, mul_floats);
}

static rf_status evaluate_div(rf_node *node)
{
    return evaluate_pair(node, div_ints, div_floats);
}

/* From operator set 12 on, the exponent has a type of its own. */
static rf_status infer_pow(rf_node *node)
{
    if (node->opset < 12)
        RF_TRY(rf_check_same_dtype(node, 0, 1));
    return rf_pair_infer(node, node->inputs[0]->dtype);
}

static rf_status evaluate_pow(rf_node *node)
{
    return evaluate_pair(node, pow_ints, pow);
}

#define PAIR(type_, infer_, cost_, evaluate_)                                              \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,              \
        .attributes = rf_pair_attributes, .defaults = &rf_pair_defaults,                   \
        .params_size = sizeof(rf_pair_params), .parameter_inputs = 3u,                     \
        .infer = (infer_), .link = rf_pair_link, .cost = (cost_), .evaluate = (evaluate_), \
    };

PAIR(Add, infer_pair, rf_cost_additions, evaluate_add)
PAIR(Sub, infer_pair, rf_cost_additions, evaluate_sub)
PAIR(Mul, infer_pair, rf_cost_multiplications, evaluate_mul)
PAIR(Div, infer_pair, rf_cost_divisions, evaluate_div)
PAIR(Pow, infer_pow, rf_cost_exponentials, evaluate_pow)

/* ---- Mod -------------------------------------------------------------------------------- */

typedef struct mod_params {
    rf_pair_params pair; /* never set: Mod came after operator set 6 */
    int64_t fmod;
} mod_params;

static const mod_params mod_defaults = {.pair = {.axis = RF_PAIR_AXIS_ABSENT}};
static const rf_attribute_spec mod_attributes[] = {
    {"fmod", RF_ATTRIBUTE_INT, offsetof(mod_params, fmod), false},
    {.name = NULL},
};

static rf_status infer_mod(rf_node *node)
{
    const mod_params *params = node->params;
    if (!params->fmod && rf_dtype_is_float(node->inputs[0]->dtype))
        return rf_node_fail(node, RF_ERROR_SHAPE, "fmod must be 1 for %s",
                            rf_dtype_name(node->inputs[0]->dtype));
    return infer_pair(node);
}

static rf_status evaluate_mod(rf_node *node)
{
    const mod_params *params = node->params;
    return evaluate_pair(node, params->fmod ? fmod_ints : mod_ints, fmod);
}

const rf_op rf_op_Mod = {
    .type = "Mod", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = mod_attributes, .defaults = &mod_defaults, .params_size = sizeof(mod_params),
    .infer = infer_mod, .link = rf_pair_link, .cost = rf_cost_divisions, .evaluate = evaluate_mod,
};

/* ---- Any number of inputs --------------------------------------------------------------- */

static bool cost_sum(const rf_node *node, rf_cost *cost)
{
    if (!rf_checked_mul(rf_output_elements(node), node->input_count - 1, &cost->dense.additions))
        return false;
    cost->valid.additions = cost->dense.additions;
    return true;
}

static bool cost_mean(const rf_node *node, rf_cost *cost)
{
    return cost_sum(node, cost) && rf_cost_divisions(node, cost);
}

static bool cost_extreme(const rf_node *node, rf_cost *cost)
{
    if (!rf_checked_mul(rf_output_elements(node), node->input_count - 1, &cost->dense.comparisons))
        return false;
    cost->valid.comparisons = cost->dense.comparisons;
    return true;
}

static rf_status evaluate_sum(rf_node *node)
{
    return rf_fold_series(node, add_ints, add_floats);
}

static rf_status evaluate_min(rf_node *node)
{
    return rf_fold_series(node, min_ints, min_floats);
}

static rf_status evaluate_max(rf_node *node)
{
    return rf_fold_series(node, max_ints, max_floats);
}

#define SERIES(type_, cost_, evaluate_)                                                    \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 1, .max_inputs = RF_MANY, .min_outputs = 1, .max_outputs = 1,        \
        .parameter_inputs = UINT32_MAX,                                                    \
        .infer = rf_series_infer, .cost = (cost_), .evaluate = (evaluate_),                \
    };

SERIES(Sum, cost_sum, evaluate_sum)
SERIES(Mean, cost_mean, NULL)
SERIES(Min, cost_extreme, evaluate_min)
SERIES(Max, cost_extreme, evaluate_max)

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
#include "ops/gradient.h"

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

static bool is_uint64(const rf_node *node, uint32_t input)
{
    return node->inputs[input]->dtype == RF_UINT64;
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
    if (is_uint64(node, 0))
        *result = (int64_t)((uint64_t)a / (uint64_t)b);
    else
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
    if (is_uint64(node, 0))
        *result = (int64_t)((uint64_t)a % (uint64_t)b);
    else
        *result = b == -1 ? 0 : a % b;
    return RF_OK;
}

/* The remainder with the sign of the divisor. */
static rf_status mod_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    RF_TRY(fmod_ints(node, a, b, result));
    if (*result && !is_uint64(node, 0) && (*result < 0) != (b < 0))
        *result += b;
    return RF_OK;
}

/* base to a power below 0, whose result is below 1 but for these bases. */
static int64_t fraction(const rf_node *node, int64_t base, int64_t exponent)
{
    if (base == -1 && !is_uint64(node, 0))
        return exponent % 2 ? -1 : 1;
    return base == 1;
}

static rf_status pow_ints(const rf_node *node, int64_t base, int64_t exponent, int64_t *result)
{
    if (exponent < 0 && !is_uint64(node, 1)) {
        RF_TRY(check_divisor(node, 1, base));
        *result = fraction(node, base, exponent);
        return RF_OK;
    }
    int64_t power = 1;
    for (uint64_t rest = (uint64_t)exponent; rest; rest >>= 1) {
        if (rest & 1)
            power = rf_wrap_mul(power, base);
        base = rf_wrap_mul(base, base);
    }
    *result = power;
    return RF_OK;
}

static rf_status min_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    rf_dtype dtype = node->inputs[0]->dtype;
    *result = rf_fold_order(dtype, a) < rf_fold_order(dtype, b) ? a : b;
    return RF_OK;
}

static double min_floats(double a, double b)
{
    return a < b || a != a ? a : b;
}

static rf_status max_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    rf_dtype dtype = node->inputs[0]->dtype;
    *result = rf_fold_order(dtype, a) > rf_fold_order(dtype, b) ? a : b;
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

/* Before operator set 7, axes may be matched from elsewhere than the right. */
static bool lower_pair(const rf_node *node, rf_pair_function function, rf_task *task)
{
    int32_t right = rf_output(node, 0) ? node->outputs[0]->shape.rank - node->inputs[1]->shape.rank : -1;
    return right >= 0 && rf_pair_shift(node, 1) == right && rf_lower_pair(node, function, task);
}

/* From operator set 12 on, the exponent has a type of its own. */
static rf_status infer_pow(rf_node *node)
{
    if (node->opset < 12)
        RF_TRY(rf_check_same_dtype(node, 0, 1));
    return rf_pair_infer(node, node->inputs[0]->dtype);
}

/* Derivatives know axes that are matched from the right. */
static rf_status check_right(const rf_node *node)
{
    for (uint32_t i = 0; i < 2; i++)
        if (rf_pair_shift(node, i) != node->outputs[0]->shape.rank - node->inputs[i]->shape.rank)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient where axes are not matched from the right");
    return RF_OK;
}

static rf_status gradient_Add(const rf_node *node, rf_gradient *to)
{
    RF_TRY(check_right(node));
    for (uint32_t i = 0; i < 2; i++)
        rf_gradient_give_broadcast(to, node, i, rf_gradient_of(to, node, 0));
    return RF_OK;
}

static rf_status gradient_Sub(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0);
    RF_TRY(check_right(node));
    rf_gradient_give_broadcast(to, node, 0, dy);
    if (rf_gradient_wanted(to, node, 1))
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_one(to, "Neg", dy));
    return RF_OK;
}

static rf_status gradient_Mul(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0);
    RF_TRY(check_right(node));
    for (uint32_t i = 0; i < 2; i++)
        if (rf_gradient_wanted(to, node, i))
            rf_gradient_give_broadcast(to, node, i, rf_gradient_two(to, "Mul", dy, node->inputs[1 - i]->name));
    return RF_OK;
}

/* dy / b, and -(dy / b) y. */
static rf_status gradient_Div(const rf_node *node, rf_gradient *to)
{
    RF_TRY(check_right(node));
    const char *first = rf_gradient_two(to, "Div", rf_gradient_of(to, node, 0), node->inputs[1]->name);
    rf_gradient_give_broadcast(to, node, 0, first);
    if (rf_gradient_wanted(to, node, 1))
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_one(to, "Neg", rf_gradient_two(to, "Mul", first,
                                                                node->outputs[0]->name)));
    return RF_OK;
}

/* dy b a^(b - 1), and dy y log a, which is 0 where y is. */
static rf_status gradient_Pow(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0), *a = node->inputs[0]->name, *b = node->inputs[1]->name;
    const char *y = node->outputs[0]->name;
    RF_TRY(check_right(node));
    if (node->inputs[1]->dtype != node->inputs[0]->dtype)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient where its inputs' types differ");
    if (rf_gradient_wanted(to, node, 0)) {
        const char *less = rf_gradient_two(to, "Sub", b, rf_gradient_number(to, 1));
        const char *slope = rf_gradient_two(to, "Mul", b, rf_gradient_two(to, "Pow", a, less));
        rf_gradient_give_broadcast(to, node, 0, rf_gradient_two(to, "Mul", dy, slope));
    }
    if (rf_gradient_wanted(to, node, 1)) {
        const char *zero = rf_gradient_number(to, 0);
        const char *slope = rf_gradient_two(to, "Mul", y, rf_gradient_one(to, "Log", a));
        slope = rf_gradient_layer(to, "Where", RF_NAMES(rf_gradient_two(to, "Equal", y, zero), zero, slope), NULL);
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_two(to, "Mul", dy, slope));
    }
    return RF_OK;
}

#define PAIR(type_, infer_, cost_, ints_, floats_, counter_, task_)                        \
    static const rf_fold_two two_##type_ = {ints_, floats_, RF_COUNTER(counter_)};         \
    static rf_status evaluate_##type_(rf_node *node)                                       \
    {                                                                                      \
        return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), &two_##type_) : RF_OK; \
    }                                                                                      \
    static bool lower_##type_(const rf_node *node, rf_task *task)                          \
    {                                                                                      \
        return lower_pair(node, (task_), task);                                            \
    }                                                                                      \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,              \
        .attributes = rf_pair_attributes, .defaults = &rf_pair_defaults,                   \
        .params_size = sizeof(rf_pair_params), .parameter_inputs = 3u,                     \
        .infer = (infer_), .link = rf_pair_link, .cost = (cost_),                          \
        .evaluate = evaluate_##type_, .lower = lower_##type_,                              \
        .gradient = gradient_##type_,                                                      \
    };

PAIR(Add, infer_pair, rf_cost_additions, add_ints, add_floats, additions, RF_PAIR_ADD)
PAIR(Sub, infer_pair, rf_cost_additions, sub_ints, sub_floats, additions, RF_PAIR_SUB)
PAIR(Mul, infer_pair, rf_cost_multiplications, mul_ints, mul_floats, multiplications, RF_PAIR_MUL)
PAIR(Div, infer_pair, rf_cost_divisions, div_ints, div_floats, divisions, RF_PAIR_DIV)
PAIR(Pow, infer_pow, rf_cost_exponentials, pow_ints, pow, exponentials, RF_PAIR_POW)

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
    rf_fold_two remainder = {params->fmod ? fmod_ints : mod_ints, fmod, RF_COUNTER(divisions)};
    return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), &remainder) : RF_OK;
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

static bool lower_series(const rf_node *node, rf_pair_function function, rf_task *task)
{
    if (node->input_count == 1)
        return rf_lower_same(node, task);
    return node->input_count == 2 && rf_lower_pair(node, function, task);
}

static rf_status gradient_sum(const rf_node *node, rf_gradient *to)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        rf_gradient_give_broadcast(to, node, i, rf_gradient_of(to, node, 0));
    return RF_OK;
}

static rf_status gradient_mean(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_scale(to, rf_gradient_of(to, node, 0), 1.0 / node->input_count);
    for (uint32_t i = 0; i < node->input_count; i++)
        rf_gradient_give_broadcast(to, node, i, dy);
    return RF_OK;
}

/* Inputs that hold the extreme share dy in equal parts. */
static rf_status gradient_extreme(const rf_node *node, rf_gradient *to)
{
    const rf_attribute to_float[] = {RF_INT("to", RF_FLOAT32), {.name = NULL}};
    const char *y = node->outputs[0]->name, *holders = NULL;
    const char **masks = RF_TAKE(node->arena, const char *, node->input_count);
    if (!masks)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its gradient");
    for (uint32_t i = 0; i < node->input_count; i++) {
        const char *equal = rf_gradient_two(to, "Equal", node->inputs[i]->name, y);
        masks[i] = rf_gradient_layer(to, "Cast", RF_NAMES(equal), to_float);
        holders = i ? rf_gradient_two(to, "Add", holders, masks[i]) : masks[i];
    }
    const char *share = rf_gradient_two(to, "Div", rf_gradient_of(to, node, 0), holders);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (rf_gradient_wanted(to, node, i))
            rf_gradient_give_broadcast(to, node, i, rf_gradient_two(to, "Mul", share, masks[i]));
    return RF_OK;
}

#define SERIES(type_, cost_, ints_, floats_, counter_, mean_, lower_, gradient_)           \
    static const rf_fold_two two_##type_ = {ints_, floats_, RF_COUNTER(counter_)};         \
    static rf_status evaluate_##type_(rf_node *node)                                       \
    {                                                                                      \
        return rf_fold_series(node, &two_##type_, (mean_));                                \
    }                                                                                      \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 1, .max_inputs = RF_MANY, .min_outputs = 1, .max_outputs = 1,        \
        .parameter_inputs = UINT32_MAX,                                                    \
        .infer = rf_series_infer, .cost = (cost_), .evaluate = evaluate_##type_,           \
        .lower = (lower_), .gradient = (gradient_),                                        \
    };

static bool lower_sum(const rf_node *node, rf_task *task)
{
    return lower_series(node, RF_PAIR_ADD, task);
}

static bool lower_min(const rf_node *node, rf_task *task)
{
    return lower_series(node, RF_PAIR_MIN, task);
}

static bool lower_max(const rf_node *node, rf_task *task)
{
    return lower_series(node, RF_PAIR_MAX, task);
}

static bool lower_mean(const rf_node *node, rf_task *task)
{
    return node->input_count == 1 && rf_lower_same(node, task);
}

SERIES(Sum, cost_sum, add_ints, add_floats, additions, false, lower_sum, gradient_sum)
SERIES(Mean, cost_mean, NULL, add_floats, additions, true, lower_mean, gradient_mean)
SERIES(Min, cost_extreme, min_ints, min_floats, comparisons, false, lower_min, gradient_extreme)
SERIES(Max, cost_extreme, max_ints, max_floats, comparisons, false, lower_max, gradient_extreme)

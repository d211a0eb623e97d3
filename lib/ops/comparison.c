/* SPDX-License-Identifier: MIT */
/*
 * Comparisons (one each for an element), logic and choice (bit operations,
 * which count nothing).
 */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/gradient.h"

#define COMPARE(name_, operator_)                                                            \
    static rf_status name_##_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result) \
    {                                                                                        \
        rf_dtype dtype = node->inputs[0]->dtype;                                             \
        *result = rf_fold_order(dtype, a) operator_ rf_fold_order(dtype, b);                 \
        return RF_OK;                                                                        \
    }                                                                                        \
    static double name_##_floats(double a, double b)                                         \
    {                                                                                        \
        return a operator_ b;                                                                \
    }                                                                                        \
    static const rf_fold_two name_##_two = {name_##_ints, name_##_floats, RF_COUNTER(comparisons)};

#define LOGIC(name_, operator_)                                                              \
    static rf_status name_##_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result) \
    {                                                                                        \
        (void)node;                                                                          \
        *result = a operator_ b;                                                             \
        return RF_OK;                                                                        \
    }                                                                                        \
    static const rf_fold_two name_##_two = {name_##_ints, NULL, RF_NO_COUNTER};

COMPARE(equal, ==)
COMPARE(greater, >)
COMPARE(greater_or_equal, >=)
COMPARE(less, <)
COMPARE(less_or_equal, <=)
LOGIC(and, &)
LOGIC(or, |)
LOGIC(xor, ^)

static rf_status infer_comparison(rf_node *node)
{
    RF_TRY(rf_check_same_dtype(node, 0, 1));
    return rf_pair_infer(node, RF_BOOL);
}

static rf_status infer_logic(rf_node *node)
{
    RF_TRY(rf_check_dtype(node, 0, RF_BOOL));
    RF_TRY(rf_check_dtype(node, 1, RF_BOOL));
    return rf_pair_infer(node, RF_BOOL);
}

/* From operator set 18 on. */
static rf_status infer_bitwise(rf_node *node)
{
    RF_TRY(rf_check_same_dtype(node, 0, 1));
    RF_TRY(rf_check_integer(node, 0));
    return rf_pair_infer(node, node->inputs[0]->dtype);
}

#define PAIR(type_, infer_, cost_, name_)                                                  \
    static rf_status evaluate_##type_(rf_node *node)                                       \
    {                                                                                      \
        return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), &name_##_two) : RF_OK; \
    }                                                                                      \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,              \
        .attributes = rf_pair_attributes, .defaults = &rf_pair_defaults,                   \
        .params_size = sizeof(rf_pair_params),                                             \
        .infer = (infer_), .link = rf_pair_link, .cost = (cost_), .evaluate = evaluate_##type_, \
    };

PAIR(Equal, infer_comparison, rf_cost_comparisons, equal)
PAIR(Greater, infer_comparison, rf_cost_comparisons, greater)
PAIR(GreaterOrEqual, infer_comparison, rf_cost_comparisons, greater_or_equal)
PAIR(Less, infer_comparison, rf_cost_comparisons, less)
PAIR(LessOrEqual, infer_comparison, rf_cost_comparisons, less_or_equal)
PAIR(And, infer_logic, NULL, and)
PAIR(Or, infer_logic, NULL, or)
PAIR(Xor, infer_logic, NULL, xor)
PAIR(BitwiseAnd, infer_bitwise, NULL, and)
PAIR(BitwiseOr, infer_bitwise, NULL, or)
PAIR(BitwiseXor, infer_bitwise, NULL, xor)

/* ---- BitShift --------------------------------------------------------------------------- */

typedef struct shift_params {
    rf_pair_params pair; /* never set: BitShift came after operator set 6 */
    const char *direction;
} shift_params;

static const shift_params shift_defaults = {.pair = {.axis = RF_PAIR_AXIS_ABSENT}};
static const rf_attribute_spec shift_attributes[] = {
    {"direction", RF_ATTRIBUTE_STRING, offsetof(shift_params, direction), true},
    {.name = NULL},
};

static rf_status shift_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result)
{
    const shift_params *params = node->params;
    uint64_t bits = (uint64_t)a, by = (uint64_t)b;
    if (by >= 64)
        bits = 0;
    else
        bits = params->direction[0] == 'L' ? bits << by : bits >> by;
    *result = (int64_t)bits;
    return RF_OK;
}

static const rf_fold_two shift_two = {shift_ints, NULL, RF_NO_COUNTER};

static rf_status infer_shift(rf_node *node)
{
    const shift_params *params = node->params;
    rf_dtype dtype = node->inputs[0]->dtype;
    if (strcmp(params->direction, "LEFT") != 0 && strcmp(params->direction, "RIGHT") != 0)
        return rf_node_fail(node, RF_ERROR_FORMAT, "direction is '%.40s', but must be 'LEFT' or 'RIGHT'",
                            params->direction);
    if (dtype != RF_UINT8 && dtype != RF_UINT16 && dtype != RF_UINT32 && dtype != RF_UINT64)
        return rf_node_fail(node, RF_ERROR_SHAPE, "it shifts unsigned integers, not %s", rf_dtype_name(dtype));
    return infer_bitwise(node);
}

static rf_status evaluate_shift(rf_node *node)
{
    return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), &shift_two) : RF_OK;
}

const rf_op rf_op_BitShift = {
    .type = "BitShift", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = shift_attributes, .defaults = &shift_defaults, .params_size = sizeof(shift_params),
    .infer = infer_shift, .link = rf_pair_link, .evaluate = evaluate_shift,
};

/* ---- Where ------------------------------------------------------------------------------ */

static rf_status infer_where(rf_node *node)
{
    rf_shape shape;
    RF_TRY(rf_check_dtype(node, 0, RF_BOOL));
    RF_TRY(rf_check_same_dtype(node, 1, 2));
    RF_TRY(rf_node_broadcast(node, &node->inputs[1]->shape, &node->inputs[2]->shape, &shape));
    RF_TRY(rf_node_broadcast(node, &node->inputs[0]->shape, &shape, &shape));
    rf_set_output(node, 0, node->inputs[1]->dtype, &shape);
    return RF_OK;
}

static rf_status evaluate_where(rf_node *node)
{
    const rf_value *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    if (rf_dtype_bits(out->dtype) < 8)
        return rf_fold_refuse(node);
    rf_view views[3];
    rf_cursor at[3];
    for (uint32_t k = 0; k < 3; k++) {
        const rf_shape *in = &node->inputs[k]->shape;
        rf_view_broadcast(in, &out->shape, out->shape.rank - in->rank, &views[k]);
        rf_cursor_start(&at[k], &out->shape, &views[k]);
    }
    uint64_t count = rf_elements(&out->shape);
    size_t bytes = rf_dtype_bits(out->dtype) / 8;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t chosen = rf_value_int(node->inputs[0], (uint64_t)at[0].at) ? 1 : 2;
        rf_fold_move(rf_fold_data(out), i, node->inputs[chosen]->data, (uint64_t)at[chosen].at, bytes);
        for (uint32_t k = 0; k < 3; k++)
            rf_cursor_next(&at[k]);
    }
    return RF_OK;
}

static rf_status gradient_where(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0), *chosen = node->inputs[0]->name, *zero = rf_gradient_number(to, 0);
    if (rf_gradient_wanted(to, node, 1))
        rf_gradient_give_broadcast(to, node, 1, rf_gradient_layer(to, "Where", RF_NAMES(chosen, dy, zero), NULL));
    if (rf_gradient_wanted(to, node, 2))
        rf_gradient_give_broadcast(to, node, 2, rf_gradient_layer(to, "Where", RF_NAMES(chosen, zero, dy), NULL));
    return RF_OK;
}

const rf_op rf_op_Where = {
    .type = "Where", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_where, .evaluate = evaluate_where, .gradient = gradient_where,
};

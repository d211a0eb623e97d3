/* SPDX-License-Identifier: MIT */
/*
 * Comparisons (one each for an element), logic and choice (bit operations,
 * which count nothing).
 */
#include "ops/table.h"

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"

#define COMPARE(name_, operator_)                                                            \
    static rf_status name_##_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result) \
    {                                                                                        \
        (void)node;                                                                          \
        *result = a operator_ b;                                                             \
        return RF_OK;                                                                        \
    }                                                                                        \
    static double name_##_floats(double a, double b)                                         \
    {                                                                                        \
        return a operator_ b;                                                                \
    }                                                                                        \
    static rf_status evaluate_##name_(rf_node *node)                                         \
    {                                                                                        \
        return evaluate_pair(node, name_##_ints, name_##_floats);                            \
    }

#define LOGIC(name_, operator_)                                                              \
    static rf_status name_##_ints(const rf_node *node, int64_t a, int64_t b, int64_t *result) \
    {                                                                                        \
        (void)node;                                                                          \
        *result = (a != 0)operator_(b != 0);                                                 \
        return RF_OK;                                                                        \
    }                                                                                        \
    static rf_status evaluate_##name_(rf_node *node)                                         \
    {                                                                                        \
        return evaluate_pair(node, name_##_ints, NULL);                                      \
    }

static rf_status evaluate_pair(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats)
{
    return rf_output(node, 0) ? rf_fold_pairs(node, rf_pair_shift(node, 1), ints, floats) : RF_OK;
}

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

#define PAIR(type_, infer_, cost_, evaluate_)                                              \
    const rf_op rf_op_##type_ = {                                                          \
        .type = #type_, .class = RF_CLASS_ELEMENTWISE,                                     \
        .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,              \
        .attributes = rf_pair_attributes, .defaults = &rf_pair_defaults,                   \
        .params_size = sizeof(rf_pair_params),                                             \
        .infer = (infer_), .link = rf_pair_link, .cost = (cost_), .evaluate = (evaluate_), \
    };

PAIR(Equal, infer_comparison, rf_cost_comparisons, evaluate_equal)
PAIR(Greater, infer_comparison, rf_cost_comparisons, evaluate_greater)
PAIR(GreaterOrEqual, infer_comparison, rf_cost_comparisons, evaluate_greater_or_equal)
PAIR(Less, infer_comparison, rf_cost_comparisons, evaluate_less)
PAIR(LessOrEqual, infer_comparison, rf_cost_comparisons, evaluate_less_or_equal)
PAIR(And, infer_logic, NULL, evaluate_and)
PAIR(Or, infer_logic, NULL, evaluate_or)
PAIR(Xor, infer_logic, NULL, evaluate_xor)

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

const rf_op rf_op_Where = {
    .type = "Where", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_where, .evaluate = evaluate_where,
};

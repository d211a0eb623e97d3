/* SPDX-License-Identifier: MIT */
/*
 * Reductions over axes, and the places of extremes.
 *
 * An output element made of n inputs counts
 *   ReduceSum          n - 1 additions
 *   ReduceMean         n - 1 additions, 1 division
 *   ReduceProd         n - 1 multiplications
 *   ReduceMax, -Min    n - 1 comparisons; ArgMax, ArgMin too
 *   ReduceL1           n - 1 additions (signs are bits)
 *   ReduceL2           n multiplications, n - 1 additions, 1 square root
 *   ReduceSumSquare    n multiplications, n - 1 additions
 *   ReduceLogSum       n - 1 additions, 1 exponential (the logarithm)
 *   ReduceLogSumExp    n - 1 additions, n + 1 exponentials
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"

/* What `infer` leaves: which axes go, and how many elements become one. */
typedef struct reduced_axes {
    uint32_t set; /* bit k: axis k of the input */
    bool keepdims;
    uint64_t count;
} reduced_axes;

static bool is_reduced(const reduced_axes *axes, int32_t axis)
{
    return axes->set >> axis & 1;
}

static rf_status set_reduction(rf_node *node, uint32_t reduced, bool keepdims, rf_dtype dtype)
{
    const rf_shape *in = &node->inputs[0]->shape;
    reduced_axes *made = RF_TAKE(node->arena, reduced_axes, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axes");
    *made = (reduced_axes){.set = reduced, .keepdims = keepdims, .count = 1};
    rf_shape out;
    out.rank = 0;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        bool gone = is_reduced(made, axis);
        if (gone && !rf_checked_mul(made->count, (uint64_t)in->dims[axis], &made->count))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "its input of shape %s is too large",
                                rf_shape_print(in).text);
        if (!gone || keepdims)
            out.dims[out.rank++] = gone ? 1 : in->dims[axis];
    }
    node->state = made;
    rf_set_output(node, 0, dtype, &out);
    return RF_OK;
}

static void link_reduction(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const reduced_axes *axes = node->state;
    (void)output;
    if (input != 0) {
        rf_link_nothing(&links[0]);
        return;
    }
    int32_t out_axis = 0;
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++) {
        bool gone = is_reduced(axes, axis);
        if (gone)
            rf_link_all(&links[axis]);
        else
            rf_link_same(&links[axis], out_axis);
        out_axis += !gone || axes->keepdims;
    }
}

/* ---- Reduce* ---------------------------------------------------------------------------- */

/* The axes are an attribute up to operator set 17 (ReduceSum: 12) and then input 1. */
typedef struct reduce_params {
    rf_ints axes;
    int64_t keepdims, noop_with_empty_axes;
} reduce_params;

static const reduce_params reduce_defaults = {.keepdims = 1};
static const rf_attribute_spec reduce_attributes[] = {
    {"axes", RF_ATTRIBUTE_INTS, offsetof(reduce_params, axes), false},
    {"keepdims", RF_ATTRIBUTE_INT, offsetof(reduce_params, keepdims), false},
    {"noop_with_empty_axes", RF_ATTRIBUTE_INT, offsetof(reduce_params, noop_with_empty_axes), false},
    {.name = NULL},
};

static rf_status infer_reduce(rf_node *node)
{
    const reduce_params *params = node->params;
    const rf_value *in = node->inputs[0];
    rf_ints axes;
    uint32_t reduced;
    RF_TRY(rf_check_list(node, 1, "axes"));
    RF_TRY(rf_node_ints(node, 1, &params->axes, "axes", &axes));
    RF_TRY(rf_check_axes(node, &axes, in->shape.rank, &reduced));
    if (axes.count == 0 && !params->noop_with_empty_axes)
        reduced = (UINT32_C(1) << in->shape.rank) - 1;
    return set_reduction(node, reduced, params->keepdims != 0, in->dtype);
}

/* Operations that join elements: those read, less one for each output. */
static uint64_t joins(const rf_node *node)
{
    uint64_t read = rf_elements(&node->inputs[0]->shape);
    return read ? read - rf_output_elements(node) : 0;
}

static bool cost_joining_additions(const rf_node *node, rf_cost *cost)
{
    cost->dense.additions = cost->valid.additions = joins(node);
    return true;
}

static bool cost_mean(const rf_node *node, rf_cost *cost)
{
    return cost_joining_additions(node, cost) && rf_cost_divisions(node, cost);
}

static bool cost_prod(const rf_node *node, rf_cost *cost)
{
    cost->dense.multiplications = cost->valid.multiplications = joins(node);
    return true;
}

static bool cost_extreme(const rf_node *node, rf_cost *cost)
{
    cost->dense.comparisons = cost->valid.comparisons = joins(node);
    return true;
}

static bool cost_sum_square(const rf_node *node, rf_cost *cost)
{
    uint64_t read = rf_elements(&node->inputs[0]->shape);
    cost->dense.multiplications = cost->valid.multiplications = read;
    return cost_joining_additions(node, cost);
}

static bool cost_l2(const rf_node *node, rf_cost *cost)
{
    return cost_sum_square(node, cost) && rf_cost_square_roots(node, cost);
}

static bool cost_log_sum(const rf_node *node, rf_cost *cost)
{
    return cost_joining_additions(node, cost) && rf_cost_exponentials(node, cost);
}

static bool cost_log_sum_exp(const rf_node *node, rf_cost *cost)
{
    uint64_t read = rf_elements(&node->inputs[0]->shape);
    if (!rf_checked_add(read, rf_output_elements(node), &cost->dense.exponentials))
        return false;
    cost->valid.exponentials = cost->dense.exponentials;
    return cost_joining_additions(node, cost);
}

/* How a reduction starts and joins. */
typedef struct join_rule {
    int64_t first_int;
    double first_float;
    int64_t (*ints)(int64_t, int64_t);
    double (*floats)(double, double);
    bool mean, needs_one;
} join_rule;

static double add_floats(double a, double b)
{
    return a + b;
}

static double mul_floats(double a, double b)
{
    return a * b;
}

static double min_floats(double a, double b)
{
    return a < b || a != a ? a : b;
}

static double max_floats(double a, double b)
{
    return a > b || a != a ? a : b;
}

/* The element of the input where each output element's inputs begin, and the walk over them. */
static void split_views(const rf_node *node, rf_view *outer, rf_shape *inner_shape, rf_view *inner)
{
    const reduced_axes *axes = node->state;
    const rf_shape *in = &node->inputs[0]->shape;
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(in, strides);
    *outer = *inner = (rf_view){.offset = 0};
    *inner_shape = (rf_shape){.rank = 0};
    int32_t out_axis = 0;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (is_reduced(axes, axis)) {
            inner->strides[inner_shape->rank] = strides[axis];
            inner_shape->dims[inner_shape->rank++] = in->dims[axis];
            out_axis += axes->keepdims;
        } else {
            outer->strides[out_axis++] = strides[axis];
        }
    }
}

static void join_one(const rf_value *in, const rf_value *out, uint64_t i, const rf_shape *inner_shape,
                     const rf_view *inner, uint64_t count, const join_rule *rule)
{
    int64_t whole = rule->first_int;
    double real = rule->first_float;
    rf_cursor at;
    rf_cursor_start(&at, inner_shape, inner);
    for (uint64_t k = 0; k < count; k++, rf_cursor_next(&at)) {
        if (rf_dtype_is_float(in->dtype))
            real = rule->floats(real, rf_value_float(in, (uint64_t)at.at));
        else
            whole = rule->ints(whole, rf_value_int(in, (uint64_t)at.at));
    }
    if (rf_dtype_is_float(in->dtype))
        rf_store_float(rf_fold_data(out), out->dtype, i, rule->mean ? real / (double)count : real);
    else
        rf_store_int(rf_fold_data(out), out->dtype, i, rule->mean ? whole / (int64_t)count : whole);
}

static rf_status join(const rf_node *node, const join_rule *rule)
{
    const reduced_axes *axes = node->state;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!out || !rf_fold_reads(in->dtype) || (rule->needs_one && axes->count == 0))
        return rf_fold_refuse(node);
    rf_view outer, inner;
    rf_shape inner_shape;
    split_views(node, &outer, &inner_shape, &inner);
    uint64_t outputs = rf_elements(&out->shape);
    rf_cursor at;
    rf_cursor_start(&at, &out->shape, &outer);
    for (uint64_t i = 0; i < outputs; i++, rf_cursor_next(&at)) {
        inner.offset = at.at;
        join_one(in, out, i, &inner_shape, &inner, axes->count, rule);
    }
    return RF_OK;
}

static rf_status evaluate_sum(rf_node *node)
{
    static const join_rule sum = {0, 0, rf_wrap_add, add_floats, false, false};
    return join(node, &sum);
}

static rf_status evaluate_mean(rf_node *node)
{
    static const join_rule mean = {0, 0, rf_wrap_add, add_floats, true, true};
    return join(node, &mean);
}

static rf_status evaluate_prod(rf_node *node)
{
    static const join_rule product = {1, 1, rf_wrap_mul, mul_floats, false, false};
    return join(node, &product);
}

static rf_status evaluate_min(rf_node *node)
{
    static const join_rule least = {INT64_MAX, INFINITY, rf_min, min_floats, false, true};
    return join(node, &least);
}

static rf_status evaluate_max(rf_node *node)
{
    static const join_rule most = {INT64_MIN, -INFINITY, rf_max, max_floats, false, true};
    return join(node, &most);
}

#define REDUCE(type_, cost_, evaluate_)                                                         \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_, .class = RF_CLASS_REDUCTION,                                            \
        .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,                   \
        .attributes = reduce_attributes, .defaults = &reduce_defaults,                          \
        .params_size = sizeof(reduce_params),                                                   \
        .infer = infer_reduce, .link = link_reduction, .cost = (cost_), .evaluate = (evaluate_), \
    };

REDUCE(ReduceSum, cost_joining_additions, evaluate_sum)
REDUCE(ReduceMean, cost_mean, evaluate_mean)
REDUCE(ReduceProd, cost_prod, evaluate_prod)
REDUCE(ReduceMin, cost_extreme, evaluate_min)
REDUCE(ReduceMax, cost_extreme, evaluate_max)
REDUCE(ReduceL1, cost_joining_additions, NULL)
REDUCE(ReduceL2, cost_l2, NULL)
REDUCE(ReduceSumSquare, cost_sum_square, NULL)
REDUCE(ReduceLogSum, cost_log_sum, NULL)
REDUCE(ReduceLogSumExp, cost_log_sum_exp, NULL)

/* ---- ArgMax, ArgMin --------------------------------------------------------------------- */

typedef struct place_params {
    int64_t axis, keepdims, select_last_index;
} place_params;

static const place_params place_defaults = {.keepdims = 1};
static const rf_attribute_spec place_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(place_params, axis), false},
    {"keepdims", RF_ATTRIBUTE_INT, offsetof(place_params, keepdims), false},
    {"select_last_index", RF_ATTRIBUTE_INT, offsetof(place_params, select_last_index), false},
    {.name = NULL},
};

static rf_status infer_place(rf_node *node)
{
    const place_params *params = node->params;
    int32_t axis;
    RF_TRY(rf_node_axis(node, "axis", params->axis, node->inputs[0]->shape.rank, &axis));
    return set_reduction(node, UINT32_C(1) << axis, params->keepdims != 0, RF_INT64);
}

#define PLACE(type_)                                                             \
    const rf_op rf_op_##type_ = {                                                \
        .type = #type_, .class = RF_CLASS_REDUCTION,                             \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,    \
        .attributes = place_attributes, .defaults = &place_defaults,             \
        .params_size = sizeof(place_params),                                     \
        .infer = infer_place, .link = link_reduction, .cost = cost_extreme,      \
    };

PLACE(ArgMax)
PLACE(ArgMin)

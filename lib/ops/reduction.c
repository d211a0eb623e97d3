/* SPDX-License-Identifier: MIT */
/*
 * Reductions over axes.
 *
 * An output element made of n inputs counts
 *   ReduceSum          n - 1 additions
 *   ReduceMean         n - 1 additions, 1 division
 *   ReduceProd         n - 1 multiplications
 *   ReduceMax, -Min    n - 1 comparisons
 *   ReduceL1           n - 1 additions (signs are bits)
 *   ReduceL2           n multiplications, n - 1 additions, 1 square root
 *   ReduceSumSquare    n multiplications, n - 1 additions
 *   ReduceLogSum       n - 1 additions, 1 exponential (the logarithm)
 *   ReduceLogSumExp    n - 1 additions, n + 1 exponentials
 */
#include "ops/reduction.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/gradient.h"
#include "ops/table.h"
#include "ops/task.h"

rf_status rf_reduction_infer(rf_node *node, uint32_t axes, bool keepdims, rf_dtype dtype)
{
    const rf_shape *in = &node->inputs[0]->shape;
    rf_reduction *made = RF_TAKE(node->arena, rf_reduction, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axes");
    *made = (rf_reduction){.set = axes, .keepdims = keepdims, .count = 1};
    rf_shape out;
    out.rank = 0;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        bool gone = rf_reduction_takes(made, axis);
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

void rf_reduction_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_reduction *axes = node->state;
    (void)output;
    if (input != 0) {
        rf_link_nothing(&links[0]);
        return;
    }
    int32_t out_axis = 0;
    for (int32_t axis = 0; axis < node->inputs[0]->shape.rank; axis++) {
        bool gone = rf_reduction_takes(axes, axis);
        if (gone)
            rf_link_all(&links[axis]);
        else
            rf_link_same(&links[axis], out_axis);
        out_axis += !gone || axes->keepdims;
    }
}

uint64_t rf_reduction_joins(const rf_node *node)
{
    uint64_t read = rf_elements(&node->inputs[0]->shape);
    return read ? read - rf_output_elements(node) : 0;
}

void rf_reduction_walk_make(const rf_node *node, rf_reduction_walk *walk)
{
    const rf_reduction *axes = node->state;
    const rf_shape *in = &node->inputs[0]->shape;
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(in, strides);
    *walk = (rf_reduction_walk){.inner_shape = {.rank = 0}};
    int32_t out_axis = 0;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (rf_reduction_takes(axes, axis)) {
            walk->inner.strides[walk->inner_shape.rank] = strides[axis];
            walk->inner_shape.dims[walk->inner_shape.rank++] = in->dims[axis];
            out_axis += axes->keepdims;
        } else {
            walk->outer.strides[out_axis++] = strides[axis];
        }
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
    return rf_reduction_infer(node, reduced, params->keepdims != 0, in->dtype);
}

static bool cost_joining_additions(const rf_node *node, rf_cost *cost)
{
    cost->dense.additions = cost->valid.additions = rf_reduction_joins(node);
    return true;
}

static bool cost_mean(const rf_node *node, rf_cost *cost)
{
    return cost_joining_additions(node, cost) && rf_cost_divisions(node, cost);
}

static bool cost_prod(const rf_node *node, rf_cost *cost)
{
    cost->dense.multiplications = cost->valid.multiplications = rf_reduction_joins(node);
    return true;
}

static bool cost_extreme(const rf_node *node, rf_cost *cost)
{
    cost->dense.comparisons = cost->valid.comparisons = rf_reduction_joins(node);
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

/* How fast kernels know it; none does where no axis goes. */
static bool lower_reduce(const rf_node *node, rf_task *task, rf_reduce_function function)
{
    const rf_reduction *axes = node->state;
    if (node->inputs[0]->dtype != RF_FLOAT32 || axes->set == 0 || axes->count == 0)
        return false;
    task->kind = RF_TASK_REDUCE;
    task->as.reduce.function = function;
    task->as.reduce.axes = axes->set;
    return true;
}

#define LOWER(name_, function_)                                  \
    static bool name_(const rf_node *node, rf_task *task)        \
    {                                                            \
        return lower_reduce(node, task, function_);              \
    }

LOWER(lower_sum, RF_REDUCE_SUM)
LOWER(lower_mean, RF_REDUCE_MEAN)
LOWER(lower_max, RF_REDUCE_MAX)
LOWER(lower_min, RF_REDUCE_MIN)
LOWER(lower_sum_square, RF_REDUCE_SUM_SQUARE)
LOWER(lower_l2, RF_REDUCE_L2)

/* A tensor of the output's elements, of the input's shape. */
static const char *spread(const rf_node *node, rf_gradient *to, const char *name)
{
    const rf_reduction *axes = node->state;
    rf_shape kept = node->inputs[0]->shape;
    for (int32_t axis = 0; axis < kept.rank; axis++)
        if (rf_reduction_takes(axes, axis))
            kept.dims[axis] = 1;
    if (!axes->keepdims)
        name = rf_gradient_reshape(to, name, &kept);
    return rf_gradient_expand(to, name, &node->inputs[0]->shape);
}

static rf_status gradient_sum(const rf_node *node, rf_gradient *to)
{
    rf_gradient_give(to, node, 0, spread(node, to, rf_gradient_of(to, node, 0)));
    return RF_OK;
}

static rf_status gradient_mean(const rf_node *node, rf_gradient *to)
{
    const rf_reduction *axes = node->state;
    const char *dy = rf_gradient_scale(to, rf_gradient_of(to, node, 0), 1.0 / (double)axes->count);
    rf_gradient_give(to, node, 0, spread(node, to, dy));
    return RF_OK;
}

static rf_status gradient_sum_square(const rf_node *node, rf_gradient *to)
{
    const char *twice = rf_gradient_scale(to, rf_gradient_of(to, node, 0), 2);
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", spread(node, to, twice), node->inputs[0]->name));
    return RF_OK;
}

/* x / y, from each. */
static rf_status gradient_l2(const rf_node *node, rf_gradient *to)
{
    const char *share = rf_gradient_two(to, "Div", rf_gradient_of(to, node, 0), node->outputs[0]->name);
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", spread(node, to, share), node->inputs[0]->name));
    return RF_OK;
}

static rf_status gradient_log_sum_exp(const rf_node *node, rf_gradient *to)
{
    const char *lower = rf_gradient_two(to, "Sub", node->inputs[0]->name, spread(node, to, node->outputs[0]->name));
    const char *dy = spread(node, to, rf_gradient_of(to, node, 0));
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", dy, rf_gradient_one(to, "Exp", lower)));
    return RF_OK;
}

/* Elements that hold the extreme share dy in equal parts. */
static rf_status gradient_extreme(const rf_node *node, rf_gradient *to)
{
    const rf_reduction *axes = node->state;
    const char *equal = rf_gradient_two(to, "Equal", node->inputs[0]->name, spread(node, to, node->outputs[0]->name));
    const char *mask = rf_gradient_layer(to, "Cast", RF_NAMES(equal), RF_ATTRIBUTES(RF_INT("to", RF_FLOAT32)));
    const char *holders = rf_gradient_sum(to, mask, axes->set, axes->keepdims);
    const char *share = rf_gradient_two(to, "Div", rf_gradient_of(to, node, 0), holders);
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", mask, spread(node, to, share)));
    return RF_OK;
}

#define REDUCE(type_, cost_, evaluate_, lower_, gradient_)                                      \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_, .class = RF_CLASS_REDUCTION,                                            \
        .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,                   \
        .attributes = reduce_attributes, .defaults = &reduce_defaults,                          \
        .params_size = sizeof(reduce_params),                                                   \
        .infer = infer_reduce, .link = rf_reduction_link, .cost = (cost_),                      \
        .evaluate = (evaluate_), .lower = (lower_), .gradient = (gradient_),                    \
    };

REDUCE(ReduceSum, cost_joining_additions, rf_reduce_sum, lower_sum, gradient_sum)
REDUCE(ReduceMean, cost_mean, rf_reduce_mean, lower_mean, gradient_mean)
REDUCE(ReduceProd, cost_prod, rf_reduce_prod, NULL, NULL)
REDUCE(ReduceMin, cost_extreme, rf_reduce_min, lower_min, gradient_extreme)
REDUCE(ReduceMax, cost_extreme, rf_reduce_max, lower_max, gradient_extreme)
REDUCE(ReduceL1, cost_joining_additions, rf_reduce_l1, NULL, NULL)
REDUCE(ReduceL2, cost_l2, rf_reduce_l2, lower_l2, gradient_l2)
REDUCE(ReduceSumSquare, cost_sum_square, rf_reduce_sum_square, lower_sum_square, gradient_sum_square)
REDUCE(ReduceLogSum, cost_log_sum, rf_reduce_log_sum, NULL, NULL)
REDUCE(ReduceLogSumExp, cost_log_sum_exp, rf_reduce_log_sum_exp, NULL, gradient_log_sum_exp)

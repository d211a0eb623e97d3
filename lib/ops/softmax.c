/* SPDX-License-Identifier: MIT */
/*
 * Softmax, its logarithm and its limit, counted as every implementation
 * computes them: a group of n elements takes n - 1 comparisons for its largest,
 * and then
 *   Softmax      n additions (subtracting that), n exponentials, n - 1 additions, n divisions
 *   LogSoftmax   the same without divisions, 1 exponential (the logarithm) and n additions
 *   Hardmax      nothing.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/doubles.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/lanes.h"
#include "ops/operands.h"
#include "ops/softmax.h"
#include "ops/task.h"

/* Before this operator set, the axes from `axis` on were flattened into one. */
enum { SINGLE_AXIS_SINCE = 13 };

/* The axis's default changed from 1 to -1. */
typedef struct softmax_params {
    int64_t axis;
} softmax_params;

static const softmax_params softmax_defaults = {RF_ABSENT};
static const rf_attribute_spec softmax_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(softmax_params, axis), false},
    {.name = NULL},
};

static int64_t axis_of(const rf_node *node)
{
    const softmax_params *params = node->params;
    if (params->axis != RF_ABSENT)
        return params->axis;
    return node->opset < SINGLE_AXIS_SINCE ? 1 : -1;
}

static rf_status infer_softmax(rf_node *node)
{
    int32_t ignored;
    int64_t rank = node->inputs[0]->shape.rank, axis = axis_of(node);
    /* A flattening may put all axes before the cut, too: a group is then one element. */
    if (node->opset >= SINGLE_AXIS_SINCE || axis != rank)
        RF_TRY(rf_node_axis(node, "axis", axis, rank, &ignored));
    return rf_infer_same(node);
}

/* Axes first .. end - 1 make up a group. */
static void group_axes(const rf_node *node, int32_t *first, int32_t *end)
{
    int32_t rank = node->inputs[0]->shape.rank;
    int64_t axis = axis_of(node);
    *first = (int32_t)(axis < 0 ? axis + rank : axis);
    *end = node->opset < SINGLE_AXIS_SINCE ? rank : *first + 1;
}

static rf_lanes groups_of(const rf_node *node)
{
    int32_t first, end;
    group_axes(node, &first, &end);
    return rf_lanes_make(&node->inputs[0]->shape, first, end);
}

static void link_softmax(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    int32_t first, end;
    (void)output;
    group_axes(node, &first, &end);
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (axis >= first && axis < end)
            rf_link_all(&links[axis]);
        else
            rf_link_same(&links[axis], axis);
    }
}

static bool cost_softmax(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), groups = groups_of(node).count;
    cost->dense.comparisons = elements - groups;
    cost->dense.exponentials = elements;
    cost->dense.divisions = elements;
    if (!rf_checked_add(elements, elements - groups, &cost->dense.additions))
        return false;
    cost->valid = cost->dense;
    return true;
}

static bool cost_log_softmax(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), groups = groups_of(node).count;
    cost->dense.comparisons = elements - groups;
    cost->dense.additions = elements - groups;
    if (!rf_add_product(&cost->dense.additions, 2, elements)
        || !rf_checked_add(elements, groups, &cost->dense.exponentials))
        return false;
    cost->valid = cost->dense;
    return true;
}

static bool cost_hardmax(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape);
    cost->dense.comparisons = cost->valid.comparisons = elements - groups_of(node).count;
    return true;
}

/* ---- The reference ---------------------------------------------------------------------- */

/* The place of the first largest element; that of the first NaN where there is one. */
static uint64_t largest_of(const double *x, uint64_t count, rf_counts *tally)
{
    uint64_t best = 0;
    for (uint64_t i = 1; i < count; i++) {
        tally->comparisons++;
        if (x[best] == x[best] && !(x[i] <= x[best]))
            best = i;
    }
    return best;
}

static void subtract(double *x, uint64_t count, double number, rf_counts *tally)
{
    for (uint64_t i = 0; i < count; i++)
        x[i] -= number;
    tally->additions += count;
}

/* Sum of exp(x); with `keep`, each x becomes its term. */
static double sum_exponentials(double *x, uint64_t count, bool keep, rf_counts *tally)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        double term = exp(x[i]);
        if (keep)
            x[i] = term;
        sum += term;
    }
    tally->exponentials += count;
    tally->additions += count - 1;
    return sum;
}

void rf_softmax_group(double *x, uint64_t count, rf_counts *tally)
{
    subtract(x, count, x[largest_of(x, count, tally)], tally);
    double sum = sum_exponentials(x, count, true, tally);
    for (uint64_t i = 0; i < count; i++)
        x[i] /= sum;
    tally->divisions += count;
}

void rf_softmax_logarithms(double *x, uint64_t count, rf_counts *tally)
{
    subtract(x, count, x[largest_of(x, count, tally)], tally);
    double logarithm = log(sum_exponentials(x, count, false, tally));
    tally->exponentials++;
    subtract(x, count, logarithm, tally);
}

static void harden(double *x, uint64_t count, rf_counts *tally)
{
    uint64_t best = largest_of(x, count, tally);
    for (uint64_t i = 0; i < count; i++)
        x[i] = i == best;
}

static rf_status each_group(rf_node *node, void (*change)(double *x, uint64_t count, rf_counts *tally))
{
    const rf_value *x = node->inputs[0], *y = rf_output(node, 0);
    if (!y || !rf_dtype_is_real(x->dtype))
        return rf_fold_refuse(node);
    rf_counts unwanted = {0};
    rf_lanes groups = groups_of(node);
    for (uint64_t k = 0; k < groups.count; k++) {
        rf_lane group = rf_lanes_at(&groups, k);
        rf_lane_read(x, group, node->scratch);
        change(node->scratch, group.count, node->tally ? node->tally : &unwanted);
        rf_lane_write(y, group, node->scratch);
    }
    return RF_OK;
}

static bool scratch_softmax(const rf_node *node, uint64_t *bytes)
{
    return rf_doubles_bytes(groups_of(node).length, 0, bytes);
}

static rf_status evaluate_softmax(rf_node *node)
{
    return each_group(node, rf_softmax_group);
}

static rf_status evaluate_log_softmax(rf_node *node)
{
    return each_group(node, rf_softmax_logarithms);
}

static rf_status evaluate_hardmax(rf_node *node)
{
    return each_group(node, harden);
}

/* ---- Rows ------------------------------------------------------------------------------- */

static bool lower_groups(const rf_node *node, rf_task *task, bool logarithm)
{
    int32_t first, end;
    group_axes(node, &first, &end);
    if (node->inputs[0]->dtype != RF_FLOAT32 || first >= end)
        return false;
    task->kind = RF_TASK_SOFTMAX;
    task->as.softmax.first = first;
    task->as.softmax.last = end - 1;
    task->as.softmax.logarithm = logarithm;
    return true;
}

static bool lower_softmax(const rf_node *node, rf_task *task)
{
    return lower_groups(node, task, false);
}

static bool lower_log_softmax(const rf_node *node, rf_task *task)
{
    return lower_groups(node, task, true);
}

static uint32_t group_set(const rf_node *node)
{
    int32_t first, end;
    uint32_t set = 0;
    group_axes(node, &first, &end);
    for (int32_t axis = first; axis < end; axis++)
        set |= UINT32_C(1) << axis;
    return set;
}

/* y (dy - sum(y dy)) over each group. */
static rf_status gradient_softmax(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0), *y = node->outputs[0]->name;
    const char *sum = rf_gradient_sum(to, rf_gradient_two(to, "Mul", y, dy), group_set(node), true);
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", y, rf_gradient_two(to, "Sub", dy, sum)));
    return RF_OK;
}

/* dy - exp(y) sum(dy) over each group. */
static rf_status gradient_log_softmax(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0), *y = node->outputs[0]->name;
    const char *sum = rf_gradient_sum(to, dy, group_set(node), true);
    const char *share = rf_gradient_two(to, "Mul", rf_gradient_one(to, "Exp", y), sum);
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Sub", dy, share));
    return RF_OK;
}

#define SOFTMAX(type_, cost_, evaluate_, lower_, gradient_)                      \
    const rf_op rf_op_##type_ = {                                                \
        .type = #type_, .class = RF_CLASS_SOFTMAX,                               \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,    \
        .attributes = softmax_attributes, .defaults = &softmax_defaults,         \
        .params_size = sizeof(softmax_params),                                   \
        .infer = infer_softmax, .link = link_softmax, .cost = (cost_),           \
        .evaluate = (evaluate_), .scratch = scratch_softmax, .lower = (lower_),  \
        .gradient = (gradient_),                                                 \
    };

SOFTMAX(Softmax, cost_softmax, evaluate_softmax, lower_softmax, gradient_softmax)
SOFTMAX(LogSoftmax, cost_log_softmax, evaluate_log_softmax, lower_log_softmax, gradient_log_softmax)
SOFTMAX(Hardmax, cost_hardmax, evaluate_hardmax, NULL, NULL)

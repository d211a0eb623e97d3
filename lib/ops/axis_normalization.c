/* SPDX-License-Identifier: MIT */
/*
 * Normalisation over axes that the layer names, without weights: by mean and
 * variance, and by an Lp norm.
 *
 * Lp normalisation takes m - 1 additions and m divisions for a group of m, with
 * p = 2 also m multiplications and a square root.
 */
#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/normalization.h"
#include "ops/table.h"

static bool scratch_axes(const rf_node *node, uint64_t *bytes)
{
    const rf_norm_state *state = node->state;
    return rf_norm_scratch(&node->inputs[0]->shape, state->axes, bytes);
}

static rf_status change_axes(const rf_node *node, rf_norm_change change)
{
    const rf_norm_state *state = node->state;
    rf_norm_each_group(node, &node->inputs[0]->shape, state->axes, change);
    return RF_OK;
}

/* ---- MeanVarianceNormalization ---------------------------------------------------------- */

typedef struct mean_variance_params {
    rf_ints axes;
} mean_variance_params;

static const rf_attribute_spec mean_variance_attributes[] = {
    {"axes", RF_ATTRIBUTE_INTS, offsetof(mean_variance_params, axes), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const int64_t mean_variance_axes[] = {0, 2, 3};
static const mean_variance_params mean_variance_defaults = {.axes = {3, mean_variance_axes}};

static rf_status infer_mean_variance(rf_node *node)
{
    const mean_variance_params *params = node->params;
    rf_value *x;
    rf_norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_norm_take_state(node, &state));
    for (size_t i = 0; i < params->axes.count; i++) {
        RF_TRY(rf_node_axis(node, "an axis", params->axes.at[i], x->shape.rank, &state->axis));
        if (state->axes >> state->axis & 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is named twice", (int)state->axis);
        state->axes |= 1U << state->axis;
    }
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_state_axes(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const rf_norm_state *state = node->state;
    rf_norm_link_axes(node, input, state->axes, links);
}

static bool cost_mean_variance(const rf_node *node, rf_cost *cost)
{
    const rf_norm_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    return rf_norm_cost(rf_elements(x), rf_norm_outside(x, state->axes), false, false, cost);
}

static void change_mean_variance(const rf_node *node, uint64_t group, double *x, uint64_t count)
{
    static const double epsilon = 1e-9;
    (void)group;
    rf_norm_standardize(x, count, epsilon, RF_EPSILON_TO_ROOT, node->tally);
}

static rf_status evaluate_mean_variance(rf_node *node)
{
    return change_axes(node, change_mean_variance);
}

/* ---- LpNormalization -------------------------------------------------------------------- */

typedef struct lp_params {
    int64_t axis, p;
} lp_params;

static const lp_params lp_defaults = {.axis = -1, .p = 2};

static const rf_attribute_spec lp_attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(lp_params, axis), false},
    {"p", RF_ATTRIBUTE_INT, offsetof(lp_params, p), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status infer_lp(rf_node *node)
{
    const lp_params *params = node->params;
    rf_value *x;
    rf_norm_state *state;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_norm_take_state(node, &state));
    RF_TRY(rf_node_axis(node, "axis", params->axis, x->shape.rank, &state->axis));
    state->axes = 1U << state->axis;
    if (params->p != 1 && params->p != 2)
        return rf_node_fail(node, RF_ERROR_FORMAT, "p is %lld, but must be 1 or 2", (long long)params->p);
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static bool cost_lp(const rf_node *node, rf_cost *cost)
{
    const rf_norm_state *state = node->state;
    const lp_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x), groups = rf_norm_outside(x, state->axes);
    cost->dense.additions = elements - groups;
    cost->dense.divisions = elements;
    cost->dense.multiplications = params->p == 2 ? elements : 0;
    cost->dense.square_roots = params->p == 2 ? groups : 0;
    cost->valid = cost->dense;
    return true;
}

static double norm_of(const double *x, uint64_t count, bool squared, rf_counts *tally)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += squared ? x[i] * x[i] : fabs(x[i]);
    if (tally) {
        tally->additions += count - 1;
        tally->multiplications += squared ? count : 0;
        tally->square_roots += squared;
    }
    return squared ? sqrt(sum) : sum;
}

/* Where all elements are 0, they stay so. */
static void change_lp(const rf_node *node, uint64_t group, double *x, uint64_t count)
{
    const lp_params *params = node->params;
    (void)group;
    double norm = norm_of(x, count, params->p == 2, node->tally);
    for (uint64_t i = 0; i < count; i++)
        x[i] /= norm == 0 ? 1 : norm;
    if (node->tally)
        node->tally->divisions += count;
}

static rf_status evaluate_lp(rf_node *node)
{
    return change_axes(node, change_lp);
}

/* ---- Rows ------------------------------------------------------------------------------- */

#define AXES_ROW(type_, name_)                       \
    const rf_op rf_op_##type_ = {                    \
        .type = #type_,                              \
        .class = RF_CLASS_NORM,                      \
        .min_inputs = 1,                             \
        .max_inputs = 1,                             \
        .min_outputs = 1,                            \
        .max_outputs = 1,                            \
        .attributes = name_##_attributes,            \
        .defaults = &name_##_defaults,               \
        .params_size = sizeof(name_##_params),       \
        .infer = infer_##name_,                      \
        .link = link_state_axes,                     \
        .cost = cost_##name_,                        \
        .evaluate = evaluate_##name_,                \
        .scratch = scratch_axes,                     \
    }

AXES_ROW(MeanVarianceNormalization, mean_variance);
AXES_ROW(LpNormalization, lp);

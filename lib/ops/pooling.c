/* SPDX-License-Identifier: MIT */
/*
 * Pooling over windows and over whole planes.
 *
 * Counting, for a window of n taps: max takes n - 1 comparisons; average
 * n - 1 additions and a division; Lp with p = 1 n - 1 additions, with p = 2
 * also n multiplications (the squares) and a square root, with another p
 * n + 1 powers instead. Dense counts every tap, valid those on the input, and
 * nothing for a window that lies on padding alone.
 */
#include "ops/pooling.h"

#include "ops/gradient.h"
#include "ops/operands.h"
#include "ops/table.h"
#include "ops/task.h"

static const rf_pool_params pool_defaults = {.p = 2};

#define POOL_ATTRIBUTES                        \
    RF_WINDOW_ATTRIBUTES(rf_pool_params, window), \
    {"ceil_mode", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, ceil_mode), false}

static const rf_attribute_spec max_attributes[] = {
    POOL_ATTRIBUTES,
    {"storage_order", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, storage_order), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec average_attributes[] = {
    POOL_ATTRIBUTES,
    {"count_include_pad", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, count_include_pad), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec lp_attributes[] = {
    POOL_ATTRIBUTES,
    {"p", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, p), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec global_lp_attributes[] = {
    {"p", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, p), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status take_state(rf_node *node, rf_pool **state)
{
    node->state = *state = RF_TAKE(node->arena, rf_pool, 1);
    return *state ? RF_OK : rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its windows");
}

static rf_status infer_windows(rf_node *node, const rf_value *x)
{
    const rf_pool_params *params = node->params;
    rf_pool *state = NULL;
    RF_TRY(take_state(node, &state));
    RF_TRY(rf_windows_make(node, &params->window, &x->shape, NULL, params->ceil_mode != 0, state->windows,
                           &state->axes));
    rf_shape output = {.rank = x->shape.rank, .dims = {x->shape.dims[0], x->shape.dims[1]}};
    for (int32_t i = 0; i < state->axes; i++)
        output.dims[2 + i] = state->windows[i].output;
    if (!rf_checked_mul((uint64_t)output.dims[0], (uint64_t)output.dims[1], &state->planes))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "%lld times %lld channels are too many",
                            (long long)output.dims[0], (long long)output.dims[1]);
    rf_set_output(node, 0, x->dtype, &output);
    rf_set_output(node, 1, RF_INT64, &output);
    return RF_OK;
}

static rf_status infer_max(rf_node *node)
{
    const rf_pool_params *params = node->params;
    const rf_value *x = node->inputs[0];
    if (!rf_dtype_is_real(x->dtype) && x->dtype != RF_INT8 && x->dtype != RF_UINT8)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input must hold floats or 8-bit integers, not %s",
                            rf_dtype_name(x->dtype));
    if (params->storage_order != 0 && params->storage_order != 1)
        return rf_node_fail(node, RF_ERROR_FORMAT, "storage_order is %lld, but must be 0 or 1",
                            (long long)params->storage_order);
    return infer_windows(node, x);
}

static rf_status infer_average(rf_node *node)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    return infer_windows(node, x);
}

static rf_status check_p(const rf_node *node)
{
    const rf_pool_params *params = node->params;
    if (params->p >= 1)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_FORMAT, "p is %lld, but must be at least 1", (long long)params->p);
}

static rf_status infer_lp(rf_node *node)
{
    RF_TRY(check_p(node));
    return infer_average(node);
}

static rf_status infer_global(rf_node *node)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    if (x->shape.rank < 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,spatial...] is needed",
                            rf_shape_print(&x->shape).text);
    rf_pool *state = NULL;
    RF_TRY(take_state(node, &state));
    rf_shape output = x->shape, plane = x->shape;
    for (int32_t i = 2; i < output.rank; i++) {
        plane.dims[i - 2] = output.dims[i];
        output.dims[i] = 1;
    }
    plane.rank -= 2;
    uint64_t elements;
    RF_TRY(rf_node_elements(node, &plane, &elements));
    state->axes = 1;
    state->planes = (uint64_t)output.dims[0] * (uint64_t)output.dims[1];
    state->windows[0] = (rf_window){.input = (int64_t)elements, .output = 1, .kernel = (int64_t)elements,
                                    .stride = 1, .dilation = 1};
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

static rf_status infer_global_lp(rf_node *node)
{
    RF_TRY(check_p(node));
    return infer_global(node);
}

/* ---- Links ------------------------------------------------------------------------------ */

static void link_windows(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    (void)input;
    const rf_pool *state = node->state;
    rf_link_same(&links[0], 0);
    rf_link_same(&links[1], 1);
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        rf_link_window(&links[2 + i], 2 + i, window->kernel, window->stride, window->dilation,
                       window->pad_begin);
    }
}

static void link_planes(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    rf_link_same(&links[0], 0);
    rf_link_same(&links[1], 1);
    for (int32_t i = 2; i < node->inputs[input]->shape.rank; i++)
        rf_link_all(&links[i]);
}

/* ---- Costs ------------------------------------------------------------------------------ */

/* Elements read by all windows together, and windows that read any. */
typedef struct tap_count {
    uint64_t taps, windows;
} tap_count;

static void count_max(const tap_count *reads, int64_t p, rf_counts *counts)
{
    (void)p;
    counts->comparisons = reads->taps - reads->windows;
}

static void count_average(const tap_count *reads, int64_t p, rf_counts *counts)
{
    (void)p;
    counts->additions = reads->taps - reads->windows;
    counts->divisions = reads->windows;
}

static void count_lp(const tap_count *reads, int64_t p, rf_counts *counts)
{
    counts->additions = reads->taps - reads->windows;
    if (p == 2) {
        counts->multiplications = reads->taps;
        counts->square_roots = reads->windows;
    } else if (p != 1) {
        counts->exponentials = reads->taps + reads->windows;
    }
}

typedef void count_function(const tap_count *reads, int64_t p, rf_counts *counts);

static bool times(tap_count *reads, uint64_t taps, uint64_t windows)
{
    return rf_checked_mul(reads->taps, taps, &reads->taps) && rf_checked_mul(reads->windows, windows, &reads->windows);
}

static bool cost_windows(const rf_node *node, rf_cost *cost, count_function *count)
{
    const rf_pool_params *params = node->params;
    const rf_pool *state = node->state;
    tap_count dense = {state->planes, state->planes}, valid = dense;
    cost->window_taps = 1;
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        uint64_t all, taps, outputs = (uint64_t)window->output, kernel = (uint64_t)window->kernel;
        if (!rf_checked_mul(cost->window_taps, kernel, &cost->window_taps) || !rf_checked_mul(outputs, kernel, &all)
            || !times(&dense, all, outputs) || !rf_window_valid_taps(window, &taps)
            || !times(&valid, taps, rf_window_live_outputs(window)))
            return false;
    }
    uint64_t sum;
    if (!rf_checked_add(dense.taps, dense.windows, &sum))
        return false;
    count(&dense, params->p, &cost->dense);
    count(&valid, params->p, &cost->valid);
    return true;
}

static bool cost_planes(const rf_node *node, rf_cost *cost, count_function *count)
{
    const rf_pool_params *params = node->params;
    const rf_shape *input = &node->inputs[0]->shape;
    tap_count all = {rf_elements(input), rf_elements(&node->outputs[0]->shape)};
    if (all.taps == 0)
        return true;
    cost->window_taps = all.taps / all.windows;
    count(&all, params->p, &cost->dense);
    cost->valid = cost->dense;
    return true;
}

static bool cost_max(const rf_node *node, rf_cost *cost)
{
    return cost_windows(node, cost, count_max);
}

static bool cost_average(const rf_node *node, rf_cost *cost)
{
    return cost_windows(node, cost, count_average);
}

static bool cost_lp(const rf_node *node, rf_cost *cost)
{
    return cost_windows(node, cost, count_lp);
}

static bool cost_global_max(const rf_node *node, rf_cost *cost)
{
    return cost_planes(node, cost, count_max);
}

static bool cost_global_average(const rf_node *node, rf_cost *cost)
{
    return cost_planes(node, cost, count_average);
}

static bool cost_global_lp(const rf_node *node, rf_cost *cost)
{
    return cost_planes(node, cost, count_lp);
}

/* ---- Tasks ------------------------------------------------------------------------------ */

static bool is_pooled(rf_dtype dtype, bool average)
{
    return dtype == RF_FLOAT32 || (!average && (dtype == RF_INT8 || dtype == RF_UINT8));
}

void rf_pool_task(const rf_node *node, rf_task_kind kind, bool average, rf_task *task)
{
    const rf_pool_params *params = node->params;
    const rf_pool *state = node->state;
    task->kind = kind;
    memcpy(task->as.pool.windows, state->windows, sizeof state->windows);
    task->as.pool.axes = state->axes;
    task->as.pool.average = average;
    task->as.pool.count_include_pad = params->count_include_pad != 0;
}

static bool lower_windows(const rf_node *node, bool average, rf_task *task)
{
    if (!is_pooled(node->inputs[0]->dtype, average) || !rf_output(node, 0) || rf_output(node, 1))
        return false;
    rf_pool_task(node, RF_TASK_POOL, average, task);
    return true;
}

static bool lower_max(const rf_node *node, rf_task *task)
{
    return lower_windows(node, false, task);
}

static bool lower_average(const rf_node *node, rf_task *task)
{
    return lower_windows(node, true, task);
}

/* What a mean or a maximum over nothing is, the reference says. */
static bool lower_planes(const rf_node *node, rf_reduce_function function, rf_task *task)
{
    const rf_value *x = node->inputs[0];
    if (x->dtype != RF_FLOAT32 || x->shape.rank < 3 || rf_elements(&x->shape) == 0)
        return false;
    task->kind = RF_TASK_REDUCE;
    task->as.reduce.function = function;
    task->as.reduce.axes = 0;
    for (int32_t axis = 2; axis < x->shape.rank; axis++)
        task->as.reduce.axes |= UINT32_C(1) << axis;
    return true;
}

static bool lower_global_max(const rf_node *node, rf_task *task)
{
    return lower_planes(node, RF_REDUCE_MAX, task);
}

static bool lower_global_average(const rf_node *node, rf_task *task)
{
    return lower_planes(node, RF_REDUCE_MEAN, task);
}

/* ---- Gradients -------------------------------------------------------------------------- */

static void list_windows(const rf_node *node, rf_window_lists *lists)
{
    const rf_pool_params *params = node->params;
    const rf_pool *state = node->state;
    rf_gradient_list_windows(state->windows, state->axes, lists);
    rf_gradient_list_int(lists, "ceil_mode", params->ceil_mode);
}

static rf_status gradient_max(const rf_node *node, rf_gradient *to)
{
    rf_window_lists lists;
    list_windows(node, &lists);
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, "MaxPoolGradient", RF_NAMES(rf_gradient_of(to, node, 0),
                                                    node->inputs[0]->name), lists.attributes));
    return RF_OK;
}

static rf_status gradient_average(const rf_node *node, rf_gradient *to)
{
    const rf_pool_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    rf_window_lists lists;
    list_windows(node, &lists);
    rf_gradient_list_int(&lists, "count_include_pad", params->count_include_pad);
    rf_gradient_list_ints(&lists, "input_shape", x->dims, x->rank);
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, "AveragePoolGradient", RF_NAMES(rf_gradient_of(to, node, 0)),
                                                    lists.attributes));
    return RF_OK;
}

/* The largest of each plane gets all. */
static rf_status gradient_global_max(const rf_node *node, rf_gradient *to)
{
    const rf_shape *x = &node->inputs[0]->shape;
    if (x->rank > 2 + RF_MAX_SPATIAL)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient for %d spatial axes at most", RF_MAX_SPATIAL);
    if (x->rank == 2)
        return rf_gradient_same(node, to);
    rf_window_lists lists = {.count = 0};
    rf_gradient_list_ints(&lists, "kernel_shape", x->dims + 2, x->rank - 2);
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, "MaxPoolGradient", RF_NAMES(rf_gradient_of(to, node, 0),
                                                    node->inputs[0]->name), lists.attributes));
    return RF_OK;
}

static rf_status gradient_global_average(const rf_node *node, rf_gradient *to)
{
    const rf_shape *x = &node->inputs[0]->shape;
    double share = 1;
    for (int32_t axis = 2; axis < x->rank; axis++)
        share /= (double)x->dims[axis];
    const char *dy = rf_gradient_scale(to, rf_gradient_of(to, node, 0), share);
    rf_gradient_give(to, node, 0, rf_gradient_expand(to, dy, x));
    return RF_OK;
}

#define POOL_ROW(type_, class_, outputs_, attributes_, infer_, link_, cost_, evaluate_, lower_, gradient_) \
    const rf_op rf_op_##type_ = {                                                               \
        .type = #type_,                                                                         \
        .class = class_,                                                                        \
        .min_inputs = 1,                                                                        \
        .max_inputs = 1,                                                                        \
        .min_outputs = 1,                                                                       \
        .max_outputs = outputs_,                                                                \
        .attributes = attributes_,                                                              \
        .defaults = &pool_defaults,                                                             \
        .params_size = sizeof(rf_pool_params),                                                  \
        .infer = infer_,                                                                        \
        .link = link_,                                                                          \
        .cost = cost_,                                                                          \
        .evaluate = evaluate_,                                                                  \
        .scratch = rf_pool_scratch,                                                             \
        .lower = lower_,                                                                        \
        .gradient = gradient_,                                                                  \
    }

POOL_ROW(MaxPool, RF_CLASS_MAX_POOL, 2, max_attributes, infer_max, link_windows, cost_max, rf_pool_max,
         lower_max, gradient_max);
POOL_ROW(AveragePool, RF_CLASS_AVERAGE_POOL, 1, average_attributes, infer_average, link_windows,
         cost_average, rf_pool_average, lower_average, gradient_average);
POOL_ROW(LpPool, RF_CLASS_AVERAGE_POOL, 1, lp_attributes, infer_lp, link_windows, cost_lp, rf_pool_lp, NULL,
         NULL);
POOL_ROW(GlobalMaxPool, RF_CLASS_MAX_POOL, 1, NULL, infer_global, link_planes, cost_global_max, rf_pool_max,
         lower_global_max, gradient_global_max);
POOL_ROW(GlobalAveragePool, RF_CLASS_AVERAGE_POOL, 1, NULL, infer_global, link_planes,
         cost_global_average, rf_pool_average, lower_global_average, gradient_global_average);
POOL_ROW(GlobalLpPool, RF_CLASS_AVERAGE_POOL, 1, global_lp_attributes, infer_global_lp, link_planes,
         cost_global_lp, rf_pool_lp, NULL, NULL);

/* SPDX-License-Identifier: MIT */
/*
 * MaxPoolGradient and AveragePoolGradient: dL/dx of a pool from dL/dy of its
 * output, for which ONNX has no operators. Attributes are the pool's.
 *
 * A maximum hands a window's gradient to the window's first largest element in
 * row-major order, a NaN being the largest; a mean hands each element its share.
 * What windows that overlap hand to an element is added up. A window that lies
 * on padding alone hands nothing on.
 *
 * Counting, for a window of n taps: max takes n - 1 comparisons and an addition,
 * average n additions and a division. Dense counts every tap, valid those on the
 * input, and nothing for a window on padding alone.
 */
#include "ops/pooling.h"

#include "ops/checks.h"
#include "ops/operands.h"
#include "ops/table.h"
#include "ops/task.h"

static const rf_pool_params pool_defaults = {.p = 2};

#define POOL_ATTRIBUTES                           \
    RF_WINDOW_ATTRIBUTES(rf_pool_params, window), \
    {"ceil_mode", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, ceil_mode), false}

static const rf_attribute_spec max_attributes[] = {
    POOL_ATTRIBUTES,
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec average_attributes[] = {
    POOL_ATTRIBUTES,
    {"count_include_pad", RF_ATTRIBUTE_INT, offsetof(rf_pool_params, count_include_pad), false},
    {"input_shape", RF_ATTRIBUTE_INTS, offsetof(rf_pool_params, input_shape), true},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* ---- Shapes ----------------------------------------------------------------------------- */

/* Whether a pool of x puts out what dL/dy says; makes the windows. */
static rf_status infer_windows(rf_node *node, const rf_shape *x)
{
    const rf_pool_params *params = node->params;
    const rf_value *dy = node->inputs[0];
    rf_pool *state = RF_TAKE(node->arena, rf_pool, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its windows");
    node->state = state;
    RF_TRY(rf_windows_make(node, &params->window, x, NULL, params->ceil_mode != 0, state->windows, &state->axes));
    rf_shape output = {.rank = x->rank, .dims = {x->dims[0], x->dims[1]}};
    for (int32_t i = 0; i < state->axes; i++)
        output.dims[2 + i] = state->windows[i].output;
    if (!rf_shape_equal(&dy->shape, &output))
        return rf_node_fail(node, RF_ERROR_SHAPE, "the gradient has shape %s, but the pool of %s puts out %s",
                            rf_shape_print(&dy->shape).text, rf_shape_print(x).text, rf_shape_print(&output).text);
    if (!rf_checked_mul((uint64_t)output.dims[0], (uint64_t)output.dims[1], &state->planes))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "%lld times %lld channels are too many",
                            (long long)output.dims[0], (long long)output.dims[1]);
    rf_set_output(node, 0, dy->dtype, x);
    return RF_OK;
}

static rf_status infer_max(rf_node *node)
{
    rf_value *dy, *x;
    RF_TRY(rf_node_require_real(node, 0, "the gradient", &dy));
    RF_TRY(rf_node_require(node, 1, "the pool's input", &x));
    RF_TRY(rf_node_agree(node, 1, "the pool's input", dy->dtype));
    return infer_windows(node, &x->shape);
}

static rf_status infer_average(rf_node *node)
{
    const rf_pool_params *params = node->params;
    rf_shape x;
    rf_value *dy;
    RF_TRY(rf_node_require_real(node, 0, "the gradient", &dy));
    RF_TRY(rf_check_extents(node, &params->input_shape, "input_shape", &x));
    return infer_windows(node, &x);
}

/* ---- Links ------------------------------------------------------------------------------ */

/* An element gets from the windows that hold it; which of them do so follows from all that they hold. */
static void link_windows(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const rf_pool *state = node->state;
    rf_link_same(&links[0], 0);
    rf_link_same(&links[1], 1);
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        rf_link *link = &links[2 + i];
        rf_link_window(link, 2 + i, window->kernel, window->stride, window->dilation, window->pad_begin);
        if (input == 0)
            link->kind = RF_LINK_TRANSPOSED;
        else
            rf_link_window(link, 2 + i, 2 * window->kernel - 1, 1, window->dilation,
                           window->dilation * (window->kernel - 1));
    }
}

/* ---- Costs ------------------------------------------------------------------------------ */

/* Elements that all windows together read, and windows that read any. */
typedef struct reads {
    uint64_t taps, windows;
} reads;

static bool count_reads(const rf_pool *state, reads *dense, reads *valid, uint64_t *kernel)
{
    *dense = *valid = (reads){state->planes, state->planes};
    *kernel = 1;
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        uint64_t all, taps;
        if (!rf_checked_mul(*kernel, (uint64_t)window->kernel, kernel)
            || !rf_checked_mul((uint64_t)window->output, (uint64_t)window->kernel, &all)
            || !rf_window_valid_taps(window, &taps) || !rf_checked_mul(dense->taps, all, &dense->taps)
            || !rf_checked_mul(dense->windows, (uint64_t)window->output, &dense->windows)
            || !rf_checked_mul(valid->taps, taps, &valid->taps)
            || !rf_checked_mul(valid->windows, rf_window_live_outputs(window), &valid->windows))
            return false;
    }
    return true;
}

static bool cost_max(const rf_node *node, rf_cost *cost)
{
    reads dense, valid;
    if (!count_reads(node->state, &dense, &valid, &cost->window_taps))
        return false;
    cost->dense.comparisons = dense.taps - dense.windows;
    cost->dense.additions = dense.windows;
    cost->valid.comparisons = valid.taps - valid.windows;
    cost->valid.additions = valid.windows;
    return true;
}

static bool cost_average(const rf_node *node, rf_cost *cost)
{
    reads dense, valid;
    if (!count_reads(node->state, &dense, &valid, &cost->window_taps))
        return false;
    cost->dense.additions = dense.taps;
    cost->dense.divisions = dense.windows;
    cost->valid.additions = valid.taps;
    cost->valid.divisions = valid.windows;
    return true;
}

/* ---- Tasks ------------------------------------------------------------------------------ */

static bool lower_windows(const rf_node *node, bool average, rf_task *task)
{
    if (node->inputs[0]->dtype != RF_FLOAT32 || !rf_output(node, 0))
        return false;
    rf_pool_task(node, RF_TASK_POOL_GRADIENT, average, task);
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

#define GRADIENT_ROW(type_, class_, inputs_, attributes_, infer_, cost_, evaluate_, lower_) \
    const rf_op rf_op_##type_ = {                                                           \
        .type = #type_,                                                                     \
        .class = class_,                                                                    \
        .own = true,                                                                        \
        .min_inputs = inputs_,                                                              \
        .max_inputs = inputs_,                                                              \
        .min_outputs = 1,                                                                   \
        .max_outputs = 1,                                                                   \
        .attributes = attributes_,                                                          \
        .defaults = &pool_defaults,                                                         \
        .params_size = sizeof(rf_pool_params),                                              \
        .infer = infer_,                                                                    \
        .link = link_windows,                                                               \
        .cost = cost_,                                                                      \
        .evaluate = evaluate_,                                                              \
        .scratch = rf_pool_gradient_scratch,                                                \
        .lower = lower_,                                                                    \
    }

GRADIENT_ROW(MaxPoolGradient, RF_CLASS_MAX_POOL, 2, max_attributes, infer_max, cost_max, rf_pool_max_gradient,
             lower_max);
GRADIENT_ROW(AveragePoolGradient, RF_CLASS_AVERAGE_POOL, 1, average_attributes, infer_average, cost_average,
             rf_pool_average_gradient, lower_average);

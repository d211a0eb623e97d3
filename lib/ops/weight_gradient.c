/* SPDX-License-Identifier: MIT */
/*
 * ConvWeightGradient: dL/dW of a convolution from its input x and dL/dy of its
 * output, for which ONNX has no operator.
 *
 *     dW[o, c, t] = SUM over images n and positions p of dy[n, o, p] x[n, c, p stride + t dilation - pad]
 *
 * without the terms that fall on padding. A transposed convolution has the same
 * gradient with the two inputs exchanged: dL/dy is what it slides over. Then the
 * first input may go on where no window reads it, so the second may have fewer
 * positions than there are windows.
 *
 * Counting: a multiplication for each term, one addition fewer for an element;
 * dense counts terms on padding too, valid leaves them out.
 */
#include "ops/convolution.h"

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/table.h"
#include "ops/task.h"

static const rf_attribute_spec gradient_attributes[] = {
    RF_CONVOLUTION_ATTRIBUTES,
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* What `infer` leaves. */
typedef struct gradient {
    rf_window windows[RF_MAX_SPATIAL]; /* from x to dy */
    int32_t axes;
    int64_t batch, in_channels, out_channels, group;
} gradient;

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_images(const rf_node *node, const rf_shape *x, const rf_shape *dy)
{
    if (x->rank >= 3 && x->rank == dy->rank && x->dims[0] == dy->dims[0])
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE,
                        "its input has shape %s and the gradient %s, but [N,C,spatial...] with the same N is needed",
                        rf_shape_print(x).text, rf_shape_print(dy).text);
}

static rf_status check_groups(const rf_node *node, const gradient *state)
{
    int64_t group = state->group;
    if (group >= 1 && state->in_channels % group == 0 && state->out_channels % group == 0)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%lld and %lld channels cannot be split into %lld groups",
                        (long long)state->in_channels, (long long)state->out_channels, (long long)group);
}

static rf_status fit_positions(const rf_node *node, const rf_shape *dy, gradient *state)
{
    for (int32_t i = 0; i < state->axes; i++) {
        rf_window *window = &state->windows[i];
        int64_t positions = dy->dims[2 + i];
        if (positions > window->output || (positions < 1 && window->output))
            return rf_node_fail(node, RF_ERROR_SHAPE,
                                "axis %d of the gradient is %lld long, but its windows have 1 to %lld positions",
                                (int)i + 2, (long long)positions, (long long)window->output);
        window->output = positions;
    }
    return RF_OK;
}

static rf_status infer(rf_node *node)
{
    const rf_convolution_params *params = node->params;
    rf_value *x, *dy;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_node_require(node, 1, "the gradient", &dy));
    RF_TRY(rf_node_agree(node, 1, "the gradient", x->dtype));
    RF_TRY(check_images(node, &x->shape, &dy->shape));
    gradient *state = RF_TAKE(node->arena, gradient, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its windows");
    node->state = state;
    *state = (gradient){.batch = x->shape.dims[0], .in_channels = x->shape.dims[1],
                        .out_channels = dy->shape.dims[1], .group = params->group};
    RF_TRY(check_groups(node, state));
    RF_TRY(rf_windows_make(node, &params->window, &x->shape, NULL, false, state->windows, &state->axes));
    RF_TRY(fit_positions(node, &dy->shape, state));
    rf_shape weight = {.rank = x->shape.rank, .dims = {state->out_channels, state->in_channels / state->group}};
    for (int32_t i = 0; i < state->axes; i++)
        weight.dims[2 + i] = state->windows[i].kernel;
    rf_set_output(node, 0, x->dtype, &weight);
    return RF_OK;
}

/* ---- Links ------------------------------------------------------------------------------ */

/* Channel c of the weight's output channel o is channel o / (C_out / group) * (C_in / group) + c of x. */
static void link_channel(const gradient *state, rf_link *link)
{
    int64_t inputs = rf_max(state->in_channels / state->group, 1);
    int64_t outputs = rf_max(state->out_channels / state->group, 1);
    if (state->group == 1) {
        rf_link_same(link, 1);
        return;
    }
    link->kind = RF_LINK_DIGITS;
    link->divisor = 1;
    link->modulus = rf_max(state->in_channels, 1);
    link->term_count = 2;
    link->terms[0] = (rf_link_term){0, outputs, rf_max(state->group, 1), inputs};
    link->terms[1] = (rf_link_term){1, 1, inputs, 1};
}

static void link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    rf_link_everything(node, output, input, links);
    if (input == 0)
        link_channel(node->state, &links[1]);
    else
        rf_link_same(&links[1], 0);
}

/* ---- Costs ------------------------------------------------------------------------------ */

/* The window whose indices are the taps and whose taps are the positions: both play the same part. */
static rf_window exchanged(const rf_window *window)
{
    return (rf_window){.input = window->input, .output = window->kernel, .kernel = window->output,
                       .stride = window->dilation, .dilation = window->stride, .pad_begin = window->pad_begin};
}

/* Of all images and channel pairs, where one of each has `terms`, which meet `taps` of a kernel. */
static bool count(const gradient *state, uint64_t terms, uint64_t taps, rf_counts *counts)
{
    uint64_t pairs, products, elements;
    if (!rf_checked_mul((uint64_t)state->out_channels, (uint64_t)(state->in_channels / state->group), &pairs)
        || !rf_checked_mul(pairs, taps, &elements) || !rf_checked_mul(pairs, terms, &products)
        || !rf_checked_mul(products, (uint64_t)state->batch, &counts->multiplications))
        return false;
    counts->macs = counts->multiplications;
    counts->additions = counts->multiplications ? counts->multiplications - elements : 0;
    return true;
}

static bool cost(const rf_node *node, rf_cost *cost)
{
    const gradient *state = node->state;
    uint64_t taps = 1, terms = 1, live = 1, valid = 1;
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        const rf_window turned = exchanged(window);
        uint64_t real;
        if (!window->output)
            return true;
        if (!rf_checked_mul(taps, (uint64_t)window->kernel, &taps)
            || !rf_checked_mul(terms, (uint64_t)window->output, &terms) || !rf_window_valid_taps(window, &real)
            || !rf_checked_mul(valid, real, &valid) || !rf_checked_mul(live, rf_window_live_outputs(&turned), &live))
            return false;
    }
    cost->window_taps = taps;
    return rf_checked_mul(terms, taps, &terms) && count(state, terms, taps, &cost->dense)
        && count(state, valid, live, &cost->valid);
}

/* ---- Running ---------------------------------------------------------------------------- */

/* One channel pair's planes; axes that the convolution lacks come first. */
typedef struct planes {
    rf_window windows[RF_MAX_SPATIAL];
    uint64_t inputs, positions, taps;
    double *x, *dy, *sums; /* one plane each, and the taps' sums */
} planes;

static bool multiply_all(const gradient *state, uint64_t *inputs, uint64_t *positions, uint64_t *taps)
{
    *inputs = *positions = *taps = 1;
    for (int32_t i = 0; i < state->axes; i++)
        if (!rf_checked_mul(*inputs, (uint64_t)state->windows[i].input, inputs)
            || !rf_checked_mul(*positions, (uint64_t)state->windows[i].output, positions)
            || !rf_checked_mul(*taps, (uint64_t)state->windows[i].kernel, taps))
            return false;
    return true;
}

static bool scratch(const rf_node *node, uint64_t *bytes)
{
    uint64_t inputs, positions, taps, total;
    return multiply_all(node->state, &inputs, &positions, &taps) && rf_checked_add(inputs, positions, &total)
        && rf_checked_add(total, taps, &total) && rf_doubles_bytes(total, 0, bytes);
}

static planes lay_out(const rf_node *node)
{
    const gradient *state = node->state;
    const int32_t lacking = RF_MAX_SPATIAL - state->axes;
    planes p = {.x = node->scratch};
    for (int32_t i = 0; i < RF_MAX_SPATIAL; i++)
        p.windows[i] = i < lacking
            ? (rf_window){.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1}
            : state->windows[i - lacking];
    multiply_all(state, &p.inputs, &p.positions, &p.taps);
    p.dy = p.x + p.inputs;
    p.sums = p.dy + p.positions;
    return p;
}

/* The positions at which a tap of an axis falls on the input. */
static void run_of_tap(const rf_window *window, int64_t t, int64_t *first, int64_t *end)
{
    const rf_window turned = exchanged(window);
    rf_window_clip(&turned, t, first, end);
}

/* Adds the terms of one tap, and says how many there are. */
static uint64_t add_tap(const planes *p, const int64_t tap[RF_MAX_SPATIAL], double *sum)
{
    const rf_window *w = p->windows;
    int64_t first[RF_MAX_SPATIAL], end[RF_MAX_SPATIAL], start[RF_MAX_SPATIAL];
    uint64_t terms = 0;
    for (int32_t i = 0; i < RF_MAX_SPATIAL; i++) {
        run_of_tap(&w[i], tap[i], &first[i], &end[i]);
        start[i] = tap[i] * w[i].dilation - w[i].pad_begin;
        if (first[i] >= end[i])
            return 0;
    }
    for (int64_t z = first[0]; z < end[0]; z++)
        for (int64_t y = first[1]; y < end[1]; y++) {
            const double *dy = p->dy + (z * w[1].output + y) * w[2].output;
            const double *x = p->x
                + ((z * w[0].stride + start[0]) * w[1].input + y * w[1].stride + start[1]) * w[2].input;
            for (int64_t i = first[2]; i < end[2]; i++)
                *sum += dy[i] * x[i * w[2].stride + start[2]];
            terms += (uint64_t)(end[2] - first[2]);
        }
    return terms;
}

/* Adds an image to one channel pair; counts the terms, and taps that have any. */
static void add_image(const planes *p, rf_counts *counts, uint64_t *live)
{
    uint64_t number = 0;
    int64_t tap[RF_MAX_SPATIAL];
    *live = 0;
    for (tap[0] = 0; tap[0] < p->windows[0].kernel; tap[0]++)
        for (tap[1] = 0; tap[1] < p->windows[1].kernel; tap[1]++)
            for (tap[2] = 0; tap[2] < p->windows[2].kernel; tap[2]++, number++) {
                uint64_t terms = add_tap(p, tap, &p->sums[number]);
                counts->multiplications += terms;
                *live += terms > 0;
            }
}

static void add_pair(const rf_node *node, const planes *p, int64_t output, int64_t input)
{
    const gradient *state = node->state;
    rf_counts counts = {0};
    uint64_t live = 0;
    for (uint64_t t = 0; t < p->taps; t++)
        p->sums[t] = 0;
    for (int64_t n = 0; n < state->batch; n++) {
        uint64_t plane = (uint64_t)(n * state->in_channels + input);
        rf_doubles_read(node->inputs[0], plane * p->inputs, p->inputs, p->x);
        plane = (uint64_t)(n * state->out_channels + output);
        rf_doubles_read(node->inputs[1], plane * p->positions, p->positions, p->dy);
        add_image(p, &counts, &live);
    }
    rf_tally_add(node, RF_COUNTER(multiplications), counts.multiplications);
    rf_tally_add(node, RF_COUNTER(macs), counts.multiplications);
    rf_tally_add(node, RF_COUNTER(additions), counts.multiplications - live);
}

static rf_status evaluate(rf_node *node)
{
    const gradient *state = node->state;
    const int64_t inputs = state->in_channels / state->group, outputs = state->out_channels / state->group;
    if (rf_elements(&node->outputs[0]->shape) == 0)
        return RF_OK;
    const planes p = lay_out(node);
    for (int64_t o = 0; o < state->out_channels; o++)
        for (int64_t c = 0; c < inputs; c++) {
            add_pair(node, &p, o, o / outputs * inputs + c);
            rf_doubles_write(node->outputs[0], (uint64_t)(o * inputs + c) * p.taps, p.taps, p.sums);
        }
    return RF_OK;
}

static bool lower(const rf_node *node, rf_task *task)
{
    const gradient *state = node->state;
    if (node->inputs[0]->dtype != RF_FLOAT32 || !rf_output(node, 0))
        return false;
    task->kind = RF_TASK_WEIGHT_GRADIENT;
    memcpy(task->as.weight_gradient.windows, state->windows, sizeof state->windows);
    task->as.weight_gradient.axes = state->axes;
    task->as.weight_gradient.groups = state->group;
    return true;
}

const rf_op rf_op_ConvWeightGradient = {
    .type = "ConvWeightGradient",
    .class = RF_CLASS_CONVOLUTION,
    .own = true,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = gradient_attributes,
    .defaults = &rf_convolution_defaults,
    .params_size = sizeof(rf_convolution_params),
    .infer = infer,
    .link = link,
    .cost = cost,
    .evaluate = evaluate,
    .scratch = scratch,
    .lower = lower,
};

/* SPDX-License-Identifier: MIT */
/*
 * The reference of all convolutions: sums in double over the taps that fall on
 * the input.
 *
 * A plane of the input is read once and added, tap by tap, to a few planes of
 * the output. Along a row one tap meets a run of outputs, so the innermost loop
 * decides nothing. A transposed convolution is the same with input and output
 * exchanged: one tap carries a run of inputs to the outputs.
 */
#include "ops/convolution.h"

#include "ops/doubles.h"

/* Output planes that one reading of an input plane serves at the least, and that share a tap's loops.
 * Where outputs are fewer than inputs it serves as many more, so that reading never takes longest. */
enum { PLANES = 4 };

/* One axis seen from the side that is strided over: position = stride * i - pad + dilation * t. */
typedef struct sliding {
    int64_t count;      /* indices i */
    int64_t positions;  /* that there are */
    int64_t kernel, stride, dilation, pad;
} sliding;

/* The run of indices that tap `t` takes to positions that there are. */
typedef struct span {
    int64_t first, end;
} span;

typedef struct planes {
    sliding lanes[RF_MAX_SPATIAL];
    bool transposed;
    uint64_t taps;      /* of one channel pair */
    uint64_t inputs, outputs;
    int64_t block;      /* output planes summed side by side */
    double *input;      /* one plane */
    double *sums;       /* `block` planes */
    unsigned char *met; /* one plane: whether a product has been added */
} planes;

static bool plane_sizes(const rf_convolution *shape, uint64_t *inputs, uint64_t *outputs)
{
    *inputs = *outputs = 1;
    for (int32_t i = 0; i < shape->axes; i++)
        if (!rf_checked_mul(*inputs, (uint64_t)shape->windows[i].input, inputs)
            || !rf_checked_mul(*outputs, (uint64_t)shape->windows[i].output, outputs))
            return false;
    return true;
}

static int64_t planes_at_once(const rf_convolution *shape, uint64_t inputs, uint64_t outputs)
{
    uint64_t most = (uint64_t)(shape->out_channels / shape->group);
    uint64_t blocks = outputs ? inputs / outputs + 1 : 1;
    return (int64_t)(blocks < most / PLANES ? blocks * PLANES : most);
}

bool rf_convolve_scratch(const rf_node *node, uint64_t *bytes)
{
    const rf_convolution *shape = node->state;
    uint64_t inputs, outputs, sums, count;
    return plane_sizes(shape, &inputs, &outputs)
        && rf_checked_mul(outputs, (uint64_t)planes_at_once(shape, inputs, outputs), &sums)
        && rf_checked_add(sums, inputs, &count) && rf_doubles_bytes(count, outputs, bytes);
}

/* Axes that the convolution lacks come first, with one index that reads position 0. */
static planes lay_out(const rf_convolution *shape, void *scratch)
{
    planes p = {.transposed = shape->operands.transposed, .taps = 1, .sums = scratch};
    int32_t lacking = RF_MAX_SPATIAL - shape->axes;
    for (int32_t i = 0; i < RF_MAX_SPATIAL; i++) {
        p.lanes[i] = (sliding){1, 1, 1, 1, 1, 0};
        if (i < lacking)
            continue;
        const rf_window *window = &shape->windows[i - lacking];
        p.lanes[i] = (sliding){p.transposed ? window->input : window->output,
                               p.transposed ? window->output : window->input,
                               window->kernel, window->stride, window->dilation, window->pad_begin};
        p.taps *= (uint64_t)window->kernel;
    }
    plane_sizes(shape, &p.inputs, &p.outputs);
    p.block = planes_at_once(shape, p.inputs, p.outputs);
    p.input = p.sums + (uint64_t)p.block * p.outputs;
    p.met = (unsigned char *)(p.input + p.inputs);
    return p;
}

static span run_of_tap(const sliding *lane, int64_t t)
{
    /* Index and tap play the same part in a position, so the clipped window of their exchange tells. */
    const rf_window exchanged = {.input = lane->positions, .kernel = lane->count, .stride = lane->dilation,
                                 .dilation = lane->stride, .pad_begin = lane->pad};
    span run;
    rf_window_clip(&exchanged, t, &run.first, &run.end);
    return run;
}

/* sums[i * sums_step] += weight * input[i * input_step] */
static void add_row(double *restrict sums, int64_t sums_step, const double *restrict input, int64_t input_step,
                    double weight, int64_t count)
{
    if (sums_step == 1 && input_step == 1) {
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * input[i];
        return;
    }
    for (int64_t i = 0; i < count; i++)
        sums[i * sums_step] += weight * input[i * input_step];
}

static void mark_row(unsigned char *met, int64_t step, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        met[i * step] = 1;
}

/* A tap: where it lies along each axis, and which indices it serves. */
typedef struct place {
    int64_t at[RF_MAX_SPATIAL];
    span runs[RF_MAX_SPATIAL];
} place;

/* Some output planes, and the weights with which they take the input plane at a tap. */
typedef struct share {
    double *sums;
    int64_t count;
    double weights[PLANES];
} share;

/* Adds one row, the indices of whose leading axes are y and z. */
static uint64_t add_tap_row(const planes *p, const place *tap, int64_t z, int64_t y, const share *to_planes,
                            bool first)
{
    const sliding *lanes = p->lanes;
    const span *row = &tap->runs[2];
    int64_t far = (z * lanes[0].stride - lanes[0].pad + tap->at[0] * lanes[0].dilation) * lanes[1].positions
        + y * lanes[1].stride - lanes[1].pad + tap->at[1] * lanes[1].dilation;
    int64_t strided = far * lanes[2].positions + row->first * lanes[2].stride - lanes[2].pad
        + tap->at[2] * lanes[2].dilation;
    int64_t plain = (z * lanes[1].count + y) * lanes[2].count + row->first;
    int64_t from = p->transposed ? plain : strided, to = p->transposed ? strided : plain;
    int64_t from_step = p->transposed ? 1 : lanes[2].stride, to_step = p->transposed ? lanes[2].stride : 1;
    int64_t length = row->end - row->first;
    for (int64_t k = 0; k < to_planes->count; k++)
        add_row(to_planes->sums + (uint64_t)k * p->outputs + to, to_step, p->input + from, from_step,
                to_planes->weights[k], length);
    if (first)
        mark_row(p->met + to, to_step, length);
    return (uint64_t)(length * to_planes->count);
}

/* Adds a tap; says how many products that took. */
static uint64_t add_tap(const planes *p, const place *tap, const share *to_planes, bool first)
{
    uint64_t products = 0;
    for (int64_t z = tap->runs[0].first; z < tap->runs[0].end; z++)
        for (int64_t y = tap->runs[1].first; y < tap->runs[1].end; y++)
            products += add_tap_row(p, tap, z, y, to_planes, first);
    return products;
}

/* The weights of one tap for the output channels from `output` on, from input channel `input` of a group. */
static void read_weights(const rf_convolve *call, uint64_t taps, int64_t output, int64_t input, uint64_t number,
                         share *to_planes)
{
    const rf_convolution *shape = call->shape;
    int64_t group_inputs = shape->in_channels / shape->group, group_outputs = shape->out_channels / shape->group;
    for (int64_t k = 0; k < to_planes->count; k++) {
        int64_t channel = output + k, group = channel / group_outputs;
        int64_t pair = shape->operands.transposed
            ? (group * group_inputs + input) * group_outputs + channel % group_outputs
            : channel * group_inputs + input;
        rf_doubles_read(call->weight, (uint64_t)pair * taps + number, 1, &to_planes->weights[k]);
        if (call->w_zero)
            to_planes->weights[k] -= rf_value_float(
                call->w_zero, rf_elements(&call->w_zero->shape) > 1 ? (uint64_t)channel : 0);
    }
}

/* Adds a tap to all planes of a block. Nothing is read for one that falls on padding alone. */
static uint64_t add_to_block(const rf_convolve *call, const planes *p, const place *tap, uint64_t number,
                             int64_t output, int64_t input, int64_t count)
{
    uint64_t products = 0;
    for (int32_t i = 0; i < RF_MAX_SPATIAL; i++)
        if (tap->runs[i].first >= tap->runs[i].end)
            return 0;
    for (int64_t k = 0; k < count; k += PLANES) {
        share to_planes = {.sums = p->sums + (uint64_t)k * p->outputs, .count = rf_min(count - k, PLANES)};
        read_weights(call, p->taps, output + k, input, number, &to_planes);
        products += add_tap(p, tap, &to_planes, input == 0 && k == 0);
    }
    return products;
}

/* Adds one input channel to `count` output channels from `output` on. */
static uint64_t add_channel(const rf_convolve *call, const planes *p, int64_t output, int64_t input, int64_t count)
{
    uint64_t products = 0, number = 0;
    place tap;
    for (tap.at[0] = 0; tap.at[0] < p->lanes[0].kernel; tap.at[0]++) {
        tap.runs[0] = run_of_tap(&p->lanes[0], tap.at[0]);
        for (tap.at[1] = 0; tap.at[1] < p->lanes[1].kernel; tap.at[1]++) {
            tap.runs[1] = run_of_tap(&p->lanes[1], tap.at[1]);
            for (tap.at[2] = 0; tap.at[2] < p->lanes[2].kernel; tap.at[2]++, number++) {
                tap.runs[2] = run_of_tap(&p->lanes[2], tap.at[2]);
                products += add_to_block(call, p, &tap, number, output, input, count);
            }
        }
    }
    return products;
}

static void read_input(const rf_convolve *call, const planes *p, int64_t image, int64_t channel)
{
    uint64_t plane = (uint64_t)image * (uint64_t)call->shape->in_channels + (uint64_t)channel;
    rf_doubles_read(call->x, plane * p->inputs, p->inputs, p->input);
    if (call->x_zero == 0)
        return;
    for (uint64_t i = 0; i < p->inputs; i++)
        p->input[i] -= call->x_zero;
}

/* The first product of a position is stored, and a bias is added only where there is one. */
static void tally(const rf_convolve *call, const planes *p, uint64_t products, int64_t count)
{
    uint64_t met = 0;
    if (!call->tally)
        return;
    for (uint64_t i = 0; i < p->outputs; i++)
        met += p->met[i];
    met *= (uint64_t)count;
    call->tally->multiplications += products;
    call->tally->macs += products;
    call->tally->additions += call->shape->bias ? products : products - met;
}

static void convolve_planes(const rf_convolve *call, const planes *p, int64_t image, int64_t output, int64_t count)
{
    const rf_convolution *shape = call->shape;
    int64_t group_inputs = shape->in_channels / shape->group;
    int64_t group = output / (shape->out_channels / shape->group);
    uint64_t products = 0;
    memset(p->sums, 0, (uint64_t)count * p->outputs * sizeof *p->sums);
    memset(p->met, 0, p->outputs);
    for (int64_t input = 0; input < group_inputs; input++) {
        read_input(call, p, image, group * group_inputs + input);
        products += add_channel(call, p, output, input, count);
    }
    tally(call, p, products, count);
    for (int64_t k = 0; k < count; k++) {
        uint64_t plane = (uint64_t)(image * shape->out_channels + output + k);
        call->store(call, output + k, plane * p->outputs, p->sums + (uint64_t)k * p->outputs, p->outputs);
    }
}

void rf_convolve_run(const rf_convolve *call)
{
    const rf_convolution *shape = call->shape;
    if (rf_elements(&call->output->shape) == 0)
        return;
    const planes p = lay_out(shape, call->scratch);
    int64_t group_outputs = shape->out_channels / shape->group;
    for (int64_t image = 0; image < shape->batch; image++)
        for (int64_t output = 0; output < shape->out_channels;) {
            int64_t count = rf_min(group_outputs - output % group_outputs, p.block);
            convolve_planes(call, &p, image, output, count);
            output += count;
        }
}

/* SPDX-License-Identifier: MIT */
/*
 * Makes convolutions and matrix products of 8-bit integers: brings axes to a
 * normal form, chooses blocks, and refuses what might not be exact.
 */
#include "kernels/vector/int8_better.h"
#include "kernels/vector/int8_plan.h"
#include "kernels/vector/makers.h"

/* The slack is what a copy's last vector may read beyond it. */
enum { LEAST_UNITS = 8, MOST_WASTE = 8, LANES_FREE = 4096, SLACK = 64, SHARED = 3 };

static const double block_bytes = 96 * 1024;           /* of input: a part of a level 2 cache */
static const double staged_bytes = 64.0 * 1024 * 1024; /* beyond it, not by this kernel */

static const rf_window plain = {1, 1, 1, 1, 1, 0, 0};

/* ---- Normal form ------------------------------------------------------------------------ */

static bool is_plain(const rf_window *window)
{
    return window->kernel == 1 && window->stride == 1 && window->pad_begin == 0 && window->input >= window->output;
}

/* Takes the stride of a window of one tap into the input's. Of a single output it does not matter. */
static void straighten(rf_window *window, int64_t *step)
{
    int64_t last, stride;
    if (window->output == 1)
        window->stride = 1;
    if (window->kernel != 1 || window->pad_begin != 0 || !rf_checked_mul(window->stride, window->output - 1, &last)
        || last >= window->input || !rf_checked_mul(window->stride, *step, &stride))
        return;
    *step = stride;
    *window = (rf_window){window->output, window->output, 1, 1, 1, 0, 0};
}

static void set_axes(const rf_integer_sum_spec *spec, rf_int8_plan *plan)
{
    const rf_strided *in = &spec->input, *out = &spec->output;
    const int32_t last = in->rank - 1;
    plan->rows = spec->axes > 1 ? spec->windows[0] : plain;
    plan->columns = spec->axes ? spec->windows[spec->axes - 1] : plain;
    if (!spec->axes)
        plan->columns.input = plan->columns.output = out->dims[0];
    plan->batch = spec->axes ? out->dims[0] : 1;
    plan->in_batch = spec->axes ? in->strides[0] : 0;
    plan->out_batch = spec->axes ? out->strides[0] : 0;
    plan->in_row = spec->axes > 1 ? in->strides[2] : 0;
    plan->out_row = spec->axes > 1 ? out->strides[2] : 0;
    plan->in_column = in->strides[spec->axes ? last : 0];
    plan->out_column = out->strides[spec->axes ? last : 0];
    straighten(&plan->rows, &plan->in_row);
    straighten(&plan->columns, &plan->in_column);
}

/* Whether steps of `in` and `out` are those of `count` columns one after the other. */
static bool goes_on(const rf_int8_plan *plan, int64_t count, int64_t in, int64_t out)
{
    int64_t ins, outs;
    return rf_checked_mul(plan->in_column, count, &ins) && rf_checked_mul(plan->out_column, count, &outs)
           && ins == in && outs == out;
}

/* All outputs as one line, where they are walked as one. */
static void join_axes(rf_int8_plan *plan)
{
    rf_window *rows = &plan->rows, *columns = &plan->columns;
    if (!is_plain(rows) || !is_plain(columns))
        return;
    if (rows->output == 1 || goes_on(plan, columns->output, plan->in_row, plan->out_row)) {
        columns->input = columns->output = columns->output * rows->output;
        *rows = plain;
    }
    if (rows->output == 1 && goes_on(plan, columns->output, plan->in_batch, plan->out_batch)) {
        columns->input = columns->output = columns->output * plan->batch;
        plan->batch = 1;
    }
}

/* ---- Weights ---------------------------------------------------------------------------- */

static int64_t taps_of(const rf_int8_plan *plan)
{
    return plan->rows.kernel * plan->columns.kernel;
}

/* Largest magnitude that weights less their zero points can have by their types alone. */
static int32_t most_weight(const rf_int8_plan *plan)
{
    return plan->weights_signed && !plan->weight_zero ? 128 : 255;
}

/* The sum of an output's weights without their signs; widens the range of all. */
static uint64_t look_at_output(const rf_int8_plan *plan, int64_t output, int32_t *least, int32_t *most)
{
    uint64_t sum = 0;
    const int64_t taps = taps_of(plan);
    for (int64_t channel = 0; channel < plan->channels; channel++)
        for (int64_t tap = 0; tap < taps; tap++) {
            int32_t weight = rf_int8_weight(plan, output, channel, tap);
            *least = weight < *least ? weight : *least;
            *most = weight > *most ? weight : *most;
            sum += (uint64_t)(weight < 0 ? -weight : weight);
        }
    return sum;
}

/* Signed bytes that add up to any number of the range. */
static int64_t passes_for(int32_t least, int32_t most)
{
    int64_t passes = 1;
    while (least < -128 * passes || most > 127 * passes)
        passes++;
    return passes;
}

static uint64_t magnitude(int64_t number)
{
    return (uint64_t)(number < 0 ? -number : number);
}

static uint64_t largest_bias(const rf_integer_sum_spec *spec)
{
    uint64_t largest = 0;
    for (int64_t output = 0; spec->bias && output < spec->output.dims[1]; output++)
        largest = magnitude(spec->bias[output]) > largest ? magnitude(spec->bias[output]) : largest;
    return largest;
}

/* Sums that are scaled back must not wrap around: most can't by their depth alone, whatever the weights are. */
static bool check_sums(const rf_integer_sum_spec *spec, rf_int8_plan *plan)
{
    const uint64_t depth = (uint64_t)plan->channels * (uint64_t)taps_of(plan), limit = INT32_MAX;
    const uint64_t bias = largest_bias(spec), room = limit - (bias < limit ? bias : limit);
    bool small = depth < room / 255 / (uint64_t)most_weight(plan);
    int32_t least = 0, most = 0;
    plan->passes = 1;
    if (plan->weights_signed && !plan->weight_zero && (small || plan->sums))
        return true;
    for (int64_t output = 0; output < spec->output.dims[1]; output++) {
        uint64_t sum = look_at_output(plan, output, &least, &most);
        uint64_t added = spec->bias ? magnitude(spec->bias[output]) : 0;
        if (!plan->sums && (sum > limit / 255 || sum * 255 + added > limit))
            return false;
    }
    plan->passes = passes_for(least, most);
    return true;
}

/* ---- Tiles ------------------------------------------------------------------------------ */

static bool is_inside(const rf_window *window)
{
    int64_t last;
    return window->pad_begin == 0 && rf_checked_mul(window->stride, window->output - 1, &last)
           && last < window->input && rf_window_extent(window) <= window->input - last;
}

static void choose_form(rf_int8_plan *plan)
{
    plan->depthwise = plan->groups > 1 && plan->channels == 1 && plan->outputs == 1 && plan->passes == 1
                      && !plan->sums;
    plan->staged = plan->depthwise || plan->is_signed || plan->channels % 4 || !is_inside(&plan->rows)
                   || !is_inside(&plan->columns);
    bool neighbours = plan->columns.kernel > 1 && plan->columns.dilation == 1 && !plan->depthwise;
    plan->joined = neighbours && (plan->staged || plan->in_column == plan->channels);
    plan->pitch = plan->in_column;
    if (plan->depthwise)
        plan->pitch = plan->groups;
    else if (plan->staged)
        plan->pitch = plan->joined ? plan->channels : rf_div_ceil(plan->channels, 4) * 4;
    plan->fours = plan->depthwise ? 1 : rf_div_ceil(plan->channels * (plan->joined ? plan->columns.kernel : 1), 4);
    plan->runs = plan->joined ? plan->rows.kernel : taps_of(plan);
    if (plan->depthwise)
        plan->runs = rf_div_ceil(plan->runs, 4);
    plan->by_columns = plan->depthwise && plan->rows.kernel == SHARED && plan->columns.kernel == SHARED
                       && plan->columns.dilation == 1 && plan->columns.stride <= 2;
    plan->panels = rf_div_ceil(plan->depthwise ? plan->groups : plan->outputs, rf_int8_lanes(plan));
}

static double span_of(const rf_window *window, int64_t count)
{
    return (double)(count - 1) * (double)window->stride + (double)(window->kernel - 1) * (double)window->dilation + 1;
}

static double bytes_of(const rf_int8_plan *plan)
{
    return span_of(&plan->rows, plan->block_rows) * span_of(&plan->columns, plan->block_columns)
           * (double)plan->pitch;
}

static void count_blocks(rf_int8_plan *plan)
{
    plan->row_blocks = rf_div_ceil(plan->rows.output, plan->block_rows);
    plan->column_blocks = rf_div_ceil(plan->columns.output, plan->block_columns);
}

/* Blocks whose input stays in cache, and enough of them to share out: of outputs where the input is large
 * beside the weights, else of panels. */
static bool choose_blocks(rf_int8_plan *plan, rf_work *work)
{
    plan->block_rows = plan->rows.output;
    plan->block_columns = plan->columns.output;
    while (plan->block_rows > 1 && bytes_of(plan) > block_bytes)
        plan->block_rows = (plan->block_rows + 1) / 2;
    while (plan->block_columns > RF_INT8_ROWS && bytes_of(plan) > block_bytes)
        plan->block_columns = (plan->block_columns + 1) / 2;
    count_blocks(plan);
    const int64_t groups = plan->depthwise ? 1 : plan->groups;
    const int64_t images = plan->batch * groups, spread = plan->row_blocks * plan->column_blocks * images;
    plan->panel_blocks = 1;
    if (spread < LEAST_UNITS && !plan->depthwise)
        plan->panel_blocks = rf_min(plan->panels, rf_div_ceil(LEAST_UNITS, spread));
    /* Equal shares, the last of which may be smaller but not empty. */
    plan->panel_blocks = rf_div_ceil(plan->panels, rf_div_ceil(plan->panels, plan->panel_blocks));
    uint64_t units = (uint64_t)plan->row_blocks * (uint64_t)plan->column_blocks;
    if (!rf_checked_mul(units, (uint64_t)images, &units)
        || !rf_checked_mul(units, (uint64_t)plan->panel_blocks, &units))
        return false;
    work->units = (size_t)units;
    if (!plan->staged)
        return true;
    if (bytes_of(plan) > staged_bytes)
        return false;
    work->scratch_bytes = (uint64_t)bytes_of(plan) + SLACK;
    return true;
}

static bool set_offsets(rf_int8_plan *plan, rf_arena *arena)
{
    const int64_t width = plan->joined ? 1 : plan->columns.kernel, taps = plan->rows.kernel * width;
    const int64_t padded = plan->depthwise ? plan->runs * 4 : taps * plan->passes;
    const int64_t line = plan->staged ? plan->line : plan->in_row;
    int64_t *offsets = RF_TAKE(arena, int64_t, (size_t)padded);
    if (!offsets)
        return false;
    for (int64_t i = 0; i < padded; i++) {
        int64_t tap = plan->depthwise ? rf_min(i, taps - 1) : i % taps;
        if (plan->by_columns)
            tap = rf_min(i % 4, SHARED - 1) * width + i / 4;
        offsets[i] = tap / width * plan->rows.dilation * line + tap % width * plan->columns.dilation * plan->pitch;
    }
    plan->offsets = offsets;
    return true;
}

/* ---- Numbers of each lane --------------------------------------------------------------- */

static bool set_lanes(const rf_integer_sum_spec *spec, rf_arena *arena, rf_int8_plan *plan)
{
    const int64_t groups = plan->depthwise ? 1 : plan->groups, outputs = plan->depthwise ? plan->groups : plan->outputs;
    const int64_t all = spec->output.dims[1], lanes = rf_int8_lanes(plan);
    if (plan->panels > (MOST_WASTE * all + LANES_FREE) / lanes / groups)
        return false;
    const int64_t count = groups * plan->panels * lanes;
    int32_t *bias = RF_TAKE(arena, int32_t, (size_t)count);
    double *scale = RF_TAKE(arena, double, (size_t)count), *shift = RF_TAKE(arena, double, (size_t)count);
    if (!bias || !scale || !shift)
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t output = rf_int8_output_of(plan, i / lanes % plan->panels, i % lanes);
        if (output >= outputs)
            continue;
        output += i / lanes / plan->panels * outputs;
        bias[i] = spec->bias ? spec->bias[output] : 0;
        scale[i] = spec->scale ? spec->scale[output] : 0;
        shift[i] = spec->shift ? spec->shift[output] : 0;
    }
    plan->bias = bias;
    plan->scale = scale;
    plan->shift = shift;
    return true;
}

static bool set_packing(rf_int8_plan *plan, rf_work *work)
{
    uint64_t bytes, runs;
    const uint64_t parts = (uint64_t)plan->panels * (uint64_t)(plan->depthwise ? 1 : plan->groups);
    if (!rf_checked_mul((uint64_t)plan->runs, (uint64_t)plan->fours, &runs)
        || !rf_checked_mul(runs * (uint64_t)plan->passes + 1, (uint64_t)rf_int8_lanes(plan) * 4, &bytes)
        || !rf_checked_mul(bytes, parts, &work->packed_bytes) || work->packed_bytes > INT64_MAX / 2)
        return false;
    plan->panel_bytes = (int64_t)bytes;
    work->unpacked.weights = plan->weights;
    work->pack = RF_ISA_NAME(rf_int8_pack);
    work->pack_part = RF_ISA_NAME(rf_int8_pack_part);
    work->packing_parts = (size_t)parts;
    work->packing = (uint64_t)plan->joined;
    return true;
}

/* ---- The maker -------------------------------------------------------------------------- */

static bool is_supported(const rf_integer_sum_spec *spec)
{
    const rf_strided *in = &spec->input, *out = &spec->output;
    return spec->axes <= 2 && in->dims[1] > 0 && (in->strides[1] == 1 || in->dims[1] == 1)
           && (out->strides[1] == 1 || out->dims[1] == 1);
}

static bool is_empty(const rf_strided *form)
{
    bool empty = false;
    for (int32_t k = 0; k < form->rank; k++)
        empty |= form->dims[k] == 0;
    return empty;
}

static void run_nothing(const void *plan, const rf_kernel_call *call)
{
    (void)plan;
    (void)call;
}

/* Most quantisers write zero points for weights that are all 0. */
static const int32_t *zeros_to_subtract(const rf_integer_sum_spec *spec)
{
    for (int64_t output = 0; spec->weight_zero && output < spec->output.dims[1]; output++)
        if (spec->weight_zero[output] != 0)
            return spec->weight_zero;
    return NULL;
}

static void describe(const rf_integer_sum_spec *spec, rf_int8_plan *plan)
{
    *plan = (rf_int8_plan){
        .groups = spec->groups, .channels = spec->input.dims[1] / spec->groups,
        .outputs = spec->output.dims[1] / spec->groups, .is_signed = spec->input_type == RF_INT8,
        .zero = spec->input_zero, .zero_known = spec->input_zero_known, .low = spec->low, .high = spec->high,
        .output_zero = spec->output_zero, .sums = spec->output_type == RF_INT32, .weights = spec->weights,
        .weights_signed = spec->weight_type == RF_INT8, .weight_output = spec->weight_output,
        .weight_channel = spec->weight_channel, .weight_zero = zeros_to_subtract(spec),
    };
    set_axes(spec, plan);
    join_axes(plan);
}

static void set_operations(const rf_int8_plan *plan, rf_work *work)
{
    double products = (double)plan->batch * (double)plan->groups * (double)plan->outputs * (double)plan->channels
                      * (double)taps_of(plan) * (double)plan->rows.output * (double)plan->columns.output;
    double grain = 4e5 * (double)work->units / (products + 1);
    work->operations = products < 1e18 ? (uint64_t)(products / 4) : UINT64_C(1000000000000000000);
    work->grain = grain < 1 ? 1 : grain < (double)work->units ? (size_t)grain : work->units;
}

bool RF_ISA_NAME(rf_make_integer_sum)(const rf_integer_sum_spec *spec, rf_arena *arena, rf_work *work)
{
    if (RF_INT8_IS_BETTER())
        return RF_INT8_MAKE_BETTER(spec, arena, work);
    if (is_empty(&spec->output)) {
        *work = (rf_work){.algorithm = "nothing", .run = run_nothing, .grain = 1};
        return true;
    }
    rf_int8_plan *plan = is_supported(spec) ? RF_TAKE(arena, rf_int8_plan, 1) : NULL;
    if (!plan)
        return false;
    describe(spec, plan);
    if (!check_sums(spec, plan))
        return false;
    choose_form(plan);
    *work = (rf_work){.algorithm = plan->depthwise ? "8 bits, depthwise" : "8 bits, direct", .plan = plan,
                      .run = RF_ISA_NAME(rf_int8_run)};
    if (!choose_blocks(plan, work))
        return false;
    if (plan->staged)
        plan->line = (int64_t)span_of(&plan->columns, plan->block_columns) * plan->pitch;
    plan->column_step = plan->block_columns > 1 ? plan->columns.stride * plan->pitch : plan->pitch;
    set_operations(plan, work);
    return set_offsets(plan, arena) && set_lanes(spec, arena, plan) && set_packing(plan, work);
}

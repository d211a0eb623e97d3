/* SPDX-License-Identifier: MIT */
#include "kernels/vector/lane_kernel.h"

#include "base/checked.h"
#include "kernels/vector/row_tile.h"
#include "kernels/window_layer.h"

enum { LAST = RF_LAYER_AXES - 1, COLUMNS = 4 };

typedef struct lane_plan {
    rf_window_layer layer;
    int64_t width, channels;
    int64_t block_floats;             /* of one block's weights */
    rf_row_function *inside, *border; /* NULL: pixel by pixel */
} lane_plan;

/*
 * Channels first .. first + lanes - 1 by one vector, of which those from `skip` on are stored: a
 * last block that would be narrow begins earlier, so that it is loaded whole.
 */
typedef struct lane_block {
    int64_t first, lanes, skip;
} lane_block;

static lane_block block_of(const lane_plan *plan, int64_t number)
{
    int64_t wanted = number * RF_LANES, first = rf_max(rf_min(wanted, plan->channels - RF_LANES), 0);
    return (lane_block){first, rf_min(plan->channels - first, RF_LANES), wanted - first};
}

static bool is_whole(const lane_block *block)
{
    return block->lanes == RF_LANES && block->skip == 0;
}

/* ---- Stores ----------------------------------------------------------------------------- */

static void finish_part(float *to, rf_vec sum, const float *residual, rf_map map, const lane_block *block)
{
    float lanes[RF_LANES] = {0};
    int64_t skip = block->skip, count = block->lanes - skip;
    if (residual) {
        rf_copy_some(lanes + skip, residual + skip, count);
        sum += rf_load(lanes);
    }
    rf_store(lanes, rf_map_vector(sum, map));
    rf_copy_some(to + skip, lanes + skip, count);
}

static void finish_pixels(const lane_plan *plan, const rf_row_tile *at, const lane_block *block, const float *sums)
{
    const rf_map map = plan->layer.spec.epilogue.map;
    bool whole = is_whole(block);
    for (int64_t p = 0; p < at->pixels; p++) {
        float *to = at->output + p * at->output_step;
        const float *residual = at->residual ? at->residual + p * at->residual_step : NULL;
        rf_vec sum = rf_load(sums + p * RF_LANES);
        if (whole)
            rf_finish(to, sum, residual, map);
        else
            finish_part(to, sum, residual, map, block);
    }
}

/* ---- Any depthwise window --------------------------------------------------------------- */

/* `count` pixels with the same taps, `step` floats of input apart. */
RF_INLINE void column_sums(const rf_row_tile *at, const lane_plan *plan, const rf_reach *taps, int64_t step,
                           int64_t lanes, float *sums, const int count)
{
    const rf_reach_axis *axis = &plan->layer.axes[LAST];
    int64_t input_step = plan->layer.tap_step[LAST];
    int64_t weight_step = axis->tap_step * RF_LANES;
    rf_vec v[COLUMNS];
    RF_UNROLL
    for (int p = 0; p < count; p++)
        v[p] = rf_load(at->start);
    for (int64_t z = 0; z < at->counts[0]; z++)
        for (int64_t y = 0; y < at->counts[1]; y++) {
            const float *input = at->input + z * at->input_steps[0] + y * at->input_steps[1]
                                 + taps->input * at->pixel;
            const float *weights = at->weights + z * at->weight_steps[0] + y * at->weight_steps[1]
                                   + taps->tap * RF_LANES;
            for (int64_t x = 0; x < taps->count; x++) {
                rf_vec w = rf_load(weights + x * weight_step);
                RF_UNROLL
                for (int p = 0; p < count; p++) {
                    const float *from = input + x * input_step + p * step;
                    v[p] += w * (lanes == RF_LANES ? rf_load(from) : rf_load_some(from, lanes));
                }
            }
        }
    RF_UNROLL
    for (int p = 0; p < count; p++)
        rf_store(sums + p * RF_LANES, v[p]);
}

static void single_column(const rf_row_tile *at, const lane_plan *plan, const rf_reach *taps, int64_t lanes,
                          float *sums)
{
    column_sums(at, plan, taps, 0, lanes, sums, 1);
}

static void columns(const rf_row_tile *at, const lane_plan *plan, const rf_reach *taps, float *sums)
{
    column_sums(at, plan, taps, plan->layer.period_step[LAST], RF_LANES, sums, COLUMNS);
}

/* The same taps at the next pixels, one step further each. */
static bool alike(const rf_reach_axis *axis, const rf_reach *taps)
{
    for (int64_t p = 1; p < COLUMNS; p++)
        if (taps[p].tap != taps->tap || taps[p].count != taps->count || taps->count == 0)
            return false;
    return axis->period == 1;
}

static void run_columns(const lane_plan *plan, rf_row_tile at, const lane_block *block, int64_t begin, int64_t end)
{
    const rf_reach_axis *axis = &plan->layer.axes[LAST];
    float *output = at.output;
    const float *residual = at.residual;
    float sums[COLUMNS * RF_LANES];
    for (int64_t x = begin; x < end; x += at.pixels) {
        const rf_reach *taps = &axis->at[x];
        at.pixels = block->lanes == RF_LANES && end - x >= COLUMNS && alike(axis, taps) ? COLUMNS : 1;
        if (at.pixels == COLUMNS)
            columns(&at, plan, taps, sums);
        else
            single_column(&at, plan, taps, block->lanes, sums);
        at.output = output + x * at.output_step;
        at.residual = residual ? residual + x * at.residual_step : NULL;
        finish_pixels(plan, &at, block, sums);
    }
}

/* ---- Windows that have a tile ------------------------------------------------------------ */

static void run_tiles(const lane_plan *plan, rf_row_tile at, const lane_block *block, int64_t begin, int64_t end)
{
    const rf_window *window = &plan->layer.axes[LAST].window;
    float *output = at.output, sums[RF_ROW_PIXELS * RF_LANES];
    const float *residual = at.residual;
    bool direct = is_whole(block);
    int64_t last = (RF_ROW_PIXELS - 1) * window->stride + window->kernel - 1;
    at.extent = window->input;
    at.sums = sums;
    for (int64_t x = begin; x < end; x += RF_ROW_PIXELS) {
        at.first = x * window->stride - window->pad_begin;
        at.pixels = rf_min(end - x, RF_ROW_PIXELS);
        at.output = direct ? output + x * at.output_step : NULL;
        at.residual = residual ? residual + x * at.residual_step : NULL;
        if (at.pixels == RF_ROW_PIXELS && at.first >= 0 && at.first + last < window->input)
            plan->inside(&at);
        else
            plan->border(&at);
        if (direct)
            continue;
        at.output = output + x * at.output_step;
        finish_pixels(plan, &at, block, sums);
    }
}

/* ---- Units ------------------------------------------------------------------------------ */

/* Enters the taps of one outer axis; false where none is on the input. */
static bool enter_axis(const lane_plan *plan, rf_row_tile *at, int32_t k, int64_t i, int64_t weight_step)
{
    const rf_window_layer *layer = &plan->layer;
    const rf_reach *taps = &layer->axes[k].at[i];
    at->output += i * layer->output[k];
    if (at->residual)
        at->residual += i * layer->residual[k];
    at->counts[k] = taps->count;
    at->input += taps->input * layer->input[k];
    at->weights += taps->tap * weight_step;
    at->input_steps[k] = layer->tap_step[k];
    at->weight_steps[k] = layer->axes[k].tap_step * weight_step;
    return taps->count > 0;
}

/* The row of a unit, at its first block of channels. */
static rf_row_tile row_at(const lane_plan *plan, const rf_kernel_call *call, const rf_layer_spot *spot)
{
    const rf_window_layer *layer = &plan->layer;
    rf_row_tile at = {
        .pixel = layer->input[LAST], .output_step = layer->output[LAST], .residual_step = layer->residual[LAST],
        .map = layer->spec.epilogue.map,
    };
    at.start = call->packed;
    at.weights = at.start + layer->blocks * RF_LANES;
    at.input = (const float *)call->data[0] + spot->batch * layer->input_batch;
    at.output = (float *)call->data[1] + spot->batch * layer->output_batch;
    if (layer->spec.epilogue.residual)
        at.residual = (const float *)call->data[2] + spot->batch * layer->residual_batch;
    int64_t row = layer->axes[LAST].window.kernel * plan->width * RF_LANES;
    bool some = enter_axis(plan, &at, 0, spot->z, layer->axes[1].window.kernel * row);
    if (!enter_axis(plan, &at, 1, spot->y, row) || !some)
        at.counts[0] = 0;
    return at;
}

static void run_block(const lane_plan *plan, rf_row_tile at, const rf_layer_spot *spot)
{
    const rf_reach_axis *last = &plan->layer.axes[LAST];
    lane_block block = block_of(plan, spot->block);
    at.start += spot->block * RF_LANES;
    at.weights += spot->block * plan->block_floats;
    at.input += block.first;
    at.output += block.first;
    if (at.residual)
        at.residual += block.first;
    int64_t begin = spot->begin * last->period, end = rf_min(spot->end * last->period, last->window.output);
    if (plan->inside)
        run_tiles(plan, at, &block, begin, end);
    else
        run_columns(plan, at, &block, begin, end);
}

static void run(const void *given, const rf_kernel_call *call)
{
    const lane_plan *plan = given;
    rf_layer_spot spot = rf_layer_spot_of(&plan->layer, call->begin);
    rf_row_tile at = row_at(plan, call, &spot);
    for (size_t unit = call->begin; unit < call->end; unit++) {
        run_block(plan, at, &spot);
        rf_layer_next(&plan->layer, &spot);
        if (unit + 1 < call->end && (spot.block == 0 || !plan->layer.blocks_last))
            at = row_at(plan, call, &spot);
    }
}

/* ---- Plan ------------------------------------------------------------------------------- */

/* Biases of all blocks, then [block][tap][channel of the group][lane]. */
static void pack(const void *given, void *packed)
{
    const lane_plan *plan = given;
    const rf_window_layer *layer = &plan->layer;
    float *bias = packed, *weights = bias + layer->blocks * RF_LANES;
    for (int64_t number = 0; number < layer->blocks; number++) {
        lane_block block = block_of(plan, number);
        for (int64_t lane = 0; lane < RF_LANES; lane++)
            *bias++ = lane < block.lanes ? rf_layer_bias(layer, block.first + lane) : 0;
        for (int64_t tap = 0; tap < layer->taps; tap++)
            for (int64_t c = 0; c < plan->width; c++)
                for (int64_t lane = 0; lane < RF_LANES; lane++) {
                    int64_t channel = block.first + lane, group = channel / plan->width;
                    *weights++ = lane < block.lanes
                                     ? rf_layer_weight(layer, group, channel % plan->width, c, tap) : 0;
                }
    }
}

/* Finds a tile; true where there is one, or where the layer can do without. */
static bool choose(const rf_convolution_spec *spec, lane_plan *plan)
{
    const rf_window *window = &spec->windows[spec->axes - 1];
    plan->channels = spec->output.dims[1];
    plan->width = plan->channels / spec->groups;
    if (!spec->transposed && window->dilation == 1 && plan->channels >= RF_LANES) {
        plan->inside = RF_ISA_NAME(rf_row_of)(plan->width, window->kernel, window->stride, true);
        plan->border = RF_ISA_NAME(rf_row_of)(plan->width, window->kernel, window->stride, false);
    }
    return plan->inside || plan->width == 1;
}

static bool packed_floats(lane_plan *plan, int64_t blocks, uint64_t *floats)
{
    int64_t all;
    return rf_checked_mul(plan->layer.taps, plan->width * RF_LANES, &plan->block_floats)
        && rf_checked_add(plan->block_floats, RF_LANES, &all) && rf_checked_mul(all, blocks, floats)
        && *floats <= SIZE_MAX / sizeof(float);
}

bool RF_ISA_NAME(rf_make_lanes)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->groups < 1 || spec->axes < 1 || spec->input.dims[1] != spec->output.dims[1])
        return false;
    lane_plan *plan = RF_TAKE(arena, lane_plan, 1);
    if (!plan || !choose(spec, plan) || !rf_layer_make(spec, arena, &plan->layer))
        return false;
    int64_t blocks = rf_div_ceil(plan->channels, RF_LANES);
    uint64_t floats;
    if (!packed_floats(plan, blocks, &floats))
        return false;
    *work = (rf_work){.algorithm = plan->inside ? "rows of pixels" : "pixel by pixel", .plan = plan, .run = run,
                      .packed_bytes = floats * sizeof(float), .pack = pack};
    rf_layer_cut(&plan->layer, blocks, work->packed_bytes, work);
    return true;
}

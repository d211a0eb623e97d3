/* SPDX-License-Identifier: MIT */
#include "kernels/vector/tap_tiles.h"

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"
#include "kernels/window_layer.h"

enum { LAST = RF_LAYER_AXES - 1 };

typedef struct tiles_plan {
    rf_window_layer layer;
    int64_t vectors, rows;     /* of a tile at most */
    int64_t panels, lanes;     /* of a group; `lanes` of all its panels */
    int64_t depth;             /* rows of a panel: products of a sum */
} tiles_plan;

/* One row of outputs by one panel of a group. */
typedef struct tiles_row {
    const tiles_plan *plan;
    const float *input, *weights, *bias; /* at the first taps of the outer axes */
    float *output;
    const float *residual;
    int64_t vectors, outputs;            /* of the panel */
    rf_tile_level levels[RF_TILE_LEVELS];
} tiles_row;

/* Taps begin, begin + tap_step .. end - 1 of the last axis. */
typedef struct tap_range {
    int64_t begin, end;
} tap_range;

static int64_t end_of(const rf_reach_axis *axis, const rf_reach *taps)
{
    return taps->tap + taps->count * axis->tap_step;
}

static void store_pixels(const tiles_row *at, const float *sums, int64_t x, int64_t count)
{
    const rf_window_layer *layer = &at->plan->layer;
    int64_t period = layer->axes[LAST].period;
    rf_tile_rows_out to = {
        .rows = count, .outputs = at->outputs, .lanes = at->vectors * RF_LANES,
        .output = at->output + x * layer->output[LAST], .output_step = period * layer->output[LAST],
        .residual = at->residual ? at->residual + x * layer->residual[LAST] : NULL,
        .residual_step = period * layer->residual[LAST], .map = layer->spec.epilogue.map,
    };
    RF_ISA_NAME(rf_tile_finish)(&to, sums);
}

/* Points the tile at some taps of the last axis, its first row at an output that they all reach. */
static void point(const tiles_row *at, rf_tile *tile, const rf_reach *first, tap_range some)
{
    const rf_window_layer *layer = &at->plan->layer;
    const rf_reach_axis *axis = &layer->axes[LAST];
    int64_t skipped = (some.begin - first->tap) / axis->tap_step;
    int64_t from = first->input + skipped * axis->index_step;
    tile->input = at->input + from * layer->input[LAST];
    tile->weights = at->weights + some.begin * layer->inputs * at->vectors * RF_LANES;
    tile->levels[LAST + 1].count = (some.end - some.begin) / axis->tap_step;
}

/* Adds one tap to those pixels of a chunk that it reaches, which follow each other. */
static void add_tap(const tiles_row *at, rf_tile *tile, float *sums, const rf_reach *taps, int64_t count,
                    int64_t tap)
{
    const rf_reach_axis *axis = &at->plan->layer.axes[LAST];
    int64_t a = 0, b = count;
    while (a < b && (tap < taps[a * axis->period].tap || tap >= end_of(axis, &taps[a * axis->period])))
        a++;
    while (a < b && (tap < taps[(b - 1) * axis->period].tap || tap >= end_of(axis, &taps[(b - 1) * axis->period])))
        b--;
    if (a == b)
        return;
    point(at, tile, &taps[a * axis->period], (tap_range){tap, tap + axis->tap_step});
    tile->output = sums + a * at->vectors * RF_LANES;
    tile->start = tile->output;
    tile->start_step = at->vectors * RF_LANES;
    RF_ISA_NAME(rf_tile_of)(b - a, at->vectors)(tile);
}

/* The taps that reach all pixels of a chunk, and those that reach any of them. */
static void find_taps(const rf_reach_axis *axis, const rf_reach *taps, int64_t count, tap_range *shared,
                      tap_range *any)
{
    *shared = (tap_range){0, INT64_MAX};
    *any = (tap_range){INT64_MAX, 0};
    for (int64_t p = 0; p < count; p++) {
        const rf_reach *reach = &taps[p * axis->period];
        int64_t end = end_of(axis, reach);
        shared->begin = rf_max(shared->begin, reach->tap);
        shared->end = rf_min(shared->end, end);
        if (reach->count == 0)
            continue;
        any->begin = rf_min(any->begin, reach->tap);
        any->end = rf_max(any->end, end);
    }
}

/* A chunk at a border: what all pixels share first, then tap by tap. */
static void border_chunk(const tiles_row *at, rf_tile *tile, int64_t x, int64_t count, tap_range shared,
                         tap_range any)
{
    const rf_reach_axis *axis = &at->plan->layer.axes[LAST];
    const rf_reach *taps = &axis->at[x];
    float sums[RF_TILE_MAX_SUMS * RF_LANES];
    bool none = shared.begin >= shared.end;
    tile->output = sums;
    tile->output_step = at->vectors * RF_LANES;
    tile->levels[LAST + 1].count = 0;
    if (!none)
        point(at, tile, taps, shared);
    RF_ISA_NAME(rf_tile_of)(count, at->vectors)(tile);
    for (int64_t tap = any.begin; tap < any.end; tap += axis->tap_step)
        if (none || tap < shared.begin || tap >= shared.end)
            add_tap(at, tile, sums, taps, count, tap);
    store_pixels(at, sums, x, count);
}

/* `count` outputs a period apart, from x. */
static void run_chunk(const tiles_row *at, int64_t x, int64_t count)
{
    const tiles_plan *plan = at->plan;
    const rf_window_layer *layer = &plan->layer;
    const rf_reach_axis *axis = &layer->axes[LAST];
    rf_tile tile = {
        .input = at->input, .weights = at->weights, .start = at->bias,
        .step = layer->period_step[LAST], .length = layer->inputs,
    };
    memcpy(tile.levels, at->levels, sizeof tile.levels);
    tap_range shared, any;
    find_taps(axis, &axis->at[x], count, &shared, &any);
    bool same = shared.begin == any.begin && shared.end == any.end;
    if (!same || (!RF_HAS_MASKS && at->outputs != at->vectors * RF_LANES)) {
        border_chunk(at, &tile, x, count, shared, any);
        return;
    }
    point(at, &tile, &axis->at[x], shared);
    tile.map = layer->spec.epilogue.map;
    tile.absent = at->vectors * RF_LANES - at->outputs;
    tile.output = at->output + x * layer->output[LAST];
    tile.output_step = axis->period * layer->output[LAST];
    tile.residual = at->residual ? at->residual + x * layer->residual[LAST] : NULL;
    tile.residual_step = axis->period * layer->residual[LAST];
    RF_ISA_NAME(rf_tile_of)(count, at->vectors)(&tile);
}

/* All outputs of some periods: those that see the same taps together, in chunks of equal size. */
static void run_periods(const tiles_row *at, int64_t begin, int64_t end)
{
    const rf_reach_axis *axis = &at->plan->layer.axes[LAST];
    int64_t extent = axis->window.output, phases = rf_min(axis->period, extent);
    for (int64_t phase = 0; phase < phases; phase++) {
        int64_t first = begin * axis->period + phase;
        if (first >= extent)
            break;
        int64_t count = rf_min(end - begin, (extent - 1 - first) / axis->period + 1);
        int64_t chunks = rf_div_ceil(count, at->plan->rows);
        for (int64_t k = 0; k < chunks; k++) {
            int64_t a = k * count / chunks, b = (k + 1) * count / chunks;
            run_chunk(at, first + a * axis->period, b - a);
        }
    }
}

/* Puts the taps of an outer axis into a level and moves the row to the first of them. */
static void enter_axis(tiles_row *at, int32_t k, int64_t i, int64_t weight_step)
{
    const rf_window_layer *layer = &at->plan->layer;
    const rf_reach_axis *axis = &layer->axes[k];
    const rf_reach *taps = &axis->at[i];
    at->levels[k + 1] = (rf_tile_level){taps->count, layer->tap_step[k], axis->tap_step * weight_step};
    at->input += taps->input * layer->input[k];
    at->weights += taps->tap * weight_step;
    at->output += i * layer->output[k];
    if (at->residual)
        at->residual += i * layer->residual[k];
}

static void run_unit(const tiles_plan *plan, const rf_kernel_call *call, rf_layer_spot spot)
{
    const rf_window_layer *layer = &plan->layer;
    const rf_reach_axis *axes = layer->axes;
    int64_t group = spot.block / plan->panels, first = spot.block % plan->panels * plan->vectors * RF_LANES;
    int64_t channel = group * layer->outputs + first;
    const float *packed = call->packed;
    tiles_row at = {.plan = plan, .outputs = rf_min(layer->outputs - first, plan->vectors * RF_LANES)};
    at.vectors = rf_div_ceil(at.outputs, RF_LANES);
    at.bias = packed + group * plan->lanes + first;
    at.weights = packed + layer->groups * plan->lanes + (group * plan->lanes + first) * plan->depth;
    at.input = (const float *)call->data[0] + spot.batch * layer->input_batch + group * layer->inputs;
    at.output = (float *)call->data[1] + spot.batch * layer->output_batch + channel;
    if (layer->spec.epilogue.residual)
        at.residual = (const float *)call->data[2] + spot.batch * layer->residual_batch + channel;
    int64_t tap = layer->inputs * at.vectors * RF_LANES, row = tap * axes[LAST].window.kernel;
    at.levels[0] = (rf_tile_level){1, 0, 0};
    enter_axis(&at, 0, spot.z, row * axes[1].window.kernel);
    enter_axis(&at, 1, spot.y, row);
    at.levels[LAST + 1].input = layer->tap_step[LAST];
    at.levels[LAST + 1].weights = axes[LAST].tap_step * tap;
    run_periods(&at, spot.begin, spot.end);
}

static void run(const void *given, const rf_kernel_call *call)
{
    const tiles_plan *plan = given;
    rf_layer_spot spot = rf_layer_spot_of(&plan->layer, call->begin);
    for (size_t unit = call->begin; unit < call->end; unit++, rf_layer_next(&plan->layer, &spot))
        run_unit(plan, call, spot);
}

/* ---- Plan ------------------------------------------------------------------------------- */

static float *pack_panel(const tiles_plan *plan, const void *weights, int64_t group, int64_t first, int64_t lanes,
                         float *to)
{
    const rf_window_layer *layer = &plan->layer;
    for (int64_t tap = 0; tap < layer->taps; tap++)
        for (int64_t c = 0; c < layer->inputs; c++)
            for (int64_t k = first; k < first + lanes; k++)
                *to++ = k < layer->outputs ? rf_layer_weight(layer, weights, group, k, c, tap) : 0;
    return to;
}

/* Biases of all groups, then [group][panel][tap][input channel][lane]. */
static void pack(const void *given, const rf_unpacked *from, void *packed)
{
    const tiles_plan *plan = given;
    const rf_window_layer *layer = &plan->layer;
    float *to = packed;
    for (int64_t group = 0; group < layer->groups; group++)
        for (int64_t k = 0; k < plan->lanes; k++)
            *to++ = from->bias && k < layer->outputs ? from->bias[group * layer->outputs + k] : 0;
    int64_t wide = plan->vectors * RF_LANES;
    for (int64_t group = 0; group < layer->groups; group++)
        for (int64_t first = 0; first < plan->lanes; first += wide)
            to = pack_panel(plan, from->weights, group, first, rf_min(plan->lanes - first, wide), to);
}

static bool packed_floats(tiles_plan *plan, uint64_t *floats)
{
    const rf_window_layer *layer = &plan->layer;
    int64_t rows;
    return rf_checked_add(plan->depth, 1, &rows) && rf_checked_mul(rows, layer->groups, &rows)
        && rf_checked_mul(rows, plan->lanes, floats) && *floats <= SIZE_MAX / sizeof(float);
}

bool RF_ISA_NAME(rf_make_tap_tiles)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    tiles_plan *plan = RF_TAKE(arena, tiles_plan, 1);
    if (!plan || !rf_layer_make(spec, arena, &plan->layer))
        return false;
    const rf_window_layer *layer = &plan->layer;
    const rf_reach_axis *last = &layer->axes[LAST];
    double cycles;
    if (!rf_checked_mul(layer->inputs, layer->taps, &plan->depth))
        return false;
    plan->vectors = RF_ISA_NAME(rf_tile_choose)(rf_div_ceil(last->window.output, last->period), layer->outputs,
                                                plan->depth, &cycles);
    plan->rows = RF_ISA_NAME(rf_tile_rows)(plan->vectors);
    plan->lanes = rf_div_ceil(layer->outputs, RF_LANES) * RF_LANES;
    plan->panels = rf_div_ceil(plan->lanes, plan->vectors * RF_LANES);
    uint64_t floats;
    if (!packed_floats(plan, &floats))
        return false;
    *work = (rf_work){.algorithm = "tiles of like taps", .plan = plan, .run = run,
                      .unpacked = {.weights = spec->weights, .bias = spec->bias},
                      .packed_bytes = floats * sizeof(float), .pack = pack, .packing = spec->reversed};
    rf_layer_cut(&plan->layer, layer->groups * plan->panels, 1, work->packed_bytes, work);
    return true;
}

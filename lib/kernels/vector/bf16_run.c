/* SPDX-License-Identifier: MIT */
/* Runs a convolution by bfloat16: stages a block's input, then goes through the panels of weights. */
#include "base/checked.h"
#include "kernels/vector/bf16_plan.h"

enum { LAST = RF_DIRECT_AXES - 1 };

/* Lines of tiles by one panel. */
typedef struct line {
    const rf_direct_plan *plan;
    const rf_bf16_block *box;
    const float *input; /* staged */
    float *output;
    const float *residual;
    int64_t vectors;
    rf_tile_fetching fetching;
    rf_tile tile;
} line;

/* Where the first tap of output position i lies from the staged origin, in pairs. */
static int64_t offset_of(const line *at, int32_t k, int64_t i)
{
    const rf_window *window = &at->plan->spec.axis[k].window;
    return (window->stride * i - window->pad_begin - at->box->origin[k]) * at->box->steps[k];
}

/* Whether two short lines make a tile: their outputs follow each other. */
static bool can_twin(const line *at)
{
    const rf_direct_axis *lines = &at->plan->spec.axis[2], *pixels = &at->plan->spec.axis[LAST];
    int64_t width = pixels->window.output;
    return width <= RF_BF16_TWIN_ROWS && at->vectors == RF_BF16_TWIN_VECTORS && lines->output == width * pixels->output
           && (!at->residual || lines->residual == width * pixels->residual);
}

/* One line of tiles, or two as one tile. */
static void run_line(line *at, const int64_t index[LAST], bool twin)
{
    const rf_direct_axis *axis = at->plan->spec.axis;
    const float *input = at->input, *residual = at->residual;
    float *output = at->output;
    for (int32_t k = 0; k < LAST; k++) {
        input += offset_of(at, k, index[k]);
        output += index[k] * axis[k].output;
        if (residual)
            residual += index[k] * axis[k].residual;
    }
    for (int64_t chunk = at->box->first_chunk; chunk < at->box->last_chunk; chunk++) {
        int64_t x = rf_direct_chunk_begin(at->plan, chunk), end = rf_direct_chunk_begin(at->plan, chunk + 1);
        at->tile.input = input + offset_of(at, LAST, x);
        at->tile.output = output + x * axis[LAST].output;
        at->tile.residual = residual ? residual + x * axis[LAST].residual : NULL;
        rf_tile_fetch(&at->tile, &at->fetching);
        if (twin)
            RF_ISA_NAME(rf_bf16_twin_of)(end - x)(&at->tile, axis[2].window.stride * at->box->steps[2]);
        else
            RF_ISA_NAME(rf_bf16_tile_of)(end - x, at->vectors)(&at->tile);
    }
}

static void set_levels(line *at, int64_t lanes)
{
    rf_tile *tile = &at->tile;
    tile->length = rf_bf16_pairs(at->plan);
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++) {
        const rf_window *window = &at->plan->spec.axis[k].window;
        tile->levels[k] = (rf_tile_level){
            .count = window->kernel,
            .input = window->kernel > 1 ? window->dilation * at->box->steps[k] : 0,
            .weights = at->plan->taps_weight[k] * lanes,
        };
    }
    if (at->plan->joined) {
        tile->length *= tile->levels[LAST].count;
        tile->levels[LAST].count = 1;
    }
}

static int64_t tiles_of(const rf_bf16_block *box)
{
    int64_t tiles = box->last_chunk - box->first_chunk;
    for (int32_t k = 0; k < LAST; k++)
        tiles *= box->end[k] - box->begin[k];
    return tiles;
}

static void run_lines(line *at)
{
    const rf_bf16_block *box = at->box;
    const bool twins = can_twin(at);
    int64_t index[LAST];
    for (index[0] = box->begin[0]; index[0] < box->end[0]; index[0]++)
        for (index[1] = box->begin[1]; index[1] < box->end[1]; index[1]++)
            for (index[2] = box->begin[2]; index[2] < box->end[2]; index[2]++) {
                bool twin = twins && index[2] + 1 < box->end[2];
                run_line(at, index, twin);
                index[2] += twin;
            }
}

static void run_panel(const rf_direct_plan *plan, const rf_kernel_call *call, const rf_bf16_block *box, size_t unit)
{
    const float *packed = call->packed;
    const int64_t panel = (int64_t)(unit % (size_t)plan->panels), lanes = rf_direct_panel(plan);
    const rf_direct_axis *last = &plan->spec.axis[LAST];
    line at = {.plan = plan, .box = box, .input = call->scratch, .vectors = rf_direct_panel_vectors(plan, panel)};
    at.output = (float *)call->data[1] + panel * lanes;
    at.residual = plan->spec.epilogue.residual ? (const float *)call->data[2] + panel * lanes : NULL;
    at.tile = (rf_tile){
        .weights = packed + (plan->panels + panel * plan->depth) * lanes, .start = packed + panel * lanes,
        .map = plan->spec.epilogue.map, .absent = at.vectors * RF_LANES - rf_direct_panel_outputs(plan, panel),
        .output_step = last->output, .residual_step = last->residual,
        .step = last->window.output > 1 ? last->window.stride * box->steps[LAST] : 0,
    };
    set_levels(&at, at.vectors * RF_LANES);
    at.fetching = rf_direct_fetching(plan, call, unit, at.tile.weights, tiles_of(box), unit == call->begin);
    run_lines(&at);
}

/* ---- Blocks ----------------------------------------------------------------------------- */

static void set_span(const rf_direct_plan *plan, rf_bf16_block *box, int32_t k)
{
    const rf_window *window = &plan->spec.axis[k].window;
    int64_t positions = box->end[k] - box->begin[k] - 1;
    box->origin[k] = window->stride * box->begin[k] - window->pad_begin;
    box->extent[k] = (positions > 0 ? window->stride * positions : 0)
                     + (window->kernel > 1 ? (window->kernel - 1) * window->dilation : 0) + 1;
}

static rf_bf16_block block_of(const rf_direct_plan *plan, int64_t number)
{
    const rf_direct_block own = rf_direct_block_of(plan, number);
    rf_bf16_block box = {.first_chunk = own.begin[LAST], .last_chunk = own.end[LAST]};
    memcpy(box.begin, own.begin, sizeof box.begin);
    memcpy(box.end, own.end, sizeof box.end);
    box.begin[LAST] = rf_direct_chunk_begin(plan, box.first_chunk);
    box.end[LAST] = rf_direct_chunk_begin(plan, box.last_chunk);
    int64_t step = plan->staged_step;
    for (int32_t k = LAST; k >= 0; k--) {
        set_span(plan, &box, k);
        box.steps[k] = step;
        step *= box.extent[k];
    }
    return box;
}

void RF_ISA_NAME(rf_bf16_run)(const void *given, const rf_kernel_call *call)
{
    const rf_direct_plan *plan = given;
    size_t panels = (size_t)plan->panels;
    rf_bf16_block box;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        if (unit == call->begin || unit % panels == 0) {
            box = block_of(plan, (int64_t)(unit / panels));
            RF_ISA_NAME(rf_bf16_stage)(plan, &box, call->data[0], call->scratch);
        }
        run_panel(plan, call, &box, unit);
    }
}

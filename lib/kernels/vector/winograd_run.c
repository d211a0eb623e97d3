/* SPDX-License-Identifier: MIT */
/*
 * Runs Winograd's convolution, a block of tiles at a time: transforms their
 * inputs, and for each panel of output channels makes all points' sums over the
 * whole depth, then transforms those back while they are still in cache.
 */
#include "kernels/vector/winograd_plan.h"

#include "base/checked.h"
#include "kernels/vector/point_sums.h"

typedef struct block {
    const rf_winograd_plan *plan;
    const rf_kernel_call *call;
    int64_t begin;        /* tile */
    float *inputs;        /* in scratch */
    rf_point_sums points; /* of all panels: a row is a tile */
} block;

/* A place of the output, and where its pixels lie. */
typedef struct place {
    int64_t image, first[2]; /* output pixel */
} place;

/* The first output of tile `number` along an axis. Those of a dilated kernel are as far apart as its taps. */
static int64_t first_at(const rf_winograd_plan *plan, int k, int64_t number)
{
    int64_t phases = plan->phases[k], outputs = plan->outputs[k] * plan->spec.windows[k].dilation;
    return number % phases + number / phases * outputs;
}

static place place_at(const rf_winograd_plan *plan, int64_t number)
{
    int64_t line = number / plan->tiles[1];
    return (place){line / plan->tiles[0],
                   {first_at(plan, 0, line % plan->tiles[0]), first_at(plan, 1, number % plan->tiles[1])}};
}

static const float *zeros_of(const rf_winograd_plan *plan, const rf_kernel_call *call)
{
    return (const float *)call->packed + plan->panels * rf_winograd_panel(plan);
}

static block block_at(const rf_winograd_plan *plan, const rf_kernel_call *call, int64_t number)
{
    block at = {.plan = plan, .call = call, .inputs = call->scratch};
    at.begin = number * plan->tile_count / plan->blocks;
    at.points = (rf_point_sums){
        .points = plan->point_count, .depth = plan->depth, .inputs = at.inputs, .input_step = plan->input_step,
        .sums = at.inputs + plan->input_step * plan->point_count, .sums_step = plan->sums_step,
        .zeros = zeros_of(plan, call),
    };
    at.points.rows = (number + 1) * plan->tile_count / plan->blocks - at.begin;
    at.points.chunks = rf_div_ceil(at.points.rows, plan->row_tiles);
    return at;
}

/* ---- Inputs ------------------------------------------------------------------------------- */

/* Points at the input pixels of a tile; those in padding are zeros. */
static void find_pixels(const block *at, place of, const float **pixels)
{
    const rf_winograd_plan *plan = at->plan;
    const rf_strided *input = &plan->spec.input;
    const float *image = (const float *)at->call->data[0] + of.image * input->strides[0];
    const float *zeros = zeros_of(plan, at->call);
    const rf_window *windows = plan->spec.windows;
    int64_t top = of.first[0] * windows[0].stride - windows[0].pad_begin;
    int64_t left = of.first[1] * windows[1].stride - windows[1].pad_begin;
    for (int64_t i = 0; i < plan->points[0]; i++, pixels += RF_WINOGRAD_POINTS) {
        int64_t y = top + i * windows[0].dilation;
        bool inside = y >= 0 && y < input->dims[2];
        for (int64_t j = 0; j < plan->points[1]; j++) {
            int64_t x = left + j * windows[1].dilation;
            pixels[j] = inside && x >= 0 && x < input->dims[3] ? image + y * input->strides[2] + x * input->strides[3]
                                                              : zeros;
        }
    }
}

/* Copies the last channels of all pixels, too few for a vector, and points at the copies. */
static void copy_last(const rf_winograd_plan *plan, const float **pixels, int64_t channel, float *copy)
{
    int64_t lanes = plan->spec.input.dims[1] - channel;
    for (int64_t y = 0; y < plan->points[0]; y++)
        for (int64_t x = 0; x < plan->points[1]; x++, copy += RF_LANES) {
            const float **pixel = &pixels[y * RF_WINOGRAD_POINTS + x];
            rf_store(copy, rf_load_some(*pixel + channel, lanes));
            *pixel = copy;
        }
}

static void transform_tile(const block *at, int64_t number, float *to, int64_t rows)
{
    const rf_winograd_plan *plan = at->plan;
    const rf_winograd_passes *down = &RF_ISA_NAME(rf_winograd_passes_of)[plan->schemes[0]];
    const rf_winograd_passes *across = &RF_ISA_NAME(rf_winograd_passes_of)[plan->schemes[1]];
    const float *pixels[RF_WINOGRAD_POINTS * RF_WINOGRAD_POINTS];
    int64_t channels = plan->spec.input.dims[1], c = 0;
    rf_winograd_grid grid;
    find_pixels(at, place_at(plan, at->begin + number), pixels);
    for (; c + RF_LANES <= channels; c += RF_LANES) {
        down->columns(pixels, c, plan->points[1], &grid);
        across->rows(&grid, plan->points[0], to + c * rows, plan->input_step);
    }
    if (c < channels) {
        float copy[RF_WINOGRAD_POINTS * RF_WINOGRAD_POINTS * RF_LANES];
        copy_last(plan, pixels, c, copy);
        down->columns(pixels, 0, plan->points[1], &grid);
        across->rows(&grid, plan->points[0], to + c * rows, plan->input_step);
    }
}

static void transform_inputs(const block *at)
{
    for (int64_t chunk = 0; chunk < at->points.chunks; chunk++) {
        int64_t begin = rf_point_chunk_begin(&at->points, chunk);
        int64_t rows = rf_point_chunk_begin(&at->points, chunk + 1) - begin;
        for (int64_t r = 0; r < rows; r++)
            transform_tile(at, begin + r, at->inputs + begin * at->plan->depth + r * RF_LANES, rows);
    }
}

/* ---- Sums --------------------------------------------------------------------------------- */

static void sum_points(const block *at, int64_t panel)
{
    const rf_winograd_plan *plan = at->plan;
    rf_point_sums of = at->points;
    of.vectors = rf_winograd_panel_vectors(plan, panel);
    of.weights = (const float *)at->call->packed + rf_winograd_panel_weights(plan, panel);
    of.last = panel + 1 == plan->panels;
    RF_ISA_NAME(rf_sum_points)(&of);
}

/* ---- Outputs ------------------------------------------------------------------------------ */

/* Outputs of a tile along an axis that there are. */
static int64_t count_from(const rf_winograd_plan *plan, int k, int64_t first)
{
    int64_t left = plan->spec.output.dims[k + 2] - first;
    return left <= 0 ? 0 : rf_min(plan->outputs[k], rf_div_ceil(left, plan->spec.windows[k].dilation));
}

static rf_winograd_store store_at(const block *at, place of, int64_t channel)
{
    const rf_winograd_plan *plan = at->plan;
    const rf_convolution_spec *spec = &plan->spec;
    const rf_strided *output = &spec->output, *residual = &spec->residual;
    rf_winograd_store store = {.map = spec->epilogue.map};
    store.output = (float *)at->call->data[1] + channel + of.image * output->strides[0]
                   + of.first[0] * output->strides[2] + of.first[1] * output->strides[3];
    store.rows = count_from(plan, 0, of.first[0]);
    store.columns = count_from(plan, 1, of.first[1]);
    store.bias = (const float *)at->call->packed + channel;
    if (spec->epilogue.residual)
        store.residual = (const float *)at->call->data[2] + channel + of.image * residual->strides[0]
                         + of.first[0] * residual->strides[2] + of.first[1] * residual->strides[3];
    for (int k = 0; k < 2; k++) {
        const int64_t dilation = spec->windows[k].dilation;
        store.output_steps[k] = output->strides[k + 2] * dilation;
        store.residual_steps[k] = spec->epilogue.residual ? residual->strides[k + 2] * dilation : 0;
    }
    return store;
}

static void transform_sums(const block *at, int64_t panel)
{
    const rf_winograd_plan *plan = at->plan;
    const rf_winograd_passes *down = &RF_ISA_NAME(rf_winograd_passes_of)[plan->schemes[0]];
    const rf_winograd_passes *across = &RF_ISA_NAME(rf_winograd_passes_of)[plan->schemes[1]];
    int64_t outputs = rf_winograd_panel_outputs(plan, panel);
    const float *sums = at->points.sums;
    rf_winograd_grid grid;
    for (int64_t t = 0; t < at->points.rows; t++) {
        rf_winograd_store store =
            store_at(at, place_at(plan, at->begin + t), panel * rf_winograd_panel(plan));
        for (int64_t c = 0; c < outputs; c += RF_LANES, sums += RF_LANES) {
            store.lanes = rf_min(RF_LANES, outputs - c);
            down->back_columns(sums, plan->sums_step, plan->points[1], &grid);
            across->back_rows(&grid, &store);
            store.output += RF_LANES;
            store.bias += RF_LANES;
            store.residual = store.residual ? store.residual + RF_LANES : NULL;
        }
    }
}

void RF_ISA_NAME(rf_winograd_run)(const void *given, const rf_kernel_call *call)
{
    const rf_winograd_plan *plan = given;
    size_t panels = (size_t)plan->panels;
    block at = {.plan = plan};
    for (size_t unit = call->begin; unit < call->end; unit++) {
        if (unit == call->begin || unit % panels == 0) {
            at = block_at(plan, call, (int64_t)(unit / panels));
            transform_inputs(&at);
        }
        sum_points(&at, (int64_t)(unit % panels));
        transform_sums(&at, (int64_t)(unit % panels));
    }
}

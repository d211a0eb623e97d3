/* SPDX-License-Identifier: MIT */
#include "kernels/vector/lane_kernel.h"

#include "base/checked.h"
#include "kernels/vector/row_tile.h"
#include "kernels/window_layer.h"

enum { LAST = RF_LAYER_AXES - 1, COLUMNS = 4 };

/* Rows that a unit has at most, and units along them that a layer has at least. */
enum { most_rows = 16, LEAST_BANDS = 4 };

typedef struct lane_plan {
    rf_window_layer layer;
    int64_t channels;
    int64_t row_weights, block_floats; /* floats of a row of taps, and of all, of one block */
    const rf_row_kind *kind; /* NULL: pixel by pixel */
    bool wide;               /* all outputs of a block see the same inputs */
    int64_t rows;            /* that a tile may do at once */
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

static void finish_pixels(const lane_plan *plan, const rf_row_tile *at, const lane_block *block,
                          const float *sums)
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
    for (int64_t z = 0; z < at->planes; z++)
        for (int64_t y = at->first_row; y < at->end_row; y++) {
            const float *input = at->input + z * at->plane_step + y * at->row_step + taps->input * at->pixel;
            const float *weights = at->weights + z * at->plane_weights + y * at->row_weights
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

static void run_columns(const lane_plan *plan, rf_row_tile *at, const lane_block *block, int64_t begin,
                        int64_t end)
{
    const rf_reach_axis *axis = &plan->layer.axes[LAST];
    float *output = at->output;
    const float *residual = at->residual;
    float sums[COLUMNS * RF_LANES];
    for (int64_t x = begin; x < end; x += at->pixels) {
        const rf_reach *taps = &axis->at[x];
        at->pixels = block->lanes == RF_LANES && end - x >= COLUMNS && alike(axis, taps) ? COLUMNS : 1;
        if (at->pixels == COLUMNS)
            columns(at, plan, taps, sums);
        else
            single_column(at, plan, taps, block->lanes, sums);
        at->output = output + x * at->output_step;
        at->residual = residual ? residual + x * at->residual_step : NULL;
        finish_pixels(plan, at, block, sums);
    }
}

/* ---- Windows that have a tile ------------------------------------------------------------ */

/* Tiles that follow each other from output x on, whole and with all taps on the input. */
static int64_t inside_tiles(const rf_window *window, int64_t x, int64_t end)
{
    int64_t first = x * window->stride - window->pad_begin;
    int64_t last = first + (RF_ROW_PIXELS - 1) * window->stride + window->kernel - 1;
    if (first < 0 || last >= window->input)
        return 0;
    return rf_min((end - x) / RF_ROW_PIXELS, (window->input - 1 - last) / (RF_ROW_PIXELS * window->stride) + 1);
}

/* A tile by way of whole vectors of sums, of which not all lanes are stored. */
static void run_part(const lane_plan *plan, rf_row_tile *at, const lane_block *block, rf_row_function *function,
                     int64_t rows)
{
    float sums[RF_ROW_SUMS * RF_LANES], *output = at->output;
    at->output = NULL;
    at->sums = sums;
    function(at);
    at->output = output;
    for (int64_t r = 0; r < rows; r++) {
        finish_pixels(plan, at, block, sums + r * RF_ROW_PIXELS * RF_LANES);
        at->output += at->output_row;
        at->residual = at->residual ? at->residual + at->residual_row : NULL;
    }
}

/* Whether the tile is at rows that the functions without row loops can do. */
static bool is_square(const lane_plan *plan, const rf_row_tile *at, int64_t rows)
{
    const rf_row_kind *kind = plan->kind;
    const rf_window *window = &plan->layer.axes[1].window;
    return kind->square_inside && rows == RF_ROW_ROWS && at->planes == 1 && at->first_row == 0
           && window->kernel == kind->kernel && (rows == 1 || window->stride == kind->stride)
           && at->end_row == kind->kernel + (rows - 1) * kind->stride;
}

static void run_tiles(const lane_plan *plan, rf_row_tile *at, const lane_block *block, int64_t rows,
                      int64_t begin, int64_t end)
{
    const rf_window *window = &plan->layer.axes[LAST].window;
    float *output = at->output;
    const float *residual = at->residual;
    bool whole = is_whole(block), square = is_square(plan, at, rows);
    rf_row_function *inside = square ? plan->kind->square_inside : plan->kind->inside[rows - 1];
    rf_row_function *border = square ? plan->kind->square_border : plan->kind->border[rows - 1];
    at->extent = window->input;
    for (int64_t x = begin; x < end; x += at->pixels) {
        int64_t tiles = inside_tiles(window, x, end);
        rf_row_function *function = tiles ? inside : border;
        tiles = whole ? rf_max(tiles, 1) : 1;
        at->first = x * window->stride - window->pad_begin;
        at->pixels = rf_min(end - x, tiles * RF_ROW_PIXELS);
        at->output = output + x * at->output_step;
        at->residual = residual ? residual + x * at->residual_step : NULL;
        if (whole)
            function(at);
        else
            run_part(plan, at, block, function, rows);
    }
}

/* ---- Units ------------------------------------------------------------------------------ */

/* Enters the taps of one row. */
static void enter_row(const lane_plan *plan, rf_row_tile *at, int64_t y)
{
    const rf_reach_axis *axis = &plan->layer.axes[1];
    const rf_reach *taps = &axis->at[y];
    int64_t weights = plan->row_weights;
    at->first_row = 0;
    at->end_row = taps->count;
    at->input += taps->input * plan->layer.input[1];
    at->weights += taps->tap * weights;
    at->row_step = plan->layer.tap_step[1];
    at->row_weights = axis->tap_step * weights;
}

/* Enters the taps of row y and the next. */
static void enter_rows(const lane_plan *plan, rf_row_tile *at, int64_t y)
{
    const rf_window *window = &plan->layer.axes[1].window;
    int64_t top = y * window->stride - window->pad_begin;
    at->first_row = rf_max(-top, 0);
    at->end_row = rf_min(window->kernel + window->stride, window->input - top);
    at->taps = window->kernel;
    at->row_stride = window->stride;
    at->row_step = plan->layer.input[1];
    at->row_weights = plan->row_weights;
    if (at->first_row < at->end_row)
        at->input += (top + at->first_row) * at->row_step;
}

/* The steps of all tiles of a unit; field by field, for vectors that copy them would wait for the stores. */
static void set_tile(const lane_plan *plan, rf_row_tile *at)
{
    const rf_window_layer *layer = &plan->layer;
    at->pixel = layer->input[LAST];
    at->channels = layer->inputs;
    at->output_step = layer->output[LAST];
    at->residual_step = layer->residual[LAST];
    at->output_row = layer->output[1];
    at->residual_row = layer->residual[1];
    at->map = layer->spec.epilogue.map;
    at->plane_step = layer->tap_step[0];
    at->plane_weights = layer->axes[0].tap_step * layer->axes[1].window.kernel * plan->row_weights;
}

/* The first floats of a block of channels. */
typedef struct lane_place {
    const float *input, *weights, *residual;
    float *output;
    int64_t planes;
} lane_place;

static lane_place place_of(const lane_plan *plan, const rf_kernel_call *call, const rf_layer_spot *spot,
                           const lane_block *block)
{
    const rf_window_layer *layer = &plan->layer;
    const rf_reach *taps = &layer->axes[0].at[spot->z];
    const float *weights = (const float *)call->packed + layer->blocks * RF_LANES;
    int64_t input = plan->wide ? block->first / layer->outputs * layer->inputs : block->first;
    lane_place place = {.planes = taps->count, .weights = weights + spot->block * plan->block_floats};
    place.weights += taps->tap * layer->axes[1].window.kernel * plan->row_weights;
    place.input = (const float *)call->data[0] + spot->batch * layer->input_batch + input
                  + taps->input * layer->input[0];
    place.output = (float *)call->data[1] + spot->batch * layer->output_batch + block->first
                   + spot->z * layer->output[0];
    if (layer->spec.epilogue.residual)
        place.residual = (const float *)call->data[2] + spot->batch * layer->residual_batch + block->first
                         + spot->z * layer->residual[0];
    return place;
}

static void run_unit(const lane_plan *plan, const rf_kernel_call *call, const rf_layer_spot *spot,
                     rf_row_tile *at)
{
    const rf_reach_axis *last = &plan->layer.axes[LAST];
    const lane_block block = block_of(plan, spot->block);
    const lane_place place = place_of(plan, call, spot, &block);
    int64_t begin = spot->begin * last->period, end = rf_min(spot->end * last->period, last->window.output);
    int64_t end_row = spot->y + spot->rows, rows;
    at->start = (const float *)call->packed + spot->block * RF_LANES;
    at->planes = place.planes;
    for (int64_t y = spot->y; y < end_row; y += rows) {
        rows = rf_min(plan->rows, end_row - y);
        at->input = place.input;
        at->weights = place.weights;
        at->output = place.output + y * at->output_row;
        at->residual = place.residual ? place.residual + y * at->residual_row : NULL;
        if (rows > 1)
            enter_rows(plan, at, y);
        else
            enter_row(plan, at, y);
        if (plan->kind)
            run_tiles(plan, at, &block, rows, begin, end);
        else
            run_columns(plan, at, &block, begin, end);
    }
}

static void run(const void *given, const rf_kernel_call *call)
{
    const lane_plan *plan = given;
    rf_layer_spot spot = rf_layer_spot_of(&plan->layer, call->begin);
    rf_row_tile at;
    set_tile(plan, &at);
    for (size_t unit = call->begin; unit < call->end; unit++) {
        run_unit(plan, call, &spot, &at);
        rf_layer_next(&plan->layer, &spot);
    }
}

/* ---- Plan ------------------------------------------------------------------------------- */

/* [row of taps][input channel of a group][tap of a row][lane]. */
static float *pack_block(const lane_plan *plan, const void *weights, const lane_block *block, float *to)
{
    const rf_window_layer *layer = &plan->layer;
    int64_t kernel = layer->axes[LAST].window.kernel;
    for (int64_t row = 0; row < layer->taps; row += kernel)
        for (int64_t c = 0; c < layer->inputs; c++)
            for (int64_t tap = row; tap < row + kernel; tap++)
                for (int64_t lane = 0; lane < RF_LANES; lane++) {
                    int64_t channel = block->first + lane, group = channel / layer->outputs;
                    *to++ = lane < block->lanes
                                ? rf_layer_weight(layer, weights, group, channel % layer->outputs, c, tap) : 0;
                }
    return to;
}

/* Biases of all blocks, then their weights. */
static void pack(const void *given, const rf_unpacked *from, void *packed)
{
    const lane_plan *plan = given;
    const rf_window_layer *layer = &plan->layer;
    float *bias = packed, *weights = bias + layer->blocks * RF_LANES;
    for (int64_t number = 0; number < layer->blocks; number++) {
        lane_block block = block_of(plan, number);
        for (int64_t lane = 0; lane < RF_LANES; lane++)
            *bias++ = from->bias && lane < block.lanes ? from->bias[block.first + lane] : 0;
        weights = pack_block(plan, from->weights, &block, weights);
    }
}

/* Finds tiles; true where there are some, or where the layer can do without. */
static bool choose(const rf_convolution_spec *spec, lane_plan *plan)
{
    const rf_window *windows = spec->windows, *last = &windows[spec->axes - 1];
    int64_t inputs = spec->input.dims[1] / spec->groups, width = spec->output.dims[1] / spec->groups;
    plan->channels = spec->output.dims[1];
    plan->rows = 1;
    if (!spec->transposed && last->dilation == 1 && plan->channels >= RF_LANES) {
        plan->wide = width % RF_LANES == 0;
        if (plan->wide || inputs == width)
            plan->kind = RF_ISA_NAME(rf_row_of)(plan->wide ? RF_ROW_WIDE : width, last->kernel, last->stride);
        if (plan->kind && spec->axes > 1 && windows[spec->axes - 2].dilation == 1)
            plan->rows = RF_ROW_ROWS;
    }
    return plan->kind || (width == 1 && inputs == 1);
}

static bool packed_floats(lane_plan *plan, int64_t blocks, uint64_t *floats)
{
    int64_t all;
    plan->row_weights = plan->layer.axes[LAST].window.kernel * plan->layer.inputs * RF_LANES;
    return rf_checked_mul(plan->layer.taps, plan->layer.inputs * RF_LANES, &plan->block_floats)
        && rf_checked_add(plan->block_floats, RF_LANES, &all) && rf_checked_mul(all, blocks, floats)
        && *floats <= SIZE_MAX / sizeof(float);
}

/*
 * Rows of a unit: the more, the more often a row of inputs is still near; and yet so many bands that
 * neighbouring workers take different rows, as they do in the layers around this one.
 */
static int64_t band_of(const lane_plan *plan)
{
    int64_t height = plan->layer.axes[1].window.output;
    if (!plan->kind)
        return 1;
    int64_t rows = rf_div_ceil(height, LEAST_BANDS);
    return rf_min(rf_max(rf_div_ceil(rows, 2) * 2, 2), most_rows);
}

bool RF_ISA_NAME(rf_make_lanes)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->groups < 1 || spec->axes < 1)
        return false;
    lane_plan *plan = RF_TAKE(arena, lane_plan, 1);
    if (!plan || !choose(spec, plan) || !rf_layer_make(spec, arena, &plan->layer))
        return false;
    int64_t blocks = rf_div_ceil(plan->channels, RF_LANES);
    uint64_t floats;
    if (!packed_floats(plan, blocks, &floats))
        return false;
    *work = (rf_work){.algorithm = plan->kind ? "rows of pixels" : "pixel by pixel", .plan = plan, .run = run,
                      .unpacked = {.weights = spec->weights, .bias = spec->bias},
                      .packed_bytes = floats * sizeof(float), .pack = pack, .packing = spec->reversed};
    rf_layer_cut(&plan->layer, blocks, band_of(plan), work->packed_bytes, work);
    return true;
}

/* SPDX-License-Identifier: MIT */
/* Makes Winograd's convolution: chooses the tile that should be fastest for a shape, if any is. */
#include "kernels/vector/winograd_convolution.h"

#include <math.h>

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/winograd_plan.h"

/* Of a block's transformed inputs: what a large one may take, and the smallest one, of very many channels. */
static const int64_t large_bytes = 5 * 1024 * 1024, most_bytes = 16 * 1024 * 1024;
static const int64_t halved_bytes = 2 * 1024 * 1024; /* of weights, at most, to read them once more for two blocks */
/* In the cycles of rf_tile_choose, of a vector product: a byte's that comes from a cache or from memory. */
static const double level_2_bytes = 640e3, level_2_cycles = 0.005, level_3_bytes = 16e6, level_3_cycles = 0.04;
static const double byte_cycles = 0.16;

enum { BLOCK_STEP = 14, MOST_BLOCK_STEPS = 6, WORTH_HALVING = 16 };

/* ---- What it can do ----------------------------------------------------------------------- */

static void add_axis(rf_strided *of)
{
    of->rank = 4;
    of->dims[3] = of->dims[2];
    of->strides[3] = of->strides[2];
    of->dims[2] = 1;
    of->strides[2] = 0;
}

/* A convolution along one axis is one of an image of one line. A window of one tap has no dilation. */
static rf_convolution_spec image_of(const rf_convolution_spec *spec)
{
    rf_convolution_spec image = *spec;
    if (spec->axes == 1) {
        image.axes = 2;
        image.windows[1] = spec->windows[0];
        image.windows[0] = (rf_window){1, 1, 1, 1, 1, 0, 0};
        add_axis(&image.input);
        add_axis(&image.output);
        add_axis(&image.residual);
    }
    for (int k = 0; k < 2; k++)
        if (image.windows[k].kernel == 1)
            image.windows[k].dilation = 1;
    return image;
}

static bool can_do(const rf_convolution_spec *spec)
{
    if (spec->exact || spec->transposed || spec->groups != 1 || spec->axes != 2)
        return false;
    const int64_t kernels[2] = {spec->windows[0].kernel, spec->windows[1].kernel};
    if (kernels[0] > RF_WINOGRAD_TAPS || kernels[1] > RF_WINOGRAD_TAPS || (kernels[0] == 1 && kernels[1] == 1))
        return false;
    if (spec->input.strides[1] != 1 || spec->output.strides[1] != 1)
        return false;
    if (spec->epilogue.residual && spec->residual.strides[1] != 1)
        return false;
    for (int k = 0; k < 4; k++)
        if (spec->output.dims[k] < 1 || spec->input.dims[k] < 1)
            return false;
    return true;
}

static int64_t taps_of(const rf_convolution_spec *spec)
{
    return spec->windows[0].kernel * spec->windows[1].kernel;
}

/* ---- The plan of a tile ------------------------------------------------------------------- */

static bool suits(int scheme, const rf_window *window)
{
    const rf_winograd_scheme *of = &rf_winograd_schemes[scheme];
    return of->kernel == window->kernel && of->stride == window->stride
           && (window->dilation == 1 || (window->stride == 1 && window->dilation < INT32_MAX));
}

static bool set_tiles(rf_winograd_plan *plan)
{
    const rf_strided *output = &plan->spec.output;
    plan->point_count = 1;
    plan->taps = taps_of(&plan->spec);
    plan->tile_count = output->dims[0];
    for (int k = 0; k < 2; k++) {
        const rf_winograd_scheme *scheme = &rf_winograd_schemes[plan->schemes[k]];
        plan->outputs[k] = scheme->outputs;
        plan->points[k] = scheme->points;
        plan->point_count *= plan->points[k];
        plan->phases[k] = rf_min(plan->spec.windows[k].dilation, output->dims[k + 2]);
        int64_t longest = rf_div_ceil(output->dims[k + 2], plan->spec.windows[k].dilation);
        plan->tiles[k] = rf_div_ceil(longest, plan->outputs[k]) * plan->phases[k];
        if (!rf_checked_mul(plan->tile_count, plan->tiles[k], &plan->tile_count))
            return false;
    }
    return plan->tile_count < INT32_MAX;
}

static int64_t input_bytes(const rf_winograd_plan *plan, int64_t tiles)
{
    return tiles * plan->depth * plan->point_count * (int64_t)sizeof(float);
}

static int64_t weight_bytes(const rf_winograd_plan *plan)
{
    int64_t bytes;
    return rf_checked_mul(plan->depth * plan->point_count * (int64_t)sizeof(float), plan->spec.output.dims[1], &bytes)
               ? bytes : INT64_MAX;
}

/* Of a byte that is read from so much data as was read before, by the cache that holds it. */
static double read_cycles(double bytes)
{
    return bytes * (bytes <= level_2_bytes ? level_2_cycles : bytes <= level_3_bytes ? level_3_cycles : byte_cycles);
}

/*
 * Of all products in so many blocks, by what they read: a panel's weights once for each block, a block's transformed
 * inputs once for each panel.
 */
static double blocks_cycles(const rf_winograd_plan *plan, int64_t blocks)
{
    double sums, points = (double)plan->point_count, depth = (double)plan->depth;
    int64_t tiles = rf_div_ceil(plan->tile_count, blocks), outputs = plan->spec.output.dims[1];
    int32_t vectors = RF_ISA_NAME(rf_tile_choose)(tiles, outputs, plan->depth, &sums);
    double panels = (double)rf_div_ceil(outputs, vectors * (int64_t)RF_LANES);
    double cycles = points * depth * sums + panels * read_cycles((double)input_bytes(plan, tiles));
    return cycles * (double)blocks + read_cycles((double)weight_bytes(plan)) * (double)(blocks - 1);
}

/* The number of blocks that should be the fastest one, of at least `BLOCK_STEP` tiles each where there are as many. */
static int64_t choose_blocks(const rf_winograd_plan *plan)
{
    int64_t best = rf_div_ceil(plan->tile_count, BLOCK_STEP);
    double least = HUGE_VAL;
    for (int64_t steps = 1; steps <= MOST_BLOCK_STEPS; steps++) {
        int64_t blocks = rf_div_ceil(plan->tile_count, steps * BLOCK_STEP);
        if (steps > 1 && input_bytes(plan, rf_div_ceil(plan->tile_count, blocks)) > large_bytes)
            continue;
        if (blocks > 1)
            blocks += blocks % 2; /* most often it is two workers that share them */
        double cycles = blocks_cycles(plan, blocks);
        if (cycles >= least)
            continue;
        least = cycles;
        best = blocks;
    }
    if (best == 1 && plan->tile_count >= WORTH_HALVING && weight_bytes(plan) <= halved_bytes)
        best = 2;
    return best;
}

static void set_blocks(rf_winograd_plan *plan)
{
    double cycles;
    int64_t outputs = plan->spec.output.dims[1];
    plan->blocks = choose_blocks(plan);
    plan->block_tiles = rf_div_ceil(plan->tile_count, plan->blocks);
    plan->vectors = RF_ISA_NAME(rf_tile_choose)(plan->block_tiles, outputs, plan->depth, &cycles);
    plan->row_tiles = RF_ISA_NAME(rf_tile_rows)(plan->vectors);
    plan->panels = rf_div_ceil(outputs, rf_winograd_panel(plan));
    plan->zeros = rf_max(plan->depth, rf_winograd_panel(plan));
    plan->input_step = plan->block_tiles * plan->depth + RF_LANES;
    plan->sums_step = plan->block_tiles * rf_winograd_panel(plan) + RF_LANES;
}

static bool plan_tiles(rf_winograd_plan *plan, const rf_convolution_spec *spec, int down, int across)
{
    if (!suits(down, &spec->windows[0]) || !suits(across, &spec->windows[1]))
        return false;
    *plan = (rf_winograd_plan){.spec = *spec, .schemes = {down, across}};
    plan->depth = rf_div_ceil(spec->input.dims[1], RF_LANES) * RF_LANES;
    if (plan->depth > INT32_MAX || !set_tiles(plan))
        return false;
    set_blocks(plan);
    return plan->input_step <= most_bytes / (plan->point_count * (int64_t)sizeof(float));
}

/* ---- The choice --------------------------------------------------------------------------- */

/* In the cycles of rf_tile_choose, of one vector product. */
static const double input_cycles = 6.0, output_cycles = 6.5; /* of a vector of a point's inputs, or sums */
static const double pack_cycles = 10;                       /* of a vector of a point's weights, packed in a run */
static const double gain = 0.92;           /* a tile must take less of a direct convolution's time */
static const double least_products = 2e6;  /* below this a direct convolution is fast enough, and exact */
enum {
    LEAST_CHANNELS = 16,
    MOST_POINTS = 64,
    MANY_POINTS = 60,        /* that are sums of pixels, not pixels as they are */
    MOST_CHANNELS = 256,     /* of so many: beyond it, the error exceeds 2e-5 of the largest output */
    GRAIN_PANELS = 4         /* make good for transforming a block's inputs once more */
};

static bool is_accurate(const rf_winograd_plan *plan)
{
    int64_t sums = 1;
    for (int k = 0; k < 2; k++)
        sums *= rf_winograd_sums(&rf_winograd_schemes[plan->schemes[k]]);
    return plan->point_count <= MOST_POINTS && (sums < MANY_POINTS || plan->spec.input.dims[1] <= MOST_CHANNELS);
}

/* Products of pairs of bfloat16 take half the time and read half the bytes. */
static double direct_cycles(const rf_convolution_spec *spec)
{
    const double share = spec->bfloat16 ? 0.5 : 1;
    const rf_strided *output = &spec->output;
    const int64_t depth = taps_of(spec) * spec->input.dims[1];
    double cycles;
    RF_ISA_NAME(rf_tile_choose)(output->dims[3], output->dims[1], depth, &cycles);
    cycles *= (double)output->dims[0] * (double)output->dims[2];
    return share * (double)depth * (cycles + byte_cycles * (double)output->dims[1] * sizeof(float));
}

static double tiled_cycles(const rf_winograd_plan *plan)
{
    double points = (double)plan->point_count, tiles = (double)plan->tile_count;
    double depth = (double)plan->depth, lanes = (double)(plan->panels * rf_winograd_panel(plan));
    double cycles = blocks_cycles(plan, plan->blocks) + byte_cycles * points * depth * lanes * sizeof(float);
    if (!plan->spec.weights)
        cycles += pack_cycles * points * depth * lanes / RF_LANES;
    return cycles + points * tiles * (depth * input_cycles + lanes * output_cycles) / RF_LANES;
}

static bool is_large(const rf_convolution_spec *spec)
{
    double products = (double)taps_of(spec) * (double)spec->input.dims[1];
    for (int k = 0; k < 4; k++)
        products *= (double)spec->output.dims[k];
    return products >= least_products && spec->input.dims[1] >= LEAST_CHANNELS
           && spec->output.dims[1] >= LEAST_CHANNELS;
}

static bool choose(const rf_convolution_spec *spec, int best[2])
{
    double least = gain * direct_cycles(spec);
    bool found = false;
    if (!is_large(spec))
        return false;
    for (int down = 0; down < RF_WINOGRAD_SCHEMES; down++)
        for (int across = 0; across < RF_WINOGRAD_SCHEMES; across++) {
            rf_winograd_plan plan;
            if (!plan_tiles(&plan, spec, down, across) || !is_accurate(&plan))
                continue;
            double cycles = tiled_cycles(&plan);
            if (cycles >= least)
                continue;
            least = cycles;
            best[0] = down;
            best[1] = across;
            found = true;
        }
    return found;
}

/* ---- The work ----------------------------------------------------------------------------- */

#define VECTORS(down, across)                                                                      \
    {                                                                                              \
        "Winograd " #down "x" #across ", 1 vector", "Winograd " #down "x" #across ", 2 vectors",   \
        "Winograd " #down "x" #across ", 3 vectors", "Winograd " #down "x" #across ", 4 vectors"   \
    }
#define ACROSS(down)                                                                               \
    {                                                                                              \
        VECTORS(down, 1), VECTORS(down, 2), VECTORS(down, 3), VECTORS(down, 4), VECTORS(down, 5),  \
            VECTORS(down, 6)                                                                       \
    }

static const char *const names[RF_WINOGRAD_OUTPUTS][RF_WINOGRAD_OUTPUTS][RF_TILE_MAX_VECTORS] = {
    ACROSS(1), ACROSS(2), ACROSS(3), ACROSS(4), ACROSS(5), ACROSS(6),
};

/*
 * Panels that are not shared out: equal parts of a block, an even number where there is only one, since most often
 * it is two workers that share them. Each part has the block's inputs transformed again.
 */
static int64_t panels_together(const rf_winograd_plan *plan)
{
    int64_t parts = rf_max(plan->panels / GRAIN_PANELS / 2 * 2, 2);
    if (plan->blocks > 1)
        parts = plan->panels % 2 == 0 && plan->panels >= 2 * GRAIN_PANELS ? 2 : 1;
    return rf_div_ceil(plan->panels, parts);
}

static bool set_work(const rf_winograd_plan *plan, rf_work *work)
{
    int64_t lanes = plan->panels * rf_winograd_panel(plan), units;
    uint64_t floats, bytes, scratch;
    *work = (rf_work){.algorithm = names[plan->outputs[0] - 1][plan->outputs[1] - 1][plan->vectors - 1], .plan = plan,
                      .run = RF_ISA_NAME(rf_winograd_run),
                      .unpacked = {.weights = plan->spec.weights, .bias = plan->spec.bias},
                      .pack = RF_ISA_NAME(rf_winograd_pack)};
    if (!rf_checked_mul(plan->depth * plan->point_count, lanes, &floats)
        || !rf_checked_add(floats, (uint64_t)(lanes + plan->zeros), &floats)
        || !rf_checked_mul(floats, sizeof(float), &bytes) || bytes > SIZE_MAX / 2
        || !rf_checked_mul(plan->panels, plan->blocks, &units) || (uint64_t)units > SIZE_MAX)
        return false;
    work->packing_parts = (size_t)plan->panels;
    work->pack_part = RF_ISA_NAME(rf_winograd_pack_part);
    if (!plan->spec.reversed)
        work->part_bytes = (uint64_t)(rf_winograd_panel(plan) * plan->spec.input.dims[1] * plan->taps) * sizeof(float);
    scratch = (uint64_t)(plan->input_step + plan->sums_step) * (uint64_t)plan->point_count;
    work->packed_bytes = bytes;
    work->scratch_bytes = scratch * sizeof(float);
    work->units = (size_t)units;
    work->grain = (size_t)panels_together(plan);
    work->operations = rf_checked_mul(floats, (uint64_t)plan->tile_count, &work->operations)
                           ? work->operations : UINT64_MAX / 2;
    return true;
}

static bool make(const rf_convolution_spec *spec, int down, int across, rf_arena *arena, rf_work *work)
{
    rf_winograd_plan *plan = RF_TAKE(arena, rf_winograd_plan, 1);
    return plan && plan_tiles(plan, spec, down, across) && set_work(plan, work);
}

/* RF_WINOGRAD_SCHEMES where there is none. */
static int scheme_of(const rf_window *window, int outputs)
{
    int scheme = 0;
    while (scheme < RF_WINOGRAD_SCHEMES
           && !(suits(scheme, window) && rf_winograd_schemes[scheme].outputs == outputs))
        scheme++;
    return scheme;
}

bool RF_ISA_NAME(rf_make_winograd_sized)(const rf_convolution_spec *spec, const int outputs[2], rf_arena *arena,
                                         rf_work *work)
{
    const rf_convolution_spec image = image_of(spec);
    int down = scheme_of(&image.windows[0], outputs[0]), across = scheme_of(&image.windows[1], outputs[1]);
    return down < RF_WINOGRAD_SCHEMES && across < RF_WINOGRAD_SCHEMES && can_do(&image)
           && make(&image, down, across, arena, work);
}

bool RF_ISA_NAME(rf_make_winograd)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work)
{
    const rf_convolution_spec image = image_of(spec);
    int schemes[2];
    return can_do(&image) && choose(&image, schemes) && make(&image, schemes[0], schemes[1], arena, work);
}

bool RF_ISA_NAME(rf_make_winograd_candidate)(const rf_convolution_spec *spec, int32_t number, rf_arena *arena,
                                             rf_work *work)
{
    const rf_convolution_spec image = image_of(spec);
    if (number < 0 || number >= RF_WINOGRAD_CANDIDATES || !can_do(&image) || !is_large(&image))
        return false;
    for (int down = RF_WINOGRAD_SCHEMES - 1; down >= 0; down--)
        for (int across = RF_WINOGRAD_SCHEMES - 1; across >= 0; across--) {
            rf_winograd_plan plan;
            if (suits(down, &image.windows[0]) && suits(across, &image.windows[1]) && number-- == 0)
                return plan_tiles(&plan, &image, down, across) && is_accurate(&plan)
                       && make(&image, down, across, arena, work);
        }
    return false;
}

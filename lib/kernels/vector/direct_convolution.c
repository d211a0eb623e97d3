/* SPDX-License-Identifier: MIT */
/*
 * Makes a direct convolution: brings its axes to a normal form, then chooses
 * tile, panel and block so that a block's input and a panel stay in cache.
 */
#include "kernels/vector/direct_convolution.h"

#include "base/checked.h"
#include "kernels/vector/direct_plan.h"

enum { LAST = RF_DIRECT_AXES - 1, LEAST_BLOCKS = 4 };
enum { CACHE_WAY = 4096 / sizeof(float) };           /* floats after which a cache begins again */
enum { WORTH_STAGING = 64, WORTH_PADDING = 24 };     /* outputs that make good for copying the input */
enum { MOST_PADDED = 1 << 24 };                      /* weights that are looked through */

static const double block_bytes = 192 * 1024;   /* of input: a part of a level 2 cache */
static const double unit_products = 8e6;        /* so that there are units to share out */
static const double staged_bytes = 64.0 * 1024 * 1024; /* beyond it, not by this kernel */

static const rf_direct_axis nothing = {.window = {1, 1, 1, 1, 1, 0, 0}};

/* ---- Normal form ------------------------------------------------------------------------ */

/* An axis that is only walked along: position i reads position i. */
static bool is_plain(const rf_direct_axis *axis)
{
    const rf_window *window = &axis->window;
    return window->kernel == 1 && window->stride == 1 && window->pad_begin == 0
           && window->input >= window->output;
}

/* Takes the stride of a window of one tap into the input's stride. */
static void straighten(rf_direct_axis *axis)
{
    rf_window *window = &axis->window;
    int64_t last, stride;
    if (window->kernel != 1 || window->pad_begin != 0)
        return;
    if (!rf_checked_mul(window->stride, window->output - 1, &last) || last >= window->input)
        return;
    if (!rf_checked_mul(window->stride, axis->input, &stride))
        return;
    axis->input = stride;
    window->input = window->output;
    window->stride = window->dilation = 1;
    window->pad_end = 0;
}

static bool follows(int64_t outer, int64_t inner, int64_t extent)
{
    int64_t whole;
    return rf_checked_mul(inner, extent, &whole) && outer == whole;
}

static bool can_join(const rf_direct_axis *outer, const rf_direct_axis *inner, bool residual)
{
    int64_t extent = inner->window.output;
    return is_plain(outer) && is_plain(inner) && follows(outer->input, inner->input, extent)
           && follows(outer->output, inner->output, extent)
           && (!residual || follows(outer->residual, inner->residual, extent));
}

/* Drops axes of one plain position and makes one axis of two that are walked as one. */
static int32_t join_axes(rf_direct_axis *axis, int32_t axes, bool residual)
{
    int32_t kept = 0;
    for (int32_t k = 0; k < axes; k++) {
        straighten(&axis[k]);
        if (is_plain(&axis[k]) && axis[k].window.output == 1)
            continue;
        if (kept > 0 && can_join(&axis[kept - 1], &axis[k], residual)) {
            int64_t extent = axis[kept - 1].window.output * axis[k].window.output;
            axis[kept - 1] = axis[k];
            axis[kept - 1].window.input = axis[kept - 1].window.output = extent;
        } else {
            axis[kept++] = axis[k];
        }
    }
    return kept;
}

/* ---- The choice of tiles ---------------------------------------------------------------- */

/* The axis to cut into tiles comes last: the one whose tiles waste least. */
static void choose_last(rf_direct_plan *plan)
{
    rf_direct_axis *axis = plan->spec.axis;
    int32_t best = LAST;
    double least = 0;
    for (int32_t k = LAST; k >= 0; k--) {
        double cycles;
        RF_ISA_NAME(rf_tile_choose)(axis[k].window.output, plan->spec.outputs, plan->depth, &cycles);
        cycles /= (double)axis[k].window.output;
        if (k < LAST && cycles > 0.9 * least)
            continue;
        least = cycles;
        best = k;
    }
    const rf_direct_axis chosen = axis[best];
    for (int32_t k = best; k < LAST; k++)
        axis[k] = axis[k + 1];
    axis[LAST] = chosen;
}

/* ---- The choice of blocks --------------------------------------------------------------- */

/* Input positions that `count` output positions read, padding among them. */
static double whole_span_of(const rf_window *window, double count)
{
    return (count - 1) * (double)window->stride + (double)(window->kernel - 1) * (double)window->dilation + 1;
}

static double span_of(const rf_window *window, double count)
{
    double span = whole_span_of(window, count);
    return span < (double)window->input ? span : (double)window->input;
}

static double bytes_of(const rf_direct_plan *plan, int64_t lines, int64_t chunks)
{
    const rf_direct_axis *axis = plan->spec.axis;
    double pixels = (double)chunks * (double)(plan->chunk_rows + (plan->longer_chunks > 0));
    double span = span_of(&axis[0].window, 1) * span_of(&axis[1].window, 1);
    span *= span_of(&axis[2].window, (double)lines);
    span *= plan->padded ? whole_span_of(&axis[LAST].window, pixels) : span_of(&axis[LAST].window, pixels);
    return span * (double)(plan->staged ? plan->staged_step : plan->spec.channels) * sizeof(float);
}

static bool fits(const rf_direct_plan *plan, int64_t lines, int64_t chunks)
{
    double pixels = (double)plan->spec.axis[LAST].window.output * (double)chunks / (double)plan->chunks;
    double products = pixels * (double)lines * (double)plan->depth * (double)rf_direct_panel(plan);
    return bytes_of(plan, lines, chunks) <= block_bytes && products <= unit_products;
}

/*
 * Whether the tensors are larger than the weights: then neighbouring workers had better take different
 * pixels, which they find where they left them, and else different panels of weights.
 */
static bool is_wide(const rf_direct_plan *plan)
{
    double inputs = 1, outputs = 1, channels = (double)plan->spec.channels;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++) {
        inputs *= (double)plan->spec.axis[k].window.input;
        outputs *= (double)plan->spec.axis[k].window.output;
    }
    return inputs * channels + outputs * (double)plan->spec.outputs
           > (double)plan->depth * (double)plan->spec.outputs;
}

static void choose_blocks(rf_direct_plan *plan)
{
    int64_t lines = plan->spec.axis[2].window.output, chunks = plan->chunks;
    if (is_wide(plan) && lines >= LEAST_BLOCKS)
        lines = rf_div_ceil(lines, LEAST_BLOCKS);
    else if (is_wide(plan) && chunks >= 2 * LEAST_BLOCKS)
        chunks = rf_div_ceil(chunks, LEAST_BLOCKS);
    while (lines > 1 && !fits(plan, lines, chunks))
        lines = (lines + 1) / 2;
    while (chunks > 1 && !fits(plan, lines, chunks))
        chunks = (chunks + 1) / 2;
    plan->blocks[0] = plan->spec.axis[0].window.output;
    plan->blocks[1] = plan->spec.axis[1].window.output;
    plan->blocks[2] = rf_div_ceil(plan->spec.axis[2].window.output, lines);
    plan->blocks[LAST] = rf_div_ceil(plan->chunks, chunks);
}

/* Whether all rows of a tile fall into the same set of the level 1 cache, which has no room for them. */
static bool are_rows_crowded(const rf_direct_axis *last)
{
    int64_t step;
    return rf_checked_mul(last->input, last->window.stride, &step) && step != 0 && step % CACHE_WAY == 0;
}

/* The largest magnitude among floats of any alignment, NaN above all. */
static double largest_of(const void *floats, int64_t count)
{
    uint32_t largest = 0;
    float found;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, (const char *)floats + i * (int64_t)sizeof bits, sizeof bits);
        bits &= 0x7fffffffU;
        largest = bits > largest ? bits : largest;
    }
    memcpy(&found, &largest, sizeof found);
    return (double)found;
}

/* Whether products by zeros are zeros, so that padding may be multiplied: no weight is NaN or infinite. */
static bool are_weights_finite(const rf_direct_spec *spec, int64_t count)
{
    double scale = spec->scale ? largest_of(spec->scale, spec->outputs) : 1;
    double product = largest_of(spec->unpacked.weights, count) * (scale < 1 ? 1 : scale) * spec->alpha;
    return product < 1e38 && product > -1e38;
}

/* Whether it pays to put zeros round the input: borders take longer than the copy where there are many outputs. */
static bool is_worth_padding(const rf_direct_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    const rf_window *last = &spec->axis[LAST].window;
    double span = whole_span_of(last, (double)last->output);
    int64_t count;
    return last->kernel > 1 && span > (double)last->input && span < 2 * (double)last->input
           && spec->outputs >= WORTH_PADDING && rf_checked_mul(plan->depth, spec->outputs, &count)
           && count <= MOST_PADDED && (!spec->unpacked.weights || are_weights_finite(spec, count));
}

static void choose_staging(rf_direct_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    const rf_direct_axis *last = &spec->axis[LAST];
    int64_t tap;
    plan->padded = is_worth_padding(plan);
    plan->checked = plan->padded && !spec->unpacked.weights;
    plan->staged = (spec->input_channel != 1 && spec->channels > 1) || spec->factors || plan->padded;
    plan->staged_step = spec->channels;
    if (spec->factors && spec->factor_stride != 1)
        plan->factor_floats = rf_div_ceil(spec->channels, RF_TILE_LINE) * RF_TILE_LINE;
    if (spec->input_channel == 1 && are_rows_crowded(last) && spec->outputs >= WORTH_STAGING) {
        plan->staged = true;
        plan->staged_step += RF_TILE_LINE;
    }
    if (!rf_checked_mul(last->window.dilation, plan->staged ? plan->staged_step : last->input, &tap))
        tap = 0;
    plan->joined = last->window.kernel > 1 && tap == spec->channels;
}

/* ---- The plan --------------------------------------------------------------------------- */

static bool set_depth(rf_direct_plan *plan)
{
    plan->depth = plan->spec.channels;
    for (int32_t k = LAST; k >= 0; k--) {
        plan->taps_weight[k] = plan->depth;
        if (!rf_checked_mul(plan->depth, plan->spec.axis[k].window.kernel, &plan->depth))
            return false;
    }
    return true;
}

static bool set_axes(rf_direct_plan *plan, const rf_direct_spec *given)
{
    rf_direct_spec *spec = &plan->spec;
    *spec = *given;
    int32_t axes = join_axes(spec->axis, given->axes, given->epilogue.residual);
    if (axes > RF_DIRECT_AXES)
        return false;
    spec->axes = RF_DIRECT_AXES;
    memmove(spec->axis + RF_DIRECT_AXES - axes, spec->axis, (size_t)axes * sizeof *spec->axis);
    for (int32_t k = 0; k < RF_DIRECT_AXES - axes; k++)
        spec->axis[k] = nothing;
    if (!set_depth(plan))
        return false;
    choose_last(plan);
    return set_depth(plan); /* taps are packed in the order of the axes */
}

static void set_tiles(rf_direct_plan *plan)
{
    double cycles;
    int64_t extent = plan->spec.axis[LAST].window.output;
    plan->vectors = plan->spec.vectors;
    if (!plan->vectors)
        plan->vectors = RF_ISA_NAME(rf_tile_choose)(extent, plan->spec.outputs, plan->depth, &cycles);
    plan->panels = rf_div_ceil(plan->spec.outputs, rf_direct_panel(plan));
    plan->chunks = rf_div_ceil(extent, RF_ISA_NAME(rf_tile_rows)(plan->vectors));
    plan->chunk_rows = extent / plan->chunks;
    plan->longer_chunks = extent % plan->chunks;
}

/* The order of the axes is that in which taps are packed. */
static uint64_t packing_of(const rf_direct_plan *plan)
{
    uint64_t order = 0;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        if (plan->spec.axis[k].window.kernel > 1)
            order = order * 31 + (uint64_t)plan->spec.axis[k].weight;
    return order;
}

static bool set_work(const rf_direct_plan *plan, rf_work *work)
{
    static const char *const names[] = {
        [1] = "direct, 1 vector",  [2] = "direct, 2 vectors",
        [3] = "direct, 3 vectors", [4] = "direct, 4 vectors",
    };
    uint64_t units = (uint64_t)plan->panels, bytes;
    double pixels = 1;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++) {
        pixels *= (double)plan->spec.axis[k].window.output;
        if (!rf_checked_mul(units, (uint64_t)plan->blocks[k], &units))
            return false;
    }
    if (!rf_checked_mul(plan->panels * rf_direct_panel(plan), plan->depth + 1, &bytes)
        || (plan->checked && !rf_checked_add(bytes, (uint64_t)plan->panels, &bytes))
        || !rf_checked_mul(bytes, sizeof(float), &bytes) || bytes > SIZE_MAX / 2 || units > SIZE_MAX)
        return false;
    double products = pixels * (double)plan->spec.outputs * (double)plan->depth;
    double grain = 1e5 * (double)units / (products + 1);
    *work = (rf_work){.algorithm = names[plan->vectors], .plan = plan, .run = RF_ISA_NAME(rf_direct_run),
                      .unpacked = plan->spec.unpacked, .pack = RF_ISA_NAME(rf_direct_pack), .units = (size_t)units,
                      .packed_bytes = bytes,
                      .packing = packing_of(plan), .pack_part = RF_ISA_NAME(rf_direct_pack_part),
                      .packing_parts = RF_ISA_NAME(rf_direct_packing_parts)(plan),
                      .part_bytes = (uint64_t)RF_ISA_NAME(rf_direct_part_bytes)(plan)};
    work->grain = grain < 1 ? 1 : grain < (double)units ? (size_t)grain : (size_t)units;
    work->operations = products < 1e18 ? (uint64_t)products : UINT64_C(1000000000000000000);
    return true;
}

static bool set_scratch(const rf_direct_plan *plan, rf_work *work)
{
    const rf_direct_axis *axis = plan->spec.axis;
    if (!plan->staged)
        return true;
    double bytes = bytes_of(plan, rf_div_ceil(axis[2].window.output, plan->blocks[2]),
                            rf_div_ceil(plan->chunks, plan->blocks[LAST]));
    bytes += (double)plan->factor_floats * sizeof(float);
    work->scratch_bytes = bytes < staged_bytes ? (uint64_t)bytes : 0;
    return bytes < staged_bytes;
}

static bool is_empty(const rf_direct_spec *spec)
{
    bool empty = spec->outputs == 0;
    for (int32_t k = 0; k < spec->axes; k++)
        empty |= spec->axis[k].window.output == 0;
    return empty;
}

bool RF_ISA_NAME(rf_make_direct)(const rf_direct_spec *spec, rf_arena *arena, rf_work *work)
{
    if (is_empty(spec)) {
        *work = (rf_work){.algorithm = "nothing", .run = RF_ISA_NAME(rf_direct_run), .grain = 1};
        return true;
    }
    rf_direct_plan *plan = RF_TAKE(arena, rf_direct_plan, 1);
    if (!plan || spec->channels < 1 || !set_axes(plan, spec))
        return false;
    set_tiles(plan);
    choose_staging(plan);
    choose_blocks(plan);
    return set_work(plan, work) && set_scratch(plan, work);
}

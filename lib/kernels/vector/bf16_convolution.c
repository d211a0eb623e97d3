/* SPDX-License-Identifier: MIT */
/* Makes a convolution by bfloat16 of a direct one's plan: the same axes, in pairs of channels. */
#include "kernels/vector/bf16_convolution.h"

#include "base/checked.h"
#include "kernels/vector/bf16_plan.h"

enum { LAST = RF_DIRECT_AXES - 1, CROWDED = 2048 / sizeof(float), LEAST_BLOCKS = 4, LEAST_UNITS = 8 };

static const double block_bytes = 256 * 1024;        /* of staged input: a part of a level 2 cache */
static const double panel_bytes = 320 * 1024;        /* of weights that several lines of tiles use */
static const double most_bytes = 16.0 * 1024 * 1024; /* beyond it, not by this kernel */

/* Padding is multiplied here: not where there is more of it than of the input. */
static bool is_little_padded(const rf_direct_plan *plan)
{
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++) {
        const rf_window *window = &plan->spec.axis[k].window;
        int64_t pads;
        if (!rf_checked_add(window->pad_begin, window->pad_end, &pads) || pads > window->input)
            return false;
    }
    return true;
}

static void set_depth(rf_direct_plan *plan)
{
    plan->depth = rf_bf16_pairs(plan);
    for (int32_t k = LAST; k >= 0; k--) {
        plan->taps_weight[k] = plan->depth;
        plan->depth *= plan->spec.axis[k].window.kernel;
    }
}

/* A panel stays in the level 2 cache while all lines use it and the next one comes in. */
static bool is_panel_too_large(const rf_direct_plan *plan)
{
    const rf_direct_axis *axis = plan->spec.axis;
    bool used_once = axis[0].window.output == 1 && axis[1].window.output == 1 && axis[2].window.output == 1;
    return !used_once && (double)plan->depth * (double)rf_direct_panel(plan) * sizeof(float) > panel_bytes;
}

/* Two lines in one tile: as many sums as in a wider one, from half the weights. */
static bool can_twin(const rf_direct_plan *plan, int64_t extent)
{
    return extent > RF_BF16_TWIN_ROWS / 2 && extent <= RF_BF16_TWIN_ROWS && plan->spec.axis[2].window.output > 1
           && plan->vectors >= RF_BF16_TWIN_VECTORS;
}

static void set_tiles(rf_direct_plan *plan)
{
    double cycles;
    int64_t extent = plan->spec.axis[LAST].window.output;
    plan->vectors = RF_ISA_NAME(rf_tile_choose)(extent, plan->spec.outputs, plan->depth, &cycles);
    if (can_twin(plan, extent))
        plan->vectors = RF_BF16_TWIN_VECTORS;
    while (plan->vectors > 2 && is_panel_too_large(plan))
        plan->vectors--;
    plan->panels = rf_div_ceil(plan->spec.outputs, rf_direct_panel(plan));
    plan->chunks = rf_div_ceil(extent, RF_ISA_NAME(rf_tile_rows)(plan->vectors));
    plan->chunk_rows = extent / plan->chunks;
    plan->longer_chunks = extent % plan->chunks;
}

/* Rows of a tile that fall into few sets of the level 1 cache would drive each other out. */
static void set_staging(rf_direct_plan *plan)
{
    const rf_window *last = &plan->spec.axis[LAST].window;
    int64_t pairs = rf_bf16_pairs(plan), step;
    plan->staged = true;
    plan->staged_step = pairs;
    if (last->output > 1 && rf_checked_mul(last->stride, pairs, &step) && step % CROWDED == 0)
        plan->staged_step += RF_TILE_LINE;
    plan->joined = last->kernel > 1 && last->dilation == 1 && plan->staged_step == pairs;
}

/* ---- Blocks ------------------------------------------------------------------------------- */

static double span_of(const rf_window *window, int64_t count)
{
    return (double)(count - 1) * (double)window->stride + (double)(window->kernel - 1) * (double)window->dilation + 1;
}

/* Staged bytes of the largest block. */
static double bytes_of(const rf_direct_plan *plan)
{
    const rf_direct_axis *axis = plan->spec.axis;
    int64_t pixels = rf_div_ceil(plan->chunks, plan->blocks[LAST]) * (plan->chunk_rows + (plan->longer_chunks > 0));
    double bytes = (double)plan->staged_step * sizeof(float) * span_of(&axis[LAST].window, pixels);
    for (int32_t k = 0; k < LAST; k++)
        bytes *= span_of(&axis[k].window, rf_div_ceil(axis[k].window.output, plan->blocks[k]));
    return bytes;
}

/* Whether the tensors are larger than the weights: then these are read once for each of several blocks. */
static bool is_wide(const rf_direct_plan *plan)
{
    double pixels = 1;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        pixels *= (double)plan->spec.axis[k].window.output;
    return bytes_of(plan) + pixels * (double)plan->spec.outputs * sizeof(float)
           > (double)plan->depth * (double)plan->spec.outputs * sizeof(float);
}

/* Twice as many along the lines or, where each has its own, along them; false where none can be cut. */
static bool cut(rf_direct_plan *plan)
{
    int64_t lines = plan->spec.axis[2].window.output;
    if (plan->blocks[2] < lines)
        plan->blocks[2] = rf_min(2 * plan->blocks[2], lines);
    else if (plan->blocks[LAST] < plan->chunks)
        plan->blocks[LAST] = rf_min(2 * plan->blocks[LAST], plan->chunks);
    else
        return false;
    return true;
}

/* A block's input stays in cache, and workers find enough to share. False where a block is too large. */
static bool set_blocks(rf_direct_plan *plan)
{
    plan->blocks[0] = plan->spec.axis[0].window.output;
    plan->blocks[1] = plan->spec.axis[1].window.output;
    plan->blocks[2] = plan->blocks[LAST] = 1;
    const int64_t least = is_wide(plan) ? LEAST_BLOCKS : rf_div_ceil(LEAST_UNITS, plan->panels);
    bool more = true;
    while (more && (bytes_of(plan) > block_bytes || plan->blocks[2] * plan->blocks[LAST] < least))
        more = cut(plan);
    return bytes_of(plan) <= most_bytes;
}

/* ---- The work ----------------------------------------------------------------------------- */

static bool set_work(const rf_direct_plan *plan, const rf_work *direct, rf_work *work)
{
    static const char *const names[] = {
        [1] = "bf16, 1 vector", [2] = "bf16, 2 vectors", [3] = "bf16, 3 vectors", [4] = "bf16, 4 vectors",
    };
    uint64_t units = (uint64_t)plan->panels, bytes;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        if (!rf_checked_mul(units, (uint64_t)plan->blocks[k], &units))
            return false;
    if (!rf_checked_mul(plan->panels * rf_direct_panel(plan), plan->depth + 1, &bytes)
        || !rf_checked_mul(bytes, sizeof(float), &bytes) || bytes > SIZE_MAX / 2 || units > SIZE_MAX)
        return false;
    double grain = 2e5 * (double)units / ((double)direct->operations + 1);
    *work = (rf_work){.algorithm = names[plan->vectors], .plan = plan, .run = RF_ISA_NAME(rf_bf16_run),
                      .unpacked = direct->unpacked, .pack = RF_ISA_NAME(rf_bf16_pack), .units = (size_t)units,
                      .packed_bytes = bytes,
                      .packing = direct->packing, .pack_part = RF_ISA_NAME(rf_bf16_pack_part),
                      .packing_parts = (size_t)plan->panels,
                      .part_bytes = (uint64_t)rf_direct_panel_bytes(plan), .scratch_bytes = (uint64_t)bytes_of(plan),
                      .operations = direct->operations};
    work->grain = grain < 1 ? 1 : grain < (double)units ? (size_t)grain : (size_t)units;
    return true;
}

bool RF_ISA_NAME(rf_make_bf16)(const rf_direct_spec *spec, rf_arena *arena, rf_work *work)
{
    rf_work direct;
    if (!spec->unpacked.weights || !RF_ISA_NAME(rf_make_direct)(spec, arena, &direct))
        return false;
    if (!direct.plan) {
        *work = direct; /* nothing to do */
        return true;
    }
    rf_direct_plan *plan = RF_TAKE(arena, rf_direct_plan, 1);
    if (!plan)
        return false;
    *plan = *(const rf_direct_plan *)direct.plan;
    set_depth(plan);
    set_tiles(plan);
    set_staging(plan);
    return is_little_padded(plan) && set_blocks(plan) && set_work(plan, &direct, work);
}

/* SPDX-License-Identifier: MIT */
/* Makes Strassen's product for a convolution of one tap, where it should be fastest. */
#include "kernels/vector/strassen_convolution.h"

#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/strassen_plan.h"

/* In the cycles of rf_tile_choose, of one vector product. */
static const double input_cycles = 6.0, output_cycles = 8.0; /* of a vector of a point's inputs, or sums */
static const double byte_cycles = 0.03;    /* of a packed byte, from memory, most of which is fetched ahead */
static const double gain = 0.986;          /* it must take less of a direct convolution's time */
static const double least_products = 4e6;  /* below this a direct convolution is fast enough, and exact */
/* Of a block's inputs at all points: half of a level 2 cache, more where each block would read many weights again. */
static const int64_t block_bytes = 512 * 1024, large_block_bytes = 1536 * 1024, many_weight_bytes = 8 * 1024 * 1024;
static const int64_t most_bytes = 16 * 1024 * 1024; /* of the smallest block's, of very many channels */

/* ---- What it can do ----------------------------------------------------------------------- */

static bool follows(int64_t step, int64_t stride, int64_t count)
{
    int64_t whole;
    return rf_checked_mul(step, count, &whole) && stride == whole;
}

/* All pixels as one line. */
static bool set_pixels(rf_strassen_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    plan->pixels = 1;
    for (int32_t k = spec->axes - 1; k >= 0; k--) {
        const rf_direct_axis *axis = &spec->axis[k];
        const rf_window *window = &axis->window;
        if (window->kernel != 1 || window->stride != 1 || window->pad_begin != 0 || window->input < window->output)
            return false;
        if (window->output == 1)
            continue;
        if (plan->pixels == 1) {
            plan->in_step = axis->input;
            plan->out_step = axis->output;
            plan->residual_step = axis->residual;
        } else if (!follows(plan->in_step, axis->input, plan->pixels)
                   || !follows(plan->out_step, axis->output, plan->pixels)
                   || (spec->epilogue.residual && !follows(plan->residual_step, axis->residual, plan->pixels))) {
            return false;
        }
        if (!rf_checked_mul(plan->pixels, window->output, &plan->pixels))
            return false;
    }
    plan->pairs = rf_div_ceil(plan->pixels, 2);
    return plan->pixels >= 2 && plan->pixels < INT32_MAX;
}

static bool can_do(const rf_direct_spec *spec)
{
    return spec->channels >= 2 * (int64_t)RF_LANES && spec->channels < INT32_MAX && spec->outputs > RF_LANES
           && spec->outputs < INT32_MAX && spec->input_channel == 1 && spec->weight_channel == 1
           && spec->weight_output == spec->channels && spec->weight_first == 0 && spec->unpacked.weights
           && !spec->factors && spec->alpha == 1;
}

/* ---- The plan ----------------------------------------------------------------------------- */

static int64_t block_pairs(const rf_strassen_plan *plan)
{
    return rf_div_ceil(plan->pairs, plan->blocks);
}

static void set_blocks(rf_strassen_plan *plan)
{
    const int64_t pair_bytes = RF_STRASSEN_POINTS * plan->depth * (int64_t)sizeof(float);
    const bool many = pair_bytes > many_weight_bytes / rf_div_ceil(plan->spec.outputs, 2);
    double cycles;
    plan->blocks = rf_div_ceil(plan->pairs, rf_max((many ? large_block_bytes : block_bytes) / pair_bytes,
                                                   RF_TILE_MAX_ROWS));
    if (plan->blocks > 1)
        plan->blocks += plan->blocks % 2; /* most often it is two workers that share them */
    plan->vectors = RF_ISA_NAME(rf_tile_choose)(block_pairs(plan), rf_div_ceil(plan->spec.outputs, 2), plan->depth,
                                                &cycles);
    plan->rows = RF_ISA_NAME(rf_tile_rows)(plan->vectors);
    plan->panels = rf_div_ceil(plan->spec.outputs, rf_strassen_lanes(plan));
    plan->input_step = block_pairs(plan) * plan->depth + RF_LANES;
    plan->sums_step = block_pairs(plan) * plan->vectors * RF_LANES + RF_LANES;
}

static bool make_plan(rf_strassen_plan *plan, const rf_direct_spec *spec)
{
    *plan = (rf_strassen_plan){.spec = *spec};
    if (!can_do(spec) || !set_pixels(plan))
        return false;
    plan->depth = rf_div_ceil(rf_div_ceil(spec->channels, 2), RF_LANES) * RF_LANES;
    set_blocks(plan);
    return plan->input_step <= most_bytes / (RF_STRASSEN_POINTS * (int64_t)sizeof(float));
}

static bool is_faster(const rf_strassen_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    const double pixels = (double)plan->pixels, channels = (double)spec->channels, outputs = (double)spec->outputs;
    const double lanes = (double)(plan->panels * rf_strassen_lanes(plan)) / 2, pairs = (double)plan->pairs;
    const double depth = (double)plan->depth, points = RF_STRASSEN_POINTS;
    double direct, own;
    if (pixels * channels * outputs < least_products)
        return false;
    RF_ISA_NAME(rf_tile_choose)(plan->pixels, spec->outputs, spec->channels, &direct);
    direct = channels * (direct + byte_cycles * outputs * sizeof(float));
    RF_ISA_NAME(rf_tile_choose)(block_pairs(plan), rf_div_ceil(spec->outputs, 2), plan->depth, &own);
    own = points * depth * (own * (double)plan->blocks + byte_cycles * lanes * sizeof(float));
    own += points * pairs * (depth * input_cycles + lanes * output_cycles) / RF_LANES;
    return own < gain * direct;
}

/* ---- The work ----------------------------------------------------------------------------- */

static bool set_work(const rf_strassen_plan *plan, rf_work *work)
{
    static const char *const names[] = {
        [1] = "Strassen, 1 vector",  [2] = "Strassen, 2 vectors",
        [3] = "Strassen, 3 vectors", [4] = "Strassen, 4 vectors",
    };
    const int64_t half = rf_strassen_lanes(plan) / 2;
    int64_t floats, bytes, units;
    if (!rf_checked_mul(plan->panels * RF_STRASSEN_POINTS * plan->depth, half, &floats)
        || !rf_checked_add(floats, rf_strassen_zeros(plan) + half, &floats)
        || !rf_checked_mul(floats, sizeof(float), &bytes) || (uint64_t)bytes > SIZE_MAX / 2
        || !rf_checked_mul(plan->panels, plan->blocks, &units))
        return false;
    *work = (rf_work){
        .algorithm = names[plan->vectors], .plan = plan, .run = RF_ISA_NAME(rf_strassen_run),
        .unpacked = plan->spec.unpacked, .pack = RF_ISA_NAME(rf_strassen_pack),
        .pack_part = RF_ISA_NAME(rf_strassen_pack_part), .packing_parts = (size_t)plan->panels,
        .part_bytes = (uint64_t)(rf_strassen_lanes(plan) * plan->spec.channels) * sizeof(float),
        .packed_bytes = (uint64_t)bytes, .units = (size_t)units,
        .scratch_bytes = (uint64_t)((plan->input_step + plan->sums_step) * RF_STRASSEN_POINTS) * sizeof(float),
        .grain = (size_t)(plan->blocks > 1 ? plan->panels : rf_div_ceil(plan->panels, 2)),
    };
    work->operations = rf_checked_mul((uint64_t)floats, (uint64_t)plan->pairs, &work->operations)
                           ? work->operations : UINT64_MAX / 2;
    return true;
}

bool RF_ISA_NAME(rf_make_strassen)(const rf_direct_spec *spec, bool always, rf_arena *arena, rf_work *work)
{
    rf_strassen_plan plan;
    if (!make_plan(&plan, spec) || !(always || is_faster(&plan)))
        return false;
    rf_strassen_plan *kept = RF_TAKE(arena, rf_strassen_plan, 1);
    if (!kept)
        return false;
    *kept = plan;
    return set_work(kept, work);
}

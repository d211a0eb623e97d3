/* SPDX-License-Identifier: MIT */
/* Maxima and means over windows. */
#include "kernels/vector/makers.h"

#include "base/checked.h"
#include "kernels/vector/pool_plan.h"

static bool make_axes(const rf_pool_spec *spec, rf_arena *arena, rf_pool_plan *plan)
{
    const int32_t first = RF_POOL_AXES - spec->axes;
    if (!rf_reach_make_all(spec->windows, spec->axes, false, arena, plan->axes, RF_POOL_AXES))
        return false;
    for (int32_t k = 0; k < RF_POOL_AXES; k++)
        if (!rf_reach_divisors(&plan->axes[k], spec->count_include_pad, arena, &plan->divisors[k]))
            return false;
    for (int32_t k = first; k < RF_POOL_AXES; k++) {
        plan->input[k] = spec->input.strides[2 + k - first];
        plan->output[k] = spec->output.strides[2 + k - first];
    }
    return true;
}

static bool make_plan(const rf_pool_spec *spec, rf_arena *arena, rf_pool_plan *plan)
{
    *plan = (rf_pool_plan){
        .batch = spec->output.dims[0], .input_batch = spec->input.strides[0],
        .output_batch = spec->output.strides[0], .channels = spec->output.dims[1],
        .input_channel = spec->input.strides[1], .output_channel = spec->output.strides[1],
        .average = spec->average, .map = spec->map,
    };
    return make_axes(spec, arena, plan);
}

/* Elements that one window reads, at most. */
static uint64_t window_taps(const rf_pool_plan *plan)
{
    uint64_t taps = 1;
    for (int32_t k = 0; k < RF_POOL_AXES; k++) {
        uint64_t kernel = (uint64_t)rf_min(plan->axes[k].window.kernel, plan->axes[k].window.input);
        if (!rf_checked_mul(taps, kernel, &taps))
            return UINT64_MAX;
    }
    return taps;
}

bool RF_ISA_NAME(rf_make_pool)(const rf_pool_spec *spec, rf_arena *arena, rf_work *work)
{
    if (spec->dtype == RF_INT8 || spec->dtype == RF_UINT8)
        return RF_ISA_NAME(rf_make_int8_pool)(spec, arena, work);
    if (spec->axes < 1 || spec->axes > RF_POOL_AXES)
        return false;
    rf_pool_plan *plan = RF_TAKE(arena, rf_pool_plan, 1);
    if (!plan || !make_plan(spec, arena, plan))
        return false;
    const rf_reach_axis *axes = plan->axes;
    bool vectors = plan->channels > 1 && plan->input_channel == 1 && plan->output_channel == 1;
    plan->blocks = vectors ? rf_div_ceil(plan->channels, RF_POOL_BLOCK) : plan->channels;
    int64_t rows = plan->batch * axes[0].window.output * axes[1].window.output;
    int64_t width = axes[2].window.output;
    *work = (rf_work){
        .algorithm = vectors ? "vectors of channels" : "one by one", .plan = plan,
        .run = vectors ? RF_ISA_NAME(rf_pool_run_vectors) : RF_ISA_NAME(rf_pool_run_plain),
        .units = width ? (size_t)(rows * plan->blocks) : 0,
    };
    if (!rf_checked_mul((uint64_t)(rows * width * plan->channels), window_taps(plan), &work->operations))
        work->operations = UINT64_MAX;
    uint64_t unit = work->operations / (work->units ? work->units : 1);
    work->grain = (size_t)(20000 / (unit + 1) + 1);
    return true;
}

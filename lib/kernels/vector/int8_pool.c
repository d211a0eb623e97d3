/* SPDX-License-Identifier: MIT */
/* Maxima of 8-bit integers over windows, of channels that lie next to each other. */
#include "base/checked.h"
#include "kernels/reach.h"
#include "kernels/vector/int8_vector.h"
#include "kernels/vector/makers.h"

enum { AXES = 2, CHANNELS = RF_VECTOR_BYTES };

typedef struct pool_plan {
    rf_reach_axis axes[AXES]; /* rows, columns */
    int64_t input[AXES], output[AXES];
    int64_t in_batch, out_batch, channels;
    uint8_t flip;             /* makes signed integers unsigned ones of the same order */
} pool_plan;

/* Where a window's first tap is, and how many there are. */
typedef struct window {
    const uint8_t *from;
    int64_t counts[AXES], steps[AXES];
} window;

RF_INLINE rf_bytes larger(rf_bytes a, rf_bytes b)
{
    rf_bytes mask = (rf_bytes)(a > b);
    return (a & mask) | (b & ~mask);
}

RF_INLINE rf_bytes load(const uint8_t *from, int64_t count)
{
    rf_bytes bytes = {0};
    memcpy(&bytes, from, count == CHANNELS ? sizeof bytes : (size_t)count);
    return bytes;
}

/* A window without taps has the least integer. */
RF_INLINE void pool_some(const window *over, uint8_t flip, uint8_t *to, int64_t count)
{
    rf_bytes most = {0};
    for (int64_t y = 0; y < over->counts[0]; y++)
        for (int64_t x = 0; x < over->counts[1]; x++)
            most = larger(most, load(over->from + y * over->steps[0] + x * over->steps[1], count) ^ flip);
    most ^= flip;
    memcpy(to, &most, count == CHANNELS ? sizeof most : (size_t)count);
}

static void pool_pixel(const pool_plan *plan, window *over, uint8_t *to)
{
    int64_t left = plan->channels;
    for (; left >= CHANNELS; left -= CHANNELS, over->from += CHANNELS, to += CHANNELS)
        pool_some(over, plan->flip, to, CHANNELS);
    if (left)
        pool_some(over, plan->flip, to, left);
}

static void run(const void *of, const rf_kernel_call *call)
{
    const pool_plan *plan = of;
    const rf_reach_axis *rows = &plan->axes[0], *columns = &plan->axes[1];
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t image = (int64_t)unit / rows->window.output, row = (int64_t)unit % rows->window.output;
        const rf_reach *y = &rows->at[row];
        const uint8_t *from = (const uint8_t *)call->data[0] + image * plan->in_batch + y->input * plan->input[0];
        uint8_t *to = (uint8_t *)call->data[1] + image * plan->out_batch + row * plan->output[0];
        for (int64_t i = 0; i < columns->window.output; i++) {
            const rf_reach *x = &columns->at[i];
            window over = {from + x->input * plan->input[1], {y->count, x->count},
                           {y->count > 1 ? rows->index_step * plan->input[0] : 0,
                            x->count > 1 ? columns->index_step * plan->input[1] : 0}};
            pool_pixel(plan, &over, to + i * plan->output[1]);
        }
    }
}

static bool set_axes(const rf_pool_spec *spec, rf_arena *arena, pool_plan *plan)
{
    const int32_t first = AXES - spec->axes;
    if (!rf_reach_make_all(spec->windows, spec->axes, false, arena, plan->axes, AXES))
        return false;
    for (int32_t k = first; k < AXES; k++) {
        plan->input[k] = spec->input.strides[2 + k - first];
        plan->output[k] = spec->output.strides[2 + k - first];
    }
    return true;
}

static bool is_supported(const rf_pool_spec *spec)
{
    const bool near = spec->input.strides[1] == 1 && spec->output.strides[1] == 1;
    return spec->axes >= 1 && spec->axes <= AXES && !spec->average && spec->map.function == RF_MAP_NONE
           && (near || spec->output.dims[1] == 1);
}

bool RF_ISA_NAME(rf_make_int8_pool)(const rf_pool_spec *spec, rf_arena *arena, rf_work *work)
{
    pool_plan *plan = is_supported(spec) ? RF_TAKE(arena, pool_plan, 1) : NULL;
    if (!plan || !set_axes(spec, arena, plan))
        return false;
    plan->in_batch = spec->input.strides[0];
    plan->out_batch = spec->output.strides[0];
    plan->channels = spec->output.dims[1];
    plan->flip = spec->dtype == RF_INT8 ? 128 : 0;
    uint64_t columns = (uint64_t)plan->axes[1].window.output * (uint64_t)plan->channels, units, elements;
    if (!rf_checked_mul((uint64_t)spec->output.dims[0], (uint64_t)plan->axes[0].window.output, &units)
        || !rf_checked_mul(units, columns, &elements))
        return false;
    *work = (rf_work){.algorithm = "8 bits, maxima", .plan = plan, .run = run, .grain = 1,
                      .units = elements ? (size_t)units : 0, .operations = elements / 4};
    return true;
}

/* SPDX-License-Identifier: MIT */
/* Rounds the input of a block to pairs of bfloat16, once for all panels of weights. */
#include "base/checked.h"
#include "kernels/vector/bf16_plan.h"
#include "kernels/vector/bf16_vector.h"

enum { LAST = RF_DIRECT_AXES - 1 };

/* A pixel whose channels follow each other. */
static void stage_pixel(const float *from, float *to, int64_t channels)
{
    int64_t c = 0;
    for (; c + 2 * RF_LANES <= channels; c += 2 * RF_LANES)
        rf_store(to + c / 2, rf_bf16_round(rf_load(from + c), rf_load(from + c + RF_LANES)));
    if (c < channels)
        rf_store_some(to + c / 2, rf_bf16_round_some(from + c, channels - c), (channels - c + 1) / 2);
}

/* Up to a vector of floats, a stride apart; 0 in the other lanes. */
static rf_vec gather(const float *from, int64_t stride, int64_t count)
{
    float lanes[RF_LANES] = {0};
    if (stride == 1)
        return rf_load_some(from, count);
    for (int64_t i = 0; i < count; i++)
        lanes[i] = from[i * stride];
    return rf_load(lanes);
}

/* One pair of channels of up to a vector of pixels, a stride apart. */
static void stage_lanes(const rf_direct_plan *plan, const float *from, float *to, int64_t pair, int64_t pixels)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t stride = spec->axis[LAST].input;
    float lanes[RF_LANES];
    rf_vec low = gather(from + 2 * pair * spec->input_channel, stride, pixels), high = {0};
    if (2 * pair + 1 < spec->channels)
        high = gather(from + (2 * pair + 1) * spec->input_channel, stride, pixels);
    rf_store(lanes, rf_bf16_pair(low, high));
    for (int64_t x = 0; x < pixels; x++)
        memcpy(to + x * plan->staged_step + pair, lanes + x, sizeof *lanes);
}

/* Pixels of a line that the input has. */
static void stage_pixels(const rf_direct_plan *plan, const float *from, float *to, int64_t count)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t stride = spec->axis[LAST].input;
    if (spec->input_channel == 1 || spec->channels == 1) {
        for (int64_t x = 0; x < count; x++)
            stage_pixel(from + x * stride, to + x * plan->staged_step, spec->channels);
        return;
    }
    for (int64_t x = 0; x < count; x += RF_LANES)
        for (int64_t pair = 0; pair < rf_bf16_pairs(plan); pair++)
            stage_lanes(plan, from + x * stride, to + x * plan->staged_step, pair, rf_min(count - x, RF_LANES));
}

static void clear(const rf_direct_plan *plan, float *to, int64_t pixels)
{
    memset(to, 0, (size_t)(pixels * plan->staged_step) * sizeof *to);
}

/* `from` is where position 0 of the last axis would be. */
static void stage_line(const rf_direct_plan *plan, const rf_bf16_block *box, const float *from, float *to)
{
    int64_t origin = box->origin[LAST], end = origin + box->extent[LAST];
    int64_t first = rf_min(rf_max(origin, 0), end);
    int64_t last = rf_max(rf_min(end, plan->spec.axis[LAST].window.input), first);
    clear(plan, to, first - origin);
    to += (first - origin) * plan->staged_step;
    if (first < last)
        stage_pixels(plan, from + first * plan->spec.axis[LAST].input, to, last - first);
    clear(plan, to + (last - first) * plan->staged_step, end - last);
}

/* Goes to a position of an outer axis; false where that is padding. */
static bool enter(const rf_direct_plan *plan, const rf_bf16_block *box, int32_t k, int64_t i, const float **from)
{
    const rf_direct_axis *axis = &plan->spec.axis[k];
    int64_t position = box->origin[k] + i;
    if (position < 0 || position >= axis->window.input)
        return false;
    *from += position * axis->input;
    return true;
}

void RF_ISA_NAME(rf_bf16_stage)(const rf_direct_plan *plan, const rf_bf16_block *box, const float *input, float *to)
{
    int64_t i[LAST];
    for (i[0] = 0; i[0] < box->extent[0]; i[0]++)
        for (i[1] = 0; i[1] < box->extent[1]; i[1]++)
            for (i[2] = 0; i[2] < box->extent[2]; i[2]++) {
                const float *from = input;
                if (enter(plan, box, 0, i[0], &from) && enter(plan, box, 1, i[1], &from)
                    && enter(plan, box, 2, i[2], &from))
                    stage_line(plan, box, from, to);
                else
                    clear(plan, to, box->extent[LAST]);
                to += box->steps[2];
            }
}

/* SPDX-License-Identifier: MIT */
/*
 * Weights as tiles of 8-bit products read them: for each panel
 * [pass][run][four][lane][4], then the sum of each lane's weights.
 */
#include "kernels/vector/int8_plan.h"

/* Where a lane's weights go. */
typedef struct lane {
    const rf_int8_plan *plan;
    int64_t output; /* among all */
    char *to;
    uint32_t sum;
} lane;

/* What a pass takes of a weight: as much as a signed byte holds of what the passes before have left. */
static int32_t part_of(int32_t weight, int64_t pass)
{
    int32_t part = 0;
    for (; pass >= 0; pass--) {
        weight -= part;
        part = weight < -128 ? -128 : weight > 127 ? 127 : weight;
    }
    return part;
}

/* The weights of all channels at a tap, from a byte of a run on. */
static void pack_tap(lane *it, int64_t pass, int64_t run, int64_t byte, int64_t tap)
{
    const rf_int8_plan *plan = it->plan;
    const int64_t step = rf_int8_lanes(plan) * 4, first = (pass * plan->runs + run) * plan->fours;
    for (int64_t channel = 0; channel < plan->channels; channel++, byte++) {
        int32_t weight = part_of(rf_int8_weight(plan, it->output, channel, tap), pass);
        it->to[(first + byte / 4) * step + byte % 4] = (char)(int8_t)weight;
        it->sum += (uint32_t)weight;
    }
}

static void pack_lane(lane *it)
{
    const rf_int8_plan *plan = it->plan;
    const int64_t width = plan->depthwise ? 4 : plan->joined ? plan->columns.kernel : 1;
    const int64_t taps = plan->rows.kernel * plan->columns.kernel;
    for (int64_t pass = 0; pass < plan->passes; pass++)
        for (int64_t tap = 0; tap < taps; tap++)
            pack_tap(it, pass, tap / width, tap % width * plan->channels, tap);
}

/* Of the plan's own weights. Lanes without an output of their own have weights of 0. */
void RF_ISA_NAME(rf_int8_pack_part)(const void *of, const rf_unpacked *from, void *packed, size_t part)
{
    const rf_int8_plan *plan = of;
    (void)from;
    int64_t group = (int64_t)part / plan->panels, panel = (int64_t)part % plan->panels;
    const int64_t outputs = plan->depthwise ? plan->groups : plan->outputs;
    char *weights = (char *)packed + (int64_t)part * plan->panel_bytes;
    int32_t *sums = (int32_t *)(void *)(weights + rf_int8_weight_bytes(plan));
    memset(weights, 0, (size_t)plan->panel_bytes);
    for (int64_t i = 0; i < rf_int8_lanes(plan); i++) {
        int64_t output = rf_int8_output_of(plan, panel, i);
        if (output >= outputs)
            continue;
        lane it = {.plan = plan, .output = group * outputs + output, .to = weights + i * 4};
        pack_lane(&it);
        sums[i] = (int32_t)it.sum;
    }
}

void RF_ISA_NAME(rf_int8_pack)(const void *of, const rf_unpacked *from, void *packed)
{
    const rf_int8_plan *plan = of;
    int64_t parts = plan->depthwise ? plan->panels : plan->panels * plan->groups;
    for (int64_t part = 0; part < parts; part++)
        RF_ISA_NAME(rf_int8_pack_part)(plan, from, packed, (size_t)part);
}

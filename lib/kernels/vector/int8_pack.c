/* SPDX-License-Identifier: MIT */
/*
 * Weights as tiles of 8-bit products read them: for each panel
 * [pass][run][four][lane][4], then the sum of each lane's weights.
 */
#include "kernels/vector/int8_plan.h"

/* Lanes of a panel that have an output, in order. */
typedef struct lanes {
    const rf_int8_plan *plan;
    int64_t count;
    int64_t lane[RF_VECTOR_BYTES], output[RF_VECTOR_BYTES]; /* among all */
    char *weights;
    int32_t *sums;
} lanes;

_Static_assert((int)RF_INT8_PANEL <= (int)RF_VECTOR_BYTES, "depthwise panels are the wider ones");

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

/* The weights of all lanes at a tap of a channel: a byte of each lane's four. */
static void pack_tap(const lanes *to, int64_t pass, int64_t channel, int64_t tap, char *four)
{
    const rf_int8_plan *plan = to->plan;
    const bool whole = plan->weights_signed && !plan->weight_zero && plan->passes == 1;
    const int8_t *from = (const int8_t *)plan->weights + channel * plan->weight_channel + tap;
    for (int64_t i = 0; i < to->count; i++) {
        int32_t weight = whole ? from[to->output[i] * plan->weight_output]
                               : part_of(rf_int8_weight(plan, to->output[i], channel, tap), pass);
        four[to->lane[i] * 4] = (char)(int8_t)weight;
        to->sums[to->lane[i]] = (int32_t)((uint32_t)to->sums[to->lane[i]] + (uint32_t)weight);
    }
}

static void pack_lanes(const lanes *to)
{
    const rf_int8_plan *plan = to->plan;
    const int64_t width = plan->depthwise ? 4 : plan->joined ? plan->columns.kernel : 1;
    const int64_t taps = plan->rows.kernel * plan->columns.kernel, step = rf_int8_lanes(plan) * 4;
    for (int64_t pass = 0; pass < plan->passes; pass++)
        for (int64_t channel = 0; channel < plan->channels; channel++)
            for (int64_t tap = 0; tap < taps; tap++) {
                int64_t run = pass * plan->runs + tap / width, byte = tap % width * plan->channels + channel;
                if (plan->by_columns) {
                    run = tap % plan->columns.kernel;
                    byte = tap / plan->columns.kernel;
                }
                pack_tap(to, pass, channel, tap, to->weights + (run * plan->fours + byte / 4) * step + byte % 4);
            }
}

/* Of the plan's own weights. Lanes without an output of their own have weights of 0. */
void RF_ISA_NAME(rf_int8_pack_part)(const void *of, const rf_unpacked *from, void *packed, size_t part)
{
    const rf_int8_plan *plan = of;
    (void)from;
    int64_t group = (int64_t)part / plan->panels, panel = (int64_t)part % plan->panels;
    const int64_t outputs = plan->depthwise ? plan->groups : plan->outputs;
    char *weights = (char *)packed + (int64_t)part * plan->panel_bytes;
    lanes to = {.plan = plan, .weights = weights, .sums = (int32_t *)(void *)(weights + rf_int8_weight_bytes(plan))};
    memset(weights, 0, (size_t)plan->panel_bytes);
    for (int64_t i = 0; i < rf_int8_lanes(plan); i++) {
        int64_t output = rf_int8_output_of(plan, panel, i);
        if (output >= outputs)
            continue;
        to.lane[to.count] = i;
        to.output[to.count++] = group * outputs + output;
    }
    pack_lanes(&to);
}

void RF_ISA_NAME(rf_int8_pack)(const void *of, const rf_unpacked *from, void *packed)
{
    const rf_int8_plan *plan = of;
    int64_t parts = plan->depthwise ? plan->panels : plan->panels * plan->groups;
    for (int64_t part = 0; part < parts; part++)
        RF_ISA_NAME(rf_int8_pack_part)(plan, from, packed, (size_t)part);
}

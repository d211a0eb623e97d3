/* SPDX-License-Identifier: MIT */
/*
 * Packs weights as pairs of bfloat16: two input channels of an output in each
 * lane. A vector of outputs by two vectors of channels is rounded row by row and
 * then transposed in registers.
 */
#include "base/checked.h"
#include "kernels/vector/bf16_plan.h"
#include "kernels/vector/bf16_vector.h"
#include "kernels/vector/transpose.h"

enum { BLOCK = 2 * RF_LANES }; /* channels that are packed at once */

typedef struct packing {
    const rf_direct_plan *plan;
    const char *weights; /* of the vector's first output channel, at any alignment */
    float *to;           /* the same in the panel */
    int64_t outputs, lanes;
    double factors[RF_LANES];
} packing;

static float weight_at(const packing *at, int64_t element, int64_t lane)
{
    float w;
    memcpy(&w, at->weights + (element + lane * at->plan->spec.weight_output) * (int64_t)sizeof w, sizeof w);
    return (float)((double)w * at->factors[lane]);
}

/* `count` channels of one output, from `element` on. */
static void read_channels(const packing *at, int64_t element, int64_t lane, int64_t count, float channels[BLOCK])
{
    const int64_t step = at->plan->spec.weight_channel;
    if (step == 1 && at->factors[lane] == 1.0) {
        int64_t first = element + lane * at->plan->spec.weight_output;
        memcpy(channels, at->weights + first * (int64_t)sizeof(float), (size_t)count * sizeof(float));
        return;
    }
    for (int64_t c = 0; c < count; c++)
        channels[c] = weight_at(at, element + c * step, lane);
}

/* A block of channels of one tap; `row` is the first pair's row in the panel. */
static void pack_block(const packing *at, int64_t element, int64_t row, int64_t count)
{
    rf_vec rows[RF_LANES];
    float channels[BLOCK];
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        read_channels(at, element, lane, count, channels);
        rows[lane] = rf_bf16_round_some(channels, count);
    }
    for (int64_t lane = at->outputs; lane < RF_LANES; lane++)
        rows[lane] = (rf_vec){0};
    rf_transpose(rows);
    for (int64_t pair = 0; pair < (count + 1) / 2; pair++)
        rf_store(at->to + (row + pair) * at->lanes, rows[pair]);
}

/* Goes on to the next tap in the packed order; `element` is where its weights are. */
static void next_tap(const rf_direct_axis *axis, int64_t t[RF_DIRECT_AXES], int64_t *element)
{
    for (int32_t k = RF_DIRECT_AXES - 1; k >= 0; k--) {
        *element += axis[k].weight;
        if (++t[k] < axis[k].window.kernel)
            return;
        *element -= t[k] * axis[k].weight;
        t[k] = 0;
    }
}

/* Channels in the outer loop: the weights of a channel's taps lie together. */
static void pack_outputs(const packing *at)
{
    const rf_direct_spec *spec = &at->plan->spec;
    int64_t pairs = rf_bf16_pairs(at->plan);
    for (int64_t c = 0; c < spec->channels; c += BLOCK) {
        int64_t t[RF_DIRECT_AXES] = {0}, element = 0, count = rf_min(spec->channels - c, BLOCK);
        for (int64_t row = c / 2; row < at->plan->depth; row += pairs, next_tap(spec->axis, t, &element))
            pack_block(at, element + c * spec->weight_channel, row, count);
    }
}

static void pack_panel(const rf_direct_plan *plan, const rf_unpacked *from, float *packed, int64_t panel)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t outputs = rf_direct_panel_outputs(plan, panel);
    packing at = {.plan = plan, .lanes = rf_direct_panel_vectors(plan, panel) * RF_LANES};
    for (int64_t v = 0; v < outputs; v += RF_LANES) {
        int64_t first = panel * rf_direct_panel(plan) + v;
        int64_t bytes = (spec->weight_first + first * spec->weight_output) * (int64_t)sizeof(float);
        at.weights = (const char *)from->weights + (bytes - (int64_t)from->skipped);
        at.to = packed + (plan->panels + panel * plan->depth) * rf_direct_panel(plan) + v;
        at.outputs = rf_min(outputs - v, RF_LANES);
        for (int64_t lane = 0; lane < at.outputs; lane++)
            at.factors[lane] = spec->scale ? spec->alpha * (double)spec->scale[first + lane] : spec->alpha;
        pack_outputs(&at);
    }
}

static void pack_bias(const rf_direct_plan *plan, const float *bias, float *packed)
{
    for (int64_t k = 0; k < plan->panels * rf_direct_panel(plan); k++)
        packed[k] = bias && k < plan->spec.outputs ? bias[k] : 0.0f;
}

void RF_ISA_NAME(rf_bf16_pack_part)(const void *given, const rf_unpacked *from, void *packed, size_t part)
{
    if (part == 0)
        pack_bias(given, from->bias, packed);
    pack_panel(given, from, packed, (int64_t)part);
}

void RF_ISA_NAME(rf_bf16_pack)(const void *given, const rf_unpacked *from, void *packed)
{
    const rf_direct_plan *plan = given;
    for (int64_t panel = 0; panel < plan->panels; panel++)
        RF_ISA_NAME(rf_bf16_pack_part)(plan, from, packed, (size_t)panel);
}

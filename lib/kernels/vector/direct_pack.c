/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of a direct convolution: first the bias, padded to whole
 * panels, then for each panel of output channels [tap][input channel][lane].
 */
#include "kernels/vector/direct_plan.h"

#include "base/checked.h"

enum {
    RUN = 128,         /* floats that are read together for each output channel */
    ROOM = RUN + 16,   /* their place, so that the channels' don't share cache sets */
    LANES = RF_TILE_MAX_VECTORS * RF_LANES
};

typedef struct packing {
    const rf_direct_plan *plan;
    const char *weights; /* of the panel's first output channel, at any alignment */
    float *to;
    int64_t outputs, lanes, taps;
    double factors[LANES];
} packing;

/* Where the weights of some input channels are: in the model, or copied from there. */
typedef struct weights_from {
    const char *first;
    int64_t tap[RF_DIRECT_AXES], channel, output; /* strides in elements */
} weights_from;

/* Output channels lie far apart in memory, each in pages of its own: reading a run of each in turn
 * is much faster than single elements of all. */
static void copy_runs(const packing *at, int64_t begin, int64_t end, float *copy)
{
    const rf_direct_spec *spec = &at->plan->spec;
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        int64_t element = lane * spec->weight_output + begin * spec->weight_channel;
        memcpy(copy + lane * ROOM, at->weights + element * (int64_t)sizeof *copy,
               (size_t)((end - begin) * at->taps) * sizeof *copy);
    }
}

static void pack_row(const packing *at, const char *from, int64_t stride, float *to)
{
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        float w;
        memcpy(&w, from + lane * stride * (int64_t)sizeof w, sizeof w);
        to[lane] = (float)((double)w * at->factors[lane]);
    }
    for (int64_t lane = at->outputs; lane < at->lanes; lane++)
        to[lane] = 0.0f;
}

/* Channels begin .. end-1 with all their taps. */
static void pack_channels(const packing *at, const weights_from *from, int64_t begin, int64_t end)
{
    const rf_direct_axis *axis = at->plan->spec.axis;
    int64_t t[RF_DIRECT_AXES] = {0};
    for (int64_t tap = 0; tap < at->taps; tap++) {
        int64_t element = 0;
        float *to = at->to + (tap * at->plan->spec.channels + begin) * at->lanes;
        for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
            element += t[k] * from->tap[k];
        for (int64_t c = begin; c < end; c++, to += at->lanes, element += from->channel)
            pack_row(at, from->first + element * (int64_t)sizeof *to, from->output, to);
        for (int32_t k = RF_DIRECT_AXES - 1; k >= 0 && ++t[k] == axis[k].window.kernel; k--)
            t[k] = 0;
    }
}

/* Whether a channel's taps lie together and the next channel's follow. */
static bool has_runs(const packing *at)
{
    return at->plan->spec.weight_channel == at->taps && at->taps <= RUN;
}

static void pack_all_channels(const packing *at)
{
    const rf_direct_spec *spec = &at->plan->spec;
    float copy[LANES * ROOM];
    bool runs = has_runs(at);
    int64_t step = runs ? RUN / at->taps : 16;
    weights_from from = {.channel = spec->weight_channel, .output = runs ? ROOM : spec->weight_output};
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        from.tap[k] = spec->axis[k].weight;
    for (int64_t c = 0; c < spec->channels; c += step) {
        int64_t end = rf_min(c + step, spec->channels);
        from.first = at->weights + c * spec->weight_channel * (int64_t)sizeof *copy;
        if (runs) {
            copy_runs(at, c, end, copy);
            from.first = (const char *)copy;
        }
        pack_channels(at, &from, c, end);
    }
}

static void pack_panel(const rf_direct_plan *plan, int64_t panel, float *packed)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t lanes = rf_direct_panel(plan), first = panel * lanes;
    packing at = {.plan = plan, .taps = plan->depth / spec->channels};
    at.to = packed + (plan->panels + panel * plan->depth) * lanes;
    at.weights = (const char *)spec->weights + first * spec->weight_output * (int64_t)sizeof(float);
    at.outputs = rf_direct_panel_outputs(plan, panel);
    at.lanes = rf_direct_panel_vectors(plan, panel) * RF_LANES;
    for (int64_t lane = 0; lane < at.outputs; lane++)
        at.factors[lane] = spec->scale ? spec->alpha * (double)spec->scale[first + lane] : spec->alpha;
    for (int64_t lane = 0; lane < lanes; lane++)
        packed[first + lane] = spec->bias && lane < at.outputs ? spec->bias[first + lane] : 0.0f;
    pack_all_channels(&at);
}

void RF_ISA_NAME(rf_direct_pack)(const void *plan, void *packed)
{
    const rf_direct_plan *direct = plan;
    for (int64_t panel = 0; panel < direct->panels; panel++)
        pack_panel(direct, panel, packed);
}

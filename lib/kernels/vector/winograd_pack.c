/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of Winograd's convolution: the bias, padded to whole
 * panels, then zeros, then for each panel of output channels
 * [point][input channel][lane]. They are transformed in double and rounded once.
 */
#include "kernels/vector/winograd_plan.h"

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"

enum {
    TAPS = 9,
    CHANNELS = 14,                 /* read together for each output channel */
    RUN = CHANNELS * TAPS + 18,    /* their place, so that the output channels' don't share cache sets */
    LANES = RF_TILE_MAX_VECTORS * RF_LANES
};

typedef struct packing {
    const rf_winograd_plan *plan;
    int64_t first, outputs, lanes; /* output channels of the panel */
    float *to;
    double matrix[2][RF_WINOGRAD_POINTS][3];
    float copy[LANES * RUN];
    double taps[TAPS][LANES]; /* of one input channel */
    double rows[3][LANES];    /* transformed along the first axis */
} packing;

static void copy_channels(packing *at, int64_t begin, int64_t end)
{
    const rf_convolution_spec *spec = &at->plan->spec;
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        int64_t element = ((at->first + lane) * spec->input.dims[1] + begin) * TAPS;
        memcpy(at->copy + lane * RUN, (const char *)spec->weights + element * (int64_t)sizeof *at->copy,
               (size_t)((end - begin) * TAPS) * sizeof *at->copy);
    }
}

static void take_channel(packing *at, int64_t place)
{
    const float *scale = at->plan->spec.scale;
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        double factor = scale ? (double)scale[at->first + lane] : 1;
        for (int tap = 0; tap < TAPS; tap++)
            at->taps[tap][lane] = factor * (double)at->copy[lane * RUN + place * TAPS + tap];
    }
}

/* sum of three rows of lanes, by factors */
static void mix(double *to, const double factors[3], const double *a, const double *b, const double *c)
{
    for (int lane = 0; lane < LANES; lane++)
        to[lane] = factors[0] * a[lane] + factors[1] * b[lane] + factors[2] * c[lane];
}

static void transform_channel(packing *at, int64_t channel)
{
    const rf_winograd_plan *plan = at->plan;
    float *to = at->to + channel * at->lanes;
    for (int64_t y = 0; y < plan->points[0]; y++) {
        for (int x = 0; x < 3; x++)
            mix(at->rows[x], at->matrix[0][y], at->taps[x], at->taps[x + 3], at->taps[x + 6]);
        for (int64_t x = 0; x < plan->points[1]; x++, to += plan->depth * at->lanes) {
            double sums[LANES];
            mix(sums, at->matrix[1][x], at->rows[0], at->rows[1], at->rows[2]);
            for (int64_t lane = 0; lane < at->lanes; lane++)
                to[lane] = (float)sums[lane];
        }
    }
}

/* Channels that only fill up a vector. */
static void clear_channels(packing *at)
{
    const rf_winograd_plan *plan = at->plan;
    for (int64_t point = 0; point < plan->point_count; point++)
        for (int64_t c = plan->spec.input.dims[1]; c < plan->depth; c++)
            memset(at->to + (point * plan->depth + c) * at->lanes, 0, (size_t)at->lanes * sizeof *at->to);
}

static void pack_panel(packing *at, int64_t panel, float *packed)
{
    const rf_winograd_plan *plan = at->plan;
    int64_t lanes = rf_winograd_panel(plan), channels = plan->spec.input.dims[1];
    at->first = panel * lanes;
    at->outputs = rf_winograd_panel_outputs(plan, panel);
    at->lanes = rf_winograd_panel_vectors(plan, panel) * RF_LANES;
    at->to = packed + rf_winograd_panel_weights(plan, panel);
    memset(at->taps, 0, sizeof at->taps);
    for (int64_t lane = 0; lane < lanes; lane++)
        packed[at->first + lane] =
            plan->spec.bias && lane < at->outputs ? plan->spec.bias[at->first + lane] : 0.0f;
    for (int64_t c = 0; c < channels; c += CHANNELS) {
        int64_t end = rf_min(c + CHANNELS, channels);
        copy_channels(at, c, end);
        for (int64_t channel = c; channel < end; channel++) {
            take_channel(at, channel - c);
            transform_channel(at, channel);
        }
    }
    clear_channels(at);
}

void RF_ISA_NAME(rf_winograd_pack)(const void *given, void *packed)
{
    const rf_winograd_plan *plan = given;
    float *zeros = (float *)packed + plan->panels * rf_winograd_panel(plan);
    packing at = {.plan = plan};
    for (int k = 0; k < 2; k++)
        RF_ISA_NAME(rf_winograd_kernel_matrix)(plan->sizes[k], at.matrix[k]);
    memset(zeros, 0, (size_t)plan->zeros * sizeof *zeros);
    for (int64_t panel = 0; panel < plan->panels; panel++)
        pack_panel(&at, panel, packed);
}

/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of Strassen's product: biases, zeros, then for each panel
 * [point][input channel][lane]. Blocks of a vector of outputs by a vector of
 * channels are transposed in registers.
 */
#include "kernels/vector/strassen_plan.h"
#include "kernels/vector/transpose.h"

/* A block of weights: rows are input channels. */
typedef struct square {
    rf_vec rows[RF_LANES];
} square;

typedef struct packing {
    const rf_strassen_plan *plan;
    const char *weights; /* of the panel's first output, at any alignment */
    rf_strassen_panel panel;
} packing;

/* Outputs from `output` of the panel on, and channels; zeros where there are none. */
static void read_square(const packing *at, int64_t output, int64_t channel, square *to)
{
    const rf_direct_spec *spec = &at->plan->spec;
    const int64_t outputs = rf_min(at->panel.outputs - output, RF_LANES);
    const int64_t channels = rf_max(rf_min(spec->channels - channel, RF_LANES), 0);
    for (int64_t r = 0; r < RF_LANES; r++) {
        float lanes[RF_LANES] = {0};
        int64_t number = output + r;
        if (r < outputs)
            memcpy(lanes, at->weights + (number * spec->channels + channel) * (int64_t)sizeof *lanes,
                   (size_t)channels * sizeof *lanes);
        to->rows[r] = rf_load(lanes);
        if (spec->scale && r < outputs)
            to->rows[r] *= spec->scale[at->panel.begin + number];
    }
    rf_transpose(to->rows);
}

/* What multiplies the points' inputs, in their order, of a block of each quarter: [channels' half][outputs' half]. */
static void write_points(const square from[2][2], float *to, int64_t lanes, int64_t step)
{
    for (int r = 0; r < RF_LANES; r++, to += lanes) {
        const rf_vec b11 = from[0][0].rows[r], b12 = from[0][1].rows[r];
        const rf_vec b21 = from[1][0].rows[r], b22 = from[1][1].rows[r];
        const rf_vec t1 = b12 - b11, t2 = b22 - t1, t3 = b22 - b12, t4 = t2 - b21;
        const rf_vec points[RF_STRASSEN_POINTS] = {b11, b21, b22, t4, t1, t2, t3};
        for (int p = 0; p < RF_STRASSEN_POINTS; p++)
            RF_STREAM(to + p * step, points[p]);
    }
}

static void pack_bias(const packing *at, const float *bias, float *packed)
{
    for (int64_t i = 0; i < rf_strassen_lanes(at->plan); i++)
        packed[at->panel.begin + i] = bias && i < at->panel.outputs ? bias[at->panel.begin + i] : 0.0f;
}

void RF_ISA_NAME(rf_strassen_pack_part)(const void *given, const rf_unpacked *from, void *packed, size_t number)
{
    const rf_strassen_plan *plan = given;
    packing at = {.plan = plan, .panel = rf_strassen_panel_at(plan, (int64_t)number)};
    const int64_t lanes = at.panel.vectors * RF_LANES;
    float *to = (float *)packed + rf_strassen_weights(plan, (int64_t)number);
    at.weights = (const char *)from->weights + at.panel.begin * plan->spec.channels * (int64_t)sizeof(float)
                 - (int64_t)from->skipped;
    if (number == 0)
        memset((float *)packed + rf_strassen_zeros(plan), 0, (size_t)rf_strassen_lanes(plan) / 2 * sizeof(float));
    pack_bias(&at, from->bias, packed);
    for (int64_t c = 0; c < plan->depth; c += RF_LANES)
        for (int64_t v = 0; v < lanes; v += RF_LANES) {
            square quarters[2][2];
            for (int k = 0; k < 4; k++)
                read_square(&at, v + k % 2 * lanes, c + k / 2 * plan->depth, &quarters[k / 2][k % 2]);
            write_points((const square(*)[2])quarters, to + c * lanes + v, lanes, plan->depth * lanes);
        }
    RF_STREAM_END();
}

void RF_ISA_NAME(rf_strassen_pack)(const void *given, const rf_unpacked *from, void *packed)
{
    const rf_strassen_plan *plan = given;
    for (int64_t panel = 0; panel < plan->panels; panel++)
        RF_ISA_NAME(rf_strassen_pack_part)(given, from, packed, (size_t)panel);
}

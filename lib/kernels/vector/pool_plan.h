/* SPDX-License-Identifier: MIT */
/* What the maker and the runners of pools agree on. */
#ifndef RF_KERNELS_VECTOR_POOL_PLAN_H
#define RF_KERNELS_VECTOR_POOL_PLAN_H

#include "base/checked.h"
#include "kernels/kernel.h"
#include "kernels/reach.h"
#include "kernels/vector/vector.h"

enum { RF_POOL_AXES = 3 };

typedef struct rf_pool_plan {
    rf_reach_axis axes[RF_POOL_AXES];      /* those that the pool lacks come first */
    const int64_t *divisors[RF_POOL_AXES]; /* of a mean: taps that count at each output index */
    int64_t input[RF_POOL_AXES], output[RF_POOL_AXES]; /* strides */
    int64_t batch, input_batch, output_batch;
    int64_t channels, input_channel, output_channel;
    int64_t blocks;                        /* of channels, one to a unit */
    bool average;
    rf_map map;
} rf_pool_plan;

/* One row of outputs of a few channels: where it starts, and the taps of the outer axes. */
typedef struct rf_pool_row {
    const rf_pool_plan *plan;
    const float *input; /* at the first taps */
    float *output;
    int64_t counts[2], steps[2];
    float divisor;      /* of the outer axes */
} rf_pool_row;

/* Operands are those of a call; the row starts at channel `channel`. */
static inline rf_pool_row rf_pool_row_at(const rf_pool_plan *plan, void *const *data, int64_t batch,
                                         int64_t channel, int64_t z, int64_t y)
{
    const int64_t at[2] = {z, y};
    rf_pool_row row = {.plan = plan, .divisor = 1};
    row.input = (const float *)data[0] + batch * plan->input_batch + channel * plan->input_channel;
    row.output = (float *)data[1] + batch * plan->output_batch + channel * plan->output_channel;
    for (int k = 0; k < 2; k++) {
        const rf_reach *taps = &plan->axes[k].at[at[k]];
        row.counts[k] = taps->count;
        row.steps[k] = rf_reach_step(&plan->axes[k], plan->input[k]);
        row.input += taps->input * plan->input[k];
        row.output += at[k] * plan->output[k];
        row.divisor *= (float)plan->divisors[k][at[k]];
    }
    return row;
}

/* Runners: of channels that are next to each other, and of any. */
void RF_ISA_NAME(rf_pool_run_vectors)(const void *plan, const rf_kernel_call *call);
void RF_ISA_NAME(rf_pool_run_plain)(const void *plan, const rf_kernel_call *call);

/* Channels of a block of the first runner. */
enum { RF_POOL_VECTORS = 4, RF_POOL_BLOCK = RF_POOL_VECTORS * RF_LANES };

#endif

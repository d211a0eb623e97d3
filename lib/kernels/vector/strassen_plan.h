/* SPDX-License-Identifier: MIT */
/* What the maker, the packer and the runner of Strassen's products agree on. */
#ifndef RF_KERNELS_VECTOR_STRASSEN_PLAN_H
#define RF_KERNELS_VECTOR_STRASSEN_PLAN_H

#include "base/checked.h"
#include "kernels/vector/direct_convolution.h"

enum { RF_STRASSEN_POINTS = 7 };

/*
 * Halves are called first and second. Pixel p of the first half of all goes with pixel p + pairs. A panel is two
 * halves of some output channels that lie next to each other, each of which has the lanes.
 */
typedef struct rf_strassen_plan {
    rf_direct_spec spec;
    int64_t pixels, pairs;
    int64_t in_step, out_step, residual_step; /* floats from a pixel to the next one */
    int64_t depth;          /* channels of the first half, in whole vectors; the second has no more */
    int32_t vectors;        /* of output channels in half a panel */
    int64_t panels;
    int64_t blocks;         /* of pairs */
    int64_t rows;           /* the most of one register tile */
    int64_t input_step;     /* floats of scratch from a point's inputs to the next one's */
    int64_t sums_step;      /* the same of sums */
} rf_strassen_plan;

/* Output channels of a panel, and vectors of its halves. */
typedef struct rf_strassen_panel {
    int64_t begin, outputs, vectors;
} rf_strassen_panel;

/* Lanes of a whole panel. */
static inline int64_t rf_strassen_lanes(const rf_strassen_plan *plan)
{
    return 2 * plan->vectors * (int64_t)RF_LANES;
}

static inline rf_strassen_panel rf_strassen_panel_at(const rf_strassen_plan *plan, int64_t number)
{
    rf_strassen_panel panel = {.begin = number * rf_strassen_lanes(plan)};
    panel.outputs = rf_min(plan->spec.outputs - panel.begin, rf_strassen_lanes(plan));
    panel.vectors = rf_div_ceil(rf_div_ceil(panel.outputs, 2), RF_LANES);
    return panel;
}

/* Packed floats: biases, as many zeros as half a panel has lanes, and the panels' weights. */
static inline int64_t rf_strassen_zeros(const rf_strassen_plan *plan)
{
    return plan->panels * rf_strassen_lanes(plan);
}

static inline int64_t rf_strassen_weights(const rf_strassen_plan *plan, int64_t panel)
{
    const int64_t half = rf_strassen_lanes(plan) / 2;
    return rf_strassen_zeros(plan) + half + panel * RF_STRASSEN_POINTS * plan->depth * half;
}

void RF_ISA_NAME(rf_strassen_pack)(const void *plan, const rf_unpacked *from, void *packed);
void RF_ISA_NAME(rf_strassen_pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t panel);
void RF_ISA_NAME(rf_strassen_run)(const void *plan, const rf_kernel_call *call);

#endif

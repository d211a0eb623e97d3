/* SPDX-License-Identifier: MIT */
/* What the maker, the packer and the runner of Winograd's convolution agree on. */
#ifndef RF_KERNELS_VECTOR_WINOGRAD_PLAN_H
#define RF_KERNELS_VECTOR_WINOGRAD_PLAN_H

#include "kernels/kernel.h"
#include "kernels/vector/winograd_transform.h"

typedef struct rf_winograd_plan {
    rf_convolution_spec spec; /* two axes */
    int schemes[2];         /* along each axis: indices of rf_winograd_schemes */
    int64_t taps;           /* of the kernel */
    int64_t outputs[2];     /* of a tile along each axis */
    int64_t points[2], point_count;
    int64_t phases[2];      /* outputs, next to each other, that see different pixels of a dilated kernel's */
    int64_t tiles[2];       /* along each axis */
    int64_t tile_count;     /* in all images */
    int64_t blocks;         /* of tiles */
    int64_t block_tiles;    /* the most of one */
    int64_t row_tiles;      /* the most of one register tile */
    int32_t vectors;        /* of output channels in a panel */
    int64_t panels;
    int64_t depth;          /* input channels in whole vectors */
    int64_t input_step;     /* floats of scratch from a point's transformed inputs to the next one's */
    int64_t sums_step;      /* the same of sums */
    int64_t zeros;          /* floats of zeros between packed biases and weights */
} rf_winograd_plan;

/* Lanes of whole panels. */
static inline int64_t rf_winograd_panel(const rf_winograd_plan *plan)
{
    return plan->vectors * (int64_t)RF_LANES;
}

/* Output channels of one panel. */
static inline int64_t rf_winograd_panel_outputs(const rf_winograd_plan *plan, int64_t panel)
{
    int64_t left = plan->spec.output.dims[1] - panel * rf_winograd_panel(plan);
    return left < rf_winograd_panel(plan) ? left : rf_winograd_panel(plan);
}

static inline int64_t rf_winograd_panel_vectors(const rf_winograd_plan *plan, int64_t panel)
{
    return (rf_winograd_panel_outputs(plan, panel) + RF_LANES - 1) / RF_LANES;
}

/* A panel's first weight, in packed floats. */
static inline int64_t rf_winograd_panel_weights(const rf_winograd_plan *plan, int64_t panel)
{
    int64_t lanes = rf_winograd_panel(plan);
    return plan->panels * lanes + plan->zeros + panel * lanes * plan->depth * plan->point_count;
}

void RF_ISA_NAME(rf_winograd_pack)(const void *plan, const rf_unpacked *from, void *packed);
void RF_ISA_NAME(rf_winograd_pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t panel);
void RF_ISA_NAME(rf_winograd_run)(const void *plan, const rf_kernel_call *call);

#endif

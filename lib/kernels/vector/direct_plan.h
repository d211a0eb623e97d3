/* SPDX-License-Identifier: MIT */
/* What the maker, the packer and the runner of a direct convolution agree on. */
#ifndef RF_KERNELS_VECTOR_DIRECT_PLAN_H
#define RF_KERNELS_VECTOR_DIRECT_PLAN_H

#include "kernels/vector/direct_convolution.h"
#include "kernels/vector/gemm_tile.h"

enum { RF_DIRECT_AXES = 4 };

typedef struct rf_direct_plan {
    rf_direct_spec spec;    /* exactly RF_DIRECT_AXES axes; the last one is cut into tiles */
    int32_t vectors;        /* of output channels in a panel */
    int64_t panels;
    int64_t chunks;         /* tiles along the last axis */
    int64_t chunk_rows;     /* of each, but the first `longer_chunks` have one more */
    int64_t longer_chunks;
    int64_t blocks[RF_DIRECT_AXES];
    int64_t depth;          /* rows of a panel: products of a sum */
    int64_t taps_weight[RF_DIRECT_AXES]; /* packed rows from a tap to the next */
    bool staged;            /* a block's input is first copied to scratch */
    int64_t staged_step;    /* floats of a staged pixel */
    int64_t factor_floats;  /* of scratch, for a copy of the factors */
    bool padded;            /* staged with zeros where the last axis is on padding: no tile is at a border */
    bool checked;           /* padded only where the packed weights say that they are finite */
    bool joined;            /* taps of the last axis follow each other in memory, as channels do */
} rf_direct_plan;

/* One block of output positions: a box. */
typedef struct rf_direct_block {
    int64_t begin[RF_DIRECT_AXES], end[RF_DIRECT_AXES]; /* the last axis in chunks */
} rf_direct_block;

/* Lanes of whole panels. */
static inline int64_t rf_direct_panel(const rf_direct_plan *plan)
{
    return plan->vectors * (int64_t)RF_LANES;
}

/* Output channels of one panel. */
static inline int64_t rf_direct_panel_outputs(const rf_direct_plan *plan, int64_t panel)
{
    int64_t left = plan->spec.outputs - panel * rf_direct_panel(plan);
    return left < rf_direct_panel(plan) ? left : rf_direct_panel(plan);
}

static inline int64_t rf_direct_panel_vectors(const rf_direct_plan *plan, int64_t panel)
{
    return (rf_direct_panel_outputs(plan, panel) + RF_LANES - 1) / RF_LANES;
}

/* The first position of a tile along the last axis; tiles differ by one row at most. */
static inline int64_t rf_direct_chunk_begin(const rf_direct_plan *plan, int64_t chunk)
{
    return chunk * plan->chunk_rows + (chunk < plan->longer_chunks ? chunk : plan->longer_chunks);
}

static inline rf_direct_block rf_direct_block_of(const rf_direct_plan *plan, int64_t number)
{
    rf_direct_block box;
    for (int32_t k = RF_DIRECT_AXES - 1; k >= 0; k--) {
        int64_t extent = k == RF_DIRECT_AXES - 1 ? plan->chunks : plan->spec.axis[k].window.output;
        int64_t i = number % plan->blocks[k];
        number /= plan->blocks[k];
        box.begin[k] = i * extent / plan->blocks[k];
        box.end[k] = (i + 1) * extent / plan->blocks[k];
    }
    return box;
}

/* How a unit's tiles, of one panel, fetch the weights of the unit after it; `weights` are the panel's. */
static inline rf_tile_fetching rf_direct_fetching(const rf_direct_plan *plan, const rf_kernel_call *call, size_t unit,
                                                  const float *weights, int64_t tiles, bool own)
{
    size_t panels = (size_t)plan->panels;
    int64_t vectors = rf_direct_panel_vectors(plan, (int64_t)(unit % panels));
    bool more = unit + 1 < call->end && (unit + 1) % panels != 0;
    return rf_tile_fetching_of(more ? weights + vectors * RF_LANES * plan->depth : NULL, plan->depth, vectors, tiles,
                               own);
}

/* Where the packed weights of a `checked` plan say of each panel whether all of its are finite: 1, or 0. */
static inline int64_t rf_direct_finite(const rf_direct_plan *plan)
{
    return plan->panels * rf_direct_panel(plan) * (plan->depth + 1);
}

/* The bytes of a panel's weights where each panel's lie together, after those of the panel before; else 0. */
static inline int64_t rf_direct_panel_bytes(const rf_direct_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t last = (spec->channels - 1) * spec->weight_channel, weights = spec->channels; /* of an output */
    bool forward = spec->weight_channel >= 0;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++) {
        forward &= spec->axis[k].weight >= 0;
        last += (spec->axis[k].window.kernel - 1) * spec->axis[k].weight;
        weights *= spec->axis[k].window.kernel;
    }
    bool together = forward && spec->weight_first == 0 && spec->weight_output == weights && last == weights - 1;
    return together ? rf_direct_panel(plan) * weights * (int64_t)sizeof(float) : 0;
}

void RF_ISA_NAME(rf_direct_pack)(const void *plan, const rf_unpacked *from, void *packed);
size_t RF_ISA_NAME(rf_direct_packing_parts)(const rf_direct_plan *plan);
int64_t RF_ISA_NAME(rf_direct_part_bytes)(const rf_direct_plan *plan);
void RF_ISA_NAME(rf_direct_pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t part);
void RF_ISA_NAME(rf_direct_run)(const void *plan, const rf_kernel_call *call);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the maker, the packer and the runners of sums of 8-bit products agree on.
 *
 * Inputs count as unsigned: a signed one is read as if 128 were added to it, and
 * so is its zero point. A sum then starts with bias - zero * (sum of weights), and
 * padding holds the zero point, so that every output has all of its taps. Weights
 * less their zero points go in as signed bytes; where some have no room there, all
 * are cut into parts, each with a pass of its own.
 */
#ifndef RF_KERNELS_VECTOR_INT8_PLAN_H
#define RF_KERNELS_VECTOR_INT8_PLAN_H

#include "base/checked.h"
#include "kernels/kernel.h"
#include "kernels/vector/int8_vector.h"

enum { RF_INT8_VECTORS = 2, RF_INT8_PANEL = RF_INT8_VECTORS * RF_LANES };

typedef struct rf_int8_plan {
    rf_window rows, columns;      /* of an image; a batch of rows of a matrix lies along columns */
    int64_t batch, groups;
    int64_t channels, outputs;    /* of a group */
    int64_t in_batch, in_row, in_column, in_channel;
    int64_t out_batch, out_row, out_column; /* elements; outputs lie next to each other */
    bool is_signed, depthwise;
    bool staged;                  /* a block's input is copied, with its padding */
    bool joined;                  /* taps of a row follow each other in memory */
    int64_t pitch;                /* bytes of a pixel, as the tiles see it */
    int64_t line;                 /* bytes from a line of the copy to the next */
    int64_t column_step;          /* bytes from an output's first input to the next output's */
    int64_t runs, fours;          /* runs of `fours` times four bytes are what an output reads */
    bool by_columns;              /* depthwise: a run is a column of the kernel, for neighbouring outputs to share */
    const int64_t *offsets;       /* of each run; depthwise: of each tap, padded to a multiple of four */
    int64_t passes;
    int64_t panels;               /* of a group; depthwise: blocks of RF_VECTOR_BYTES channels, of all */
    int64_t panel_bytes;          /* packed: weights, then their sums */
    int64_t block_rows, block_columns, row_blocks, column_blocks, panel_blocks;
    int32_t zero;                 /* of the input, as stored; unknown: operand 2 */
    bool zero_known;
    /* Of all panels' lanes, in their order. */
    const int32_t *bias;
    const double *scale, *shift;
    double low, high;
    int32_t output_zero;
    bool sums;                    /* the outputs are the sums */
    /* What is packed. */
    const void *weights;
    bool weights_signed;
    int64_t weight_output, weight_channel;
    const int32_t *weight_zero;   /* NULL, or one for each output */
} rf_int8_plan;

/* A block of outputs of a group or of channels, and where its input is. */
typedef struct rf_int8_block {
    int64_t image, group, row, rows, column, columns, panel, panels;
    const uint8_t *input;         /* of its first output */
    int64_t row_step;             /* bytes from an output line's first input to the next one's */
    int32_t zero;                 /* of the input, unsigned */
} rf_int8_block;

/* Lanes of a panel. */
static inline int64_t rf_int8_lanes(const rf_int8_plan *plan)
{
    return plan->depthwise ? RF_VECTOR_BYTES : RF_INT8_PANEL;
}

/* Weights of a panel: bytes before the sums. */
static inline int64_t rf_int8_weight_bytes(const rf_int8_plan *plan)
{
    return plan->passes * plan->runs * plan->fours * rf_int8_lanes(plan) * 4;
}

/* The output that a lane is for, among those of its group (depthwise: of all); it may be beyond the last. */
static inline int64_t rf_int8_output_of(const rf_int8_plan *plan, int64_t panel, int64_t lane)
{
    if (plan->depthwise) { /* as rf_gather_fours() leaves them */
        int64_t j = lane / RF_LANES, i = lane % RF_LANES;
        lane = i / 4 * 16 + j * 4 + i % 4;
    }
    return panel * rf_int8_lanes(plan) + lane;
}

/* Weight `channel`, tap `tap` of output `output` of all, less its zero point. */
static inline int32_t rf_int8_weight(const rf_int8_plan *plan, int64_t output, int64_t channel, int64_t tap)
{
    int64_t at = output * plan->weight_output + channel * plan->weight_channel + tap;
    int32_t weight = plan->weights_signed ? ((const int8_t *)plan->weights)[at]
                                          : ((const uint8_t *)plan->weights)[at];
    return weight - (plan->weight_zero ? plan->weight_zero[output] : 0);
}

void RF_ISA_NAME(rf_int8_pack)(const void *plan, const rf_unpacked *from, void *packed);
void RF_ISA_NAME(rf_int8_pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t part);

/* Runs, by tiles of all channels of a group or by channels of their own. */
void RF_ISA_NAME(rf_int8_run)(const void *plan, const rf_kernel_call *call);

/* A panel of a block: `packed` is the panel's. */
void RF_ISA_NAME(rf_int8_tiles)(const rf_int8_plan *plan, const rf_int8_block *block, int64_t panel,
                                const char *packed, void *output);
void RF_ISA_NAME(rf_int8_depthwise)(const rf_int8_plan *plan, const rf_int8_block *block, int64_t panel,
                                    const char *packed, void *output);

#endif

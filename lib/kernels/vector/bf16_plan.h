/* SPDX-License-Identifier: MIT */
/*
 * What the maker, the packer and the runner of a convolution by bfloat16 agree on.
 *
 * It goes by a direct convolution's plan, whose `depth`, `taps_weight` and
 * `staged_step` count pairs of channels here. Every block's input is staged, with
 * zeros for padding, so that all of its tiles have all taps.
 */
#ifndef RF_KERNELS_VECTOR_BF16_PLAN_H
#define RF_KERNELS_VECTOR_BF16_PLAN_H

#include "kernels/vector/bf16_convolution.h"
#include "kernels/vector/direct_plan.h"

/* A block of output positions, and where its input lies in scratch. */
typedef struct rf_bf16_block {
    int64_t begin[RF_DIRECT_AXES], end[RF_DIRECT_AXES]; /* output positions */
    int64_t first_chunk, last_chunk;                    /* of the last axis; the latter is not in it */
    int64_t origin[RF_DIRECT_AXES], extent[RF_DIRECT_AXES]; /* of the input, padding included */
    int64_t steps[RF_DIRECT_AXES];                      /* pairs from one position to the next */
} rf_bf16_block;

/* Two lines of up to so many pixels make one tile. */
enum { RF_BF16_TWIN_ROWS = 7, RF_BF16_TWIN_VECTORS = 2 };

static inline int64_t rf_bf16_pairs(const rf_direct_plan *plan)
{
    return (plan->spec.channels + 1) / 2;
}

/* Rounds what the block reads of the input, and writes zeros around it. */
void RF_ISA_NAME(rf_bf16_stage)(const rf_direct_plan *plan, const rf_bf16_block *box, const float *input, float *to);

/* First the bias, padded to whole panels, then for each panel [tap][pair of channels][lane]. */
void RF_ISA_NAME(rf_bf16_pack)(const void *plan, const rf_unpacked *from, void *packed);
/* A part for each panel. */
void RF_ISA_NAME(rf_bf16_pack_part)(const void *plan, const rf_unpacked *from, void *packed, size_t part);

void RF_ISA_NAME(rf_bf16_run)(const void *plan, const rf_kernel_call *call);

/* The tile of that size; its floats are pairs, but for where its sums start and go. */
rf_tile_function *RF_ISA_NAME(rf_bf16_tile_of)(int64_t rows, int64_t vectors);

/* A tile of two lines of `rows` pixels and RF_BF16_TWIN_VECTORS vectors. The second line's input is `jump` pairs
 * from the first's, its output right after it. */
typedef void rf_bf16_twin_function(const rf_tile *tile, int64_t jump);
rf_bf16_twin_function *RF_ISA_NAME(rf_bf16_twin_of)(int64_t rows);

#endif

/* SPDX-License-Identifier: MIT */
/* Sums of 8-bit products of each channel by itself: four taps to a lane, as many channels as a vector has bytes. */
#include "kernels/vector/int8_plan.h"

/* One output of a vector of channels: sums[j] has those that rf_gather_fours() puts there. */
RF_INLINE void add_taps(const rf_int8_plan *plan, const uint8_t *input, const char *w, rf_uvec sums[4])
{
    const int64_t *offsets = plan->offsets;
    for (int64_t run = 0; run < plan->runs; run++, offsets += 4, w += 4 * RF_VECTOR_BYTES) {
        rf_uvec taps[4], fours[4];
        RF_UNROLL
        for (int k = 0; k < 4; k++)
            taps[k] = rf_uload(input + offsets[k]);
        rf_gather_fours(taps, fours);
        RF_UNROLL
        for (int j = 0; j < 4; j++)
            sums[j] = rf_add_fours(sums[j], rf_unsigned_fours(fours[j]),
                                   rf_signed_fours(rf_uload(w + j * RF_VECTOR_BYTES)));
    }
}

RF_INLINE void store(const rf_uvec sums[4], const rf_int8_scaling *scaling, int64_t count, uint8_t *to)
{
    rf_uvec scaled[4];
    RF_UNROLL
    for (int j = 0; j < 4; j++)
        scaled[j] = rf_scale_back(sums[j], scaling, j * RF_LANES);
    rf_uvec bytes = rf_join_bytes(scaled);
    if (count == RF_VECTOR_BYTES)
        rf_ustore(to, bytes);
    else
        RF_STORE_FIRST_BYTES(to, bytes, count);
}

void RF_ISA_NAME(rf_int8_depthwise)(const rf_int8_plan *plan, const rf_int8_block *block, int64_t panel,
                                    const char *packed, void *output)
{
    const int64_t lane = panel * RF_VECTOR_BYTES;
    const int64_t count = rf_min(plan->groups - lane, RF_VECTOR_BYTES);
    const int32_t *weight_sums = (const int32_t *)(const void *)(packed + rf_int8_weight_bytes(plan));
    const rf_int8_scaling scaling = {plan->scale + lane, plan->shift + lane, plan->low, plan->high, plan->output_zero};
    rf_uvec start[4];
    for (int j = 0; j < 4; j++)
        start[j] = rf_uload(plan->bias + lane + j * RF_LANES)
                   - rf_uset((uint32_t)block->zero) * rf_uload(weight_sums + j * RF_LANES);
    for (int64_t row = 0; row < block->rows; row++) {
        const uint8_t *input = block->input + row * block->row_step + lane;
        uint8_t *to = (uint8_t *)output + block->image * plan->out_batch + (block->row + row) * plan->out_row
                      + block->column * plan->out_column + lane;
        for (int64_t i = 0; i < block->columns; i++, input += plan->column_step, to += plan->out_column) {
            rf_uvec sums[4];
            RF_UNROLL
            for (int j = 0; j < 4; j++)
                sums[j] = start[j];
            add_taps(plan, input, packed, sums);
            store(sums, &scaling, count, to);
        }
    }
}

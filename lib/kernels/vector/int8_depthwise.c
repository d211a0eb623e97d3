/* SPDX-License-Identifier: MIT */
/* Sums of 8-bit products of each channel by itself: four taps to a lane, as many channels as a vector has bytes. */
#include "kernels/vector/int8_plan.h"

/* Four taps of a vector of channels, four to a lane. */
RF_INLINE void gather(const uint8_t *input, const int64_t *offsets, rf_uvec fours[4])
{
    rf_uvec taps[4];
    RF_UNROLL
    for (int k = 0; k < 4; k++)
        taps[k] = rf_uload(input + offsets[k]);
    rf_gather_fours(taps, fours);
}

/* sums[j] has those channels that rf_gather_fours() puts there. */
RF_INLINE void add_run(const rf_uvec fours[4], const char *w, rf_uvec sums[4])
{
    RF_UNROLL
    for (int j = 0; j < 4; j++)
        sums[j] = rf_add_fours(sums[j], rf_unsigned_fours(fours[j]),
                               rf_signed_fours(rf_uload(w + j * RF_VECTOR_BYTES)));
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

/* A vector of channels along a line of outputs. */
typedef struct line {
    const rf_int8_plan *plan;
    const uint8_t *input;
    const char *weights;
    rf_uvec start[4];
    rf_int8_scaling scaling;
    int64_t columns, count; /* outputs, channels */
    uint8_t *to;
} line;

static void go_along(const line *at)
{
    const rf_int8_plan *plan = at->plan;
    const uint8_t *input = at->input;
    uint8_t *to = at->to;
    for (int64_t i = 0; i < at->columns; i++, input += plan->column_step, to += plan->out_column) {
        rf_uvec sums[4] = {at->start[0], at->start[1], at->start[2], at->start[3]}, fours[4];
        for (int64_t run = 0; run < plan->runs; run++) {
            gather(input, plan->offsets + run * 4, fours);
            add_run(fours, at->weights + run * 4 * RF_VECTOR_BYTES, sums);
        }
        store(sums, &at->scaling, at->count, to);
    }
}

/* The same by a kernel of 3x3: what is gathered of a column of the input is kept for the next outputs. */
RF_INLINE void go_by_columns(const line *at, const int stride)
{
    const line copy = *at; /* which no byte that is stored can change */
    const rf_int8_plan *plan = at->plan;
    const int64_t offsets[4] = {plan->offsets[0], plan->offsets[1], plan->offsets[2], plan->offsets[3]};
    const int64_t pitch = plan->pitch, step = plan->column_step, out_step = plan->out_column;
    const uint8_t *input = copy.input;
    uint8_t *to = copy.to;
    rf_uvec first[4], second[4], third[4];
    gather(input, offsets, first);
    if (stride == 1)
        gather(input + pitch, offsets, second);
    for (int64_t i = 0; i < copy.columns; i++, input += step, to += out_step) {
        rf_uvec sums[4] = {copy.start[0], copy.start[1], copy.start[2], copy.start[3]};
        if (stride == 2)
            gather(input + pitch, offsets, second);
        gather(input + 2 * pitch, offsets, third);
        add_run(first, copy.weights, sums);
        add_run(second, copy.weights + 4 * RF_VECTOR_BYTES, sums);
        add_run(third, copy.weights + 8 * RF_VECTOR_BYTES, sums);
        store(sums, &copy.scaling, copy.count, to);
        RF_UNROLL
        for (int j = 0; j < 4; j++) {
            first[j] = stride == 1 ? second[j] : third[j];
            second[j] = third[j];
        }
    }
}

static void go_by_one(const line *at)
{
    go_by_columns(at, 1);
}

static void go_by_two(const line *at)
{
    go_by_columns(at, 2);
}

void RF_ISA_NAME(rf_int8_depthwise)(const rf_int8_plan *plan, const rf_int8_block *block, int64_t panel,
                                    const char *packed, void *output)
{
    const int64_t lane = panel * RF_VECTOR_BYTES;
    const int32_t *weight_sums = (const int32_t *)(const void *)(packed + rf_int8_weight_bytes(plan));
    void (*go)(const line *) = !plan->by_columns ? go_along : plan->columns.stride == 1 ? go_by_one : go_by_two;
    line at = {.plan = plan, .weights = packed, .columns = block->columns,
               .count = rf_min(plan->groups - lane, RF_VECTOR_BYTES),
               .scaling = {plan->scale + lane, plan->shift + lane, plan->low, plan->high, plan->output_zero}};
    for (int j = 0; j < 4; j++)
        at.start[j] = rf_uload(plan->bias + lane + j * RF_LANES)
                      - rf_uset((uint32_t)block->zero) * rf_uload(weight_sums + j * RF_LANES);
    for (int64_t row = 0; row < block->rows; row++) {
        at.input = block->input + row * block->row_step + lane;
        at.to = (uint8_t *)output + block->image * plan->out_batch + (block->row + row) * plan->out_row
                + block->column * plan->out_column + lane;
        go(&at);
    }
}

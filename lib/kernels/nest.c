/* SPDX-License-Identifier: MIT */
#include "kernels/nest.h"

#include "base/checked.h"

void rf_nest_axis(rf_nest *nest, int64_t dim, const int64_t strides[RF_NEST_OPERANDS])
{
    if (dim == 1 || nest->rank == RF_MAX_RANK)
        return;
    nest->dims[nest->rank] = dim;
    for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
        nest->strides[i][nest->rank] = strides[i];
    nest->rank++;
}

static void swap(int64_t *values, int32_t k)
{
    int64_t kept = values[k];
    values[k] = values[k + 1];
    values[k + 1] = kept;
}

/* Keeps the order of axes whose strides are alike. */
static void sort_axes(rf_nest *nest, int32_t by)
{
    for (int32_t end = nest->rank - 1; end > 0; end--) {
        for (int32_t k = 0; k < end; k++) {
            if (nest->strides[by][k] >= nest->strides[by][k + 1])
                continue;
            swap(nest->dims, k);
            for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
                swap(nest->strides[i], k);
        }
    }
}

/* Whether a step along axis k is a run through the axis after it, in every operand. */
static bool follows(const rf_nest *nest, int32_t k, int32_t inner)
{
    for (int32_t i = 0; i < RF_NEST_OPERANDS; i++) {
        int64_t run;
        if (!rf_checked_mul(nest->strides[i][inner], nest->dims[inner], &run) || run != nest->strides[i][k])
            return false;
    }
    return true;
}

static void merge_axes(rf_nest *nest)
{
    int32_t kept = 0;
    for (int32_t k = 1; k < nest->rank; k++) {
        int64_t product = 1;
        bool merged = follows(nest, kept, k) && rf_checked_mul(nest->dims[kept], nest->dims[k], &product);
        if (!merged)
            kept++;
        nest->dims[kept] = merged ? product : nest->dims[k];
        for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
            nest->strides[i][kept] = nest->strides[i][k];
    }
    if (nest->rank)
        nest->rank = kept + 1;
}

void rf_nest_settle(rf_nest *nest, int32_t by)
{
    sort_axes(nest, by);
    merge_axes(nest);
}

bool rf_nest_make(rf_nest *nest, int32_t operands, const rf_strided *const list[])
{
    const rf_strided *last = list[operands - 1];
    *nest = (rf_nest){0};
    if (last->rank < 0 || last->rank > RF_MAX_RANK)
        return false;
    for (int32_t i = 0; i < operands - 1; i++)
        if (list[i]->rank != last->rank)
            return false;
    for (int32_t k = 0; k < last->rank; k++) {
        int64_t strides[RF_NEST_OPERANDS] = {0};
        for (int32_t i = 0; i < operands; i++) {
            if (list[i]->dims[k] != last->dims[k] && list[i]->strides[k] != 0)
                return false;
            strides[i] = list[i]->strides[k];
        }
        if (last->dims[k] < 0)
            return false;
        rf_nest_axis(nest, last->dims[k], strides);
    }
    rf_nest_settle(nest, operands - 1);
    return true;
}

bool rf_nest_elements(const rf_nest *nest, uint64_t *elements)
{
    *elements = 1;
    for (int32_t k = 0; k < nest->rank; k++)
        if (nest->dims[k] == 0)
            *elements = 0;
    for (int32_t k = 0; k < nest->rank && *elements; k++)
        if (!rf_checked_mul(*elements, (uint64_t)nest->dims[k], elements) || *elements > INT64_MAX)
            return false;
    return true;
}

int64_t rf_nest_offset(const rf_nest *nest, int32_t operand, uint64_t position)
{
    int64_t offset = 0;
    for (int32_t k = nest->rank - 1; k >= 0 && position; k--) {
        uint64_t dim = (uint64_t)nest->dims[k];
        offset += nest->strides[operand][k] * (int64_t)(position % dim);
        position /= dim;
    }
    return offset;
}

int64_t rf_nest_take(rf_nest *nest, int64_t steps[RF_NEST_OPERANDS])
{
    if (!nest->rank) {
        for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
            steps[i] = 0;
        return 1;
    }
    nest->rank--;
    for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
        steps[i] = nest->strides[i][nest->rank];
    return nest->dims[nest->rank];
}

bool rf_tiles_make(rf_tiles *tiles, const rf_nest *nest, int64_t block)
{
    *tiles = (rf_tiles){.outer = *nest};
    tiles->count = rf_nest_take(&tiles->outer, tiles->steps);
    tiles->rows = rf_nest_take(&tiles->outer, tiles->row_steps);
    tiles->count_block = block;
    tiles->row_block = tiles->count > 0 ? rf_max(1, block / tiles->count) : 1;
    tiles->count_blocks = (size_t)rf_div_ceil(tiles->count, tiles->count_block);
    tiles->row_blocks = (size_t)rf_div_ceil(tiles->rows, tiles->row_block);
    uint64_t outer;
    if (!rf_nest_elements(nest, &tiles->elements) || !rf_nest_elements(&tiles->outer, &outer))
        return false;
    /* No more units than elements, so that this cannot overflow. */
    tiles->units = tiles->elements ? (size_t)outer * tiles->row_blocks * tiles->count_blocks : 0;
    int64_t each = rf_min(tiles->rows, tiles->row_block) * rf_min(tiles->count, tiles->count_block);
    tiles->grain = (size_t)rf_max(1, 4 * block / rf_max(1, each));
    return true;
}

rf_tile rf_tiles_at(const rf_tiles *tiles, size_t unit)
{
    int64_t at = (int64_t)(unit % tiles->count_blocks) * tiles->count_block;
    unit /= tiles->count_blocks;
    int64_t row = (int64_t)(unit % tiles->row_blocks) * tiles->row_block;
    unit /= tiles->row_blocks;
    rf_tile tile = {.rows = rf_min(tiles->row_block, tiles->rows - row),
                    .count = rf_min(tiles->count_block, tiles->count - at)};
    for (int32_t i = 0; i < RF_NEST_OPERANDS; i++)
        tile.offsets[i] = rf_nest_offset(&tiles->outer, i, unit) + row * tiles->row_steps[i]
                          + at * tiles->steps[i];
    return tile;
}

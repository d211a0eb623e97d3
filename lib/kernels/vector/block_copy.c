/* SPDX-License-Identifier: MIT */
#include "kernels/vector/block_copy.h"

#include "base/checked.h"
#include "kernels/vector/transpose.h"

static const char *from_at(const rf_block_copy *block, int64_t r, int64_t c)
{
    return block->from + (r * block->row + c * block->column) * (int64_t)sizeof(float);
}

RF_INLINE rf_vec load_anywhere(const char *from, int64_t count)
{
    rf_vec v;
    if (count < RF_LANES)
        return rf_load_some((const float *)(const void *)from, count);
    memcpy(&v, from, sizeof v);
    return v;
}

/* Elements of a row lie together. */
static void copy_rows(const rf_block_copy *block)
{
    for (int64_t r = 0; r < block->rows; r++) {
        const char *from = from_at(block, r, 0);
        float *to = block->to + r * block->to_step;
        for (int64_t c = 0; c < block->columns; c += RF_LANES, from += sizeof(rf_vec))
            rf_store(to + c, load_anywhere(from, block->columns - c));
    }
}

/* Elements of a column lie together: a vector of rows by a vector of columns. */
RF_INLINE void turn(const rf_block_copy *block, int64_t r, int64_t c, int64_t rows, int64_t columns)
{
    rf_vec lines[RF_LANES];
    RF_UNROLL
    for (int i = 0; i < RF_LANES; i++)
        lines[i] = i < columns ? load_anywhere(from_at(block, r, c + i), rows) : (rf_vec){0};
    rf_transpose(lines);
    float *to = block->to + r * block->to_step + c;
    RF_UNROLL
    for (int i = 0; i < RF_LANES; i++)
        if (i < rows)
            rf_store(to + i * block->to_step, lines[i]);
}

static void turn_columns(const rf_block_copy *block)
{
    for (int64_t r = 0; r < block->rows; r += RF_LANES)
        for (int64_t c = 0; c < block->columns; c += RF_LANES) {
            int64_t rows = rf_min(block->rows - r, RF_LANES), columns = rf_min(block->columns - c, RF_LANES);
            if (rows == RF_LANES && columns == RF_LANES)
                turn(block, r, c, RF_LANES, RF_LANES);
            else
                turn(block, r, c, rows, columns);
        }
}

static void gather(const rf_block_copy *block)
{
    int64_t whole = rf_div_ceil(block->columns, RF_LANES) * RF_LANES;
    for (int64_t r = 0; r < block->rows; r++) {
        float *to = block->to + r * block->to_step;
        for (int64_t c = 0; c < block->columns; c++)
            memcpy(to + c, from_at(block, r, c), sizeof *to);
        for (int64_t c = block->columns; c < whole; c++)
            to[c] = 0.0f;
    }
}

void RF_ISA_NAME(rf_copy_block)(const rf_block_copy *block)
{
    if (block->column == 1)
        copy_rows(block);
    else if (block->row == 1)
        turn_columns(block);
    else
        gather(block);
}

/* SPDX-License-Identifier: MIT */
/* Runs sums of 8-bit products: blocks of outputs, whose input is first copied where it needs padding. */
#include "kernels/vector/int8_plan.h"

/* ---- The copy of a block's input -------------------------------------------------------- */

/* A line of the copy: some pixels on the input, the zero point before and after them. */
typedef struct staging {
    const uint8_t *input;  /* the first channel of the line's pixel 0 */
    int64_t first, end;    /* pixels of the copy that fall on the input */
    int64_t at;            /* the input's pixel that the first one is */
    int64_t columns;       /* pixels of the copy */
    int64_t channels;
    uint8_t zero;
} staging;

static void copy_bytes(uint8_t *restrict to, const uint8_t *restrict from, int64_t count, bool is_signed)
{
    const uint8_t flipped = is_signed ? 128 : 0;
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i] ^ flipped;
}

static void stage_pixels(const rf_int8_plan *plan, const staging *it, uint8_t *to)
{
    const uint8_t *from = it->input + it->at * plan->in_column;
    const int64_t count = it->end - it->first;
    to += it->first * plan->pitch;
    if (plan->pitch == it->channels && plan->in_column == it->channels) {
        copy_bytes(to, from, count * it->channels, plan->is_signed);
        return;
    }
    for (int64_t i = 0; i < count; i++, to += plan->pitch, from += plan->in_column)
        copy_bytes(to, from, it->channels, plan->is_signed);
}

static void stage_line(const rf_int8_plan *plan, const staging *it, uint8_t *to)
{
    memset(to, it->zero, (size_t)(it->first * plan->pitch));
    if (it->end > it->first)
        stage_pixels(plan, it, to);
    memset(to + it->end * plan->pitch, it->zero, (size_t)((it->columns - it->end) * plan->pitch));
}

/* Positions that `count` outputs read. */
static int64_t span_of(const rf_window *window, int64_t count)
{
    return (count - 1) * window->stride + (window->kernel - 1) * window->dilation + 1;
}

static void stage(const rf_int8_plan *plan, const rf_int8_block *block, const uint8_t *image, uint8_t *to)
{
    const int64_t lines = span_of(&plan->rows, block->rows);
    const int64_t top = block->row * plan->rows.stride - plan->rows.pad_begin;
    const int64_t left = block->column * plan->columns.stride - plan->columns.pad_begin;
    staging it = {.columns = span_of(&plan->columns, block->columns), .zero = (uint8_t)block->zero,
                  .channels = plan->depthwise ? plan->groups : plan->channels};
    const int64_t first = rf_min(rf_max(-left, 0), it.columns);
    const int64_t end = rf_max(rf_min(plan->columns.input - left, it.columns), first);
    it.at = first + left;
    for (int64_t i = 0; i < lines; i++, to += plan->line) {
        const bool inside = top + i >= 0 && top + i < plan->rows.input;
        it.first = inside ? first : it.columns;
        it.end = inside ? end : it.columns;
        it.input = inside ? image + (top + i) * plan->in_row : NULL;
        stage_line(plan, &it, to);
    }
}

/* ---- Blocks ----------------------------------------------------------------------------- */

static void set_part(int64_t part, int64_t block, int64_t whole, int64_t *first, int64_t *count)
{
    *first = part * block;
    *count = rf_min(block, whole - *first);
}

static rf_int8_block block_at(const rf_int8_plan *plan, size_t unit)
{
    rf_int8_block block;
    int64_t at = (int64_t)unit, groups = plan->depthwise ? 1 : plan->groups;
    set_part(at % plan->panel_blocks, rf_div_ceil(plan->panels, plan->panel_blocks), plan->panels, &block.panel,
             &block.panels);
    at /= plan->panel_blocks;
    set_part(at % plan->column_blocks, plan->block_columns, plan->columns.output, &block.column, &block.columns);
    at /= plan->column_blocks;
    set_part(at % plan->row_blocks, plan->block_rows, plan->rows.output, &block.row, &block.rows);
    at /= plan->row_blocks;
    block.group = at % groups;
    block.image = at / groups;
    return block;
}

/* The zero point as an unsigned number. */
static int32_t zero_of(const rf_int8_plan *plan, void *const *data)
{
    int32_t zero = plan->zero;
    if (!plan->zero_known)
        zero = plan->is_signed ? *(const int8_t *)data[2] : *(const uint8_t *)data[2];
    return zero + (plan->is_signed ? 128 : 0);
}

static void find_input(const rf_int8_plan *plan, rf_int8_block *block, const uint8_t *input, uint8_t *scratch)
{
    const uint8_t *image = input + block->image * plan->in_batch + block->group * plan->channels;
    if (plan->staged) {
        stage(plan, block, image, scratch);
        block->input = scratch;
        block->row_step = block->rows > 1 ? plan->rows.stride * plan->line : 0;
        return;
    }
    block->row_step = plan->rows.stride * plan->in_row;
    block->input = image + block->row * block->row_step + block->column * plan->column_step;
}

void RF_ISA_NAME(rf_int8_run)(const void *of, const rf_kernel_call *call)
{
    const rf_int8_plan *plan = of;
    const int32_t zero = zero_of(plan, call->data);
    for (size_t unit = call->begin; unit < call->end; unit++) {
        rf_int8_block block = block_at(plan, unit);
        block.zero = zero;
        find_input(plan, &block, call->data[0], call->scratch);
        for (int64_t i = 0; i < block.panels; i++) {
            int64_t panel = block.panel + i;
            const char *packed = (const char *)call->packed
                                 + (block.group * plan->panels + panel) * plan->panel_bytes;
            if (plan->depthwise)
                RF_ISA_NAME(rf_int8_depthwise)(plan, &block, panel, packed, call->data[1]);
            else
                RF_ISA_NAME(rf_int8_tiles)(plan, &block, panel, packed, call->data[1]);
        }
    }
}

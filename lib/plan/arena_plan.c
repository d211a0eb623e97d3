/* SPDX-License-Identifier: MIT */
/*
 * Offsets in the arena: buffers that live at the same time must not overlap.
 *
 * The largest is placed first, each at the lowest gap that holds it among those
 * already placed that live when it does (greedy by size; Pisarchyk and Lee,
 * "Efficient Memory Management for Deep Neural Net Inference", 2020). Its time
 * grows with the square of the number of buffers, so long networks are placed
 * in order of time instead.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

enum { ALIGNMENT = 64, MOST_BY_SIZE = 4096, MOST_GAPS = 256 };

static uint64_t rounded(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool lives(const rf_buffer *buffer)
{
    return buffer->home == RF_HOME_ARENA && buffer->first != UINT32_MAX && buffer->bytes;
}

static int larger_first(const void *left, const void *right)
{
    const rf_buffer *a = *(rf_buffer *const *)left, *b = *(rf_buffer *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int earlier_first(const void *left, const void *right)
{
    const rf_buffer *a = *(rf_buffer *const *)left, *b = *(rf_buffer *const *)right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a < b ? -1 : a > b;
}

static bool meet(const rf_buffer *a, const rf_buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* `placed` is kept sorted by offset. */
static void place_lowest(rf_buffer **placed, size_t count, rf_buffer *buffer)
{
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (!meet(placed[i], buffer))
            continue;
        if (placed[i]->offset >= at + buffer->bytes)
            break;
        uint64_t end = placed[i]->offset + rounded(placed[i]->bytes);
        at = end > at ? end : at;
    }
    buffer->offset = at;
    size_t i = count;
    for (; i > 0 && placed[i - 1]->offset > at; i--)
        placed[i] = placed[i - 1];
    placed[i] = buffer;
}

static uint64_t lay_by_size(rf_buffer **list, size_t count, rf_buffer **placed)
{
    uint64_t end = 0;
    qsort(list, count, sizeof *list, larger_first);
    for (size_t i = 0; i < count; i++) {
        place_lowest(placed, i, list[i]);
        uint64_t own = list[i]->offset + rounded(list[i]->bytes);
        end = own > end ? own : end;
    }
    return end;
}

/* ---- By time ------------------------------------------------------------------------------ */

typedef struct gap {
    uint64_t offset, bytes;
} gap;

/* Free memory below the end, in a table of bounded size: what does not fit into it is lost. */
typedef struct gaps {
    gap list[MOST_GAPS];
    size_t count;
    uint64_t end;
} gaps;

static uint64_t take_gap(gaps *free, uint64_t bytes)
{
    size_t best = free->count;
    for (size_t i = 0; i < free->count; i++)
        if (free->list[i].bytes >= bytes && (best == free->count || free->list[i].bytes < free->list[best].bytes))
            best = i;
    if (best == free->count) {
        uint64_t at = free->end;
        /* More than can be counted is refused with the sum. */
        if (!rf_checked_add(at, bytes, &free->end))
            free->end = UINT64_MAX;
        return at;
    }
    gap *taken = &free->list[best];
    uint64_t at = taken->offset;
    taken->offset += bytes;
    taken->bytes -= bytes;
    if (!taken->bytes)
        *taken = free->list[--free->count];
    return at;
}

static void give_gap(gaps *free, uint64_t offset, uint64_t bytes)
{
    for (size_t i = 0; i < free->count;) {
        gap *other = &free->list[i];
        bool before = other->offset + other->bytes == offset, after = offset + bytes == other->offset;
        if (!before && !after) {
            i++;
            continue;
        }
        offset = before ? other->offset : offset;
        bytes += other->bytes;
        *other = free->list[--free->count];
    }
    if (offset + bytes == free->end)
        free->end = offset;
    else if (free->count < MOST_GAPS)
        free->list[free->count++] = (gap){offset, bytes};
}

static int sooner_last(const void *left, const void *right)
{
    const rf_buffer *a = *(rf_buffer *const *)left, *b = *(rf_buffer *const *)right;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return a < b ? -1 : a > b;
}

static uint64_t lay_by_time(rf_buffer **list, size_t count, rf_buffer **ends)
{
    gaps free = {.count = 0};
    uint64_t end = 0;
    size_t ended = 0;
    memcpy(ends, list, count * sizeof *list);
    qsort(list, count, sizeof *list, earlier_first);
    qsort(ends, count, sizeof *ends, sooner_last);
    for (size_t i = 0; i < count; i++) {
        for (; ended < count && ends[ended]->last < list[i]->first; ended++)
            give_gap(&free, ends[ended]->offset, rounded(ends[ended]->bytes));
        list[i]->offset = take_gap(&free, rounded(list[i]->bytes));
        end = free.end > end ? free.end : end;
    }
    return end;
}

/* Scratch follows the tensors, each worker's at a multiple of the alignment. What has no multiple above it
 * is refused with the sum, as is the largest number. */
static uint64_t rounded_scratch(uint64_t bytes)
{
    return bytes > UINT64_MAX - ALIGNMENT ? UINT64_MAX : rounded(bytes);
}

rf_status rf_plan_lay_out(rf_plan *plan)
{
    size_t count = 0;
    rf_buffer **list = RF_TAKE(plan->arena, rf_buffer *, plan->buffer_count);
    rf_buffer **second = RF_TAKE(plan->arena, rf_buffer *, plan->buffer_count);
    if (!list || !second)
        return rf_plan_no_memory(plan);
    for (size_t i = 0; i < plan->buffer_count; i++)
        if (lives(&plan->buffers[i]))
            list[count++] = &plan->buffers[i];
    plan->arena_bytes = count <= MOST_BY_SIZE ? lay_by_size(list, count, second) : lay_by_time(list, count, second);
    plan->reference_bytes = rounded_scratch(plan->reference_bytes);
    plan->worker_bytes = rounded_scratch(plan->worker_bytes);
    return RF_OK;
}

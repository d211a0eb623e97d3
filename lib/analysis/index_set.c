/* SPDX-License-Identifier: MIT */
#include "analysis/index_set.h"

#include <stdlib.h>

#include "base/checked.h"

enum { MOST_INTERVALS = 1 << 20 };

/* Intervals being collected, in any order. */
typedef struct collector {
    rf_arena *arena;
    rf_range *at;
    size_t count, room;
    rf_status status;
} collector;

static void collect(collector *into, int64_t first, int64_t last)
{
    if (into->status != RF_OK || first > last)
        return;
    if (into->count && first >= into->at[into->count - 1].first
        && first <= into->at[into->count - 1].last + 1) {
        into->at[into->count - 1].last = rf_max(last, into->at[into->count - 1].last);
        return;
    }
    if (into->count == MOST_INTERVALS) {
        into->status = RF_ERROR_LIMIT;
        return;
    }
    if (into->count == into->room) {
        size_t room = into->room ? 2 * into->room : 4;
        rf_range *grown = RF_TAKE(into->arena, rf_range, room);
        if (!grown) {
            into->status = RF_ERROR_MEMORY;
            return;
        }
        for (size_t k = 0; k < into->count; k++)
            grown[k] = into->at[k];
        into->at = grown;
        into->room = room;
    }
    into->at[into->count++] = (rf_range){first, last};
}

static int by_first(const void *a, const void *b)
{
    const rf_range *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static rf_status finish(collector *from, rf_index_set *set)
{
    if (from->status != RF_OK)
        return from->status;
    bool sorted = true;
    for (size_t k = 1; k < from->count; k++)
        sorted &= from->at[k].first > from->at[k - 1].last + 1;
    if (!sorted) {
        qsort(from->at, from->count, sizeof *from->at, by_first);
        size_t kept = 0;
        for (size_t k = 1; k < from->count; k++) {
            if (from->at[k].first <= from->at[kept].last + 1)
                from->at[kept].last = rf_max(from->at[kept].last, from->at[k].last);
            else
                from->at[++kept] = from->at[k];
        }
        from->count = kept + 1;
    }
    *set = (rf_index_set){from->count, from->at};
    return RF_OK;
}

rf_status rf_set_range(rf_arena *arena, int64_t first, int64_t last, rf_index_set *set)
{
    collector into = {.arena = arena};
    collect(&into, first, last);
    return finish(&into, set);
}

rf_status rf_set_union(rf_arena *arena, const rf_index_set *a, const rf_index_set *b, rf_index_set *set)
{
    if (a->count == 1 && b->count == 1 && a->at->first <= b->at->first && a->at->last >= b->at->last) {
        *set = *a;
        return RF_OK;
    }
    collector into = {.arena = arena};
    size_t next_a = 0, next_b = 0;
    while (next_a < a->count || next_b < b->count) {
        bool from_a = next_b == b->count
            || (next_a < a->count && a->at[next_a].first <= b->at[next_b].first);
        const rf_range *next = from_a ? &a->at[next_a++] : &b->at[next_b++];
        collect(&into, next->first, next->last);
    }
    return finish(&into, set);
}

uint64_t rf_set_count(const rf_index_set *set)
{
    uint64_t count = 0;
    for (size_t k = 0; k < set->count; k++)
        count += (uint64_t)(set->at[k].last - set->at[k].first) + 1;
    return count;
}

static void window_of_index(const rf_link *link, int64_t i, collector *into)
{
    int64_t base = link->stride * i - link->pad;
    if (link->dilation == 1) {
        collect(into, base, base + link->kernel - 1);
        return;
    }
    for (int64_t t = 0; t < link->kernel && into->status == RF_OK; t++)
        collect(into, base + link->dilation * t, base + link->dilation * t);
}

static void window_of_range(const rf_link *link, rf_range outputs, collector *into)
{
    int64_t reach = link->dilation * (link->kernel - 1);
    int64_t length = outputs.last - outputs.first + 1;
    int64_t stride = link->stride < 0 ? -link->stride : link->stride;
    int64_t low = link->stride < 0 ? outputs.last : outputs.first;
    int64_t high = link->stride < 0 ? outputs.first : outputs.last;
    bool solid = link->dilation == 1 || link->kernel == 1 ? stride <= link->kernel
                                                          : stride == 1 && length >= link->dilation;
    if (solid) {
        collect(into, link->stride * low - link->pad, link->stride * high - link->pad + reach);
        return;
    }
    if (stride == 1) {
        for (int64_t t = 0; t < link->kernel && into->status == RF_OK; t++)
            collect(into, link->stride * low - link->pad + link->dilation * t,
                    link->stride * high - link->pad + link->dilation * t);
        return;
    }
    for (int64_t i = outputs.first; i <= outputs.last && into->status == RF_OK; i++)
        window_of_index(link, i, into);
}

static void transposed_of_index(const rf_link *link, int64_t i, collector *into)
{
    if (link->dilation == 1) {
        collect(into, rf_div_ceil(i + link->pad - (link->kernel - 1), link->stride),
                rf_div_floor(i + link->pad, link->stride));
        return;
    }
    for (int64_t t = link->kernel - 1; t >= 0 && into->status == RF_OK; t--)
        if (rf_mod(i + link->pad - link->dilation * t, link->stride) == 0) {
            int64_t j = (i + link->pad - link->dilation * t) / link->stride;
            collect(into, j, j);
        }
}

static void transposed_of_range(const rf_link *link, rf_range outputs, collector *into)
{
    if (link->dilation == 1 && link->kernel >= link->stride) {
        collect(into, rf_div_ceil(outputs.first + link->pad - (link->kernel - 1), link->stride),
                rf_div_floor(outputs.last + link->pad, link->stride));
        return;
    }
    for (int64_t i = outputs.first; i <= outputs.last && into->status == RF_OK; i++)
        transposed_of_index(link, i, into);
}

static void periodic_of_index(const rf_link *link, int64_t i, collector *into)
{
    int64_t base = link->advance * rf_div_floor(i, link->period);
    int64_t phase = rf_mod(i, link->period);
    collect(into, base + link->table_first[phase], base + link->table_last[phase]);
}

static void linked_of_range(const rf_link *link, rf_range outputs, int64_t extent,
                            int64_t output_extent, collector *into)
{
    switch (link->kind) {
    case RF_LINK_WINDOW:
        window_of_range(link, outputs, into);
        return;
    case RF_LINK_TRANSPOSED:
        transposed_of_range(link, outputs, into);
        return;
    case RF_LINK_BLOCK:
        collect(into, rf_div_floor(outputs.first, link->out_block) * link->in_block,
                rf_div_floor(outputs.last, link->out_block) * link->in_block + link->in_block - 1);
        return;
    case RF_LINK_PERIODIC:
        for (int64_t i = outputs.first; i <= outputs.last && into->status == RF_OK; i++)
            periodic_of_index(link, i, into);
        return;
    case RF_LINK_TABLE:
        for (int64_t i = rf_max(outputs.first, 0); i <= rf_min(outputs.last, output_extent - 1); i++)
            collect(into, link->table_first[i], link->table_last[i]);
        return;
    case RF_LINK_PART:
        collect(into, rf_max(outputs.first - link->pad, 0), rf_min(outputs.last - link->pad, extent - 1));
        return;
    default:
        return;
    }
}

static int64_t digit_of_index(const rf_link_term *term, int64_t i)
{
    int64_t digit = rf_div_floor(i, term->divisor);
    return term->modulus == RF_WHOLE_INDEX ? digit : rf_mod(digit, term->modulus);
}

static bool never_wraps(const rf_link *link, const rf_shape *output)
{
    int64_t most = 0;
    for (int32_t k = 0; k < link->term_count; k++) {
        const rf_link_term *term = &link->terms[k];
        int64_t digits = rf_min(term->modulus, rf_div_ceil(output->dims[term->axis], term->divisor));
        most += term->weight * (digits - 1);
    }
    return most / link->divisor < link->modulus;
}

/* Every combination of the terms' output indices, one odometer step a turn. */
static void digits_of_sets(const rf_link *link, const rf_index_set *outputs, int64_t extent,
                           const rf_shape *output, collector *into)
{
    bool free = never_wraps(link, output);
    int64_t index[RF_MAX_RANK];
    size_t interval[RF_MAX_RANK] = {0};
    uint64_t combinations = 1;
    for (int32_t k = 0; k < link->term_count; k++) {
        const rf_index_set *set = &outputs[link->terms[k].axis];
        if (!set->count)
            return;
        if (!rf_checked_mul(combinations, rf_set_count(set), &combinations) || combinations > 4 * MOST_INTERVALS) {
            collect(into, 0, extent - 1);
            return;
        }
        index[k] = set->at[0].first;
    }
    for (uint64_t step = 0; step < combinations && into->status == RF_OK; step++) {
        int64_t sum = 0;
        for (int32_t k = 0; k < link->term_count; k++) {
            const rf_link_term *term = &link->terms[k];
            sum += term->weight * digit_of_index(term, index[k]);
        }
        int64_t j = rf_div_floor(sum, link->divisor);
        if (!free)
            j = rf_mod(j, link->modulus);
        collect(into, j, j);
        for (int32_t k = link->term_count - 1; k >= 0; k--) {
            const rf_index_set *set = &outputs[link->terms[k].axis];
            if (++index[k] <= set->at[interval[k]].last)
                break;
            interval[k] = interval[k] + 1 < set->count ? interval[k] + 1 : 0;
            index[k] = set->at[interval[k]].first;
            if (interval[k])
                break;
        }
    }
}

/* Indices and window sizes beyond this could leave 64 bits when multiplied. */
static const int64_t furthest = INT64_C(1) << 31;

static bool is_near(int64_t number)
{
    return number >= -furthest && number <= furthest;
}

static bool is_small_link(const rf_link *link)
{
    switch (link->kind) {
    case RF_LINK_WINDOW:
    case RF_LINK_TRANSPOSED:
        return is_near(link->stride) && is_near(link->pad) && is_near(link->kernel) && is_near(link->dilation)
            && is_near(link->kernel * link->dilation);
    case RF_LINK_BLOCK:
        return is_near(link->out_block) && is_near(link->in_block);
    case RF_LINK_PERIODIC:
        return is_near(link->advance);
    case RF_LINK_PART:
        return is_near(link->pad);
    default:
        return true;
    }
}

static bool is_near_set(const rf_index_set *set)
{
    return set->count == 0 || (is_near(set->at[0].first) && is_near(set->at[set->count - 1].last));
}

uint64_t rf_set_work(const rf_link *link, const rf_index_set *outputs)
{
    uint64_t work = 1;
    if (link->kind < RF_LINK_WINDOW)
        return 1;
    for (int32_t k = 0; link->kind == RF_LINK_DIGITS && k < link->term_count; k++)
        if (!rf_checked_mul(work, rf_set_count(&outputs[link->terms[k].axis]), &work) || work > 4 * MOST_INTERVALS)
            return 1; /* rf_set_apply takes the whole axis then */
    if (link->kind == RF_LINK_DIGITS)
        return work;
    uint64_t indices = rf_set_count(&outputs[link->axis]);
    bool enumerated = link->kind == RF_LINK_PERIODIC || link->kind == RF_LINK_TABLE
        || ((link->kind == RF_LINK_WINDOW || link->kind == RF_LINK_TRANSPOSED)
            && (link->dilation > 1 || link->stride > link->kernel || link->stride < -link->kernel));
    if (!enumerated)
        return 1 + outputs[link->axis].count;
    bool taps = link->kind != RF_LINK_PERIODIC && link->kind != RF_LINK_TABLE && link->dilation > 1;
    return rf_checked_mul(indices, taps ? (uint64_t)link->kernel : 1, &work) ? work : UINT64_MAX;
}

rf_status rf_set_apply(rf_arena *arena, const rf_link *link, const rf_index_set *outputs,
                       int64_t extent, const rf_shape *output, rf_index_set *set)
{
    collector into = {.arena = arena};
    switch (link->kind) {
    case RF_LINK_NOTHING:
        break;
    case RF_LINK_ALL:
        collect(&into, 0, extent - 1);
        break;
    case RF_LINK_RANGE:
        collect(&into, link->first, link->last);
        break;
    case RF_LINK_DIGITS:
        digits_of_sets(link, outputs, extent, output, &into);
        break;
    default:
        if (!is_small_link(link) || !is_near_set(&outputs[link->axis]))
            return RF_ERROR_OVERFLOW;
        for (size_t k = 0; k < outputs[link->axis].count; k++)
            linked_of_range(link, outputs[link->axis].at[k], extent, output->dims[link->axis], &into);
    }
    return finish(&into, set);
}

/* The element that position `j` past an end stands for, or -1 for none. */
static int64_t resolve_border(rf_border border, int64_t j, int64_t extent)
{
    if (j >= 0 && j < extent)
        return j;
    switch (border) {
    case RF_BORDER_CLAMP:
        return extent ? rf_max(0, rf_min(j, extent - 1)) : -1;
    case RF_BORDER_WRAP:
        return extent ? rf_mod(j, extent) : -1;
    case RF_BORDER_REFLECT: {
        if (extent < 2)
            return extent - 1;
        int64_t turn = rf_mod(j, 2 * (extent - 1));
        return turn < extent ? turn : 2 * (extent - 1) - turn;
    }
    default:
        return -1;
    }
}

/* Only taps that can land inside are looked at, however large the kernel. */
static void transposed_visit(const rf_link *link, int64_t i, int64_t extent,
                             void (*visit)(void *context, int64_t index), void *context)
{
    int64_t last = rf_min(link->kernel - 1, rf_div_floor(i + link->pad, link->dilation));
    int64_t first = rf_max(0, rf_div_ceil(i + link->pad - link->stride * (extent - 1), link->dilation));
    for (int64_t t = first; t <= last; t++) {
        int64_t from = i + link->pad - link->dilation * t;
        if (from % link->stride == 0)
            visit(context, from / link->stride);
    }
}

void rf_link_visit(const rf_link *link, int64_t i, int64_t extent, int64_t output_extent,
                   void (*visit)(void *context, int64_t index), void *context)
{
    int64_t first = 0, last = -1, step = 1;
    rf_border border = RF_BORDER_PADDING;
    switch (link->kind) {
    case RF_LINK_WINDOW:
        first = link->stride * i - link->pad;
        step = link->dilation;
        last = first + link->dilation * (link->kernel - 1);
        border = link->border;
        break;
    case RF_LINK_TRANSPOSED:
        transposed_visit(link, i, extent, visit, context);
        return;
    case RF_LINK_BLOCK:
        first = rf_div_floor(i, link->out_block) * link->in_block;
        last = first + link->in_block - 1;
        break;
    case RF_LINK_PERIODIC:
        first = link->advance * rf_div_floor(i, link->period) + link->table_first[rf_mod(i, link->period)];
        last = link->advance * rf_div_floor(i, link->period) + link->table_last[rf_mod(i, link->period)];
        border = link->border;
        break;
    case RF_LINK_TABLE:
        if (i >= 0 && i < output_extent) {
            first = link->table_first[i];
            last = link->table_last[i];
        }
        break;
    case RF_LINK_PART:
        first = last = i - link->pad;
        break;
    default:
        break;
    }
    if (border == RF_BORDER_PADDING) {
        first += first < 0 ? step * rf_div_ceil(-first, step) : 0;
        last = rf_min(last, extent - 1);
    }
    for (int64_t j = first; j <= last; j += step) {
        int64_t element = resolve_border(border, j, extent);
        if (element >= 0)
            visit(context, element);
    }
}

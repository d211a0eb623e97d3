/* SPDX-License-Identifier: MIT */
#include "analysis/link_bounds.h"

#include "base/checked.h"

static bool transposed_maps(const rf_link *link, rf_arena *arena, rf_index_map *lower, rf_index_map *upper)
{
    if (link->stride > RF_MAX_PERIOD || link->kernel > RF_MAX_PERIOD || link->stride < 1)
        return false;
    int64_t *first = RF_TAKE(arena, int64_t, (size_t)link->stride);
    int64_t *last = RF_TAKE(arena, int64_t, (size_t)link->stride);
    if (!first || !last)
        return false;
    for (int64_t i = 0; i < link->stride; i++) {
        bool any = false;
        for (int64_t t = 0; t < link->kernel; t++) {
            int64_t from = i + link->pad - link->dilation * t;
            if (rf_mod(from, link->stride) != 0)
                continue;
            first[i] = from / link->stride;
            if (!any)
                last[i] = first[i];
            any = true;
        }
        if (!any)
            return false;
    }
    *lower = (rf_index_map){link->stride, 1, first[0], first};
    *upper = (rf_index_map){link->stride, 1, last[0], last};
    return true;
}

static bool block_map(int64_t out_block, int64_t in_block, int64_t offset, rf_arena *arena, rf_index_map *map)
{
    if (out_block > RF_MAX_PERIOD)
        return false;
    int64_t *offsets = RF_TAKE(arena, int64_t, (size_t)out_block);
    if (!offsets)
        return false;
    for (int64_t i = 0; i < out_block; i++)
        offsets[i] = offset;
    *map = (rf_index_map){out_block, in_block, offset, offsets};
    return true;
}

bool rf_link_bounds(const rf_link *link, rf_arena *arena, rf_index_map *lower, rf_index_map *upper)
{
    switch (link->kind) {
    case RF_LINK_WINDOW:
        *lower = rf_map_affine(link->stride, -link->pad);
        *upper = rf_map_affine(link->stride, -link->pad + link->dilation * (link->kernel - 1));
        return true;
    case RF_LINK_TRANSPOSED:
        if (!transposed_maps(link, arena, lower, upper))
            return false;
        break;
    case RF_LINK_BLOCK:
        if (!block_map(link->out_block, link->in_block, 0, arena, lower)
            || !block_map(link->out_block, link->in_block, link->in_block - 1, arena, upper))
            return false;
        break;
    case RF_LINK_PERIODIC:
        if (link->period > RF_MAX_PERIOD)
            return false;
        *lower = (rf_index_map){link->period, link->advance, link->table_first[0], link->table_first};
        *upper = (rf_index_map){link->period, link->advance, link->table_last[0], link->table_last};
        break;
    default:
        return false;
    }
    rf_map_reduce(lower);
    rf_map_reduce(upper);
    return rf_map_is_monotone(lower, lower->advance >= 0) && rf_map_is_monotone(upper, upper->advance >= 0);
}

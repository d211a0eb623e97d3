/* SPDX-License-Identifier: MIT */
#include "analysis/path_map.h"

#include <string.h>

#include "base/checked.h"

int64_t rf_path_extent(const rf_path_map *map, int32_t axis)
{
    return map->box[axis].last - map->box[axis].first + 1;
}

int64_t rf_path_stored(const rf_path_map *map, int32_t axis)
{
    return map->uniform[axis] ? 1 : rf_path_extent(map, axis);
}

bool rf_path_map_take(rf_path_map *map, rf_arena *arena)
{
    map->stored = 1;
    for (int32_t axis = 0; axis < map->rank; axis++)
        if (!rf_checked_mul(map->stored, (uint64_t)rf_path_stored(map, axis), &map->stored))
            return false;
    map->paths = RF_TAKE(arena, double, map->stored);
    return map->paths != NULL;
}

void rf_path_map_split(const rf_path_map *map, int32_t axis, size_t *outer, size_t *inner)
{
    *outer = *inner = 1;
    for (int32_t a = 0; a < map->rank; a++)
        *(a < axis ? outer : inner) *= a == axis ? 1 : (size_t)rf_path_stored(map, a);
}

bool rf_path_map_expand(rf_path_map *map, int32_t axis, rf_arena *arena)
{
    if (!map->uniform[axis])
        return true;
    rf_path_map wide = *map;
    size_t outer, inner, extent = (size_t)rf_path_extent(map, axis);
    wide.uniform[axis] = false;
    rf_path_map_split(map, axis, &outer, &inner);
    if (!rf_path_map_take(&wide, arena))
        return false;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < extent; i++)
            memcpy(wide.paths + (o * extent + i) * inner, map->paths + o * inner, inner * sizeof *map->paths);
    *map = wide;
    return true;
}

bool rf_path_map_sum(rf_path_map *map, int32_t axis, rf_arena *arena)
{
    rf_path_map narrow = *map;
    size_t outer, inner, stored = (size_t)rf_path_stored(map, axis);
    double repeats = map->uniform[axis] ? (double)rf_path_extent(map, axis) : 1;
    narrow.box[axis] = (rf_range){0, 0};
    narrow.uniform[axis] = true;
    rf_path_map_split(map, axis, &outer, &inner);
    if (!rf_path_map_take(&narrow, arena))
        return false;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < stored; i++)
            for (size_t k = 0; k < inner; k++)
                narrow.paths[o * inner + k] += repeats * map->paths[(o * stored + i) * inner + k];
    *map = narrow;
    return true;
}

bool rf_path_map_permute(const rf_path_map *map, const int32_t *order, int32_t rank, rf_arena *arena,
                    rf_path_map *out)
{
    size_t strides[RF_MAX_RANK], step = 1, from[RF_MAX_RANK];
    for (int32_t axis = map->rank; axis-- > 0; step *= (size_t)rf_path_stored(map, axis))
        strides[axis] = step;
    *out = (rf_path_map){.rank = rank};
    for (int32_t b = 0; b < rank; b++) {
        out->box[b] = order[b] < 0 ? (rf_range){0, 0} : map->box[order[b]];
        out->uniform[b] = order[b] < 0 || map->uniform[order[b]];
        from[b] = order[b] < 0 ? 0 : strides[order[b]];
    }
    if (!rf_path_map_take(out, arena))
        return false;
    int64_t index[RF_MAX_RANK] = {0};
    size_t at = 0;
    for (size_t k = 0; k < out->stored; k++) {
        out->paths[k] = map->paths[at];
        for (int32_t b = rank; b-- > 0;) {
            at += from[b];
            if (++index[b] < rf_path_stored(out, b))
                break;
            at -= from[b] * (size_t)index[b];
            index[b] = 0;
        }
    }
    return true;
}

static bool same_form(const rf_path_map *a, const rf_path_map *b)
{
    for (int32_t axis = 0; axis < a->rank; axis++)
        if (a->box[axis].first != b->box[axis].first || a->box[axis].last != b->box[axis].last
            || a->uniform[axis] != b->uniform[axis])
            return false;
    return true;
}

/* Adds `from`, all of whose axes are expanded, into the larger box of `to`. */
static void add_into(rf_path_map *to, const rf_path_map *from)
{
    int64_t index[RF_MAX_RANK] = {0};
    for (size_t k = 0; k < from->stored; k++) {
        size_t at = 0;
        for (int32_t axis = 0; axis < from->rank; axis++)
            at = at * (size_t)rf_path_extent(to, axis)
                + (size_t)(from->box[axis].first - to->box[axis].first + index[axis]);
        to->paths[at] += from->paths[k];
        for (int32_t axis = from->rank; axis-- > 0;) {
            if (++index[axis] < rf_path_extent(from, axis))
                break;
            index[axis] = 0;
        }
    }
}

/* Axes that both store once over the same range stay so: they are hidden while the rest is added. */
bool rf_path_map_add(const rf_path_map *a, const rf_path_map *b, rf_arena *arena, rf_path_map *sum)
{
    rf_path_map parts[2] = {*a, *b};
    *sum = (rf_path_map){.rank = a->rank};
    if (same_form(a, b)) {
        *sum = *a;
        for (size_t k = 0; k < a->stored; k++)
            sum->paths[k] += b->paths[k];
        return true;
    }
    rf_range kept[RF_MAX_RANK];
    for (int32_t axis = 0; axis < a->rank; axis++) {
        bool hidden = a->uniform[axis] && b->uniform[axis] && a->box[axis].first == b->box[axis].first
            && a->box[axis].last == b->box[axis].last;
        kept[axis] = (rf_range){rf_min(a->box[axis].first, b->box[axis].first),
                                rf_max(a->box[axis].last, b->box[axis].last)};
        sum->uniform[axis] = hidden;
        sum->box[axis] = hidden ? (rf_range){0, 0} : kept[axis];
        for (int p = 0; p < 2; p++) {
            if (hidden)
                parts[p].box[axis] = (rf_range){0, 0};
            else if (!rf_path_map_expand(&parts[p], axis, arena))
                return false;
        }
    }
    if (!rf_path_map_take(sum, arena))
        return false;
    add_into(sum, &parts[0]);
    add_into(sum, &parts[1]);
    memcpy(sum->box, kept, sizeof kept[0] * (size_t)a->rank);
    return true;
}

rf_status rf_path_map_project(const rf_path_map *map, const int32_t *axes, int32_t count, rf_arena *arena,
                              double **paths)
{
    rf_path_map work = *map, ordered;
    for (int32_t axis = 0; axis < map->rank; axis++) {
        bool listed = false;
        for (int32_t k = 0; k < count; k++)
            listed |= axes[k] == axis;
        if (!(listed ? rf_path_map_expand(&work, axis, arena) : rf_path_map_sum(&work, axis, arena)))
            return RF_ERROR_MEMORY;
    }
    if (!rf_path_map_permute(&work, axes, count, arena, &ordered))
        return RF_ERROR_MEMORY;
    *paths = ordered.paths;
    return RF_OK;
}

/* SPDX-License-Identifier: MIT */
#include "analysis/path_map.h"

#include <string.h>

#include "analysis/backtrack.h"
#include "base/checked.h"

static int64_t extent_of(const rf_path_map *map, int32_t axis)
{
    return map->box[axis].last - map->box[axis].first + 1;
}

static int64_t stored_extent(const rf_path_map *map, int32_t axis)
{
    return map->uniform[axis] ? 1 : extent_of(map, axis);
}

/* Memory for the counts of a map whose box and uniform axes are set. */
static bool take_paths(rf_path_map *map, rf_arena *arena)
{
    map->stored = 1;
    for (int32_t axis = 0; axis < map->rank; axis++)
        if (!rf_checked_mul(map->stored, (uint64_t)stored_extent(map, axis), &map->stored))
            return false;
    map->paths = RF_TAKE(arena, double, map->stored);
    return map->paths != NULL;
}

/* Stored elements before (`outer`) and after (`inner`) an axis. */
static void split_at(const rf_path_map *map, int32_t axis, size_t *outer, size_t *inner)
{
    *outer = *inner = 1;
    for (int32_t a = 0; a < map->rank; a++)
        *(a < axis ? outer : inner) *= a == axis ? 1 : (size_t)stored_extent(map, a);
}

static bool expand_axis(rf_path_map *map, int32_t axis, rf_arena *arena)
{
    if (!map->uniform[axis])
        return true;
    rf_path_map wide = *map;
    size_t outer, inner, extent = (size_t)extent_of(map, axis);
    wide.uniform[axis] = false;
    split_at(map, axis, &outer, &inner);
    if (!take_paths(&wide, arena))
        return false;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < extent; i++)
            memcpy(wide.paths + (o * extent + i) * inner, map->paths + o * inner, inner * sizeof *map->paths);
    *map = wide;
    return true;
}

/* Sums an axis away, leaving it uniform with a single index 0. */
static bool sum_axis(rf_path_map *map, int32_t axis, rf_arena *arena)
{
    rf_path_map narrow = *map;
    size_t outer, inner, stored = (size_t)stored_extent(map, axis);
    double repeats = map->uniform[axis] ? (double)extent_of(map, axis) : 1;
    narrow.box[axis] = (rf_range){0, 0};
    narrow.uniform[axis] = true;
    split_at(map, axis, &outer, &inner);
    if (!take_paths(&narrow, arena))
        return false;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < stored; i++)
            for (size_t k = 0; k < inner; k++)
                narrow.paths[o * inner + k] += repeats * map->paths[(o * stored + i) * inner + k];
    *map = narrow;
    return true;
}

/* ---- One axis through one link --------------------------------------------------------------- */

typedef struct bounds_visit {
    rf_range hull;
} bounds_visit;

static void widen(void *context, int64_t index)
{
    bounds_visit *visit = context;
    visit->hull.first = rf_min(visit->hull.first, index);
    visit->hull.last = rf_max(visit->hull.last, index);
}

typedef struct add_visit {
    const double *from; /* `inner` counts of one output index */
    double *to;         /* those of input index `first` */
    int64_t first;
    size_t inner;
} add_visit;

static void add_row(void *context, int64_t index)
{
    const add_visit *visit = context;
    double *to = visit->to + (size_t)(index - visit->first) * visit->inner;
    for (size_t k = 0; k < visit->inner; k++)
        to[k] += visit->from[k];
}

static bool leaves_alone(const rf_link *link)
{
    return (link->kind == RF_LINK_WINDOW && link->kernel == 1 && link->stride == 1 && link->pad == 0)
        || (link->kind == RF_LINK_BLOCK && link->out_block == 1 && link->in_block == 1);
}

/* Replaces output indices along `axis` by the input indices that they read. *empty where none. */
static bool link_axis(rf_path_map *map, int32_t axis, const rf_link *link, int64_t extent,
                      int64_t output_extent, rf_arena *arena, bool *empty)
{
    if (leaves_alone(link) && map->box[axis].first >= 0 && map->box[axis].last < extent)
        return true;
    if (!expand_axis(map, axis, arena))
        return false;
    bounds_visit bounds = {{INT64_MAX, INT64_MIN}};
    for (int64_t i = map->box[axis].first; i <= map->box[axis].last; i++)
        rf_link_visit(link, i, extent, output_extent, widen, &bounds);
    *empty = bounds.hull.first > bounds.hull.last;
    if (*empty)
        return true;
    rf_path_map through = *map;
    size_t outer, inner;
    through.box[axis] = bounds.hull;
    split_at(map, axis, &outer, &inner);
    if (!take_paths(&through, arena))
        return false;
    size_t from = (size_t)extent_of(map, axis), to = (size_t)extent_of(&through, axis);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < from; i++) {
            add_visit visit = {map->paths + (o * from + i) * inner, through.paths + o * to * inner,
                               bounds.hull.first, inner};
            rf_link_visit(link, map->box[axis].first + (int64_t)i, extent, output_extent, add_row, &visit);
        }
    *map = through;
    return true;
}

/* ---- All axes ---------------------------------------------------------------------------------- */

static bool counts_along(const rf_link *link)
{
    return link->kind >= RF_LINK_WINDOW && link->kind != RF_LINK_DIGITS;
}

/* Whether each output axis serves at most one input axis, and none is a digit of several. */
static bool is_separable(const rf_link *links, int32_t rank)
{
    uint32_t used = 0;
    for (int32_t axis = 0; axis < rank; axis++) {
        if (links[axis].kind == RF_LINK_DIGITS)
            return false;
        if (!counts_along(&links[axis]))
            continue;
        if (used >> links[axis].axis & 1)
            return false;
        used |= 1u << links[axis].axis;
    }
    return true;
}

/* Brings the axes of `map` (the output's) into the order of the input's, `order[b]` being the
 * output axis of input axis b or -1 for one that starts as the single index 0. */
static bool permute(const rf_path_map *map, const int32_t *order, int32_t rank, rf_arena *arena,
                    rf_path_map *out)
{
    size_t strides[RF_MAX_RANK], step = 1, from[RF_MAX_RANK];
    for (int32_t axis = map->rank; axis-- > 0; step *= (size_t)stored_extent(map, axis))
        strides[axis] = step;
    *out = (rf_path_map){.rank = rank};
    for (int32_t b = 0; b < rank; b++) {
        out->box[b] = order[b] < 0 ? (rf_range){0, 0} : map->box[order[b]];
        out->uniform[b] = order[b] < 0 || map->uniform[order[b]];
        from[b] = order[b] < 0 ? 0 : strides[order[b]];
    }
    if (!take_paths(out, arena))
        return false;
    int64_t index[RF_MAX_RANK] = {0};
    size_t at = 0;
    for (size_t k = 0; k < out->stored; k++) {
        out->paths[k] = map->paths[at];
        for (int32_t b = rank; b-- > 0;) {
            at += from[b];
            if (++index[b] < stored_extent(out, b))
                break;
            at -= from[b] * (size_t)index[b];
            index[b] = 0;
        }
    }
    return true;
}

static bool through_axes(const rf_path_map *map, const rf_link *links, const rf_shape *in, const rf_shape *out,
                         rf_arena *arena, rf_path_map *through, bool *empty)
{
    int32_t order[RF_MAX_RANK];
    uint32_t used = 0;
    rf_path_map work = *map, arranged;
    for (int32_t b = 0; b < in->rank; b++) {
        order[b] = counts_along(&links[b]) ? links[b].axis : -1;
        if (order[b] >= 0)
            used |= 1u << order[b];
    }
    for (int32_t a = 0; a < out->rank; a++)
        if (!(used >> a & 1) && !sum_axis(&work, a, arena))
            return false;
    if (!permute(&work, order, in->rank, arena, &arranged))
        return false;
    for (int32_t b = 0; b < in->rank && !*empty; b++) {
        if (links[b].kind == RF_LINK_ALL)
            arranged.box[b] = (rf_range){0, in->dims[b] - 1};
        else if (links[b].kind == RF_LINK_RANGE)
            arranged.box[b] = (rf_range){links[b].first, links[b].last};
        else if (!link_axis(&arranged, b, &links[b], in->dims[b], out->dims[links[b].axis], arena, empty))
            return false;
        *empty |= arranged.box[b].first > arranged.box[b].last;
    }
    *through = arranged;
    return true;
}

/* ---- Element by element, where axes are tangled ------------------------------------------------ */

static int64_t digit_of(const rf_link *link, const int64_t *index)
{
    int64_t sum = 0;
    for (int32_t k = 0; k < link->term_count; k++) {
        const rf_link_term *term = &link->terms[k];
        sum += term->weight * rf_mod(rf_div_floor(index[term->axis], term->divisor), term->modulus);
    }
    return rf_mod(rf_div_floor(sum, link->divisor), link->modulus);
}

typedef struct list_visit {
    int64_t *at;
    size_t count, room;
} list_visit;

static void list_index(void *context, int64_t index)
{
    list_visit *visit = context;
    if (visit->count < visit->room)
        visit->at[visit->count++] = index;
}

/* The indices of one input axis that the output element `index` reads. */
static void list_axis(const rf_link *link, const int64_t *index, int64_t extent, const rf_shape *out,
                      list_visit *list)
{
    list->count = 0;
    if (link->kind == RF_LINK_DIGITS) {
        list_index(list, digit_of(link, index));
        return;
    }
    if (counts_along(link)) {
        rf_link_visit(link, index[link->axis], extent, out->dims[link->axis], list_index, list);
        return;
    }
    int64_t first = link->kind == RF_LINK_RANGE ? link->first : 0;
    int64_t last = link->kind == RF_LINK_RANGE ? link->last : extent - 1;
    for (int64_t j = first; j <= last; j++)
        list_index(list, j);
}

static void scatter(rf_path_map *to, const list_visit *lists, int32_t axis, size_t at, double paths)
{
    if (axis == to->rank) {
        to->paths[at] += paths;
        return;
    }
    for (size_t k = 0; k < lists[axis].count; k++)
        scatter(to, lists, axis + 1, at * (size_t)extent_of(to, axis) + (size_t)lists[axis].at[k], paths);
}

static bool through_elements(const rf_path_map *map, const rf_link *links, const rf_shape *in,
                             const rf_shape *out, rf_arena *arena, rf_path_map *through)
{
    rf_path_map work = *map;
    list_visit lists[RF_MAX_RANK];
    int64_t index[RF_MAX_RANK];
    *through = (rf_path_map){.rank = in->rank};
    for (int32_t a = 0; a < out->rank; a++) {
        if (!expand_axis(&work, a, arena))
            return false;
        index[a] = work.box[a].first;
    }
    for (int32_t b = 0; b < in->rank; b++) {
        /* A window may read one element several times at a mirrored border. */
        size_t room = (size_t)in->dims[b] + (links[b].kind == RF_LINK_WINDOW ? (size_t)links[b].kernel : 0);
        through->box[b] = (rf_range){0, in->dims[b] - 1};
        lists[b] = (list_visit){RF_TAKE(arena, int64_t, room), 0, room};
        if (!lists[b].at)
            return false;
    }
    if (!take_paths(through, arena))
        return false;
    for (size_t k = 0; k < work.stored; k++) {
        if (work.paths[k] != 0) {
            for (int32_t b = 0; b < in->rank; b++)
                list_axis(&links[b], index, in->dims[b], out, &lists[b]);
            scatter(through, lists, 0, 0, work.paths[k]);
        }
        for (int32_t a = out->rank; a-- > 0;) {
            if (++index[a] <= work.box[a].last)
                break;
            index[a] = work.box[a].first;
        }
    }
    return true;
}

/* ---- Sums ----------------------------------------------------------------------------------------- */

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
            at = at * (size_t)extent_of(to, axis)
                + (size_t)(from->box[axis].first - to->box[axis].first + index[axis]);
        to->paths[at] += from->paths[k];
        for (int32_t axis = from->rank; axis-- > 0;) {
            if (++index[axis] < extent_of(from, axis))
                break;
            index[axis] = 0;
        }
    }
}

/* Axes that both store once over the same range stay so: they are hidden while the rest is added. */
static bool add_maps(const rf_path_map *a, const rf_path_map *b, rf_arena *arena, rf_path_map *sum)
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
            else if (!expand_axis(&parts[p], axis, arena))
                return false;
        }
    }
    if (!take_paths(sum, arena))
        return false;
    add_into(sum, &parts[0]);
    add_into(sum, &parts[1]);
    memcpy(sum->box, kept, sizeof kept[0] * (size_t)a->rank);
    return true;
}

/* ---- The walk ----------------------------------------------------------------------------------------- */

static rf_status step(const rf_graph *graph, const rf_node *node, uint32_t output, uint32_t input,
                      rf_arena *arena, rf_path_map **maps)
{
    rf_link links[RF_MAX_RANK];
    if (!rf_node_links(node, output, input, links))
        return RF_OK;
    const rf_value *from = node->outputs[output], *to = node->inputs[input];
    const rf_path_map *map = maps[from - graph->values];
    rf_path_map through, *known = maps[to - graph->values];
    bool empty = false;
    bool done = is_separable(links, to->shape.rank)
        ? through_axes(map, links, &to->shape, &from->shape, arena, &through, &empty)
        : through_elements(map, links, &to->shape, &from->shape, arena, &through);
    if (!done)
        return RF_ERROR_MEMORY;
    if (empty)
        return RF_OK;
    if (!known) {
        maps[to - graph->values] = known = RF_TAKE(arena, rf_path_map, 1);
        if (!known)
            return RF_ERROR_MEMORY;
        *known = through;
        return RF_OK;
    }
    rf_path_map sum;
    if (!add_maps(known, &through, arena, &sum))
        return RF_ERROR_MEMORY;
    *known = sum;
    return RF_OK;
}

rf_status rf_paths_make(const rf_graph *graph, size_t node, uint32_t output, const rf_range *at,
                        rf_arena *arena, rf_path_map ***maps)
{
    const rf_value *value = graph->nodes[node].outputs[output];
    rf_path_map **made = RF_TAKE(arena, rf_path_map *, graph->value_count);
    rf_path_map *start = RF_TAKE(arena, rf_path_map, 1);
    if (!made || !start)
        return RF_ERROR_MEMORY;
    start->rank = value->shape.rank;
    for (int32_t axis = 0; axis < start->rank; axis++) {
        start->box[axis] = at[axis];
        start->uniform[axis] = true;
    }
    if (!take_paths(start, arena))
        return RF_ERROR_MEMORY;
    start->paths[0] = 1;
    made[value - graph->values] = start;
    for (size_t n = node + 1; n-- > 0;)
        for (uint32_t o = 0; o < graph->nodes[n].output_count; o++) {
            const rf_value *out = graph->nodes[n].outputs[o];
            if (!out || !made[out - graph->values])
                continue;
            for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
                RF_TRY(step(graph, &graph->nodes[n], o, i, arena, made));
        }
    *maps = made;
    return RF_OK;
}

rf_status rf_path_map_project(const rf_path_map *map, const int32_t *axes, int32_t count, rf_arena *arena,
                              double **paths)
{
    rf_path_map work = *map, ordered;
    for (int32_t axis = 0; axis < map->rank; axis++) {
        bool listed = false;
        for (int32_t k = 0; k < count; k++)
            listed |= axes[k] == axis;
        if (!(listed ? expand_axis(&work, axis, arena) : sum_axis(&work, axis, arena)))
            return RF_ERROR_MEMORY;
    }
    if (!permute(&work, axes, count, arena, &ordered))
        return RF_ERROR_MEMORY;
    *paths = ordered.paths;
    return RF_OK;
}

/* SPDX-License-Identifier: MIT */
#include "analysis/path_walk.h"

#include "analysis/index_set.h"
#include "base/checked.h"

/* ---- One axis through one link --------------------------------------------------------------- */

static void widen(void *context, int64_t index)
{
    rf_range *hull = context;
    *hull = (rf_range){rf_min(hull->first, index), rf_max(hull->last, index)};
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
    return rf_link_is_same(link) || (link->kind == RF_LINK_BLOCK && link->out_block == 1 && link->in_block == 1);
}

/* Replaces output indices along `axis` by the input indices that they read. *empty where none. */
static bool link_axis(rf_path_map *map, int32_t axis, const rf_link *link, int64_t extent,
                      int64_t output_extent, rf_arena *arena, bool *empty)
{
    if (leaves_alone(link) && map->box[axis].first >= 0 && map->box[axis].last < extent)
        return true;
    if (!rf_path_map_expand(map, axis, arena))
        return false;
    rf_range hull = {INT64_MAX, INT64_MIN};
    for (int64_t i = map->box[axis].first; i <= map->box[axis].last; i++)
        rf_link_visit(link, i, extent, output_extent, widen, &hull);
    *empty = hull.first > hull.last;
    if (*empty)
        return true;
    rf_path_map through = *map;
    size_t outer, inner;
    through.box[axis] = hull;
    rf_path_map_split(map, axis, &outer, &inner);
    if (!rf_path_map_take(&through, arena))
        return false;
    size_t from = (size_t)rf_path_extent(map, axis), to = (size_t)rf_path_extent(&through, axis);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < from; i++) {
            add_visit visit = {map->paths + (o * from + i) * inner, through.paths + o * to * inner,
                               hull.first, inner};
            rf_link_visit(link, map->box[axis].first + (int64_t)i, extent, output_extent, add_row, &visit);
        }
    *map = through;
    return true;
}

/* ---- Axes that are tangled --------------------------------------------------------------------- */

/* Input axes that can't be walked one by one, since they share output axes or are digits of
 * several, and the output axes behind them; as bits. */
typedef struct tangle {
    uint32_t inputs, outputs;
} tangle;

static tangle find_tangle(const rf_link *links, int32_t rank)
{
    tangle found = {0, 0};
    uint32_t used = 0;
    for (int32_t b = 0; b < rank; b++) {
        uint32_t axes = rf_link_axes(&links[b]);
        if (links[b].kind == RF_LINK_DIGITS)
            found.outputs |= axes;
        found.outputs |= axes & used;
        used |= axes;
    }
    for (int32_t b = 0; b < rank; b++)
        if (links[b].kind == RF_LINK_DIGITS || (rf_link_axes(&links[b]) & found.outputs))
            found.inputs |= UINT32_C(1) << b;
    return found;
}

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

/* The tangled axes of an input, and for one output element the indices read along each. */
typedef struct tangled_axes {
    int32_t count;
    int32_t axes[RF_MAX_RANK];
    list_visit lists[RF_MAX_RANK];
    int64_t extents[RF_MAX_RANK];
} tangled_axes;

static bool take_lists(tangled_axes *tangled, uint32_t inputs, const rf_link *links, const rf_shape *in,
                       rf_arena *arena)
{
    tangled->count = 0;
    for (int32_t b = 0; b < in->rank; b++) {
        if (!(inputs >> b & 1))
            continue;
        /* A window may read one element several times at a mirrored border. */
        size_t room = (size_t)in->dims[b] + (links[b].kind == RF_LINK_WINDOW ? (size_t)links[b].kernel : 0);
        int32_t k = tangled->count++;
        tangled->axes[k] = b;
        tangled->extents[k] = in->dims[b];
        tangled->lists[k] = (list_visit){RF_TAKE(arena, int64_t, room), 0, room};
        if (!tangled->lists[k].at)
            return false;
    }
    return true;
}

static void list_axes(tangled_axes *tangled, const rf_link *links, const int64_t *index, const rf_shape *out)
{
    for (int32_t k = 0; k < tangled->count; k++) {
        const rf_link *link = &links[tangled->axes[k]];
        tangled->lists[k].count = 0;
        if (link->kind == RF_LINK_DIGITS)
            list_index(&tangled->lists[k], digit_of(link, index));
        else
            rf_link_visit(link, index[link->axis], tangled->extents[k], out->dims[link->axis], list_index,
                          &tangled->lists[k]);
    }
}

/* Adds `row` to that of every combination of the listed indices. */
static void scatter(const tangled_axes *tangled, int32_t k, size_t at, const double *row, size_t inner,
                    double *paths)
{
    if (k == tangled->count) {
        for (size_t i = 0; i < inner; i++)
            paths[at * inner + i] += row[i];
        return;
    }
    for (size_t n = 0; n < tangled->lists[k].count; n++)
        scatter(tangled, k + 1, at * (size_t)tangled->extents[k] + (size_t)tangled->lists[k].at[n], row, inner,
                paths);
}

/*
 * `map` has the output's tangled axes first (`axes` of them, in ascending order, numbered by
 * `outputs`), then axes to be left alone; in `through` the input's tangled axes take their place.
 */
static bool untangle(rf_path_map *map, const int32_t *outputs, int32_t axes, tangled_axes *tangled,
                     const rf_link *links, const rf_shape *out, rf_arena *arena, rf_path_map *through)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t rows = 1;
    for (int32_t a = 0; a < axes; a++) {
        if (!rf_path_map_expand(map, a, arena))
            return false;
        rows *= (size_t)rf_path_extent(map, a);
        index[outputs[a]] = map->box[a].first;
    }
    *through = (rf_path_map){.rank = tangled->count + map->rank - axes};
    for (int32_t k = 0; k < tangled->count; k++)
        through->box[k] = (rf_range){0, tangled->extents[k] - 1};
    for (int32_t a = axes; a < map->rank; a++) {
        through->box[tangled->count + a - axes] = map->box[a];
        through->uniform[tangled->count + a - axes] = map->uniform[a];
    }
    if (!rf_path_map_take(through, arena))
        return false;
    size_t inner = map->stored / rows;
    for (size_t row = 0; row < rows; row++) {
        list_axes(tangled, links, index, out);
        scatter(tangled, 0, 0, map->paths + row * inner, inner, through->paths);
        for (int32_t a = axes; a-- > 0;) {
            if (++index[outputs[a]] <= map->box[a].last)
                break;
            index[outputs[a]] = map->box[a].first;
        }
    }
    return true;
}

/* ---- All axes ------------------------------------------------------------------------------------- */

/* Sums away output axes that no input axis depends on. */
static bool sum_unread(rf_path_map *map, const rf_link *links, int32_t rank, rf_arena *arena)
{
    uint32_t read = 0;
    for (int32_t b = 0; b < rank; b++)
        read |= rf_link_axes(&links[b]);
    for (int32_t a = 0; a < map->rank; a++)
        if (!(read >> a & 1) && !rf_path_map_sum(map, a, arena))
            return false;
    return true;
}

/* From the output's axes to the input's, those still in the output's terms that can be walked one
 * by one. */
static bool arrange(rf_path_map *map, tangle found, const rf_link *links, const rf_shape *in,
                    const rf_shape *out, rf_arena *arena, rf_path_map *arranged)
{
    int32_t order[RF_MAX_RANK], outputs[RF_MAX_RANK], axes = 0, rank = 0, place[RF_MAX_RANK];
    tangled_axes tangled;
    rf_path_map sorted, untangled;
    for (int32_t a = 0; a < out->rank; a++)
        if (found.outputs >> a & 1)
            outputs[axes++] = order[rank++] = a;
    if (!take_lists(&tangled, found.inputs, links, in, arena))
        return false;
    int32_t next_tangled = 0, next_free = tangled.count;
    for (int32_t b = 0; b < in->rank; b++) {
        bool is_tangled = found.inputs >> b & 1, is_free = !is_tangled && rf_link_counts(&links[b]);
        place[b] = is_tangled ? next_tangled++ : is_free ? next_free++ : -1;
        if (is_free)
            order[rank++] = links[b].axis;
    }
    return rf_path_map_permute(map, order, rank, arena, &sorted)
        && untangle(&sorted, outputs, axes, &tangled, links, out, arena, &untangled)
        && rf_path_map_permute(&untangled, place, in->rank, arena, arranged);
}

static bool through_links(const rf_path_map *map, const rf_link *links, const rf_shape *in, const rf_shape *out,
                          rf_arena *arena, rf_path_map *through, bool *empty)
{
    rf_path_map work = *map;
    tangle found = find_tangle(links, in->rank);
    if (!sum_unread(&work, links, in->rank, arena) || !arrange(&work, found, links, in, out, arena, through))
        return false;
    for (int32_t b = 0; b < in->rank && !*empty; b++) {
        if (links[b].kind == RF_LINK_ALL)
            through->box[b] = (rf_range){0, in->dims[b] - 1};
        else if (links[b].kind == RF_LINK_RANGE)
            through->box[b] = (rf_range){links[b].first, links[b].last};
        else if (!(found.inputs >> b & 1)
                 && !link_axis(through, b, &links[b], in->dims[b], out->dims[links[b].axis], arena, empty))
            return false;
        *empty |= through->box[b].first > through->box[b].last;
    }
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
    if (!through_links(map, links, &to->shape, &from->shape, arena, &through, &empty))
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
    if (!rf_path_map_add(known, &through, arena, &sum))
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
    if (!rf_path_map_take(start, arena))
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

/* SPDX-License-Identifier: MIT */
#include "analysis/field_walk.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/field_measure.h"

/* Outputs whose sizes may be compared for reports, so that a network without closed forms cannot make
 * them quadratic. */
static const uint64_t most_comparisons = UINT64_C(20000000);

/* Where the field of a network input lies among those of the output being walked, if it is of this
 * round. */
typedef struct slot {
    uint64_t round;
    uint32_t at;
} slot;

typedef struct walker {
    const rf_graph *graph;
    rf_arena *arena;
    rf_field_walk *walk;
    const uint32_t *reader; /* by value: the first node whose main input it is, or none */
    slot *slots;            /* by network input */
    uint64_t round;
    rf_measure measure;
} walker;

static const uint32_t no_reader = UINT32_MAX;

static const uint32_t *find_readers(const rf_graph *graph, rf_arena *arena)
{
    uint32_t *reader = RF_TAKE(arena, uint32_t, graph->value_count);
    if (!reader)
        return NULL;
    memset(reader, 0xff, graph->value_count * sizeof *reader);
    for (size_t n = graph->node_count; n-- > 0;)
        if (rf_input(&graph->nodes[n], 0) && rf_output(&graph->nodes[n], 0))
            reader[graph->nodes[n].inputs[0] - graph->values] = (uint32_t)n;
    return reader;
}

static rf_input_axes axes_of_rank(int32_t rank)
{
    rf_input_axes axes = {.count = rank - 2, .channel = rank > 1 ? 1 : -1};
    if (axes.count < 0)
        axes.count = 0;
    if (axes.count > RF_MAX_SPATIAL)
        axes.count = RF_MAX_SPATIAL;
    for (int32_t k = 0; k < axes.count; k++)
        axes.at[k] = rank - axes.count + k;
    return axes;
}

/* Follows an input through what leaves its axes alone to the first transposition that brings the
 * last axis to the front of the channels: such an input has its channels last. */
static bool reaches_channel_transpose(const walker *w, const rf_value *value)
{
    int32_t rank = value->shape.rank;
    for (uint32_t n; (n = w->reader[value - w->graph->values]) != no_reader; value = rf_output(&w->graph->nodes[n], 0)) {
        rf_link links[RF_MAX_RANK];
        if (!rf_node_links(&w->graph->nodes[n], 0, 0, links)
            || w->graph->nodes[n].outputs[0]->shape.rank != rank)
            return false;
        bool in_place = true;
        for (int32_t axis = 0; axis < rank; axis++) {
            if (!rf_link_is_same(&links[axis]))
                return false;
            in_place &= links[axis].axis == axis;
        }
        if (!in_place)
            return links[rank - 1].axis == 1 && links[1].axis == 2;
    }
    return false;
}

static rf_input_axes find_axes(const walker *w, const rf_value *value)
{
    rf_input_axes axes = axes_of_rank(value->shape.rank);
    if (axes.count == 0 || !reaches_channel_transpose(w, value))
        return axes;
    for (int32_t k = 0; k < axes.count; k++)
        axes.at[k]--;
    axes.channel = value->shape.rank - 1;
    return axes;
}

static int64_t input_extent(const walker *w, uint32_t input, int32_t k)
{
    return w->graph->values[input].shape.dims[w->walk->inputs[input].at[k]];
}

/* Of tensors with spatial axes, as operators have them. */
enum { NOT_PARTED = -1, channel_axis = 1 };

/* `parted` is the axis along which the fields hold for different parts, or NOT_PARTED. */
static void unite(walker *w, rf_value_field *known, const rf_value_field *added, const rf_shape *shape,
                  int32_t parted)
{
    known->aligned &= added->aligned;
    known->varied |= added->varied;
    known->narrowed |= added->narrowed;
    for (int32_t k = 0; k < w->walk->inputs[known->input].count; k++) {
        rf_axis_state joined;
        const rf_axis_state *a = &known->axes[k], *b = &added->axes[k];
        int64_t extent = input_extent(w, known->input, k);
        known->aligned = known->aligned && rf_state_aligned(a, b);
        known->varied |= parted == channel_axis && !rf_state_same(a, b);
        if (parted == NOT_PARTED || parted == channel_axis)
            rf_state_union(a, b, extent, shape, w->arena, &joined);
        else
            rf_state_union_of_parts(a, b, parted, extent, shape, w->arena, &joined);
        known->axes[k] = joined;
    }
}

/* Puts `added` among the fields of a value, which has room for one of each network input. */
static void add_field(walker *w, rf_value_fields *fields, const rf_value_field *added, const rf_shape *shape,
                      int32_t parted)
{
    slot *place = &w->slots[added->input];
    if (place->round == w->round) {
        unite(w, &fields->at[place->at], added, shape, parted);
        return;
    }
    *place = (slot){w->round, fields->count};
    fields->at[fields->count++] = *added;
}

/* The axis along which an input fills only a part of the output. */
static int32_t parted_axis(const rf_link *links, const rf_shape *in)
{
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (links[axis].kind == RF_LINK_PART)
            return links[axis].axis;
    return NOT_PARTED;
}

/* What becomes of channels that see different things: mixed by an operator that reads them all,
 * kept, or cut down to some. */
typedef enum channel_fate { MIXED, KEPT, NARROWED } channel_fate;

static channel_fate fate_of_channels(const rf_link *links, const rf_shape *in, const rf_shape *out)
{
    if (in->rank < 3)
        return KEPT;
    const rf_link *link = &links[channel_axis];
    switch (link->kind) {
    case RF_LINK_ALL:
        return MIXED;
    case RF_LINK_BLOCK:
    case RF_LINK_PART:
    case RF_LINK_DIGITS:
        return KEPT;
    case RF_LINK_WINDOW:
        return in->dims[channel_axis] == out->dims[link->axis] ? KEPT : NARROWED;
    default:
        return NARROWED;
    }
}

/* Whether an axis of a tensor may hold positions. Where a shuffle of channels has split them, some
 * axes past the first hold channels too. */
static bool holds_positions(const rf_value_field *field, int32_t count, int32_t axis)
{
    for (int32_t k = 0; k < count; k++)
        if (field->axes[k].axis == axis || (field->axes[k].axis == RF_AXIS_TANGLED && axis > channel_axis))
            return true;
    return false;
}

/* Whether positions along axis `k` come to depend on an output axis that tells channels apart, so
 * that channels are spread over positions. */
static bool spreads_channels(const rf_link *links, const rf_shape *in, const rf_value_field *field, int32_t count,
                             int32_t k)
{
    int32_t own = field->axes[k].axis;
    uint32_t channels = 0, positions = 0;
    if (own == RF_AXIS_NONE || in->rank < 3)
        return false;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (axis >= channel_axis && !holds_positions(field, count, axis))
            channels |= rf_link_axes(&links[axis]);
        if (own == RF_AXIS_TANGLED ? axis > channel_axis : axis == own)
            positions |= rf_link_axes(&links[axis]);
    }
    return channels & positions;
}

/* Whether positions become channels, so that each channel sees only some of what the axes say. */
static bool gathers_positions(const rf_link *links, const rf_shape *in, const rf_shape *out,
                              const rf_value_field *field, int32_t count)
{
    for (int32_t axis = 2; axis < in->rank && out->rank > 2; axis++)
        if (links[axis].kind == RF_LINK_DIGITS && holds_positions(field, count, axis)
            && rf_link_axes(&links[axis]) & UINT32_C(1) << channel_axis)
            return true;
    return false;
}

static void see_input(walker *w, const rf_node *node, uint32_t output, uint32_t input, rf_value_fields *fields)
{
    rf_link links[RF_MAX_RANK];
    const rf_value *from = node->inputs[input], *to = node->outputs[output];
    if (!from || !rf_node_links(node, output, input, links))
        return;
    const rf_value_fields *seen = &w->walk->values[from - w->graph->values];
    int32_t parted = parted_axis(links, &from->shape);
    for (uint32_t f = 0; f < seen->count; f++) {
        const rf_value_field *field = &seen->at[f];
        int32_t count = w->walk->inputs[field->input].count;
        channel_fate fate = field->varied ? fate_of_channels(links, &from->shape, &to->shape) : KEPT;
        rf_value_field through = {.input = field->input, .aligned = field->aligned,
                                  .varied = (field->varied && fate != MIXED)
                                      || gathers_positions(links, &from->shape, &to->shape, field, count),
                                  .narrowed = fate == NARROWED};
        for (int32_t k = 0; k < count; k++) {
            rf_state_through(&field->axes[k], links, &from->shape, &to->shape, w->arena, &through.axes[k]);
            if (field->varied && spreads_channels(links, &from->shape, field, count, k))
                rf_state_forget(&through.axes[k], &to->shape, RF_AXIS_TANGLED);
        }
        add_field(w, fields, &through, &to->shape, parted);
    }
}

/* ---- The walk ------------------------------------------------------------------------------ */

static uint32_t most_fields(const walker *w, const rf_node *node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            count += w->walk->values[node->inputs[i] - w->graph->values].count;
    return count < w->graph->input_count ? count : (uint32_t)w->graph->input_count;
}

static bool stays_in_place(const rf_node *node, uint32_t output, uint32_t input)
{
    rf_link links[RF_MAX_RANK];
    const rf_shape *shape = &node->inputs[input]->shape;
    if (!rf_shape_equal(shape, &node->outputs[output]->shape) || !rf_node_links(node, output, input, links))
        return false;
    for (int32_t axis = 0; axis < shape->rank; axis++)
        if (!rf_link_is_same(&links[axis]) || links[axis].axis != axis)
            return false;
    return true;
}

/* The fields of the one input that sees anything, where every element stays in its place; else NULL. */
static const rf_value_fields *fields_passed_on(const walker *w, const rf_node *node, uint32_t output)
{
    const rf_value_fields *only = NULL;
    uint32_t from = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const rf_value_fields *seen = node->inputs[i] ? &w->walk->values[node->inputs[i] - w->graph->values] : NULL;
        if (!seen || !seen->count)
            continue;
        if (only)
            return NULL;
        only = seen;
        from = i;
    }
    return only && stays_in_place(node, output, from) ? only : NULL;
}

static int by_input(const void *a, const void *b)
{
    const rf_value_field *left = a, *right = b;
    return (left->input > right->input) - (left->input < right->input);
}

static void sort_by_input(rf_value_fields *fields)
{
    for (uint32_t f = 1; f < fields->count; f++)
        if (fields->at[f].input < fields->at[f - 1].input) {
            qsort(fields->at, fields->count, sizeof *fields->at, by_input);
            return;
        }
}

static rf_status walk_output(walker *w, size_t n, uint32_t output)
{
    const rf_node *node = &w->graph->nodes[n];
    rf_value_fields *fields = &w->walk->values[node->outputs[output] - w->graph->values];
    const rf_value_fields *passed_on = fields_passed_on(w, node, output);
    uint32_t most = most_fields(w, node);
    if (passed_on) {
        *fields = *passed_on;
        return RF_OK;
    }
    if (most == 0)
        return RF_OK;
    fields->at = RF_TAKE(w->arena, rf_value_field, most);
    if (!fields->at)
        return RF_ERROR_MEMORY;
    w->round++;
    for (uint32_t i = 0; i < node->input_count; i++)
        see_input(w, node, output, i, fields);
    if (w->arena->refused)
        return RF_ERROR_MEMORY;
    sort_by_input(fields);
    return rf_measure_fields(&w->measure, n, output, fields);
}

static rf_status start_at_inputs(walker *w)
{
    for (uint32_t i = 0; i < w->graph->input_count; i++) {
        rf_value_field *field = RF_TAKE(w->arena, rf_value_field, 1);
        if (!field)
            return RF_ERROR_MEMORY;
        w->walk->inputs[i] = find_axes(w, &w->graph->values[i]);
        *field = (rf_value_field){.input = i, .aligned = true};
        for (int32_t k = 0; k < w->walk->inputs[i].count; k++)
            field->axes[k] = rf_state_identity(w->walk->inputs[i].at[k]);
        w->walk->values[i] = (rf_value_fields){1, field};
    }
    return RF_OK;
}

static rf_status walk_all(walker *w)
{
    RF_TRY(start_at_inputs(w));
    for (size_t n = 0; n < w->graph->node_count; n++)
        for (uint32_t o = 0; o < w->graph->nodes[n].output_count; o++)
            if (w->graph->nodes[n].outputs[o] && !w->graph->nodes[n].outputs[o]->constant)
                RF_TRY(walk_output(w, n, o));
    return RF_OK;
}

rf_status rf_field_walk_make(const rf_graph *graph, rf_arena *arena, rf_field_walk *walk, rf_error *error)
{
    walk->inputs = RF_TAKE(arena, rf_input_axes, graph->input_count);
    walk->values = RF_TAKE(arena, rf_value_fields, graph->value_count);
    walk->comparisons_left = most_comparisons;
    if (!walk->inputs || !walk->values)
        return rf_arena_fail(arena, error, "receptive fields");
    walker w = {.graph = graph, .arena = arena, .walk = walk, .reader = find_readers(graph, arena),
                .measure = {.graph = graph, .arena = arena, .inputs = walk->inputs}};
    w.slots = RF_TAKE(arena, slot, graph->input_count);
    if (!w.reader || !w.slots)
        return rf_arena_fail(arena, error, "receptive fields");
    rf_status status = walk_all(&w);
    return status == RF_OK ? RF_OK : rf_arena_fail(arena, error, "receptive fields");
}

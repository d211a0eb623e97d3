/* SPDX-License-Identifier: MIT */
#include "analysis/field_walk.h"

#include <string.h>

#include "analysis/backtrack.h"

/* Work that questions about single outputs, and outputs whose sizes are compared, may make in one
 * walk, so that a network without closed forms cannot make the walk quadratic. */
static const uint64_t most_steps = UINT64_C(20000000), most_comparisons = UINT64_C(20000000);

typedef struct walker {
    const rf_graph *graph;
    rf_arena *arena;
    rf_field_walk *walk;
    const uint32_t *reader; /* by value: the first node whose main input it is, or none */
    rf_backtrack backtrack;
    bool asked; /* backtrack is set up */
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
            if (links[axis].kind != RF_LINK_WINDOW || links[axis].kernel != 1 || links[axis].stride != 1
                || links[axis].pad != 0)
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
static rf_status unite(walker *w, rf_value_field *known, const rf_value_field *added, const rf_shape *shape,
                       int32_t parted)
{
    const rf_input_axes *axes = &w->walk->inputs[known->input];
    bool aligned = known->aligned && added->aligned;
    known->varied |= added->varied;
    known->narrowed |= added->narrowed;
    for (int32_t k = 0; k < axes->count; k++) {
        rf_axis_state joined;
        const rf_axis_state *a = &known->axes[k], *b = &added->axes[k];
        int64_t extent = input_extent(w, known->input, k);
        aligned = aligned && rf_state_aligned(a, b);
        known->varied |= parted == channel_axis && !rf_state_same(a, b);
        if (!(parted < 0 || parted == channel_axis ? rf_state_union(a, b, extent, shape, w->arena, &joined)
                                   : rf_state_union_of_parts(a, b, parted, extent, shape, w->arena, &joined)))
            return RF_ERROR_MEMORY;
        known->axes[k] = joined;
    }
    known->aligned = aligned;
    return RF_OK;
}

/* Puts `added` among the fields of a value, which has room for one of each network input. */
static rf_status add_field(walker *w, rf_value_fields *fields, const rf_value_field *added, const rf_shape *shape,
                           int32_t parted)
{
    uint32_t at = fields->count;
    while (at > 0 && fields->at[at - 1].input > added->input)
        at--;
    if (at > 0 && fields->at[at - 1].input == added->input)
        return unite(w, &fields->at[at - 1], added, shape, parted);
    memmove(&fields->at[at + 1], &fields->at[at], (fields->count - at) * sizeof *fields->at);
    fields->at[at] = *added;
    fields->count++;
    return RF_OK;
}

/* The axis along which an input fills only a part of the output. */
static int32_t parted_axis(const rf_link *links, const rf_shape *in)
{
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (links[axis].kind == RF_LINK_PART)
            return links[axis].axis;
    return NOT_PARTED;
}

/* The output axes that the links of the input's axes `first` and up depend on, as bits. */
static uint32_t axes_behind(const rf_link *links, int32_t first, int32_t end)
{
    uint32_t axes = 0;
    for (int32_t axis = first; axis < end; axis++) {
        if (links[axis].kind >= RF_LINK_WINDOW && links[axis].kind != RF_LINK_DIGITS)
            axes |= 1u << links[axis].axis;
        for (int32_t k = 0; links[axis].kind == RF_LINK_DIGITS && k < links[axis].term_count; k++)
            axes |= 1u << links[axis].terms[k].axis;
    }
    return axes;
}

/* What becomes of channels that see different things: mixed by an operator that reads them all,
 * kept, cut down to some, or spread over positions. */
typedef enum channel_fate { MIXED, KEPT, NARROWED, SPREAD } channel_fate;

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
        return KEPT;
    case RF_LINK_WINDOW:
        return in->dims[channel_axis] == out->dims[link->axis] ? KEPT : NARROWED;
    case RF_LINK_DIGITS:
        return axes_behind(links, channel_axis, channel_axis + 1) & axes_behind(links, channel_axis + 1, in->rank)
            ? SPREAD : KEPT;
    default:
        return NARROWED;
    }
}

/* Whether positions become channels, so that each channel sees only some of what the axes say. */
static bool gathers_positions(const rf_link *links, const rf_shape *in, const rf_shape *out)
{
    for (int32_t axis = 2; axis < in->rank && out->rank > 2; axis++)
        for (int32_t k = 0; links[axis].kind == RF_LINK_DIGITS && k < links[axis].term_count; k++)
            if (links[axis].terms[k].axis == channel_axis)
                return true;
    return false;
}

static rf_status see_input(walker *w, const rf_node *node, uint32_t output, uint32_t input, rf_value_fields *fields)
{
    rf_link links[RF_MAX_RANK];
    const rf_value *from = node->inputs[input], *to = node->outputs[output];
    if (!from || !rf_node_links(node, output, input, links))
        return RF_OK;
    const rf_value_fields *seen = &w->walk->values[from - w->graph->values];
    for (uint32_t f = 0; f < seen->count; f++) {
        channel_fate fate = seen->at[f].varied ? fate_of_channels(links, &from->shape, &to->shape) : KEPT;
        rf_value_field through = {.input = seen->at[f].input, .aligned = seen->at[f].aligned,
                                  .varied = (seen->at[f].varied && fate != MIXED)
                                      || gathers_positions(links, &from->shape, &to->shape),
                                  .narrowed = fate == NARROWED};
        const rf_input_axes *axes = &w->walk->inputs[through.input];
        for (int32_t k = 0; k < axes->count; k++)
            if (!rf_state_through(&seen->at[f].axes[k], links, &from->shape, &to->shape, w->arena,
                                  &through.axes[k]))
                return RF_ERROR_MEMORY;
        for (int32_t k = 0; k < axes->count && fate == SPREAD; k++)
            rf_state_forget(&through.axes[k], &to->shape);
        RF_TRY(add_field(w, fields, &through, &to->shape, parted_axis(links, &from->shape)));
    }
    return RF_OK;
}

/* ---- Where there is no closed form, one output after the other is asked -------------------- */

static rf_status ask_at(walker *w, size_t node, uint32_t output, const rf_value_field *field, int32_t k,
                        const rf_range *at, rf_index_set *set)
{
    if (!w->asked) {
        RF_TRY(rf_backtrack_init(&w->backtrack, w->graph, w->arena, most_steps));
        w->asked = true;
    }
    RF_TRY(rf_backtrack_from(&w->backtrack, node, output, at));
    const rf_index_set *sets = w->backtrack.sets[field->input];
    *set = sets ? sets[w->walk->inputs[field->input].at[k]] : (rf_index_set){0, NULL};
    return RF_OK;
}

/* What all outputs with index `i` along the axis that counts see together. */
static rf_status ask(walker *w, size_t node, uint32_t output, const rf_value_field *field, int32_t k,
                     int64_t i, rf_index_set *set)
{
    const rf_value *value = w->graph->nodes[node].outputs[output];
    rf_range at[RF_MAX_RANK] = {{0, 0}};
    for (int32_t axis = 0; axis < value->shape.rank; axis++)
        at[axis] = (rf_range){0, value->shape.dims[axis] - 1};
    if (field->axes[k].axis >= 0)
        at[field->axes[k].axis] = (rf_range){i, i};
    return ask_at(w, node, output, field, k, at, set);
}

/* What several outputs' sets have in common: their hull and their smallest and largest size. */
typedef struct spread {
    rf_range hull;
    int64_t size_min, size_max;
} spread;

static void add_to_spread(spread *to, const rf_index_set *set)
{
    int64_t size = set->count ? set->at[set->count - 1].last - set->at[0].first + 1 : 0;
    to->size_min = rf_min(to->size_min, size);
    to->size_max = rf_max(to->size_max, size);
    if (set->count)
        to->hull = (rf_range){rf_min(to->hull.first, set->at[0].first),
                              rf_max(to->hull.last, set->at[set->count - 1].last)};
}

static void keep_spread(const spread *from, rf_axis_state *state)
{
    if (from->size_max == 0)
        return;
    state->low = from->hull.first;
    state->high = from->hull.last;
    state->size_min = from->size_min;
    state->size_max = from->size_max;
    state->measured = true;
    if (state->axis == RF_AXIS_NONE) {
        state->kind = RF_STATE_FIXED;
        state->measured = false;
    }
}

/* RF_ERROR_LIMIT and RF_ERROR_OVERFLOW only mean that the outer bounds have to do. */
static rf_status forgive(rf_status status)
{
    return status == RF_ERROR_LIMIT || status == RF_ERROR_OVERFLOW ? RF_OK : status;
}

static rf_status measure_opaque(walker *w, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    const rf_value *value = w->graph->nodes[node].outputs[output];
    int64_t extent = state->axis >= 0 ? value->shape.dims[state->axis] : 1;
    spread found = {{INT64_MAX, INT64_MIN}, INT64_MAX, 0};
    for (int64_t i = 0; i < extent; i++) {
        rf_index_set set;
        rf_status status = ask(w, node, output, field, k, i, &set);
        if (status != RF_OK)
            return forgive(status);
        add_to_spread(&found, &set);
    }
    keep_spread(&found, state);
    return RF_OK;
}

/* The elements of an output, but for the batch and, where there are spatial axes, the channels. */
static bool next_element(const rf_shape *shape, rf_range *at)
{
    for (int32_t axis = shape->rank; axis-- > (shape->rank > 2 ? 2 : 1);) {
        if (++at[axis].first < shape->dims[axis]) {
            at[axis].last = at[axis].first;
            return true;
        }
        at[axis] = (rf_range){0, 0};
    }
    return false;
}

static void start_element(const rf_shape *shape, rf_range *at)
{
    for (int32_t axis = 0; axis < shape->rank; axis++)
        at[axis] = (rf_range){0, axis == 0 || axis >= (shape->rank > 2 ? 2 : 1) ? 0 : shape->dims[axis] - 1};
}

static rf_status measure_tangled(walker *w, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    const rf_shape *shape = &w->graph->nodes[node].outputs[output]->shape;
    rf_range at[RF_MAX_RANK] = {{0, 0}};
    spread found = {{INT64_MAX, INT64_MIN}, INT64_MAX, 0};
    start_element(shape, at);
    do {
        rf_index_set set;
        rf_status status = ask_at(w, node, output, field, k, at, &set);
        if (status != RF_OK)
            return forgive(status);
        add_to_spread(&found, &set);
    } while (next_element(shape, at));
    keep_spread(&found, state);
    return RF_OK;
}

static rf_status look_for_holes(walker *w, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    rf_index_set set;
    rf_status status = ask(w, node, output, field, k, 0, &set);
    if (status != RF_OK)
        return forgive(status);
    int64_t extent = input_extent(w, field->input, k);
    state->count = (int64_t)rf_set_count(&set);
    state->real = 0;
    for (size_t part = 0; part < set.count; part++)
        state->real += rf_max(rf_min(set.at[part].last, extent - 1) - rf_max(set.at[part].first, 0) + 1, 0);
    state->measured = true;
    state->solid = state->count == state->high - state->low + 1;
    return RF_OK;
}

/* Where all channels together are bounded in closed form with one stride, so are some of them: one
 * output tells by how much less. */
static rf_status narrow(walker *w, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    rf_index_set set;
    if (state->kind > RF_STATE_AFFINE) {
        state->measured = false;
        if (state->kind == RF_STATE_ENVELOPE) {
            int32_t axis = state->axis;
            rf_state_forget(state, &w->graph->nodes[node].outputs[output]->shape);
            state->axis = axis;
        }
        return RF_OK;
    }
    rf_status status = ask(w, node, output, field, k, 0, &set);
    if (status != RF_OK || !set.count)
        return forgive(status);
    state->low = set.at[0].first;
    state->high = set.at[set.count - 1].last;
    state->solid = set.count == 1;
    state->measured = false;
    return RF_OK;
}

static rf_status measure(walker *w, size_t node, uint32_t output, rf_value_fields *fields)
{
    for (uint32_t f = 0; f < fields->count; f++)
        for (int32_t k = 0; k < w->walk->inputs[fields->at[f].input].count; k++) {
            const rf_axis_state *state = &fields->at[f].axes[k];
            if (fields->at[f].narrowed)
                RF_TRY(narrow(w, node, output, &fields->at[f], k));
            if (state->kind == RF_STATE_OPAQUE && !state->measured)
                RF_TRY((state->axis == RF_AXIS_TANGLED ? measure_tangled : measure_opaque)(w, node, output,
                                                                                          &fields->at[f], k));
            if (state->kind <= RF_STATE_AFFINE && !state->solid && !state->measured)
                RF_TRY(look_for_holes(w, node, output, &fields->at[f], k));
        }
    return RF_OK;
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

static rf_status walk_output(walker *w, size_t n, uint32_t output)
{
    const rf_node *node = &w->graph->nodes[n];
    rf_value_fields *fields = &w->walk->values[node->outputs[output] - w->graph->values];
    uint32_t most = most_fields(w, node);
    if (most == 0)
        return RF_OK;
    fields->at = RF_TAKE(w->arena, rf_value_field, most);
    if (!fields->at)
        return RF_ERROR_MEMORY;
    for (uint32_t i = 0; i < node->input_count; i++)
        RF_TRY(see_input(w, node, output, i, fields));
    return measure(w, n, output, fields);
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
    walker w = {.graph = graph, .arena = arena, .walk = walk, .reader = find_readers(graph, arena)};
    if (!w.reader)
        return rf_arena_fail(arena, error, "receptive fields");
    rf_status status = walk_all(&w);
    if (w.asked)
        rf_backtrack_release(&w.backtrack);
    return status == RF_OK ? RF_OK : rf_arena_fail(arena, error, "receptive fields");
}

/* ---- The public form ------------------------------------------------------------------------ */

/* The smallest input extent in which some output's interval lies whole. */
static int64_t full_context(const rf_axis_state *state)
{
    int64_t first, reach;
    if (state->kind != RF_STATE_AFFINE || state->stride <= 0)
        return 0;
    first = rf_max(rf_div_ceil(-state->low, state->stride), 0);
    if (!rf_checked_mul(state->stride, first, &reach) || !rf_checked_add(reach, state->high, &reach))
        return 0;
    return reach + 1;
}

static void report_bounds(rf_field_walk *walk, const rf_axis_state *state, const rf_shape *shape,
                          rf_field_axis *axis)
{
    rf_range hull = {0, -1};
    axis->kind = state->kind <= RF_STATE_AFFINE ? RF_AXIS_AFFINE : RF_AXIS_INTERVAL;
    if (axis->kind == RF_AXIS_AFFINE) {
        axis->stride = state->stride;
        axis->u0 = state->low;
        axis->v0 = state->high;
        axis->size = axis->size_min = axis->size_max = state->high - state->low + 1;
        axis->padding = -state->low;
        axis->support = state->solid ? axis->size : state->measured ? state->count : 0;
        axis->full_context = full_context(state);
        return;
    }
    if (!rf_state_range(state, shape, &walk->comparisons_left, &hull, &axis->size_min, &axis->size_max)) {
        axis->size_min = 1;
        axis->size_max = hull.last - hull.first + 1;
    }
    axis->u0 = hull.first;
    axis->v0 = hull.last;
    axis->size = axis->size_max;
}

static void report_axis(rf_field_walk *walk, const rf_axis_state *state, const rf_shape *shape,
                        int64_t extent, rf_field_axis *axis)
{
    axis->output_axis = state->axis >= 0 ? state->axis : -1;
    if (state->kind != RF_STATE_AFFINE && rf_state_covers(state, shape, extent)) {
        *axis = (rf_field_axis){.kind = RF_AXIS_WHOLE, .output_axis = -1, .v0 = extent - 1, .size = extent,
                                .size_min = extent, .size_max = extent, .support = extent};
        if (state->kind == RF_STATE_FIXED && !state->solid)
            axis->support = state->measured ? state->real : 0;
        return;
    }
    report_bounds(walk, state, shape, axis);
}

rf_status rf_field_walk_report(const rf_graph *graph, rf_field_walk *walk, const rf_value *value,
                               rf_arena *arena, const rf_field **fields, size_t *count)
{
    const rf_value_fields *seen = &walk->values[value - graph->values];
    *count = seen->count;
    if (!seen->count)
        return RF_OK;
    rf_field *report = RF_TAKE(arena, rf_field, seen->count);
    if (!report)
        return RF_ERROR_MEMORY;
    for (uint32_t f = 0; f < seen->count; f++) {
        const rf_value_field *from = &seen->at[f];
        const rf_input_axes *axes = &walk->inputs[from->input];
        report[f].input = from->input;
        report[f].aligned = from->aligned;
        report[f].axis_count = axes->count;
        for (int32_t k = 0; k < axes->count; k++)
            report_axis(walk, &from->axes[k], &value->shape, graph->values[from->input].shape.dims[axes->at[k]],
                        &report[f].axes[k]);
    }
    *fields = report;
    return RF_OK;
}

static bool axis_covers(const rf_axis_state *state, const rf_shape *shape, int64_t extent)
{
    if (state->kind == RF_STATE_AFFINE)
        return state->high - state->low + 1 >= extent;
    return rf_state_covers(state, shape, extent);
}

bool rf_field_walk_covers(const rf_graph *graph, const rf_field_walk *walk, const rf_value *value)
{
    const rf_value_fields *seen = &walk->values[value - graph->values];
    bool any = false;
    for (uint32_t f = 0; f < seen->count; f++) {
        const rf_input_axes *axes = &walk->inputs[seen->at[f].input];
        for (int32_t k = 0; k < axes->count; k++) {
            if (!axis_covers(&seen->at[f].axes[k], &value->shape,
                             graph->values[seen->at[f].input].shape.dims[axes->at[k]]))
                return false;
            any = true;
        }
    }
    return any;
}

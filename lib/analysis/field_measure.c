/* SPDX-License-Identifier: MIT */
#include "analysis/field_measure.h"

/* Work that the questions of one walk may make, so that a network without closed forms cannot make
 * it quadratic. */
static const uint64_t most_steps = UINT64_C(20000000);

static rf_status ask_at(rf_measure *m, size_t node, uint32_t output, const rf_value_field *field, int32_t k,
                        const rf_range *at, rf_index_set *set)
{
    if (!m->asked) {
        RF_TRY(rf_backtrack_init(&m->backtrack, m->graph, m->arena, most_steps));
        m->asked = true;
    }
    RF_TRY(rf_backtrack_from(&m->backtrack, node, output, at));
    const rf_index_set *sets = m->backtrack.sets[field->input];
    *set = sets ? sets[m->inputs[field->input].at[k]] : (rf_index_set){0, NULL};
    return RF_OK;
}

/* What all outputs with index `i` along the axis that counts see together. */
static rf_status ask(rf_measure *m, size_t node, uint32_t output, const rf_value_field *field, int32_t k,
                     int64_t i, rf_index_set *set)
{
    const rf_value *value = m->graph->nodes[node].outputs[output];
    rf_range at[RF_MAX_RANK] = {{0, 0}};
    for (int32_t axis = 0; axis < value->shape.rank; axis++)
        at[axis] = (rf_range){0, value->shape.dims[axis] - 1};
    if (field->axes[k].axis >= 0)
        at[field->axes[k].axis] = (rf_range){i, i};
    return ask_at(m, node, output, field, k, at, set);
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

static rf_status measure_opaque(rf_measure *m, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    const rf_value *value = m->graph->nodes[node].outputs[output];
    int64_t extent = state->axis >= 0 ? value->shape.dims[state->axis] : 1;
    spread found = {{INT64_MAX, INT64_MIN}, INT64_MAX, 0};
    for (int64_t i = 0; i < extent; i++) {
        rf_index_set set;
        rf_status status = ask(m, node, output, field, k, i, &set);
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

static rf_status measure_tangled(rf_measure *m, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    const rf_shape *shape = &m->graph->nodes[node].outputs[output]->shape;
    rf_range at[RF_MAX_RANK] = {{0, 0}};
    spread found = {{INT64_MAX, INT64_MIN}, INT64_MAX, 0};
    start_element(shape, at);
    do {
        rf_index_set set;
        rf_status status = ask_at(m, node, output, field, k, at, &set);
        if (status != RF_OK)
            return forgive(status);
        add_to_spread(&found, &set);
    } while (next_element(shape, at));
    keep_spread(&found, state);
    return RF_OK;
}

static rf_status look_for_holes(rf_measure *m, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    rf_index_set set;
    rf_status status = ask(m, node, output, field, k, 0, &set);
    if (status != RF_OK)
        return forgive(status);
    int64_t extent = m->graph->values[field->input].shape.dims[m->inputs[field->input].at[k]];
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
static rf_status narrow(rf_measure *m, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    rf_axis_state *state = &field->axes[k];
    rf_index_set set;
    if (state->kind > RF_STATE_AFFINE) {
        state->measured = false;
        if (state->kind == RF_STATE_ENVELOPE)
            rf_state_forget(state, &m->graph->nodes[node].outputs[output]->shape, state->axis);
        return RF_OK;
    }
    rf_status status = ask(m, node, output, field, k, 0, &set);
    if (status != RF_OK || !set.count)
        return forgive(status);
    state->low = set.at[0].first;
    state->high = set.at[set.count - 1].last;
    state->solid = set.count == 1;
    state->measured = false;
    return RF_OK;
}

static rf_status measure_axis(rf_measure *m, size_t node, uint32_t output, rf_value_field *field, int32_t k)
{
    const rf_axis_state *state = &field->axes[k];
    if (field->narrowed)
        RF_TRY(narrow(m, node, output, field, k));
    if (state->kind == RF_STATE_OPAQUE && !state->measured)
        RF_TRY((state->axis == RF_AXIS_TANGLED ? measure_tangled : measure_opaque)(m, node, output, field, k));
    if (state->kind <= RF_STATE_AFFINE && !state->solid && !state->measured)
        return look_for_holes(m, node, output, field, k);
    return RF_OK;
}

rf_status rf_measure_fields(rf_measure *m, size_t node, uint32_t output, rf_value_fields *fields)
{
    rf_status status = RF_OK;
    for (uint32_t f = 0; f < fields->count && status == RF_OK; f++)
        for (int32_t k = 0; k < m->inputs[fields->at[f].input].count && status == RF_OK; k++)
            status = measure_axis(m, node, output, &fields->at[f], k);
    if (m->asked)
        rf_backtrack_release(&m->backtrack);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* What the field walk found, in the public form. */
#include "analysis/field_walk.h"

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

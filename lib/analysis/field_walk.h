/* SPDX-License-Identifier: MIT */
/* The forward walk over a graph that gives every tensor its receptive fields in closed form. */
#ifndef RF_ANALYSIS_FIELD_WALK_H
#define RF_ANALYSIS_FIELD_WALK_H

#include "analysis/axis_state.h"
#include "network/graph.h"

/* Which axes of a network input are spatial, rows first. */
typedef struct rf_input_axes {
    int32_t count;
    int32_t at[RF_MAX_SPATIAL];
    int32_t channel; /* -1 for none */
} rf_input_axes;

/* What one tensor sees of one network input. */
typedef struct rf_value_field {
    uint32_t input;
    bool aligned;
    bool varied;  /* channels may see less than the axes say, each its own part */
    bool narrowed; /* only some of such channels are left: the axes are bounds to be checked */
    rf_axis_state axes[RF_MAX_SPATIAL];
} rf_value_field;

/* By network input, ascending. */
typedef struct rf_value_fields {
    uint32_t count;
    rf_value_field *at; /* shared by values that a layer passes on as they are */
} rf_value_fields;

typedef struct rf_field_walk {
    rf_input_axes *inputs;     /* by network input */
    rf_value_fields *values;   /* by value of the graph */
    uint64_t comparisons_left; /* outputs whose sizes may still be compared; then outer bounds do */
} rf_field_walk;

/* Everything lies in `arena`. */
rf_status rf_field_walk_make(const rf_graph *graph, rf_arena *arena, rf_field_walk *walk, rf_error *error);

/* The public form of what `value` sees. */
rf_status rf_field_walk_report(const rf_graph *graph, rf_field_walk *walk, const rf_value *value,
                               rf_arena *arena, const rf_field **fields, size_t *count);

/* Whether what `value` sees of every input covers that input along every axis. */
bool rf_field_walk_covers(const rf_graph *graph, const rf_field_walk *walk, const rf_value *value);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where the field walk has no closed form, or only a bound, single outputs are
 * asked by backtracking.
 */
#ifndef RF_ANALYSIS_FIELD_MEASURE_H
#define RF_ANALYSIS_FIELD_MEASURE_H

#include "analysis/backtrack.h"
#include "analysis/field_walk.h"

typedef struct rf_measure {
    const rf_graph *graph;
    rf_arena *arena;
    const rf_input_axes *inputs; /* by network input */
    rf_backtrack backtrack;
    bool asked;                  /* backtrack is set up */
} rf_measure;

/*
 * Completes the fields of an output of `node`: exact bounds and sizes for opaque axes and for
 * channels that were narrowed, holes counted. Outer bounds stay where that would take too long.
 */
rf_status rf_measure_fields(rf_measure *measure, size_t node, uint32_t output, rf_value_fields *fields);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Lanes: runs of elements at equal steps, as references of operators along an
 * axis read and write them.
 *
 * A shape cut before and after some neighbouring axes is outer x length x
 * inner elements, and each lane is the `length` elements of one pair of outer
 * and inner index.
 */
#ifndef RF_OPS_LANES_H
#define RF_OPS_LANES_H

#include "ops/op.h"

typedef struct rf_lane {
    uint64_t at, step, count; /* elements at, at + step, ... */
} rf_lane;

typedef struct rf_lanes {
    uint64_t count, length, inner; /* count = outer * inner; 0 for a shape without elements */
} rf_lanes;

/* Lanes along axes first .. end - 1 of a shape whose elements the walk has counted. */
rf_lanes rf_lanes_make(const rf_shape *shape, int32_t first, int32_t end);

static inline rf_lane rf_lanes_at(const rf_lanes *lanes, uint64_t k)
{
    uint64_t outer = k / lanes->inner, inner = k % lanes->inner;
    return (rf_lane){outer * lanes->length * lanes->inner + inner, lanes->inner, lanes->length};
}

/* Elements of a lane as doubles, and back. */
void rf_lane_read(const rf_value *value, rf_lane lane, double *to);
void rf_lane_write(const rf_value *output, rf_lane lane, const double *from);

#endif

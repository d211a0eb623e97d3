/* SPDX-License-Identifier: MIT */
#include "ops/lanes.h"

#include "ops/doubles.h"

rf_lanes rf_lanes_make(const rf_shape *shape, int32_t first, int32_t end)
{
    rf_lanes lanes = {0, 1, 1};
    uint64_t elements = rf_elements(shape);
    if (elements == 0)
        return lanes;
    for (int32_t axis = first; axis < shape->rank; axis++) {
        uint64_t *part = axis < end ? &lanes.length : &lanes.inner;
        *part *= (uint64_t)shape->dims[axis];
    }
    lanes.count = elements / lanes.length;
    return lanes;
}

void rf_lane_read(const rf_value *value, rf_lane lane, double *to)
{
    if (lane.step == 1) {
        rf_doubles_read(value, lane.at, lane.count, to);
        return;
    }
    for (uint64_t i = 0; i < lane.count; i++)
        to[i] = rf_value_float(value, lane.at + i * lane.step);
}

void rf_lane_write(const rf_value *output, rf_lane lane, const double *from)
{
    if (lane.step == 1) {
        rf_doubles_write(output, lane.at, lane.count, from);
        return;
    }
    for (uint64_t i = 0; i < lane.count; i++)
        rf_doubles_write(output, lane.at + i * lane.step, 1, from + i);
}

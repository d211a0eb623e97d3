/* SPDX-License-Identifier: MIT */
#include "training/effective_measure.h"

#include <math.h>

static int64_t extent_of(const rf_range *range)
{
    return range->last < range->first ? 0 : range->last - range->first + 1;
}

/* The side of a square of so many positions, of a cube where there are three axes. */
static double side_of(double positions, int32_t axis_count)
{
    if (axis_count == 1)
        return positions;
    return axis_count == 2 ? sqrt(positions) : cbrt(positions);
}

static void step(const rf_effective_field *field, const rf_range *box, int64_t *index)
{
    for (int32_t k = field->axis_count; k-- > 0;) {
        if (++index[k] <= box[k].last)
            return;
        index[k] = box[k].first;
    }
}

static void count_pixels(rf_effective_field *field)
{
    field->largest = 0;
    field->pixels = 0;
    for (size_t i = 0; i < field->count; i++)
        field->largest = fmax(field->largest, field->weights[i]);
    for (size_t i = 0; i < field->count && field->largest > 0; i++)
        field->pixels += field->weights[i] >= (1 - RF_EFFECTIVE_SHARE) * field->largest;
    field->side = side_of((double)field->pixels, field->axis_count);
}

/* The mass in a box. */
static double mass_in(const rf_effective_field *field, const rf_range *box)
{
    int64_t index[RF_MAX_SPATIAL] = {0};
    size_t positions = 1;
    double mass = 0;
    for (int32_t k = 0; k < field->axis_count; k++) {
        positions *= (size_t)extent_of(&box[k]);
        index[k] = box[k].first;
    }
    for (size_t i = 0; i < positions; i++) {
        size_t at = 0;
        for (int32_t k = 0; k < field->axis_count; k++)
            at = at * (size_t)field->extents[k] + (size_t)index[k];
        mass += field->weights[at];
        step(field, box, index);
    }
    return mass;
}

static double slab_mass(const rf_effective_field *field, const rf_range *box, int32_t axis, int64_t index)
{
    rf_range slab[RF_MAX_SPATIAL];
    for (int32_t k = 0; k < field->axis_count; k++)
        slab[k] = k == axis ? (rf_range){index, index} : box[k];
    return mass_in(field, slab);
}

/* Mean and deviation of where the mass lies along an axis. */
static void measure_axis(rf_effective_field *field, const rf_range *whole, double mass, int32_t axis)
{
    double first = 0, second = 0;
    for (int64_t i = 0; i < field->extents[axis]; i++)
        first += (double)i * slab_mass(field, whole, axis, i);
    field->centre[axis] = first / mass;
    for (int64_t i = 0; i < field->extents[axis]; i++) {
        double off = (double)i - field->centre[axis];
        second += off * off * slab_mass(field, whole, axis, i);
    }
    field->sigma[axis] = sqrt(second / mass);
}

/* A side of the box: an axis, and its upper or its lower end. */
typedef struct face {
    int32_t axis;
    bool upper;
    double mass;
} face;

static face lightest_face(const rf_effective_field *field)
{
    face lightest = {.mass = INFINITY};
    for (int32_t k = 0; k < field->axis_count; k++)
        for (int upper = 0; upper < 2; upper++) {
            double mass = slab_mass(field, field->box, k, upper ? field->box[k].last : field->box[k].first);
            if (mass < lightest.mass)
                lightest = (face){k, upper != 0, mass};
        }
    return lightest;
}

static void shrink_box(rf_effective_field *field, double mass)
{
    double left = mass;
    for (;;) {
        face taken = lightest_face(field);
        rf_range *range = &field->box[taken.axis];
        if (!(left - taken.mass >= RF_EFFECTIVE_SHARE * mass) || extent_of(range) <= 1)
            return;
        left -= taken.mass;
        if (taken.upper)
            range->last--;
        else
            range->first++;
    }
}

static double theoretical_side(const rf_effective_field *field)
{
    double positions = 1;
    for (int32_t k = 0; k < field->theoretical.axis_count; k++)
        positions *= (double)extent_of(&field->theoretical.axes[k]);
    return side_of(positions, field->axis_count);
}

void rf_effective_measure(rf_effective_field *field)
{
    rf_range whole[RF_MAX_SPATIAL] = {{0, -1}, {0, -1}, {0, -1}};
    for (int32_t k = 0; k < field->axis_count; k++) {
        field->box[k] = (rf_range){0, -1};
        whole[k] = (rf_range){0, field->extents[k] - 1};
    }
    count_pixels(field);
    field->theoretical_side = theoretical_side(field);
    field->ratio = field->theoretical_side > 0 ? field->side / field->theoretical_side : 0;
    if (field->pixels == 0)
        return;
    double mass = mass_in(field, whole);
    for (int32_t k = 0; k < field->axis_count; k++) {
        measure_axis(field, whole, mass, k);
        field->box[k] = whole[k];
    }
    shrink_box(field, mass);
}

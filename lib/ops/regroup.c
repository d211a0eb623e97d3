/* SPDX-License-Identifier: MIT */
/*
 * Two shapes of the same elements are cut, from the left, into the shortest
 * runs of axes whose extents have the same product. A run of one axis on both
 * sides is unchanged. Elsewhere, the index within the run is a number written
 * in the output's digits, of which an input axis is one digit or several.
 */
#include "ops/regroup.h"

/* Axes of one side from `first` to `end` - 1, those of extent 1 left out of `count`. */
typedef struct run {
    int32_t first, end, count;
    int64_t product;
} run;

static void extend(run *grown, const rf_shape *shape)
{
    while (grown->end < shape->rank && shape->dims[grown->end] == 1)
        grown->end++;
    if (grown->end < shape->rank) {
        grown->product *= shape->dims[grown->end++];
        grown->count++;
    }
}

static run next_run(const run *before, const rf_shape *shape)
{
    run next = {.first = before->end, .end = before->end, .count = 0, .product = 1};
    extend(&next, shape);
    return next;
}

/* Sets the terms that make a run's number of the output's indices. */
static void set_terms(rf_link *link, const run *to, const rf_shape *out)
{
    int64_t weight = to->product;
    link->term_count = 0;
    for (int32_t axis = to->first; axis < to->end; axis++) {
        if (out->dims[axis] == 1)
            continue;
        weight /= out->dims[axis];
        link->terms[link->term_count++] = (rf_link_term){axis, 1, RF_WHOLE_INDEX, weight};
    }
}

static void link_run(const run *from, const rf_shape *in, const run *to, const rf_shape *out, rf_link *links)
{
    int64_t divisor = from->product;
    for (int32_t axis = from->first; axis < from->end; axis++) {
        divisor /= in->dims[axis];
        if (in->dims[axis] == 1) {
            rf_link_range(&links[axis], 0, 0);
        } else if (from->count == 1 && to->count == 1) {
            rf_link_same(&links[axis], to->end - 1);
        } else {
            links[axis].kind = RF_LINK_DIGITS;
            links[axis].divisor = divisor;
            links[axis].modulus = in->dims[axis];
            set_terms(&links[axis], to, out);
        }
    }
}

static bool is_empty(const rf_shape *shape)
{
    for (int32_t axis = 0; axis < shape->rank; axis++)
        if (shape->dims[axis] == 0)
            return true;
    return false;
}

void rf_link_regroup(const rf_shape *in, const rf_shape *out, rf_link *links)
{
    bool same = rf_shape_equal(in, out), empty = is_empty(in);
    for (int32_t axis = 0; axis < in->rank && (same || empty); axis++) {
        if (same)
            rf_link_same(&links[axis], axis);
        else
            rf_link_nothing(&links[axis]);
    }
    if (same || empty)
        return;
    run from = {.end = 0}, to = {.end = 0};
    while (from.end < in->rank) {
        from = next_run(&from, in);
        to = next_run(&to, out);
        while (from.product != to.product) {
            if (from.product < to.product)
                extend(&from, in);
            else
                extend(&to, out);
        }
        link_run(&from, in, &to, out, links);
    }
}

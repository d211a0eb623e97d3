/* SPDX-License-Identifier: MIT */
/*
 * Which taps of a window reach each output index, along one axis, tabulated.
 *
 * Seen from an output, a transposed window differs from an ordinary one only
 * in which taps read which inputs; with a table of them one kernel does both,
 * and padding is a tap that the table leaves out.
 */
#ifndef RF_KERNELS_REACH_H
#define RF_KERNELS_REACH_H

#include "base/arena.h"
#include "base/checked.h"
#include "ops/window.h"

/* Taps tap, tap + tap_step, ... read inputs input, input + index_step, ... */
typedef struct rf_reach {
    int64_t tap, count; /* count 0: nothing reaches this output; the others are 0 then */
    int64_t input;
} rf_reach;

typedef struct rf_reach_axis {
    rf_window window;
    const rf_reach *at;  /* for each output index */
    int64_t tap_step;
    int64_t index_step;  /* below 0 for a transposed window */
    int64_t period;      /* outputs so far apart see the same taps, */
    int64_t period_step; /* of inputs so far apart, but for the ends */
} rf_reach_axis;

/* False where the arena has no memory. */
bool rf_reach_make(const rf_window *window, bool transposed, rf_arena *arena, rf_reach_axis *axis);

/* The last of `count` axes are those of `given` windows; axes of one position come before them. */
bool rf_reach_make_all(const rf_window *windows, int32_t given, bool transposed, rf_arena *arena,
                       rf_reach_axis *axes, int32_t count);

/* How many taps a mean divides by at each output index of a pool's axis. False without memory. */
bool rf_reach_divisors(const rf_reach_axis *axis, bool count_include_pad, rf_arena *arena, const int64_t **divisors);

/* Floats from a tap to the next, of an axis with that stride. What leaves 64 bits leaves the input too: there is
 * one tap then. */
static inline int64_t rf_reach_step(const rf_reach_axis *axis, int64_t stride)
{
    int64_t step;
    return rf_checked_mul(axis->index_step, stride, &step) ? step : 0;
}

#endif

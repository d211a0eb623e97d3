/* SPDX-License-Identifier: MIT */
/* Resampling along one axis: which pixels an output is the weighted mean of. */
#ifndef RF_TENSORS_PICTURE_TAPS_H
#define RF_TENSORS_PICTURE_TAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An axis of `input` pixels that is resized to `resized`, of which `count` from `first` on are kept. */
typedef struct rf_axis_resize {
    int64_t input, resized, first, count;
    bool antialias;
} rf_axis_resize;

/* The weighted pixels of one output: `count` of them from `first` on; they add up to 1. */
typedef struct rf_taps {
    int64_t first, count;
} rf_taps;

/* The most taps that any output has; at most `input`. */
size_t rf_taps_limit(const rf_axis_resize *axis);

/* The taps of output `i`, counted from axis->first; `weights` has room for rf_taps_limit(). */
rf_taps rf_taps_of(const rf_axis_resize *axis, int64_t i, float *weights);

#endif

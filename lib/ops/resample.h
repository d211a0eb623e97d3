/* SPDX-License-Identifier: MIT */
/*
 * Resampling along one axis: which inputs an output index reads.
 *
 * Coordinates are rational numbers, worked out exactly, so that a coordinate
 * which is an integer or a half on paper is one here. Runtimes work in floats
 * and may land a rounding error to one side of it.
 */
#ifndef RF_OPS_RESAMPLE_H
#define RF_OPS_RESAMPLE_H

#include "ops/op.h"
#include "ops/task.h"

/* In lowest terms or not; the denominator is positive. */
typedef struct rf_ratio {
    int64_t numerator, denominator;
} rf_ratio;

/* How an output index becomes a coordinate of the input. The order is that of ONNX's names in
 * resize.c. */
typedef enum rf_coordinates {
    RF_COORDINATES_HALF_PIXEL,
    RF_COORDINATES_HALF_PIXEL_SYMMETRIC,
    RF_COORDINATES_PYTORCH_HALF_PIXEL,
    RF_COORDINATES_ALIGN_CORNERS,
    RF_COORDINATES_ASYMMETRIC,
    RF_COORDINATES_TF_HALF_PIXEL_FOR_NN,
    RF_COORDINATES_TF_CROP_AND_RESIZE
} rf_coordinates;

typedef enum rf_interpolation {
    RF_INTERPOLATION_NEAREST,
    RF_INTERPOLATION_LINEAR,
    RF_INTERPOLATION_CUBIC
} rf_interpolation;

typedef enum rf_rounding {
    RF_ROUNDING_PREFER_FLOOR,
    RF_ROUNDING_PREFER_CEIL,
    RF_ROUNDING_FLOOR,
    RF_ROUNDING_CEIL
} rf_rounding;

typedef struct rf_resample {
    int64_t input, output;
    rf_ratio scale;
    rf_coordinates coordinates;
    rf_interpolation interpolation;
    rf_rounding rounding;     /* of nearest */
    bool antialias;           /* widen the kernel by the reciprocal of a scale below 1 */
    bool short_cubic;         /* a = 0: the outer two taps weigh nothing */
    double cubic_a;
    bool exclude_outside;
    rf_ratio begin, end;      /* region of interest, for TF_CROP_AND_RESIZE */
} rf_resample;

/* The largest extent and the largest numerator or denominator: products of two then fit. */
#define RF_RESAMPLE_MAX (INT64_C(1) << 28)

/* The simplest fraction among the convergents of `value` that rounds to it as a float. False where
 * it takes more than RF_RESAMPLE_MAX, or `value` is not finite. */
bool rf_ratio_of_float(float value, rf_ratio *ratio);

/* Whether the axis is passed on as it is. */
bool rf_resample_is_identity(const rf_resample *axis);

/* Most inputs with a weight of their own that an output index reads. */
uint64_t rf_resample_taps(const rf_resample *axis);

/* Makes the link of input axis `number` to the same output axis; tables come from the arena. */
rf_status rf_resample_link(const rf_node *node, int32_t number, const rf_resample *axis, rf_link *link);

/* The index of an output that lies outside the region of interest. */
#define RF_RESAMPLE_OUTSIDE (-1)

/*
 * Fills in which inputs each output index of the axis reads, and their weights, in the arena. An
 * index that reads fewer than others shares out its last weight: with a weight of 0 there, infinity
 * would become NaN. *made says whether there is a table: not where it would have more entries than
 * limits.folded_elements. *outside is set where an index is RF_RESAMPLE_OUTSIDE, else left alone.
 */
rf_status rf_resample_table(const rf_node *node, const rf_resample *axis, rf_axis_taps *taps, bool *made,
                            bool *outside);

#endif

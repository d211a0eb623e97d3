/* SPDX-License-Identifier: MIT */
/* What a report measures of tensors, in double. */
#ifndef RF_TRAINING_GRADIENT_NUMBERS_H
#define RF_TRAINING_GRADIENT_NUMBERS_H

#include <rfield/network.h>

#include "base/arena.h"
#include "ops/slopes.h"

/* Root of the sum of squares; floats of any alignment. */
double rf_norm_of(const void *floats, uint64_t count);

/* Largest singular value of a row-major matrix, by power iteration; see rf_gradient_report_make().
 * `work` has room for twice `columns`. */
double rf_spectral_norm(const float *matrix, uint64_t rows, uint64_t columns, double *work);

/* |slope| over elements. */
typedef struct rf_slope_numbers {
    double saturated; /* share below RF_SATURATED_BELOW of `steepest` */
    double mean, rms, most, steepest;
} rf_slope_numbers;

rf_slope_numbers rf_measure_slopes(const rf_map *map, const float *z, uint64_t count);

#endif

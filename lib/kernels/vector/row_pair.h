/* SPDX-License-Identifier: MIT */
/*
 * A few pixels of two output rows at once, for depthwise windows of 3 by 3.
 *
 * Rows share input: two at once load four rows (or five) where one after the other
 * loads six, and twice as many sums keep the multipliers busy. Both rows' sums and all nine
 * weights need 32 registers. Padding above and below is a row that is not there.
 */
#ifndef RF_KERNELS_VECTOR_ROW_PAIR_H
#define RF_KERNELS_VECTOR_ROW_PAIR_H

#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/row_tile.h"

enum { RF_PAIR_ROWS = 5, RF_PAIR_SUMS = 2 * RF_ROW_PIXELS };

typedef struct rf_row_pair {
    const float *rows[RF_PAIR_ROWS]; /* pixel 0 of the input rows that are seen; NULL: outside */
    const float *weights, *start;
    int64_t pixel;         /* floats from an input pixel to the next */
    int64_t first, extent; /* input pixel of the first tap of the first output; how many there are */
    int64_t pixels;        /* of each row to store, at most RF_ROW_PIXELS */
    float *output;         /* NULL: whole vectors of both rows go to `sums` */
    float *sums;
    const float *residual; /* or NULL */
    int64_t output_row, output_step, residual_row, residual_step;
    rf_map map;
} rf_row_pair;

typedef void rf_row_pair_function(const rf_row_pair *pair);

/* The function for a stride; NULL where there is none. `inside`: all pixels are stored, and no tap
 * is on padding beside the image. */
rf_row_pair_function *RF_ISA_NAME(rf_row_pair_of)(int64_t stride, bool inside);

#endif

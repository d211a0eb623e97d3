/* SPDX-License-Identifier: MIT */
/*
 * The transforms of Winograd's convolutions by a kernel of 3, for 2, 4, 5 or 6
 * outputs at a time along an axis.
 *
 * m outputs of a kernel of 3 are m + 2 products of polynomials' values, at
 * points 0, +-p, +-q .. and infinity. Points of either sign share the even and
 * odd parts of a polynomial, and those here have few enough bits that every
 * coefficient is exact; which p, q and r round least was found by trying.
 */
#ifndef RF_KERNELS_VECTOR_WINOGRAD_TRANSFORM_H
#define RF_KERNELS_VECTOR_WINOGRAD_TRANSFORM_H

#include "kernels/vector/epilogue.h"
#include "kernels/vector/vector.h"

enum { RF_WINOGRAD_SIZES = 4, RF_WINOGRAD_POINTS = 8, RF_WINOGRAD_OUTPUTS = 6 };

/* Outputs of each size along an axis. */
static const int rf_winograd_outputs[RF_WINOGRAD_SIZES] = {2, 4, 5, 6};

/* Vectors of one tile on their way: [row][column], rows of RF_WINOGRAD_POINTS vectors. */
typedef struct rf_winograd_grid {
    rf_vec at[RF_WINOGRAD_POINTS * RF_WINOGRAD_POINTS];
} rf_winograd_grid;

/* Where one vector of channels of a tile's outputs goes. */
typedef struct rf_winograd_store {
    float *output;                          /* at the tile's first pixel */
    const float *residual;                  /* or NULL */
    int64_t output_steps[2], residual_steps[2]; /* from a row and a column to the next */
    int64_t rows, columns;                  /* pixels to store */
    int64_t lanes;                          /* channels to store */
    const float *bias;
    rf_map map;
} rf_winograd_store;

/*
 * One size's passes over a tile. `count` says how many columns or rows there are.
 * columns: of input pixels, pixels[y * RF_WINOGRAD_POINTS + x] + channel, to the grid.
 * rows: of the grid to the points, `step` floats apart.
 * back_columns: of points, the next `step` floats away and rows `count` points long, to the grid.
 * back_rows: of the grid, to where they are stored.
 */
typedef struct rf_winograd_passes {
    void (*columns)(const float *const *pixels, int64_t channel, int64_t count, rf_winograd_grid *grid);
    void (*rows)(const rf_winograd_grid *grid, int64_t count, float *to, int64_t step);
    void (*back_columns)(const float *from, int64_t step, int64_t count, rf_winograd_grid *grid);
    void (*back_rows)(const rf_winograd_grid *grid, const rf_winograd_store *store);
} rf_winograd_passes;

extern const rf_winograd_passes RF_ISA_NAME(rf_winograd_passes_of)[RF_WINOGRAD_SIZES];

/* What a kernel of 3 taps is multiplied by: a row for each point. */
void RF_ISA_NAME(rf_winograd_kernel_matrix)(int size, double matrix[RF_WINOGRAD_POINTS][3]);

#endif

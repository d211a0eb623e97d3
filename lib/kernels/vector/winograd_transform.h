/* SPDX-License-Identifier: MIT */
/*
 * The transforms of Winograd's convolutions, along one axis: m outputs at a time of a kernel of r taps.
 *
 * m outputs of r taps are m + r - 1 products of polynomials' values, at points 0, +-p, +-q .. and infinity.
 * Points of either sign share the even and odd parts of a polynomial, and those here have few enough bits that
 * every coefficient is exact; which ones round least was found by trying.
 *
 * A kernel of 3 that moves by 2 is the sum of two that move by 1: its outer taps on even pixels, by the products
 * above, and its middle one on odd pixels, which are points as they are. A kernel of 1 transforms nothing.
 */
#ifndef RF_KERNELS_VECTOR_WINOGRAD_TRANSFORM_H
#define RF_KERNELS_VECTOR_WINOGRAD_TRANSFORM_H

#include "kernels/vector/epilogue.h"
#include "kernels/vector/vector.h"

enum { RF_WINOGRAD_SCHEMES = 14, RF_WINOGRAD_POINTS = 10, RF_WINOGRAD_OUTPUTS = 6, RF_WINOGRAD_TAPS = 7 };

/* How an axis is cut: `points` is of a tile, as many as it has input pixels. */
typedef struct rf_winograd_scheme {
    int kernel, stride, outputs, points;
} rf_winograd_scheme;

static const rf_winograd_scheme rf_winograd_schemes[RF_WINOGRAD_SCHEMES] = {
    {1, 1, 1, 1}, {3, 1, 2, 4}, {3, 1, 4, 6}, {3, 1, 5, 7},  {3, 1, 6, 8}, {3, 2, 2, 5}, {3, 2, 3, 7},
    {3, 2, 4, 9}, {5, 1, 2, 6}, {5, 1, 3, 7}, {5, 1, 4, 8}, {7, 1, 2, 8}, {7, 1, 3, 9}, {7, 1, 4, 10},
};

/* A scheme's points that are sums of pixels, not pixels as they are. */
RF_INLINE int rf_winograd_sums(const rf_winograd_scheme *scheme)
{
    return scheme->stride == 2 ? scheme->outputs + 1 : scheme->points;
}

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
 * One scheme's passes over a tile. `count` says how many columns or rows there are.
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

extern const rf_winograd_passes RF_ISA_NAME(rf_winograd_passes_of)[RF_WINOGRAD_SCHEMES];

/* What the taps of a kernel are multiplied by: a row for each point. */
void RF_ISA_NAME(rf_winograd_kernel_matrix)(int scheme, double matrix[RF_WINOGRAD_POINTS][RF_WINOGRAD_TAPS]);

#endif

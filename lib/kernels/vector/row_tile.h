/* SPDX-License-Identifier: MIT */
/*
 * A few pixels of a row by one vector of channels, for convolutions whose
 * groups are narrower than a vector: depthwise ones first of all.
 *
 * Every input pixel is loaded once for each row of taps and added to all the
 * outputs that see it. Where a tile touches padding, an input pixel outside is
 * left out as a whole, so that borders keep the shape of the inside.
 */
#ifndef RF_KERNELS_VECTOR_ROW_TILE_H
#define RF_KERNELS_VECTOR_ROW_TILE_H

#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/group_spread.h"

/* Pixels of a tile: sums, a row of weights and an input fit 16 registers for kernels up to 7. */
enum { RF_ROW_PIXELS = 7 };

typedef struct rf_row_tile {
    const float *input;              /* first channel of the row's pixel 0, at the first outer taps */
    const float *weights, *start;
    int64_t counts[2];               /* taps of the outer axes that are on the input */
    int64_t input_steps[2], weight_steps[2];
    int64_t pixel;                   /* floats from an input pixel to the next */
    int64_t first, extent;           /* input pixel of the first tap of the first output; how many there are */
    int64_t pixels;                  /* outputs to store, at most RF_ROW_PIXELS */
    float *output;                   /* NULL: whole vectors go to `sums` */
    float *sums;
    const float *residual;           /* or NULL */
    int64_t output_step, residual_step;
    rf_map map;                      /* of what goes to `output` */
} rf_row_tile;

typedef void rf_row_function(const rf_row_tile *tile);

/* The function for groups of `width` channels, a kernel of `kernel` taps along the row and a
 * stride; NULL where there is none. `inside`: all pixels are stored, and no tap is on padding. */
rf_row_function *RF_ISA_NAME(rf_row_of)(int64_t width, int64_t kernel, int64_t stride, bool inside);

/* One row of taps of input channel `c` of each group. */
RF_INLINE void rf_row_taps(const rf_row_tile *tile, rf_vec *sums, const float *row, const float *weights,
                           const int width, const int c, const int kernel, const int stride, const bool inside)
{
    rf_vec w[8];
    int64_t at = tile->first * tile->pixel;
    RF_UNROLL
    for (int k = 0; k < kernel; k++)
        w[k] = rf_load(weights + (k * width + c) * RF_LANES);
    RF_UNROLL
    for (int j = 0; j < (RF_ROW_PIXELS - 1) * stride + kernel; j++, at += tile->pixel) {
        if (!inside && (uint64_t)(tile->first + j) >= (uint64_t)tile->extent)
            continue;
        rf_vec x = rf_spread(rf_load(row + at), width, c);
        RF_UNROLL
        for (int k = 0; k < kernel; k++)
            if (j >= k && (j - k) % stride == 0 && (j - k) / stride < RF_ROW_PIXELS)
                sums[(j - k) / stride] += x * w[k];
    }
}

RF_INLINE void rf_row_store(const rf_row_tile *tile, rf_vec *sums, const bool inside)
{
    if (tile->residual) {
        RF_UNROLL
        for (int p = 0; p < RF_ROW_PIXELS; p++)
            if (inside || p < tile->pixels)
                sums[p] += rf_load(tile->residual + p * tile->residual_step);
    }
    bool done = rf_tile_apply(tile->map, sums, RF_ROW_PIXELS);
    RF_UNROLL
    for (int p = 0; p < RF_ROW_PIXELS; p++)
        if (inside || p < tile->pixels)
            rf_store(tile->output + p * tile->output_step, sums[p]);
    if (done)
        return;
    const rf_tile stored = {.output = tile->output, .output_step = tile->output_step, .map = tile->map};
    RF_ISA_NAME(rf_tile_map)(&stored, tile->pixels, 1);
}

RF_INLINE void rf_row_run(const rf_row_tile *tile, const int width, const int kernel, const int stride,
                          const bool inside)
{
    rf_vec sums[RF_ROW_PIXELS];
    RF_UNROLL
    for (int p = 0; p < RF_ROW_PIXELS; p++)
        sums[p] = rf_load(tile->start);
    for (int64_t z = 0; z < tile->counts[0]; z++) {
        const float *row = tile->input + z * tile->input_steps[0];
        const float *weights = tile->weights + z * tile->weight_steps[0];
        for (int64_t y = 0; y < tile->counts[1]; y++) {
            RF_UNROLL
            for (int c = 0; c < width; c++)
                rf_row_taps(tile, sums, row, weights, width, c, kernel, stride, inside);
            row += tile->input_steps[1];
            weights += tile->weight_steps[1];
        }
    }
    if (tile->output) {
        rf_row_store(tile, sums, inside);
        return;
    }
    RF_UNROLL
    for (int p = 0; p < RF_ROW_PIXELS; p++)
        rf_store(tile->sums + p * RF_LANES, sums[p]);
}

#endif

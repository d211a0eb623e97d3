/* SPDX-License-Identifier: MIT */
/*
 * One or two rows of outputs, a few pixels at a time, by one vector of
 * channels: for depthwise convolutions and those in groups.
 *
 * Every input pixel is loaded once for each row of taps and added to all the
 * outputs that see it, in both rows. Where a tile touches padding, an input
 * pixel outside is left out as a whole, so that borders keep the shape of the inside.
 */
#ifndef RF_KERNELS_VECTOR_ROW_TILE_H
#define RF_KERNELS_VECTOR_ROW_TILE_H

#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/group_spread.h"

/* Pixels of a row of a tile, and rows: sums, the weights of a row of taps and an input fit the
 * registers for kernels up to 7. */
enum { RF_ROW_PIXELS = 7, RF_ROW_ROWS = RF_VECTOR_BYTES == 64 ? 2 : 1 };
enum { RF_ROW_SUMS = RF_ROW_ROWS * RF_ROW_PIXELS, RF_ROW_TAPS = 7 };

/* Where a width of groups would be: outputs of a vector that all see the same inputs. */
enum { RF_ROW_WIDE = 0 };

typedef struct rf_row_tile {
    const float *input;              /* first channel of the rows' pixel 0, at the first outer taps */
    const float *weights, *start;
    int64_t planes;                  /* taps of the outermost axis that are on the input */
    int64_t plane_step, plane_weights;
    /* Input rows first_row .. end_row - 1, counted from the first tap of the first row of outputs,
     * are on the input; a row of outputs has `taps` of them, the second `row_stride` further down. */
    int64_t first_row, end_row, taps, row_stride;
    int64_t row_step, row_weights;   /* floats from an input row to the next, from its weights to the next's */
    int64_t channels;                /* of RF_ROW_WIDE: inputs of a group */
    int64_t pixel;                   /* floats from an input pixel to the next */
    int64_t first, extent;           /* input pixel of the first tap of the first output; how many there are */
    int64_t pixels;                  /* of each row: at a border at most RF_ROW_PIXELS, else a multiple */
    float *output;                   /* NULL: whole vectors go to `sums`, row by row of RF_ROW_PIXELS */
    float *sums;
    const float *residual;           /* or NULL */
    int64_t output_step, residual_step; /* from a pixel to the next */
    int64_t output_row, residual_row;   /* from a row to the next */
    rf_map map;                      /* of what goes to `output` */
} rf_row_tile;

typedef void rf_row_function(const rf_row_tile *tile);

/* Functions for so many rows. `inside`: all pixels are stored, and no tap is on padding. `square`: the
 * same two for the most rows, where there is one plane of as many rows of taps as a row has taps, of the
 * same stride, and all of them are on the input; NULL where there are none. */
typedef struct rf_row_kind {
    int64_t width, kernel, stride;
    rf_row_function *inside[RF_ROW_ROWS], *border[RF_ROW_ROWS], *square_inside, *square_border;
} rf_row_kind;

/* Those for groups of `width` channels or RF_ROW_WIDE, a kernel of `kernel` taps along the row and
 * a stride; NULL where there are none. */
const rf_row_kind *RF_ISA_NAME(rf_row_of)(int64_t width, int64_t kernel, int64_t stride);

/* A tile's kind as its function knows it. */
typedef struct rf_row_shape {
    int width, kernel, stride, rows;
    bool inside;
} rf_row_shape;

/* Makes the compiler forget what it has loaded through a pointer: to keep that for the next channel
 * takes registers that the sums need. */
#define RF_FORGET(pointer) __asm__("" : "+r"(pointer))

/* Which rows of outputs an input row adds to. */
enum { RF_ROW_UPPER = 1, RF_ROW_LOWER = 2 };

/* Pixels that a tile reads of a row. */
RF_INLINE int rf_row_columns(const rf_row_shape is)
{
    return (RF_ROW_PIXELS - 1) * is.stride + is.kernel;
}

RF_INLINE bool rf_row_outside(const rf_row_tile *tile, int64_t column, const rf_row_shape is)
{
    return !is.inside && (uint64_t)column >= (uint64_t)tile->extent;
}

/* Input pixels: the tile's first is pixel `first` of the input, at row[at], the next `step` floats further. */
typedef struct rf_row_input {
    const float *row;
    int64_t at, step, first;
} rf_row_input;

/* One input row of input channel `c` of each group. `weights`: the upper row's; the lower row's lie
 * `back` floats before them. */
RF_INLINE void rf_row_taps(const rf_row_tile *tile, rf_vec *sums, const rf_row_input from, const float *weights,
                           int64_t back, int c, const rf_row_shape is, const int which)
{
    rf_vec w[2][RF_ROW_TAPS];
    RF_UNROLL
    for (int k = 0; k < is.kernel; k++) {
        if (which & RF_ROW_UPPER)
            w[0][k] = rf_load(weights + k * RF_LANES);
        if (which & RF_ROW_LOWER)
            w[1][k] = rf_load(weights - back + k * RF_LANES);
    }
    RF_UNROLL
    for (int j = 0; j < rf_row_columns(is); j++) {
        if (rf_row_outside(tile, from.first + j, is))
            continue;
        const float *pixel = from.row + (from.at + j * from.step);
        rf_vec x = is.width == RF_ROW_WIDE ? rf_set(pixel[c]) : rf_spread(rf_load(pixel), is.width, c);
        RF_UNROLL
        for (int k = 0; k < is.kernel; k++) {
            int p = (j - k) / is.stride;
            if (j < k || (j - k) % is.stride || p >= RF_ROW_PIXELS)
                continue;
            if (which & RF_ROW_UPPER)
                sums[p] += x * w[0][k];
            if (which & RF_ROW_LOWER)
                sums[RF_ROW_PIXELS + p] += x * w[1][k];
        }
    }
}

/* One input row of a group, all of whose channels all outputs see. A few channels are copied first:
 * where pixels lie a power of two apart they push each other out of the first cache. */
RF_INLINE void rf_row_wide(const rf_row_tile *tile, rf_vec *sums, const float *row, int64_t first,
                           const float *weights, int64_t back, const rf_row_shape is, const int which)
{
    float near[((RF_ROW_PIXELS - 1) * 2 + RF_ROW_TAPS) * RF_LANES];
    for (int64_t c = 0; c < tile->channels; c += RF_LANES) {
        int64_t count = tile->channels - c < RF_LANES ? tile->channels - c : RF_LANES;
        for (int j = 0; j < rf_row_columns(is); j++) {
            if (rf_row_outside(tile, first + j, is))
                continue;
            const float *pixel = row + (first + j) * tile->pixel + c;
            rf_store(near + j * RF_LANES, count == RF_LANES ? rf_load(pixel) : rf_load_some(pixel, count));
        }
        const rf_row_input from = {near, 0, RF_LANES, first};
        for (int k = 0; k < count; k++, weights += is.kernel * RF_LANES)
            rf_row_taps(tile, sums, from, weights, back, k, is, which);
    }
}

RF_INLINE void rf_row_channels(const rf_row_tile *tile, rf_vec *sums, const float *row, int64_t first,
                               const float *weights, const rf_row_shape is, const int which)
{
    int64_t back = tile->row_stride * tile->row_weights;
    if (is.width == RF_ROW_WIDE) {
        rf_row_wide(tile, sums, row, first, weights, back, is, which);
        return;
    }
    rf_row_input from = {row, first * tile->pixel, tile->pixel, first};
    RF_UNROLL
    for (int c = 0; c < is.width; c++, weights += is.kernel * RF_LANES) {
        rf_row_taps(tile, sums, from, weights, back, c, is, which);
        RF_FORGET(from.row);
    }
}

/* All taps of one plane. */
RF_INLINE void rf_row_plane(const rf_row_tile *tile, rf_vec *sums, const float *row, int64_t first,
                            const float *weights, const rf_row_shape is)
{
    weights += tile->first_row * tile->row_weights;
    for (int64_t i = tile->first_row; i < tile->end_row; i++) {
        bool upper = is.rows == 1 || i < tile->taps, lower = is.rows == 2 && i >= tile->row_stride;
        if (upper && lower)
            rf_row_channels(tile, sums, row, first, weights, is, RF_ROW_UPPER | RF_ROW_LOWER);
        else if (upper)
            rf_row_channels(tile, sums, row, first, weights, is, RF_ROW_UPPER);
        else if (lower)
            rf_row_channels(tile, sums, row, first, weights, is, RF_ROW_LOWER);
        row += tile->row_step;
        weights += tile->row_weights;
    }
}

RF_INLINE void rf_row_finish_far(const rf_row_tile *tile, float *output, const float *sums, const rf_row_shape is)
{
    rf_tile_rows_out to = {
        .rows = is.inside ? RF_ROW_PIXELS : tile->pixels,
        .outputs = RF_LANES,
        .lanes = RF_LANES,
        .output = output,
        .output_step = tile->output_step,
        .map = tile->map,
    };
    for (int r = 0; r < is.rows; r++, to.output += tile->output_row)
        RF_ISA_NAME(rf_tile_finish)(&to, sums + r * RF_ROW_PIXELS * RF_LANES);
}

RF_INLINE void rf_row_store(const rf_row_tile *tile, rf_vec *sums, int64_t x, const rf_row_shape is)
{
    float *output = tile->output + x * tile->output_step;
    if (tile->residual) {
        const float *residual = tile->residual + x * tile->residual_step;
        RF_UNROLL
        for (int k = 0; k < is.rows * RF_ROW_PIXELS; k++) {
            int r = k / RF_ROW_PIXELS, p = k % RF_ROW_PIXELS;
            if (is.inside || p < tile->pixels)
                sums[k] += rf_load(residual + r * tile->residual_row + p * tile->residual_step);
        }
    }
    const bool done = rf_tile_apply(tile->map, sums, is.rows * RF_ROW_PIXELS);
    float near[RF_ROW_SUMS * RF_LANES];
    float *to = done ? output : near;
    const int64_t step = done ? tile->output_step : RF_LANES, below = done ? tile->output_row : RF_ROW_PIXELS * RF_LANES;
    RF_UNROLL
    for (int k = 0; k < is.rows * RF_ROW_PIXELS; k++) {
        int r = k / RF_ROW_PIXELS, p = k % RF_ROW_PIXELS;
        if (is.inside || p < tile->pixels)
            rf_store(to + r * below + p * step, sums[k]);
    }
    if (!done)
        rf_row_finish_far(tile, output, near, is);
}

RF_INLINE void rf_row_finish(const rf_row_tile *tile, rf_vec *sums, int64_t x, const rf_row_shape is)
{
    if (tile->output) {
        rf_row_store(tile, sums, x, is);
        return;
    }
    RF_UNROLL
    for (int k = 0; k < is.rows * RF_ROW_PIXELS; k++)
        rf_store(tile->sums + k * RF_LANES, sums[k]);
}

/* RF_ROW_PIXELS outputs of each row from x on. */
RF_INLINE void rf_row_pixels(const rf_row_tile *tile, int64_t x, const rf_row_shape is)
{
    rf_vec sums[RF_ROW_SUMS];
    RF_UNROLL
    for (int k = 0; k < is.rows * RF_ROW_PIXELS; k++)
        sums[k] = rf_load(tile->start);
    for (int64_t z = 0; z < tile->planes; z++)
        rf_row_plane(tile, sums, tile->input + z * tile->plane_step, tile->first + x * is.stride,
                     tile->weights + z * tile->plane_weights, is);
    rf_row_finish(tile, sums, x, is);
}

RF_INLINE void rf_row_run(const rf_row_tile *tile, const rf_row_shape is)
{
    if (!is.inside) {
        rf_row_pixels(tile, 0, is);
        return;
    }
    for (int64_t x = 0; x < tile->pixels; x += RF_ROW_PIXELS)
        rf_row_pixels(tile, x, is);
}

/* ---- Depthwise, square and with no row on padding: all weights in registers ---------------------- */

/* Input row `i` of those that the rows of outputs see. */
RF_INLINE void rf_square_row(const rf_row_tile *tile, rf_vec *sums, const rf_vec *w, int64_t first, const int i,
                             const rf_row_shape is)
{
    const int below = is.rows == 2 ? i - is.stride : -1, kernel = is.kernel;
    const float *row = tile->input + i * tile->row_step;
    RF_UNROLL
    for (int j = 0; j < rf_row_columns(is); j++) {
        if (rf_row_outside(tile, first + j, is))
            continue;
        rf_vec x = rf_load(row + (first + j) * tile->pixel);
        RF_UNROLL
        for (int k = 0; k < kernel; k++) {
            int p = (j - k) / is.stride;
            if (j < k || (j - k) % is.stride || p >= RF_ROW_PIXELS)
                continue;
            if (i < kernel)
                sums[p] += x * w[i * kernel + k];
            if (below >= 0)
                sums[RF_ROW_PIXELS + p] += x * w[below * kernel + k];
        }
    }
}

RF_INLINE void rf_square_run(const rf_row_tile *tile, const rf_row_shape is)
{
    rf_vec w[9], sums[RF_ROW_SUMS];
    RF_UNROLL
    for (int k = 0; k < is.kernel * is.kernel; k++)
        w[k] = rf_load(tile->weights + k * RF_LANES);
    for (int64_t x = 0; x < (is.inside ? tile->pixels : 1); x += RF_ROW_PIXELS) {
        RF_UNROLL
        for (int k = 0; k < is.rows * RF_ROW_PIXELS; k++)
            sums[k] = rf_load(tile->start);
        RF_UNROLL
        for (int i = 0; i < is.kernel + (is.rows - 1) * is.stride; i++)
            rf_square_row(tile, sums, w, tile->first + x * is.stride, i, is);
        rf_row_finish(tile, sums, x, is);
    }
}

#endif

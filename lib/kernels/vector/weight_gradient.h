/* SPDX-License-Identifier: MIT */
/*
 * What the maker and the runners of weight gradients agree on.
 *
 * A weight's gradient is a matrix product over all pixels of a batch, with few
 * rows (input channels at a tap) and columns (output channels). Vectors go along
 * output channels; a tile's sums stay in registers over a chunk of pixels that the
 * first cache holds. A unit has a part of the batch, some vectors of output
 * channels and some input channels, with all taps. Which parts there are follows
 * from shapes alone; a second work adds their sums up, in their order.
 *
 * Where input channels are few, a row of taps and its channels are neighbours in
 * memory and make the rows of a tile. Depthwise, there is one input channel, and a
 * tile has the vectors of channels for one tap.
 */
#ifndef RF_KERNELS_VECTOR_WEIGHT_GRADIENT_H
#define RF_KERNELS_VECTOR_WEIGHT_GRADIENT_H

#include "base/checked.h"
#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

enum { RF_WEIGHT_AXES = 3, RF_WEIGHT_PIXELS = 192 };

typedef struct rf_weight_plan {
    rf_window windows[RF_WEIGHT_AXES]; /* axes that the convolution lacks come first */
    int64_t x[RF_WEIGHT_AXES], dy[RF_WEIGHT_AXES]; /* strides */
    int64_t x_image, x_channel, dy_image, dy_channel;
    int64_t to_channel, to_input, to[RF_WEIGHT_AXES]; /* strides of the output */
    int64_t batch, groups, inputs, outputs; /* channels of a group; all of them where depthwise */
    bool depthwise, wide;      /* wide: rows of a tile are the taps of a row too */
    int64_t taps[RF_WEIGHT_AXES]; /* walked one by one: the last is 1 where wide */
    int64_t tap_count, rows;   /* rows of one tap walked */
    int64_t vectors, width;    /* of a panel, and floats */
    int64_t panels, tile_rows, block_rows, blocks; /* blocks of rows, one to a unit */
    int64_t parts;             /* of the batch */
    int64_t part_floats;       /* of the sums of a part */
    int64_t columns, lines, images; /* of a chunk of pixels */
} rf_weight_plan;

/* Pixels of dL/dy of some images of one plane; its channels are next to each other. */
typedef struct rf_weight_chunk {
    int64_t image, images;
    int64_t z, y, y_end, x, x_end;
} rf_weight_chunk;

/* A tile's rows of x, at a tap, times vectors of dL/dy. */
typedef struct rf_weight_tile {
    const float *x, *dy;
    int64_t images, lines, columns;
    int64_t x_image, x_line, x_column;
    int64_t dy_image, dy_line, dy_column;
    int64_t last; /* lanes of the last vector of dL/dy, where depthwise */
    float *sums;  /* are added to, densely */
} rf_weight_tile;

typedef void rf_weight_tile_function(const rf_weight_tile *tile);

/* Tiles of so many rows, as rf_tile_rows() allows; and of x's own channels, one vector of x for one of dL/dy. */
rf_weight_tile_function *RF_ISA_NAME(rf_weight_tile_of)(int64_t rows, int64_t vectors);
rf_weight_tile_function *RF_ISA_NAME(rf_weight_depthwise_of)(int64_t vectors, bool whole);

void RF_ISA_NAME(rf_weight_sum)(const void *plan, const rf_kernel_call *call);
void RF_ISA_NAME(rf_weight_join)(const void *plan, const rf_kernel_call *call);

#endif

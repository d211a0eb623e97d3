/* SPDX-License-Identifier: MIT */
/*
 * A convolution of any kind as the kernels of this folder see it: three axes,
 * ordinary or transposed alike, and its work cut into stretches of rows.
 */
#ifndef RF_KERNELS_WINDOW_LAYER_H
#define RF_KERNELS_WINDOW_LAYER_H

#include "kernels/kernel.h"
#include "kernels/reach.h"

enum { RF_LAYER_AXES = 3 };

typedef struct rf_window_layer {
    rf_reach_axis axes[RF_LAYER_AXES]; /* those that the layer lacks come first */
    int64_t input[RF_LAYER_AXES], output[RF_LAYER_AXES], residual[RF_LAYER_AXES]; /* strides */
    int64_t tap_step[RF_LAYER_AXES];    /* floats of input from a tap to the next, */
    int64_t period_step[RF_LAYER_AXES]; /* and from a period of outputs to the next */
    int64_t batch, input_batch, output_batch, residual_batch;                     /* extent, strides */
    int64_t groups, inputs, outputs; /* channels of a group */
    int64_t taps;                    /* of the whole kernel */
    rf_convolution_spec spec;
    /* How the work is cut; see rf_layer_cut. */
    int64_t blocks, band, segments;
    bool blocks_last;
} rf_window_layer;

/* Where a unit lies: a stretch of some output rows, in periods of its axis, by a block of channels. */
typedef struct rf_layer_spot {
    int64_t batch, block;
    int64_t z, y, rows;
    int64_t segment, begin, end;
} rf_layer_spot;

/* False where channels are not next to each other, or where the arena has no memory. */
bool rf_layer_make(const rf_convolution_spec *spec, rf_arena *arena, rf_window_layer *layer);

/* Cuts the layer into units of `band` rows, for `blocks` blocks of channels whose packed weights take so
 * many bytes in all: what fits the second cache goes by rows, else each block keeps its weights near. */
void rf_layer_cut(rf_window_layer *layer, int64_t blocks, int64_t band, uint64_t packed_bytes, rf_work *work);

rf_layer_spot rf_layer_spot_of(const rf_window_layer *layer, size_t unit);
/* Moves on to the next unit; a division for each unit would take as long as its sums. */
void rf_layer_next(const rf_window_layer *layer, rf_layer_spot *spot);

/* The weight of one tap, scaled. */
float rf_layer_weight(const rf_window_layer *layer, const void *weights, int64_t group, int64_t output, int64_t input,
                      int64_t tap);

#endif

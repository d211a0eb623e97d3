/* SPDX-License-Identifier: MIT */
/*
 * Sums of products over taps and channels, as convolutions and products by a
 * constant matrix share them: a batch axis is an axis with a kernel of 1, and a
 * dense layer a convolution of one tap.
 */
#ifndef RF_KERNELS_VECTOR_DIRECT_CONVOLUTION_H
#define RF_KERNELS_VECTOR_DIRECT_CONVOLUTION_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

/* An axis other than channels. */
typedef struct rf_direct_axis {
    rf_window window;
    int64_t input, output, residual; /* strides in elements */
    int64_t weight;                  /* elements from one tap's weights to the next one's */
} rf_direct_axis;

typedef struct rf_direct_spec {
    int32_t axes; /* the outermost first */
    rf_direct_axis axis[RF_MAX_RANK];
    int64_t channels, outputs;                /* input and output channels */
    int64_t input_channel;                    /* stride of the input's channels */
    int64_t weight_channel, weight_output;    /* strides of the weights */
    bool factors;             /* the last operand has one for each input channel */
    int64_t factor_stride;
    int64_t weight_first;      /* elements to the first tap's weights */
    rf_unpacked unpacked;      /* without weights where they are known only in a run */
    const float *scale;        /* for each output channel, or NULL */
    double alpha;
    int32_t vectors;           /* of outputs in a panel, 1 to 4; 0 for as many as should be fastest */
    rf_epilogue epilogue;      /* outputs and residual have a channel stride of 1 */
} rf_direct_spec;

/* Operands: input, output, residual where there is one. */
bool RF_ISA_NAME(rf_make_direct)(const rf_direct_spec *spec, rf_arena *arena, rf_work *work);

#endif

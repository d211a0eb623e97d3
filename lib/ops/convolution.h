/* SPDX-License-Identifier: MIT */
/* What the convolutions share: of floats, transposed, of integers and of quantised numbers. */
#ifndef RF_OPS_CONVOLUTION_H
#define RF_OPS_CONVOLUTION_H

#include "ops/operands.h"
#include "ops/window.h"

typedef struct rf_convolution_params {
    rf_window_params window;
    int64_t group, filters, bias;
    rf_ints output_padding, output_shape;
} rf_convolution_params;

extern const rf_convolution_params rf_convolution_defaults;

#define RF_CONVOLUTION_ATTRIBUTES                     \
    RF_WINDOW_ATTRIBUTES(rf_convolution_params, window), \
    {"group", RF_ATTRIBUTE_INT, offsetof(rf_convolution_params, group), false}

/* Which inputs hold what. */
typedef struct rf_convolution_operands {
    uint32_t weight, bias; /* RF_MANY: the operator has no bias */
    bool transposed;
} rf_convolution_operands;

/* What `infer` leaves in node->state. */
typedef struct rf_convolution {
    rf_convolution_operands operands;
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;
    bool bias;
    int64_t batch, in_channels, out_channels, group;
} rf_convolution;

/* Checks shapes, fills in node->state and sets output 0, of type `output`. */
rf_status rf_convolution_infer(rf_node *node, rf_convolution_operands operands, rf_dtype output);

void rf_convolution_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links);

bool rf_convolution_cost(const rf_node *node, rf_cost *cost);

/* ---- The reference ---------------------------------------------------------------------- */

/* A sum of products for each output position; whoever asks for it turns sums into elements. */
typedef struct rf_convolve {
    const rf_convolution *shape;
    const rf_value *x, *weight, *output;
    double x_zero;            /* taken off every input element */
    const rf_value *w_zero;   /* NULL, or one or a number for each output channel, taken off its weights */
    const void *context;
    rf_counts *tally;         /* may be NULL */
    void *scratch;            /* of rf_convolve_scratch() bytes */
    /* Stores `count` elements of output channel `channel`, from element `at` of the output. */
    void (*store)(const struct rf_convolve *call, int64_t channel, uint64_t at, double *sums, uint64_t count);
} rf_convolve;

bool rf_convolve_scratch(const rf_node *node, uint64_t *bytes);

void rf_convolve_run(const rf_convolve *call);

#endif

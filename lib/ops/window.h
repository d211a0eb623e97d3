/* SPDX-License-Identifier: MIT */
/*
 * Sliding windows: the one place that knows pads, strides, dilation, output
 * extents, clipped windows and valid taps. Shapes, fields, counts and kernels
 * all ask it. Each function is about one axis.
 */
#ifndef RF_OPS_WINDOW_H
#define RF_OPS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "ops/op.h"

/* One axis of a window operator. Output index i reads stride * i - pad_begin + dilation * t. */
typedef struct rf_window {
    int64_t input, output;  /* extents */
    int64_t kernel, stride, dilation;
    int64_t pad_begin, pad_end;
} rf_window;

/* The attributes that all window operators share. Include it in a parameter struct and
 * RF_WINDOW_ATTRIBUTES(struct, member) in its list. */
typedef struct rf_window_params {
    rf_ints kernel_shape, strides, dilations, pads;
    const char *auto_pad; /* NULL for NOTSET */
} rf_window_params;

#define RF_WINDOW_ATTRIBUTES(type_, member_)                                                        \
    {"kernel_shape", RF_ATTRIBUTE_INTS, offsetof(type_, member_.kernel_shape), false},              \
    {"strides", RF_ATTRIBUTE_INTS, offsetof(type_, member_.strides), false},                        \
    {"dilations", RF_ATTRIBUTE_INTS, offsetof(type_, member_.dilations), false},                    \
    {"pads", RF_ATTRIBUTE_INTS, offsetof(type_, member_.pads), false},                              \
    {"auto_pad", RF_ATTRIBUTE_STRING, offsetof(type_, member_.auto_pad), false}

/* Dilated kernel extent, d * (k - 1) + 1. */
int64_t rf_window_extent(const rf_window *window);

/* How many windows start within the padded input and, without `ceil_mode`, end there too; a last
 * window that would begin in the end padding is left out. 0 where none fits. Neither extent nor
 * strides may be so large that their sum leaves 64 bits. */
int64_t rf_window_count(const rf_window *window, bool ceil_mode);

/*
 * Makes the windows of all spatial axes of a convolution or pool from the attributes and the
 * input's shape [N, C, spatial...], applying auto_pad, and computes their output extents:
 * floor((input + pads - extent) / stride) + 1, or with `ceil_mode` the ceiling, less a last window
 * that would begin in the end padding. `kernel` gives the kernel where it comes from a weight
 * tensor, else NULL. Fails by name for a list of the wrong length, a kernel, stride or dilation
 * below 1, a negative pad, an unknown auto_pad, or an output extent below 1 (0 for an empty input).
 */
rf_status rf_windows_make(const rf_node *node, const rf_window_params *params,
                          const rf_shape *input, const int64_t *kernel, bool ceil_mode,
                          rf_window windows[RF_MAX_SPATIAL], int32_t *axes);

/* The same for a transposed convolution, whose `input` and `output` are those of the operator:
 * input index j writes stride * j - pad_begin + dilation * t.
 * output = stride * (input - 1) + output_padding + extent - pads, or `output_shape`. */
rf_status rf_windows_make_transposed(const rf_node *node, const rf_window_params *params,
                                     const rf_shape *input, const int64_t *kernel,
                                     const rf_ints *output_padding, const rf_ints *output_shape,
                                     rf_window windows[RF_MAX_SPATIAL], int32_t *axes);

/* Taps t0 .. t1-1 of the window at output index i that fall on the input; t0 = t1 for none. */
void rf_window_clip(const rf_window *window, int64_t i, int64_t *t0, int64_t *t1);

/* Taps that fall on the input, summed over all output indices: arithmetic over taps, not pixels.
 * False on overflow. For a transposed window: pairs (j, t) that land inside the output. */
bool rf_window_valid_taps(const rf_window *window, uint64_t *taps);
bool rf_window_valid_taps_transposed(const rf_window *window, uint64_t *taps);

/* Output indices whose window holds at least one input element. Max and average pools divide
 * and compare only there. */
uint64_t rf_window_live_outputs(const rf_window *window);

/* For a transposed window: output indices that at least one input element writes to. Those of a
 * window whose taps overflow 64 bits are not told. */
uint64_t rf_window_covered_outputs(const rf_window *window);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How rows describe derivatives: by more layers.
 *
 * A gradient is a network like any other, so that what plans, runs, counts and
 * bounds networks does so for it too. The walk (training/backward.c) goes
 * through a graph from its end and asks each row for the layers that turn
 * dL/d(outputs) into dL/d(inputs), where L is the sum of all elements of the
 * loss. Tensors go by name, those of the graph's own included.
 *
 * The first failure is kept and later calls do nothing, so rows need not look
 * at what every call returns; the walk does.
 */
#ifndef RF_OPS_GRADIENT_H
#define RF_OPS_GRADIENT_H

#include "ops/op.h"
#include "ops/window.h"

typedef struct rf_gradient rf_gradient;

/* Name of dL/d(output), of the output's shape; NULL where the loss doesn't depend on it. */
const char *rf_gradient_of(const rf_gradient *to, const rf_node *node, uint32_t output);

/* Whether dL/d(input) is wanted: it leads to a parameter, or to another tensor asked for. */
bool rf_gradient_wanted(const rf_gradient *to, const rf_node *node, uint32_t input);

/* States that `name`, of the input's shape, is a part of dL/d(input); parts are added up. */
void rf_gradient_give(rf_gradient *to, const rf_node *node, uint32_t input, const char *name);

/*
 * Adds a layer with one output, which it names and returns. `type` is an operator of the domain
 * "rfield", so of ONNX's newest set or our own. `inputs` ends by NULL and is copied, as is the list
 * `attributes`, ended by one without a name, or NULL; lists and texts in it are copied too.
 */
const char *rf_gradient_layer(rf_gradient *to, const char *type, const char *const *inputs,
                              const rf_attribute *attributes);

/* The layer with no attributes and one input or two. */
const char *rf_gradient_one(rf_gradient *to, const char *type, const char *a);
const char *rf_gradient_two(rf_gradient *to, const char *type, const char *a, const char *b);

/* Constants: a float32 scalar, a matrix by rows, and a list of int64. */
const char *rf_gradient_number(rf_gradient *to, double number);
const char *rf_gradient_matrix(rf_gradient *to, const float *elements, int64_t rows, int64_t columns);
const char *rf_gradient_ints(rf_gradient *to, const int64_t *ints, size_t count);

/* `name` in another shape of as many elements. */
const char *rf_gradient_reshape(rf_gradient *to, const char *name, const rf_shape *shape);

/* The sum of `name`, of shape `from`, over the axes that broadcasting `shape` to it repeats. */
const char *rf_gradient_sum_to(rf_gradient *to, const char *name, const rf_shape *from, const rf_shape *shape);

/* The sum over those axes (bit k: axis k), which stay with extent 1 where `keep`. */
const char *rf_gradient_sum(rf_gradient *to, const char *name, uint32_t axes, bool keep);

/* The mean over those axes, which stay with extent 1. */
const char *rf_gradient_mean(rf_gradient *to, const char *name, uint32_t axes);

/* `name` less its mean over some axes, divided by its deviation there: the root of the variance and `epsilon`. */
typedef struct rf_standard {
    const char *values, *deviation;
    uint32_t axes;
} rf_standard;

rf_standard rf_gradient_standardize(rf_gradient *to, const char *name, uint32_t axes, double epsilon);

/* dL/d(name) from g = dL/d(values): (g - mean(g) - values mean(g values)) / deviation. */
const char *rf_gradient_unstandardize(rf_gradient *to, const rf_standard *of, const char *g);

/* Gives the sum_to() of `name`, which has output 0's shape, to an input that broadcasts to it. */
void rf_gradient_give_broadcast(rf_gradient *to, const rf_node *node, uint32_t input, const char *name);

/* `name` broadcast to a shape. */
const char *rf_gradient_expand(rf_gradient *to, const char *name, const rf_shape *shape);

/* `name`, of that rank, with its last two axes exchanged. */
const char *rf_gradient_transpose(rf_gradient *to, const char *name, int32_t rank);

/* `name` times a number. */
const char *rf_gradient_scale(rf_gradient *to, const char *name, double factor);

/* `name`, of that rank, with zeros before and behind each axis; numbers below 0 crop. */
const char *rf_gradient_pad(rf_gradient *to, const char *name, int32_t rank, const int64_t *begin, const int64_t *end);

/* The attributes that make windows again: kernel_shape, strides, dilations and pads, with room for more. */
typedef struct rf_window_lists {
    int64_t kernel[RF_MAX_SPATIAL], strides[RF_MAX_SPATIAL], dilations[RF_MAX_SPATIAL], pads[2 * RF_MAX_SPATIAL];
    rf_attribute attributes[8]; /* ended by one without a name */
    size_t count;
} rf_window_lists;

void rf_gradient_list_windows(const rf_window *windows, int32_t axes, rf_window_lists *lists);
void rf_gradient_list_int(rf_window_lists *lists, const char *name, int64_t number);
/* `ints` stay where they are. */
void rf_gradient_list_ints(rf_window_lists *lists, const char *name, const int64_t *ints, int32_t count);

/* Gives input 0 the derivative of a function of one element, as the operator Slope knows it: from input 0,
 * or where `of_output` from output 0. `alpha` and `beta` are those of rf_map. */
rf_status rf_gradient_slope(rf_gradient *to, const rf_node *node, const char *function, double alpha, double beta,
                            bool of_output);

/* A row's `gradient` where output 0 holds input 0's elements in the same order. */
rf_status rf_gradient_same(const rf_node *node, rf_gradient *to);

/* Keeps a failure, such as what rf_node_fail() returns, for the walk. */
void rf_gradient_fail(rf_gradient *to, rf_status status);

#endif

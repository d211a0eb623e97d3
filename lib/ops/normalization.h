/* SPDX-License-Identifier: MIT */
/*
 * What normalisations share: the axes that they measure, what measuring costs
 * and its reference.
 *
 * Those that measure their input (instance, group, layer, mean-variance, batch
 * norm in training) take, for a group of m elements: the mean, m - 1 additions
 * and a division; the differences from it, m additions; their squares' mean,
 * m multiplications, m - 1 additions and a division; epsilon, an addition; the
 * root and its reciprocal, a square root and a division; m multiplications by
 * it. In all 3m - 1 additions, 2m multiplications, 3 divisions and a square
 * root. Scale adds m multiplications and bias m additions.
 */
#ifndef RF_OPS_NORMALIZATION_H
#define RF_OPS_NORMALIZATION_H

#include "ops/operands.h"

/* Bit a set: axis a is summed over. */
typedef struct rf_norm_state {
    uint32_t axes;
    int32_t axis;
} rf_norm_state;

/* How messages call the inputs of a normalisation. */
extern const char *const rf_norm_inputs[5];

rf_status rf_norm_take_state(rf_node *node, rf_norm_state **state);

rf_status rf_norm_require_rank(const rf_node *node, const rf_shape *shape, int32_t least);

/* Declares a scale and a bias that no input carries. */
rf_status rf_norm_imply_pair(rf_node *node, const rf_shape *shape);

/* Axes in `axes` are seen whole, others index by index. */
void rf_norm_link_axes(const rf_node *node, uint32_t input, uint32_t axes, rf_link *links);

/* `groups` groups that share `elements` evenly. */
bool rf_norm_cost(uint64_t elements, uint64_t groups, bool scale, bool bias, rf_cost *cost);

/* Groups that the axes outside `axes` number. */
uint64_t rf_norm_outside(const rf_shape *shape, uint32_t axes);

/* ---- References ------------------------------------------------------------------------- */

/* Where epsilon is added. */
typedef enum rf_norm_epsilon {
    RF_EPSILON_TO_VARIANCE,
    RF_EPSILON_TO_ROOT
} rf_norm_epsilon;

/* What was measured of a group; its elements were multiplied by `factor`. */
typedef struct rf_moments {
    double mean, variance, factor;
} rf_moments;

/* Makes the mean of `count` elements, at least one, 0 and their variance about 1. */
rf_moments rf_norm_standardize(double *x, uint64_t count, double epsilon, rf_norm_epsilon where, rf_counts *tally);

/* x * scale + bias, by element `at` of each. */
void rf_norm_affine(double *x, uint64_t count, const rf_value *scale, const rf_value *bias, uint64_t at,
                    rf_counts *tally);

/* Changes group number `group`, which is `x`. */
typedef void (*rf_norm_change)(const rf_node *node, uint64_t group, double *x, uint64_t count);

/* Reads every group that the axes of `shape`, another shape of input 0, make up, in the order of
 * the other axes; changes it and writes it to output 0. Needs rf_norm_scratch() bytes. */
void rf_norm_each_group(const rf_node *node, const rf_shape *shape, uint32_t axes, rf_norm_change change);

bool rf_norm_scratch(const rf_shape *shape, uint32_t axes, uint64_t *bytes);

#endif

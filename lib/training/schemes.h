/* SPDX-License-Identifier: MIT */
/* The elements of one weight, drawn by a scheme. */
#ifndef RF_TRAINING_SCHEMES_H
#define RF_TRAINING_SCHEMES_H

#include <rfield/initialize.h>

#include "base/arena.h"

/* What a tensor is to the layer that reads it. */
typedef enum rf_weight_role {
    RF_ROLE_NONE, /* nothing that could be drawn */
    RF_ROLE_WEIGHT,
    RF_ROLE_BIAS,
    RF_ROLE_ZERO, /* a shift or a mean */
    RF_ROLE_ONE,  /* a scale or a variance */
    RF_ROLE_SLOPE /* of PRelu */
} rf_weight_role;

/* A tensor as `count` matrices, one after the other. */
typedef struct rf_weight_view {
    rf_weight_role role;
    uint64_t count, rows, columns;
    double fan_in, fan_out; /* of a bias: those of its layer's weight; at least 1 */
} rf_weight_view;

/* Fails for a scheme, or a number that it uses, that is out of range. */
rf_status rf_scheme_check(const rf_initialization *how, rf_error *error);

/* Fills `data`, elements of a float type. `name` chooses the stream of random numbers. */
rf_status rf_scheme_fill(const rf_initialization *how, const rf_weight_view *view, const char *name, rf_dtype dtype,
                         void *data, rf_error *error);

#endif

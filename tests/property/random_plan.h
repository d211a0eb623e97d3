/* SPDX-License-Identifier: MIT */
/* Random networks with weights, to be run: every kind of task, in orders that nobody would write. */
#ifndef RF_TESTS_RANDOM_PLAN_H
#define RF_TESTS_RANDOM_PLAN_H

#include <stdbool.h>

#include <rfield/rfield.h>

enum { PLAN_LAYERS = 16, PLAN_TENSORS = 64 };

/* A network that can be run, with all its memory. */
typedef struct random_plan {
    uint64_t state; /* of the random numbers */
    rf_network network;
    rf_tensor input, constants[PLAN_TENSORS], outputs[PLAN_TENSORS];
    rf_layer layers[PLAN_LAYERS];
    const char *inputs[PLAN_LAYERS][8], *names[PLAN_LAYERS][8];
    rf_attribute attributes[PLAN_LAYERS][8];
    int64_t ints[PLAN_LAYERS][6][8];
    char text[PLAN_TENSORS * 2][12];
    rf_tensor tensors[PLAN_TENSORS]; /* that layers may read: names, types, shapes */
    size_t tensor_count, text_count;
} random_plan;

/* Constants that have become inputs after the first, and those that are left. */
typedef struct random_plan_inputs {
    rf_tensor inputs[PLAN_TENSORS], constants[PLAN_TENSORS];
    const void *data[PLAN_TENSORS];
} random_plan_inputs;

/* The same seed gives the same network. */
void random_plan_make(random_plan *plan, uint64_t seed);
void random_plan_free(random_plan *plan);
/* Makes inputs of half of the constants that are floats, weights among them; the description is in `to` then. */
void random_plan_release(random_plan *plan, random_plan_inputs *to);

/* From 0 to count - 1, and from -1 to 1. */
int64_t random_plan_below(random_plan *plan, int64_t count);
float random_plan_float(random_plan *plan);

/* One line for each layer. */
void random_plan_print(const random_plan *plan);

#endif

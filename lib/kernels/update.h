/* SPDX-License-Identifier: MIT */
/* Steps of optimisers on runs of parameters, made for each instruction set, with the same bits from all. */
#ifndef RF_KERNELS_UPDATE_H
#define RF_KERNELS_UPDATE_H

#include <stddef.h>

/* A run of parameters, its gradients and what the optimiser remembers of it. */
typedef struct rf_update_block {
    float *at;
    const float *gradient;
    float *first, *second; /* NULL where the rule has no use for them */
    size_t count;
} rf_update_block;

/* What one step does, gradients being g = scale * gradient + decay * at. */
typedef struct rf_update_rule {
    float scale, decay, rate, momentum;
    float shrink;                /* what AdamW multiplies parameters by before all else */
    float beta1, rest1;          /* of Adam's mean: its share and the gradient's */
    float beta2, rest2;
    float root_scale, epsilon;   /* of Adam's divisor */
} rf_update_rule;

typedef void (*rf_update)(const rf_update_rule *rule, const rf_update_block *block);

typedef struct rf_updates {
    double (*square_sum)(const float *at, size_t count);
    rf_update plain, momentum_1, momentum_2, nesterov, adam;
} rf_updates;

#endif

/* SPDX-License-Identifier: MIT */
/* What pools leave for their reference. */
#ifndef RF_OPS_POOLING_H
#define RF_OPS_POOLING_H

#include "ops/task.h"
#include "ops/window.h"

typedef struct rf_pool_params {
    rf_window_params window;
    int64_t ceil_mode, count_include_pad, storage_order, p;
    rf_ints input_shape; /* of AveragePoolGradient */
} rf_pool_params;

/* In node->state; a pool over whole planes has one axis, which is the plane. */
typedef struct rf_pool {
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;
    uint64_t planes;
} rf_pool;

/* The task of that kind, a pool or its gradient, over the windows in node->state. */
void rf_pool_task(const rf_node *node, rf_task_kind kind, bool average, rf_task *task);

/* The rows' `scratch` and `evaluate`. */
bool rf_pool_scratch(const rf_node *node, uint64_t *bytes);
rf_status rf_pool_max(rf_node *node);
rf_status rf_pool_average(rf_node *node);
rf_status rf_pool_lp(rf_node *node);

/* Those of the gradients by a pool's input: of inputs dL/dy and, for maxima, x. */
bool rf_pool_gradient_scratch(const rf_node *node, uint64_t *bytes);
rf_status rf_pool_max_gradient(rf_node *node);
rf_status rf_pool_average_gradient(rf_node *node);

#endif

/* SPDX-License-Identifier: MIT */
/* A compiled network: what sessions read. */
#ifndef RF_PLAN_MODEL_H
#define RF_PLAN_MODEL_H

#include <rfield/run.h>

#include "plan/plan.h"

struct rf_model {
    rf_plan plan;       /* its graph's arena holds this struct too */
    rf_tensor *inputs, *outputs;
    uint32_t *input_values; /* the graph's number of each input, rising */
    size_t input_count, output_count;
};

/* RF_ERROR_ARGUMENT for an executor that neither compiling nor running could use. */
rf_status rf_executor_check(const rf_executor *executor, rf_error *error);

#endif

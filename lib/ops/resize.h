/* SPDX-License-Identifier: MIT */
/* What Resize and Upsample leave for their reference. */
#ifndef RF_OPS_RESIZE_H
#define RF_OPS_RESIZE_H

#include "ops/op.h"
#include "ops/task.h"

typedef struct rf_resize {
    rf_link *links;
    uint64_t taps[RF_MAX_RANK];
    rf_axis_taps tables[RF_MAX_RANK];
    bool tabled;       /* the tables are there: they are left out where they would be too long */
    bool extrapolates; /* some index of a table is RF_RESAMPLE_OUTSIDE */
    bool passes;       /* no axis is resized */
    bool nearest;
    float outside;     /* what is put there */
} rf_resize;

/* The rows' `evaluate`. */
rf_status rf_resize_evaluate(rf_node *node);

#endif

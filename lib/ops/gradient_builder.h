/* SPDX-License-Identifier: MIT */
/* What a walk that builds a gradient holds, behind what rows see of it (ops/gradient.h). */
#ifndef RF_OPS_GRADIENT_BUILDER_H
#define RF_OPS_GRADIENT_BUILDER_H

#include "base/names.h"
#include "ops/gradient.h"

/* What is known of dL/d(value). */
typedef struct rf_gradient_slot {
    const char *sum; /* of the parts given so far; NULL for none */
    bool wanted;
} rf_gradient_slot;

struct rf_gradient {
    const rf_value *values;  /* of the graph that is walked */
    const rf_names *names;   /* that its tensors have */
    rf_arena *arena;         /* of what is described: it outlives the graph */
    rf_error *error;
    rf_status status;        /* the first failure */
    const rf_node *at;       /* whose row is asked */
    rf_gradient_slot *slots; /* by the numbers of values */
    rf_layer *layers;
    rf_tensor *constants;
    size_t layer_count, layer_room, constant_count, constant_room;
    uint64_t named;
};

/* No layers yet, nothing wanted. */
rf_status rf_gradient_start(rf_gradient *to, const rf_value *values, size_t value_count, const rf_names *names,
                            rf_arena *arena, rf_error *error);

/* As rf_gradient_give(), wanted or not. */
void rf_gradient_give_value(rf_gradient *to, const rf_value *value, const char *name);

#endif

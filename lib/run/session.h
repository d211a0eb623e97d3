/* SPDX-License-Identifier: MIT */
/* What one run at a time writes. */
#ifndef RF_RUN_SESSION_H
#define RF_RUN_SESSION_H

#include <stdatomic.h>

#include <rfield/run.h>

#include "plan/model.h"

/* A reference layer with tensors of its own, since `evaluate` works on a node. */
typedef struct rf_bound_node {
    rf_node node;
    rf_value *values; /* in the order of the step's operands */
    uint32_t count;
} rf_bound_node;

/* The next unit to take of a worker's share of a step; each on a cache line of its own. */
typedef struct rf_crew_share {
    atomic_size_t next;
    char apart[64 - sizeof(atomic_size_t)];
} rf_crew_share;

/* What workers of one run share. */
typedef struct rf_crew {
    rf_crew_share *shares;       /* by step, `share_count` of each: one for each worker but for very many */
    size_t share_count;
    rf_crew_share *done;         /* by step: units, or 1 for a step that is not shared out */
    atomic_size_t open;          /* steps that may be begun as soon as those before are done */
    atomic_bool led, stopped;
    atomic_size_t late;          /* 1 + the step that some have long waited for others to finish; 0 for none */
    atomic_size_t late_workers;  /* that have been waited for */
    _Atomic int64_t last_late;   /* when one was, or will be used again; nanoseconds of a clock, 0 for never */
    _Atomic int64_t fewer_until; /* the same clock */
    size_t fewer;                /* workers not to use until then */
    size_t owners;               /* of shares in the present run */
    rf_status status;
    rf_error *error;
} rf_crew;

struct rf_session {
    const rf_model *model;
    rf_arena arena;         /* holds this struct too */
    rf_executor executor;   /* workers 1 for none */
    char *memory;           /* the tensors, then scratch of references, then of each worker */
    void **pointers;        /* of all operands, step after step */
    size_t *first_pointer;  /* by step */
    rf_bound_node **bound;  /* by step; NULL for kernels */
    void **inputs, **outputs; /* by the model's numbers; NULL while not bound */
    void **own_outputs;     /* memory for outputs that the caller does not bind */
    rf_shape *output_shapes; /* real ones, after a run; of a value that comes out twice, at its first output */
    rf_counts *counts;      /* by step, in a model of references; NULL otherwise */
    bool stale;             /* pointers don't follow the bound buffers yet */
    rf_step_observer observer;
    void *observer_context;
    rf_crew crew;
};

/* The operand's address. NULL for an input that is not bound. */
void *rf_session_address(const rf_session *session, const rf_operand *operand);

#endif

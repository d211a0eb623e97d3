/* SPDX-License-Identifier: MIT */
/* What compiling works on, and what of it a model keeps. */
#ifndef RF_PLAN_PLAN_H
#define RF_PLAN_PLAN_H

#include <rfield/kernels.h>
#include <rfield/run.h>

#include "kernels/kernel.h"
#include "network/graph.h"
#include "plan/strided.h"

#define RF_NO_BUFFER UINT32_MAX

/* Who owns a buffer's memory. */
typedef enum rf_home {
    RF_HOME_ARENA,    /* the session */
    RF_HOME_INPUT,    /* bound by the caller */
    RF_HOME_OUTPUT,   /* bound by the caller, or the session */
    RF_HOME_CONSTANT  /* the network or the model */
} rf_home;

/* Weights in the order that a kernel reads them. */
typedef struct rf_packed {
    const void *memory; /* NULL before rf_weights_finish() */
} rf_packed;

/* Memory in which one or more tensors lie. */
typedef struct rf_buffer {
    rf_home home;
    uint32_t index;       /* which input or output */
    const void *constant;
    uint64_t bytes;
    uint64_t offset;      /* in the session's arena */
    uint32_t first, last; /* the steps between which it must live */
    uint32_t pending;     /* reads still to come, while compiling */
} rf_buffer;

/* Where a tensor lies. */
typedef struct rf_slot {
    uint32_t buffer;
    int64_t start; /* of the first element, in elements */
    rf_strided form;
    rf_dtype dtype;
} rf_slot;

/* An operand of a step. */
typedef struct rf_operand {
    uint32_t buffer;
    uint64_t offset; /* bytes */
} rf_operand;

/* One thing to do in a run: a kernel, or a row's reference. */
typedef struct rf_step {
    const rf_node *node;       /* the layer that it is for */
    const rf_node *reference;  /* the layer to evaluate; NULL for a kernel */
    const char *type, *fused;  /* for reports */
    rf_shape shape;
    rf_work work;              /* of a kernel */
    const rf_packed *packed;   /* NULL with `packed_last`: the last operand is the packed weights */
    bool packed_last;
    rf_operand *operands;      /* of a reference: inputs that are not omitted, then such outputs */
    uint32_t operand_count;
} rf_step;

/* A layer, or several fused into one. */
typedef struct rf_job {
    const rf_node *node;      /* whose inputs and parameters count */
    rf_task task;
    rf_value **inputs;        /* the node's, unless fusion made others */
    uint32_t input_count;
    rf_value *output;         /* output 0 of the last layer fused */
    const rf_value *residual; /* NULL for none */
    const rf_value *factors;  /* of input 0's channels, multiplied as it is read; NULL for none */
    rf_map map;               /* applied last */
    const float *scale, *shift; /* folded in: one for each output channel; NULL for none */
    const char *fused;        /* operators fused, "" for none */
    bool dead;
} rf_job;

/* What the plan knows of a graph's value. */
typedef struct rf_plan_value {
    rf_slot slot;
    bool placed;
    uint32_t readers;     /* jobs that read it, and network outputs */
    int32_t job;          /* that makes it; -1 for none */
    int32_t output;       /* its number among the network's outputs; -1 for none */
    rf_value *host;       /* the concatenation that it is written into; NULL for none */
    int32_t host_axis;
    int32_t host_depth;   /* how many concatenations it lies in, one within the other */
    int64_t host_at;      /* index along that axis */
} rf_plan_value;

typedef struct rf_weights rf_weights;
typedef struct rf_tuner rf_tuner;

/* What prepared weights are made of. */
typedef struct rf_packing {
    size_t layer;              /* number in the graph */
    const void *source;        /* the network's own elements; NULL where they were computed for this model */
    uint64_t source_bytes;     /* of what the kernel reads; 0 where that is not known, or not the network's */
    const float *scale, *bias; /* of each channel; NULL for none */
    size_t channels;
} rf_packing;

typedef struct rf_plan {
    rf_graph *graph;
    rf_arena *arena; /* the graph's */
    const rf_kernels *kernels;
    rf_layout layout; /* of the caller's images */
    bool exact, reference;
    bool bfloat16; /* convolutions and products by constants may round to it */
    rf_tuner *tuner; /* while layers are tuned by trying; else NULL */
    rf_error *error;
    rf_plan_value *values; /* by the graph's numbers */
    rf_job *jobs;
    size_t job_count;
    rf_buffer *buffers;
    size_t buffer_count, buffer_room;
    rf_step *steps;
    size_t step_count, step_room;
    rf_weights *weights;
    uint64_t arena_bytes;  /* of tensors */
    uint64_t worker_bytes; /* scratch of a worker */
    uint64_t reference_bytes; /* scratch of reference layers */
    uint64_t spare_bytes;  /* that the limit leaves beside all of it */
} rf_plan;

static inline rf_plan_value *rf_plan_value_of(const rf_plan *plan, const rf_value *value)
{
    return &plan->values[value - plan->graph->values];
}

static inline bool rf_plan_is_eight_bits(rf_dtype dtype)
{
    return dtype == RF_INT8 || dtype == RF_UINT8;
}

rf_status rf_plan_no_memory(const rf_plan *plan);

/* deferred.c: constants that are known as 8-bit integers, and as floats only once they are computed. */
/* Computes those that some layer reads as floats, as far as the layers around it tell. */
rf_status rf_plan_settle_floats(rf_plan *plan);
/* Computes those that a job still reads after fusion. */
rf_status rf_plan_settle_read(rf_plan *plan);

/* jobs.c: asks the rows; marks what nothing depends on; counts readers. */
rf_status rf_plan_make_jobs(rf_plan *plan);
/* Marks as dead the jobs whose outputs nothing reads, and counts readers anew. */
void rf_plan_count_readers(rf_plan *plan);

/* Whether a value's elements are known and lie along one axis of `output`, or are a single one. */
bool rf_plan_follows_axis(const rf_value *value, const rf_shape *output, int32_t axis);

/* Whether the numbers that a convolution multiplies by and adds are all known. */
bool rf_plan_has_constants(const rf_job *job);

/* fusion.c */
rf_status rf_plan_fuse(rf_plan *plan);
/* The job that makes a value which only one job reads; NULL for none. */
rf_job *rf_plan_only_producer(const rf_plan *plan, const rf_value *value);
/* Adds a layer to those that a job does as well. */
rf_status rf_plan_note_fused(rf_plan *plan, rf_job *job, const rf_node *taken);

/* pads.c */
rf_status rf_plan_fuse_pad(rf_plan *plan, rf_job *job);

/* factors.c */
rf_status rf_plan_fuse_factors(rf_plan *plan, rf_job *job);

/* hosts.c: which tensors are written into the concatenation that reads them. */
void rf_plan_choose_hosts(rf_plan *plan);

/* place.c */
rf_status rf_plan_add_buffer(rf_plan *plan, rf_home home, uint64_t bytes, uint32_t *buffer);
/* The place of a value that is made already, an input or a constant. */
rf_status rf_plan_slot(rf_plan *plan, const rf_value *value, rf_slot *slot);
/* Gives a value its place, in that order where it is free to choose. */
rf_status rf_plan_place(rf_plan *plan, const rf_value *value, rf_axis_order order, rf_slot *slot);
/* Says that a value lies at a place that exists. */
void rf_plan_settle(rf_plan *plan, const rf_value *value, const rf_slot *slot);
/* A buffer for what no value names. */
rf_status rf_plan_temporary(rf_plan *plan, rf_dtype dtype, const rf_strided *form, rf_slot *slot);
/* Notes that a job has read a value. */
void rf_plan_release(rf_plan *plan, const rf_value *value);
/* The form in which the caller hands over a network input or output. */
rf_strided rf_plan_outer_form(const rf_plan *plan, const rf_value *value);

/* step.c */
rf_status rf_plan_add_step(rf_plan *plan, const rf_job *job, const rf_work *work, const rf_slot *slots,
                           uint32_t count);
rf_status rf_plan_add_reference(rf_plan *plan, const rf_job *job);
rf_status rf_plan_add_copy(rf_plan *plan, const rf_job *job, const rf_slot *from, const rf_slot *to);
/* One that only makes ready what a job's own step reads. */
rf_status rf_plan_add_silent_step(rf_plan *plan, const rf_job *job, const rf_work *work, const rf_slot *slots,
                                  uint32_t count);
/* A value's elements row by row without gaps, copied where they don't lie so. */
rf_status rf_plan_dense_slot(rf_plan *plan, const rf_job *job, const rf_value *value, rf_slot *slot);

/* pack_step.c */
/* Whether a kernel's weights are known only in a run: its step's last operand is where they are packed. */
bool rf_plan_is_packed_in_run(const rf_work *work);
/* Adds the step that packs inputs 1 and 2 of a job for `work`. */
rf_status rf_plan_add_packing(rf_plan *plan, const rf_job *job, const rf_work *work, rf_slot *packed);

/* emit_moving.c: jobs that only move elements. */
rf_status rf_plan_emit_moving(rf_plan *plan, const rf_job *job);

/* emit_arithmetic.c: jobs that compute. */
rf_status rf_plan_emit_arithmetic(rf_plan *plan, const rf_job *job);

/* reduce_parts.c: a reduction by two works, with so many floats between them; false where one will do. */
bool rf_plan_reduce_parts(const rf_plan *plan, const rf_reduce_spec *spec, rf_work *first, rf_work *second,
                          int64_t *between);

/* emit_integer.c: sums of products of 8-bit integers. */
bool rf_plan_knows_integer_sum(const rf_integer_sum *sum);
rf_status rf_plan_emit_integer_sum(rf_plan *plan, const rf_job *job);
/* Whether a kernel does the job, by operands without gaps at least. */
rf_status rf_plan_try_integer_sum(rf_plan *plan, const rf_job *job, bool *fits);

/* fuse_levels.c: lets a job that quantises do what comes before it on integers. */
rf_status rf_plan_fuse_levels(rf_plan *plan, rf_job *job);

/* emit.c */
rf_status rf_plan_emit(rf_plan *plan);

/* arena_plan.c: offsets of the arena's buffers, and how large it is. */
rf_status rf_plan_lay_out(rf_plan *plan);

/* packed.c: prepared weights, counted by reference. */
/* Of a graph with so many layers. */
rf_status rf_weights_make(const rf_allocator *allocator, size_t layers, rf_weights **weights, rf_error *error);
rf_weights *rf_weights_keep(rf_weights *weights);
void rf_weights_release(rf_weights *weights);
/* Makes what `with` holds available, and keeps it alive. */
void rf_weights_share(rf_weights *weights, rf_weights *with);
/* What `work` packs: from a model shared with, or to be there after rf_weights_finish(); NULL where there is no
 * memory. */
const rf_packed *rf_weights_pack(rf_weights *weights, const rf_packing *wanted, const rf_work *work);
/* Packs what has been asked for; at most `spare` bytes may be held meanwhile. `executor` and `backing` may be NULL. */
rf_status rf_weights_finish(rf_weights *weights, const rf_executor *executor, const rf_backing *backing,
                            uint64_t spare, rf_error *error);
uint64_t rf_weights_bytes(const rf_weights *weights);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What one axis of a network input looks like from a tensor of the network:
 * the state that the field walk carries forward, in closed form where there is
 * one.
 */
#ifndef RF_ANALYSIS_AXIS_STATE_H
#define RF_ANALYSIS_AXIS_STATE_H

#include "analysis/index_map.h"
#include "ops/op.h"

typedef enum rf_axis_state_kind {
    RF_STATE_FIXED,    /* low .. high for every output index */
    RF_STATE_AFFINE,   /* stride * i + low .. stride * i + high */
    RF_STATE_ENVELOPE, /* lower(i) .. upper(i) */
    RF_STATE_OPAQUE    /* no closed form; low .. high bounds all outputs */
} rf_axis_state_kind;

enum {
    RF_AXIS_NONE = -1,   /* independent of the output index */
    RF_AXIS_TANGLED = -2 /* depends on several axes of the tensor together */
};

typedef struct rf_axis_state {
    rf_axis_state_kind kind;
    int32_t axis;         /* of the tensor, that i counts along; or RF_AXIS_NONE, RF_AXIS_TANGLED */
    bool solid;           /* known to have no holes */
    bool measured;        /* OPAQUE: low, high and sizes are exact; else: `count` and `real` are */
    int64_t stride, low, high;
    int64_t size_min, size_max; /* OPAQUE: smallest and largest interval of any output */
    int64_t count, real;  /* FIXED, AFFINE with holes: positions that count, and those of them in the input */
    const rf_envelope *lower, *upper;
} rf_axis_state;

/* How a tensor that is a network input sees its own axis. */
rf_axis_state rf_state_identity(int32_t axis);

/*
 * The state as seen through an operator: `links` are those of the operator's input whose state is
 * `from`, `in` and `out` the shapes of that input and of the output. What can't be told in closed form
 * becomes opaque; so it does without memory, which the arena's `refused` tells.
 */
void rf_state_through(const rf_axis_state *from, const rf_link *links, const rf_shape *in,
                      const rf_shape *out, rf_arena *arena, rf_axis_state *state);

/* The union of two states of one tensor. `extent` is the network input's along the axis. */
void rf_state_union(const rf_axis_state *a, const rf_axis_state *b, int64_t extent, const rf_shape *shape,
                    rf_arena *arena, rf_axis_state *state);

/* Equal in closed form. */
bool rf_state_same(const rf_axis_state *a, const rf_axis_state *b);

/* Gives up the closed form of a tensor of shape `shape`, keeping outer bounds; what is seen depends
 * on `axis`, or is tangled. */
void rf_state_forget(rf_axis_state *state, const rf_shape *shape, int32_t axis);

/*
 * The same for states that hold for different parts of the tensor (a concatenation along axis
 * `parted`): where they differ, no closed form in one axis is left.
 */
void rf_state_union_of_parts(const rf_axis_state *a, const rf_axis_state *b, int32_t parted, int64_t extent,
                             const rf_shape *shape, rf_arena *arena, rf_axis_state *state);

/* Both depend on the same axis with the same stride and, at each output, the same centre. */
bool rf_state_aligned(const rf_axis_state *a, const rf_axis_state *b);

/* Bounds over all real outputs, and the smallest and largest interval. False on overflow, or where
 * *budget, the number of outputs that may be compared, does not suffice. NULL: 4096. */
bool rf_state_range(const rf_axis_state *state, const rf_shape *shape, uint64_t *budget, rf_range *hull,
                    int64_t *size_min, int64_t *size_max);

/* Whether every output's interval covers 0 .. extent-1. */
bool rf_state_covers(const rf_axis_state *state, const rf_shape *shape, int64_t extent);

#endif

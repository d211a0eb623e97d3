/* SPDX-License-Identifier: MIT */
/*
 * What a random network sees and costs, found by brute force: explicit sets of elements, walked
 * from an output element back to the inputs, and loops that count taps one by one.
 *
 * Written from ONNX's definitions and docs/receptive-fields.md, not from the library's code.
 */
#ifndef RF_TESTS_BRUTE_H
#define RF_TESTS_BRUTE_H

#include <rfield/analysis.h>

#include "random_network.h"

/* An element, or with channel -1 every channel's element at a position. */
typedef struct brute_point {
    int tensor;
    int channel;
    int at[RN_MAX_SPATIAL];
} brute_point;

/* ---- The exact field: real elements only -------------------------------------------------- */

typedef struct brute_exact {
    const rn_network *net;
    double *paths[RN_MAX_TENSORS]; /* from each element of a tensor to the point */
    int elements[RN_MAX_TENSORS];
    bool reached[RN_MAX_TENSORS];  /* paths may hold something else than zeros */
    int *lists;                    /* room for the indices read along each axis */
    uint64_t work;                 /* steps done, for budgets */
} brute_exact;

typedef struct brute_exact_field {
    bool empty;
    rf_range channels, axes[RN_MAX_SPATIAL];
    uint64_t support;
} brute_exact_field;

bool brute_exact_init(brute_exact *brute, const rn_network *net);
void brute_exact_release(brute_exact *brute);
void brute_exact_walk(brute_exact *brute, const brute_point *point);
brute_exact_field brute_exact_answer(const brute_exact *brute, int input);
/* Paths from one position, over all channels. */
double brute_exact_paths(const brute_exact *brute, int input, const int *at);

/* ---- The unclipped field: padding positions are positions ---------------------------------- */

enum { BRUTE_REACH = 1024, BRUTE_WORDS = 2 * BRUTE_REACH / 64 };

/* Indices from -BRUTE_REACH to BRUTE_REACH - 1. */
typedef struct brute_set {
    uint64_t bits[BRUTE_WORDS];
} brute_set;

/* A product of sets, one an axis. A field is a union of them. */
typedef struct brute_box {
    brute_set axes[RN_MAX_RANK];
} brute_box;

typedef struct brute_unclipped {
    const rn_network *net;
    brute_box *boxes[RN_MAX_TENSORS];
    int box_count[RN_MAX_TENSORS];
    bool overflow; /* a set or a list was too small: no answer */
    uint64_t work;
} brute_unclipped;

bool brute_unclipped_init(brute_unclipped *brute, const rn_network *net);
void brute_unclipped_release(brute_unclipped *brute);
/* False where the field is larger than this reference can hold. */
bool brute_unclipped_walk(brute_unclipped *brute, const brute_point *point);
/* The hull along a spatial axis of an input, empty as {0, -1}; *count receives the indices in it. */
rf_range brute_unclipped_answer(const brute_unclipped *brute, int input, int axis, int *count);

/* Whether all paths share stride and centre: 1 or 0, or -1 where that has no plain answer. */
int brute_aligned(const rn_network *net, int input, int tensor);

/*
 * Whether what is seen along one axis depends on the output's index along another, so that a form
 * for each axis alone can only bound it: a Concat along a spatial axis leads to one part or another,
 * where a transposed convolution leaves gaps along one axis nothing is seen along any, a
 * channel that is cut off takes its positions along, and DepthToSpace turns channels, which may see
 * different things, into positions.
 */
bool brute_axes_depend(const rn_network *net, int tensor);

/* Whether any path of layers leads from the input to the tensor. */
bool brute_depends(const rn_network *net, int input, int tensor);

/* ---- Counts ------------------------------------------------------------------------------- */

typedef struct brute_counts {
    rf_counts dense, valid;
    uint64_t parameters;
} brute_counts;

/* What a node costs. */
void brute_count(const rn_network *net, int node, brute_counts *counts);

#endif

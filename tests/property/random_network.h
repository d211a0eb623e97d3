/* SPDX-License-Identifier: MIT */
/*
 * Random networks, valid by construction, from a seed.
 *
 * A network is kept in a form of its own, which the brute-force reference reads, and is turned
 * into a description (rf_network) for the library. The two share no code, so that a mistake in
 * the library's reading of a description cannot hide in the reference.
 */
#ifndef RF_TESTS_RANDOM_NETWORK_H
#define RF_TESTS_RANDOM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rfield/network.h>

enum {
    RN_MAX_RANK = 6,
    RN_MAX_SPATIAL = 3,
    RN_MAX_NODES = 32,
    RN_MAX_TENSORS = 80,
    RN_MAX_NODE_INPUTS = 3,
    RN_MAX_NODE_OUTPUTS = 2
};

typedef enum rn_kind {
    RN_CONV,
    RN_CONV_TRANSPOSE,
    RN_MAX_POOL,
    RN_AVERAGE_POOL,
    RN_RELU,
    RN_ADD,
    RN_MUL,
    RN_CONCAT,
    RN_RESIZE,
    RN_PAD,
    RN_SLICE,
    RN_SPLIT,
    RN_TRANSPOSE,
    RN_GLOBAL_POOL,
    RN_FLATTEN,
    RN_GEMM,
    RN_DEPTH_TO_SPACE,
    RN_SPACE_TO_DEPTH,
    RN_RESHAPE
} rn_kind;

typedef enum rn_border { RN_CONSTANT, RN_EDGE, RN_REFLECT } rn_border;

/* Tensors of the networks' first inputs come first, then what nodes put out, in order. */
typedef struct rn_tensor {
    char name[8];
    int rank;
    int dims[RN_MAX_RANK]; /* [1, channels, spatial...] but between the halves of a shuffle */
    int producer;          /* -1 for an input */
} rn_tensor;

typedef struct rn_node {
    rn_kind kind;
    int inputs[RN_MAX_NODE_INPUTS], input_count;
    int outputs[RN_MAX_NODE_OUTPUTS], output_count;

    /* Windows, one entry a spatial axis. */
    int kernel[RN_MAX_SPATIAL], stride[RN_MAX_SPATIAL], dilation[RN_MAX_SPATIAL];
    int pad_begin[RN_MAX_SPATIAL], pad_end[RN_MAX_SPATIAL], output_padding[RN_MAX_SPATIAL];
    int groups, filters;
    bool bias, ceil_mode;

    /* One entry an axis of the tensor. */
    int start[RN_MAX_RANK], step[RN_MAX_RANK];    /* Slice */
    int before[RN_MAX_RANK], after[RN_MAX_RANK];  /* Pad */
    int scale[RN_MAX_RANK];                       /* Resize */
    int permutation[RN_MAX_RANK];                 /* Transpose */
    rn_border border;                             /* Pad */
    int axis;                                     /* Concat, Split */
    int block;                                    /* DepthToSpace, SpaceToDepth */
    bool column_major;                            /* DepthToSpace in mode CRD */
} rn_node;

typedef struct rn_network {
    uint64_t seed, state;
    int spatial; /* spatial axes of the inputs */
    int input_count, tensor_count, node_count;
    rn_tensor tensors[RN_MAX_TENSORS];
    rn_node nodes[RN_MAX_NODES];
} rn_network;

/* The next random number from 0 to `bound` - 1. */
int rn_random(rn_network *net, int bound);

void rn_make(rn_network *net, uint64_t seed);

/* ONNX's name of a node's operator. */
const char *rn_type(rn_kind kind);

/* The node `last` and all that it depends on, one line each. */
void rn_print(const rn_network *net, int last, FILE *file);

/* The same network as a description. Free it with rn_description_free(). */
typedef struct rn_description rn_description;
rn_description *rn_describe(rn_network *net);
const rf_network *rn_description_network(const rn_description *description);
void rn_description_free(rn_description *description);

/* RF_SEED and RF_CASES from the environment. */
uint64_t rn_environment(const char *name, uint64_t fallback);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a layer is, to a plan: one of a few tasks.
 *
 * More than a hundred operators come down to these, as what they see comes down
 * to ten links. A plan fuses, views and picks kernels by task and never by
 * operator. A task speaks of the node's inputs and outputs by position.
 */
#ifndef RF_OPS_TASK_H
#define RF_OPS_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <rfield/analysis.h>
#include <rfield/network.h>

#include "ops/window.h"

struct rf_value;

/* Functions of one element. `a` and `b` are those of rf_map. */
typedef enum rf_map_function {
    RF_MAP_NONE,         /* x */
    RF_MAP_RELU,         /* x < 0 ? 0 : x; NaN stays */
    RF_MAP_CLIP,         /* a <= x <= b; NaN stays */
    RF_MAP_LEAKY_RELU,   /* x < 0 ? a x : x */
    RF_MAP_SIGMOID,
    RF_MAP_TANH,
    RF_MAP_HARD_SIGMOID, /* max(0, min(1, a x + b)) */
    RF_MAP_HARD_SWISH,   /* x max(0, min(1, x / 6 + 1/2)) */
    RF_MAP_SILU,         /* x sigmoid(x) */
    RF_MAP_ELU,          /* x < 0 ? a (exp(x) - 1) : x */
    RF_MAP_SELU,         /* b (x < 0 ? a (exp(x) - 1) : x) */
    RF_MAP_CELU,         /* max(0, x) + min(0, a (exp(x / a) - 1)) */
    RF_MAP_GELU,         /* x / 2 (1 + erf(x / sqrt 2)) */
    RF_MAP_GELU_TANH,
    RF_MAP_SOFTPLUS,
    RF_MAP_SOFTSIGN,
    RF_MAP_MISH,
    RF_MAP_THRESHOLD,    /* x > a ? x : 0 */
    RF_MAP_ERF,
    RF_MAP_EXP,
    RF_MAP_LOG,
    RF_MAP_SQRT,
    RF_MAP_RECIPROCAL,
    RF_MAP_ABS,
    RF_MAP_NEGATE,
    RF_MAP_FLOOR,
    RF_MAP_CEIL,
    RF_MAP_ROUND,        /* halves to even */
    RF_MAP_SIGN,
    RF_MAP_SIN,
    RF_MAP_COS,
    RF_MAP_AFFINE,       /* a x + b */
    RF_MAP_FUNCTIONS     /* how many there are */
} rf_map_function;

typedef struct rf_map {
    rf_map_function function;
    float a, b;
} rf_map;

/* Functions of two elements, the first from input 0. */
typedef enum rf_pair_function {
    RF_PAIR_ADD,
    RF_PAIR_SUB,
    RF_PAIR_MUL,
    RF_PAIR_DIV,
    RF_PAIR_MIN, /* NaN where either is */
    RF_PAIR_MAX,
    RF_PAIR_POW,
    RF_PAIR_PRELU /* x < 0 ? slope x : x */
} rf_pair_function;

typedef enum rf_reduce_function {
    RF_REDUCE_SUM,
    RF_REDUCE_MEAN,
    RF_REDUCE_MAX, /* NaN where any is */
    RF_REDUCE_MIN,
    RF_REDUCE_SUM_SQUARE,
    RF_REDUCE_L2
} rf_reduce_function;

/* One axis of a resampling: output index i is the sum over t < taps of
 * weights[i * taps + t] * input[indices[i * taps + t]]. */
typedef struct rf_axis_taps {
    int64_t taps;
    const int32_t *indices; /* NULL: the axis passes as it is */
    const float *weights;   /* NULL: all 1 */
} rf_axis_taps;

typedef enum rf_task_kind {
    RF_TASK_NONE,
    RF_TASK_CONVOLUTION, /* of input 0 by input 1, plus input 2 where present; float32 */
    RF_TASK_POOL,        /* float32, or the largest of 8-bit integers; one output */
    RF_TASK_MAP,         /* float32 */
    RF_TASK_PAIR,        /* inputs 0 and 1, broadcast as ONNX does from the right; float32 */
    RF_TASK_SCALE,       /* batch normalisation by constants along axis 1; float32 */
    RF_TASK_MATMUL,      /* float32 */
    RF_TASK_REDUCE,      /* float32; the output's elements in row-major order of the axes kept */
    RF_TASK_SOFTMAX,     /* float32 */
    RF_TASK_RESAMPLE,    /* float32, separable */
    RF_TASK_SLOPE,       /* input 0 times the derivative of a function at input 1, of the same shape; float32 */
    RF_TASK_WEIGHT_GRADIENT, /* of a convolution: from its input, input 0, and input 1 by its output; float32 */
    RF_TASK_POOL_GRADIENT, /* by a pool's input: from input 0 by its output, and its input, input 1, for maxima */
    /* Tasks on integers that stand for (integer - zero point) * scale. */
    RF_TASK_LEVELS,      /* a function of one or two tensors of such 8-bit integers or of float32 */
    RF_TASK_INTEGER_SUM, /* a convolution or matrix product of 8-bit integers by constant ones */
    /* Tasks that only move elements, of any type of whole bytes. */
    RF_TASK_VIEW,        /* output 0 is input 0's elements in row-major order, in another shape */
    RF_TASK_TRANSPOSE,
    RF_TASK_SLICE,
    RF_TASK_EXPAND,      /* input 0 broadcast to output 0's shape */
    RF_TASK_JOIN,        /* all inputs one after the other along an axis */
    RF_TASK_SPLIT,       /* input 0 into all outputs, one after the other along an axis */
    RF_TASK_PAD,         /* by a constant */
    RF_TASK_KINDS
} rf_task_kind;

/* What the elements of a tensor stand for: float32 for themselves, int8 and uint8 for
 * (integer - zero) * scale, a normal number. */
typedef struct rf_levels {
    rf_dtype dtype;
    float scale;
    int32_t zero;
} rf_levels;

/* Sums of products of 8-bit integers less their zero points. What is not `data` is constant; scales and
 * zero points are one number, but those of the weight may be one for each output channel or column. */
typedef struct rf_integer_sum {
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;            /* 0: a matrix product by `weight` [K, N], of any number of rows */
    int64_t groups;
    const struct rf_value *data, *weight;
    const struct rf_value *data_zero, *weight_zero; /* NULL for 0 */
    const struct rf_value *bias;                    /* int32, added to the sums; NULL for none */
    bool weight_transposed;  /* of a matrix product: `weight` is [N, K] */
    const struct rf_value *added; /* float32, times `added_factor` added to what sums stand for; NULL for none */
    double added_factor;
    /* NULL: the sums come out as int32, wrapped around. Else they are scaled back to 8 bits. */
    const struct rf_value *data_scale, *weight_scale, *output_scale, *output_zero;
} rf_integer_sum;

typedef struct rf_task {
    rf_task_kind kind;
    union {
        struct {
            rf_window windows[RF_MAX_SPATIAL]; /* transposed: as rf_windows_make_transposed made them */
            int32_t axes;
            int64_t groups;
            bool transposed;
        } convolution;
        struct {
            rf_window windows[RF_MAX_SPATIAL];
            int32_t axes;
            bool average;           /* else the largest; padding never counts as an element */
            bool count_include_pad; /* average: divide by the taps on the padded input */
        } pool; /* of RF_TASK_POOL_GRADIENT too, whose windows are the pool's */
        rf_map map;
        struct {
            rf_map map;
            bool of_output; /* input 1 is what the function put out: rf_map_slope() */
        } slope;
        struct {
            rf_window windows[RF_MAX_SPATIAL]; /* from input 0 to input 1 */
            int32_t axes;
            int64_t groups;
        } weight_gradient;
        rf_pair_function pair;
        struct {
            const struct rf_value *scale, *shift, *mean, *variance; /* all constants with data */
            float epsilon;
        } scale;
        struct {
            bool transpose_a, transpose_b; /* last two axes; rank 2 then */
            float alpha, beta;             /* alpha A B + beta C */
            /* C is input 2 where present, broadcast to the output; else beta is not used. */
        } matmul;
        struct {
            rf_reduce_function function;
            uint32_t axes; /* bit k: axis k of the input */
        } reduce;
        struct {
            int32_t first, last; /* the sum runs over axes first .. last, both included */
            bool logarithm;
        } softmax;
        rf_axis_taps resample[RF_MAX_RANK]; /* one for each axis of input 0 */
        rf_integer_sum integer_sum;
        struct {
            bool paired; /* of inputs 0 and 1, as by RF_TASK_PAIR; else of input 0 as it is */
            rf_pair_function pair;
            rf_levels inputs[2], output;
            /* Where one tensor of integers becomes float32: by which numbers. An axis above -1 says that
             * there is one for each index along it, and `inputs` has none of them: for weights only. */
            int32_t axis;
            const struct rf_value *scale, *zero;
        } levels;
        struct {
            int32_t axes[RF_MAX_RANK]; /* output axis k is input axis axes[k] */
        } transpose;
        struct {
            int64_t starts[RF_MAX_RANK], steps[RF_MAX_RANK]; /* of every axis of input 0 */
        } slice;
        int32_t axis; /* of RF_TASK_JOIN and RF_TASK_SPLIT */
        struct {
            int64_t begin[RF_MAX_RANK]; /* below 0 crops */
            double value;               /* converted to the tensor's type */
        } pad;
    } as;
} rf_task;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One convolution as both sides of bench_convolutions see it, and a side that is
 * ready to be timed.
 */
#ifndef CONVOLUTION_CASE_H
#define CONVOLUTION_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Square images and kernels, batch 1. */
typedef struct convolution_shape {
    const char *name;
    int64_t groups, channels, extent, outputs, kernel, stride, pad;
} convolution_shape;

/* What is computed: input and output lie as [extent, extent, channels], weights as ONNX orders them. */
typedef struct convolution_case {
    convolution_shape shape;
    int64_t output_extent;
    size_t input_floats, weight_floats, output_floats;
    float *input, *weights, *bias;
} convolution_case;

typedef struct contender contender;

struct contender {
    const char *algorithm; /* alive as long as the contender */
    void *self;
    size_t copies;         /* of all that it reads or writes; run() is told which to use */
    void (*run)(void *self, size_t copy);
    bool (*result)(void *self, float *output); /* of copy 0, as a convolution_case has it */
    void (*free)(void *self);
};

/* Whether the machine has that instruction set. */
bool contender_ours_has(const char *isa);

/* Rfield's own, with the kernels of that instruction set (NULL: the best). False where there are none. */
bool contender_ours(const convolution_case *problem, const char *isa, bool exact, size_t threads, size_t copies,
                    contender *made);

/* OneDNN's, in whatever layouts it likes best. False where it has no such algorithm. */
bool contender_dnnl(const convolution_case *problem, bool winograd, size_t copies, contender *made);

/* Where oneDNN's threads come from OpenMP; false where they don't and `threads` is not 1. */
bool contender_dnnl_threads(size_t threads);

#endif

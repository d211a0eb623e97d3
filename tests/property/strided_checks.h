/* SPDX-License-Identifier: MIT */
/*
 * Tensors of random layouts between pages that fault, and running a kernel on them in every way
 * that a plan may: at once, cut at random units, by any instruction set.
 */
#ifndef RF_TESTS_STRIDED_CHECKS_H
#define RF_TESTS_STRIDED_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel_check_tools.h"

/* True so many times in a hundred. */
bool chance(check_random *random, int64_t percent);
/* About normal in size; with `special`, sometimes zeros, infinities, NaN or far from 1. */
float any_float(check_random *random, bool special);

/* A rank and extents of at most about `most` elements; sometimes an extent is 0. */
void shape_make(check_random *random, int32_t least_rank, int64_t most, rf_strided *shape);

uint64_t shape_count(const rf_strided *shape);

/* A tensor in memory of its own, flush with a page that faults before or after it. */
typedef struct tensor {
    rf_strided at;
    size_t element_bytes;
    char *first;             /* element of index 0 */
    char *span;              /* all bytes from the lowest element to the highest */
    size_t span_bytes;
    check_buffer buffer;
    char *initial;           /* what the span held when it was made */
} tensor;

/* Strides: a random order of the axes with random gaps; where `read`, some are negative, and 0 on
 * axes of `repeat`. Bytes are random. */
tensor tensor_make(check_random *random, const rf_strided *shape, size_t element_bytes, bool read,
                   uint32_t repeat);
void tensor_free(tensor *t);
/* Where an element is, and where it is in `initial`. */
void *tensor_element(const tensor *t, const int64_t index[RF_MAX_RANK]);
const void *tensor_initial(const tensor *t, const int64_t index[RF_MAX_RANK]);
/* Sets all elements by any_float. */
void tensor_fill(check_random *random, tensor *t, bool special);

float float_at(const tensor *t, const int64_t index[RF_MAX_RANK]);
float initial_at(const tensor *t, const int64_t index[RF_MAX_RANK]);

/* As check_near, where a result beyond the largest float may be infinite. */
void near_or_beyond(float got, double expected, double bound, const char *what);

/* Calls `body` for every instruction set that is checked, as often as RF_CASES says. */
void each_case(check_random *random, void (*body)(check_random *, const rf_kernels *, rf_arena *), int cases);

/* Runs all units at once and then in pieces cut at random, in random order: the same bits, and
 * nothing written beside the output's elements. `output` is among the operands, maybe twice. */
void run_work(check_random *random, const rf_work *work, tensor *const *operands, size_t count,
              tensor *output);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A loop nest over strided operands, made as short as the strides allow.
 *
 * Tensors of any rank and layout come down to a few axes once extents of 1 are
 * dropped and axes that follow each other in memory are merged, so that kernels
 * need inner loops for a few patterns only.
 */
#ifndef RF_KERNELS_NEST_H
#define RF_KERNELS_NEST_H

#include "kernels/kernel.h"

enum { RF_NEST_OPERANDS = 3 };

typedef struct rf_nest {
    int32_t rank;
    int64_t dims[RF_MAX_RANK]; /* outermost first */
    int64_t strides[RF_NEST_OPERANDS][RF_MAX_RANK];
} rf_nest;

/* Appends an axis, unless its extent is 1. `strides` has one for each operand. */
void rf_nest_axis(rf_nest *nest, int64_t dim, const int64_t strides[RF_NEST_OPERANDS]);

/* Sorts the axes by an operand's strides, the smallest innermost, and merges them where every
 * operand allows. */
void rf_nest_settle(rf_nest *nest, int32_t by);

/* Settled axes of all dims, which the operands share; sorted by the last one. False where they
 * don't share them or a rank is out of range. */
bool rf_nest_make(rf_nest *nest, int32_t operands, const rf_strided *const list[]);

/* The product of the extents; false on overflow. */
bool rf_nest_elements(const rf_nest *nest, uint64_t *elements);

/* Where a position, counted in row-major order of the nest's axes, lies in an operand. */
int64_t rf_nest_offset(const rf_nest *nest, int32_t operand, uint64_t position);

/* Takes the innermost axis off the nest: returns its extent, 1 with steps of 0 where there is none. */
int64_t rf_nest_take(rf_nest *nest, int64_t steps[RF_NEST_OPERANDS]);

/* A nest cut into units: pieces of the innermost axis, or blocks of rows of it. */
typedef struct rf_tiles {
    rf_nest outer; /* the axes but the innermost two */
    int64_t rows, row_steps[RF_NEST_OPERANDS];
    int64_t count, steps[RF_NEST_OPERANDS]; /* of the innermost axis */
    int64_t row_block, count_block;
    size_t row_blocks, count_blocks;
    size_t units;
    size_t grain;
    uint64_t elements;
} rf_tiles;

/* Units of about `block` elements, a multiple of 64. False where there are too many elements. */
bool rf_tiles_make(rf_tiles *tiles, const rf_nest *nest, int64_t block);

typedef struct rf_tile {
    int64_t rows, count;
    int64_t offsets[RF_NEST_OPERANDS];
} rf_tile;

rf_tile rf_tiles_at(const rf_tiles *tiles, size_t unit);

#endif

/* SPDX-License-Identifier: MIT */
/* A block of a matrix whose elements lie at any steps, copied so that those of a row follow each other. */
#ifndef RF_KERNELS_VECTOR_BLOCK_COPY_H
#define RF_KERNELS_VECTOR_BLOCK_COPY_H

#include "kernels/vector/vector.h"

/*
 * to[r * to_step + c] = from[r * row + c * column] for r < rows and c < columns. Rows are filled up with
 * zeros to whole vectors, for which to_step has room. Steps are in floats; `from` has any alignment.
 */
typedef struct rf_block_copy {
    float *to;
    int64_t to_step;
    const char *from;
    int64_t row, column;
    int64_t rows, columns;
} rf_block_copy;

void RF_ISA_NAME(rf_copy_block)(const rf_block_copy *block);

#endif

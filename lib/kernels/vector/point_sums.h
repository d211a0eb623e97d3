/* SPDX-License-Identifier: MIT */
/*
 * The middle of a bilinear algorithm, Winograd's or Strassen's: for each of its
 * points a product of what inputs and weights have been transformed to.
 *
 * Transformed inputs lie as [point][register tile][vector of channels][row][lane]:
 * what is stored are whole cache lines, and what a register tile reads is one run.
 */
#ifndef RF_KERNELS_VECTOR_POINT_SUMS_H
#define RF_KERNELS_VECTOR_POINT_SUMS_H

#include "kernels/vector/gemm_tile.h"

typedef struct rf_point_sums {
    int64_t points;
    int64_t depth;          /* channels in whole vectors */
    int64_t rows, chunks;   /* rows of a point, shared out to so many register tiles */
    const float *inputs;
    int64_t input_step;     /* floats from a point to the next one */
    float *sums;            /* [point][row][lane] */
    int64_t sums_step;
    int64_t vectors;        /* of a panel */
    const float *weights;   /* of the panel: [point][channel][lane] */
    const float *zeros;     /* a panel's lanes */
    bool last;              /* no other panel's weights come after it */
} rf_point_sums;

static inline int64_t rf_point_chunk_begin(const rf_point_sums *of, int64_t chunk)
{
    return chunk * of->rows / of->chunks;
}

void RF_ISA_NAME(rf_sum_points)(const rf_point_sums *of);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * As many vectors as a vector has lanes, transposed in registers.
 *
 * Interleaving the first half of the rows with the second half moves one bit of
 * the row's number into the lane's; after all of them rows and lanes have changed places.
 */
#ifndef RF_KERNELS_VECTOR_TRANSPOSE_H
#define RF_KERNELS_VECTOR_TRANSPOSE_H

#include "kernels/vector/vector.h"

/* The first and second halves of a and b, lane by lane in turn. */
#if RF_VECTOR_BYTES == 64
#define RF_FIRST_OF_BOTH(a, b)                                                                     \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define RF_SECOND_OF_BOTH(a, b)                                                                    \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif RF_VECTOR_BYTES == 32
#define RF_FIRST_OF_BOTH(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define RF_SECOND_OF_BOTH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define RF_FIRST_OF_BOTH(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define RF_SECOND_OF_BOTH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

RF_INLINE void rf_transpose(rf_vec rows[RF_LANES])
{
    enum { HALF = RF_LANES / 2 };
    rf_vec turned[RF_LANES];
    RF_UNROLL
    for (int bit = 1; bit < RF_LANES; bit *= 2) {
        RF_UNROLL
        for (int i = 0; i < HALF; i++) {
            turned[2 * i] = RF_FIRST_OF_BOTH(rows[i], rows[i + HALF]);
            turned[2 * i + 1] = RF_SECOND_OF_BOTH(rows[i], rows[i + HALF]);
        }
        RF_UNROLL
        for (int i = 0; i < RF_LANES; i++)
            rows[i] = turned[i];
    }
}

#endif

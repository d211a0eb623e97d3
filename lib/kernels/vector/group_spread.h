/* SPDX-License-Identifier: MIT */
/*
 * One input channel of every group, repeated for all outputs of its group:
 * what a convolution in groups narrower than a vector multiplies weights by.
 */
#ifndef RF_KERNELS_VECTOR_GROUP_SPREAD_H
#define RF_KERNELS_VECTOR_GROUP_SPREAD_H

#include "kernels/vector/vector.h"

#define RF_TWICE(k) (k), (k)
#define RF_4_TIMES(k) RF_TWICE(k), RF_TWICE(k)
#define RF_8_TIMES(k) RF_4_TIMES(k), RF_4_TIMES(k)

/* RF_SPREAD_n(x, c): lane l is lane l / n * n + c of x. */
#if RF_VECTOR_BYTES == 64
enum { RF_WIDEST_SPREAD = 8 };
#define RF_SPREAD_2(x, c)                                                                          \
    __builtin_shufflevector(x, x, RF_TWICE(c), RF_TWICE(2 + c), RF_TWICE(4 + c), RF_TWICE(6 + c),  \
                            RF_TWICE(8 + c), RF_TWICE(10 + c), RF_TWICE(12 + c), RF_TWICE(14 + c))
#define RF_SPREAD_4(x, c)                                                                          \
    __builtin_shufflevector(x, x, RF_4_TIMES(c), RF_4_TIMES(4 + c), RF_4_TIMES(8 + c), RF_4_TIMES(12 + c))
#define RF_SPREAD_8(x, c) __builtin_shufflevector(x, x, RF_8_TIMES(c), RF_8_TIMES(8 + c))
#elif RF_VECTOR_BYTES == 32
enum { RF_WIDEST_SPREAD = 4 };
#define RF_SPREAD_2(x, c)                                                                          \
    __builtin_shufflevector(x, x, RF_TWICE(c), RF_TWICE(2 + c), RF_TWICE(4 + c), RF_TWICE(6 + c))
#define RF_SPREAD_4(x, c) __builtin_shufflevector(x, x, RF_4_TIMES(c), RF_4_TIMES(4 + c))
#define RF_SPREAD_8(x, c) (x)
#else
enum { RF_WIDEST_SPREAD = 2 };
#define RF_SPREAD_2(x, c) __builtin_shufflevector(x, x, RF_TWICE(c), RF_TWICE(2 + c))
#define RF_SPREAD_4(x, c) (x)
#define RF_SPREAD_8(x, c) (x)
#endif

#define RF_SPREAD_CASE(width, c) case (width) * 16 + (c): return RF_SPREAD_##width(x, c);

/* Channel `c` of every group of `width` channels: 1, or 2, 4 or 8 up to RF_WIDEST_SPREAD. Both
 * are constants to the compiler. */
RF_INLINE rf_vec rf_spread(rf_vec x, const int width, const int c)
{
    switch (width * 16 + c) {
        RF_SPREAD_CASE(2, 0)
        RF_SPREAD_CASE(2, 1)
        RF_SPREAD_CASE(4, 0)
        RF_SPREAD_CASE(4, 1)
        RF_SPREAD_CASE(4, 2)
        RF_SPREAD_CASE(4, 3)
        RF_SPREAD_CASE(8, 0)
        RF_SPREAD_CASE(8, 1)
        RF_SPREAD_CASE(8, 2)
        RF_SPREAD_CASE(8, 3)
        RF_SPREAD_CASE(8, 4)
        RF_SPREAD_CASE(8, 5)
        RF_SPREAD_CASE(8, 6)
        RF_SPREAD_CASE(8, 7)
    default: return x;
    }
}

#endif

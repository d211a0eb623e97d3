/* SPDX-License-Identifier: MIT */
/* The row tiles of all kinds, each a function of its own: together they would spill registers. */
#include "kernels/vector/row_tile.h"

/* Widths of groups, kernels and strides; depthwise 3x3 by itself. */
#define ROW_STRIDES(ROW, width, kernel) ROW(width, kernel, 1) ROW(width, kernel, 2)
#define ROWS_OF_ALL(ROW)                                                                           \
    ROW_STRIDES(ROW, 1, 5) ROW_STRIDES(ROW, 1, 7) ROW_STRIDES(ROW, 0, 3) ROW_STRIDES(ROW, 0, 5)    \
    ROW_STRIDES(ROW, 2, 3)

#if RF_VECTOR_BYTES == 64
#define ROWS(ROW) ROWS_OF_ALL(ROW) ROW_STRIDES(ROW, 4, 3) ROW_STRIDES(ROW, 8, 3)
#elif RF_VECTOR_BYTES == 32
#define ROWS(ROW) ROWS_OF_ALL(ROW) ROW_STRIDES(ROW, 4, 3)
#else
#define ROWS(ROW) ROWS_OF_ALL(ROW)
#endif

#define DEFINE_TILE(name, width, kernel, stride, rows, inside)                                     \
    static void name##_##rows##_##width##_##kernel##_##stride(const rf_row_tile *tile)             \
    {                                                                                              \
        rf_row_run(tile, (rf_row_shape){width, kernel, stride, rows, inside});                     \
    }

#define DEFINE_SQUARE(name, stride, inside)                                                        \
    static void name##_##stride(const rf_row_tile *tile)                                           \
    {                                                                                              \
        rf_square_run(tile, (rf_row_shape){1, 3, stride, RF_ROW_ROWS, inside});                    \
    }

#if RF_VECTOR_BYTES == 64
#define DEFINE_ROW(width, kernel, stride)                                                          \
    DEFINE_TILE(inside, width, kernel, stride, 1, true)                                            \
    DEFINE_TILE(border, width, kernel, stride, 1, false)                                           \
    DEFINE_TILE(inside, width, kernel, stride, 2, true)                                            \
    DEFINE_TILE(border, width, kernel, stride, 2, false)
#define ROW_ENTRY(width, kernel, stride, ...)                                                      \
    {width, kernel, stride,                                                                        \
     {inside_1_##width##_##kernel##_##stride, inside_2_##width##_##kernel##_##stride},             \
     {border_1_##width##_##kernel##_##stride, border_2_##width##_##kernel##_##stride}, __VA_ARGS__},
#define SQUARE_ENTRY(stride) ROW_ENTRY(1, 3, stride, square_inside_##stride, square_border_##stride)
DEFINE_SQUARE(square_inside, 1, true)
DEFINE_SQUARE(square_border, 1, false)
DEFINE_SQUARE(square_inside, 2, true)
DEFINE_SQUARE(square_border, 2, false)
#else
#define DEFINE_ROW(width, kernel, stride)                                                          \
    DEFINE_TILE(inside, width, kernel, stride, 1, true)                                            \
    DEFINE_TILE(border, width, kernel, stride, 1, false)
#define ROW_ENTRY(width, kernel, stride, ...)                                                      \
    {width, kernel, stride, {inside_1_##width##_##kernel##_##stride},                              \
     {border_1_##width##_##kernel##_##stride}, __VA_ARGS__},
#define SQUARE_ENTRY(stride) ROW_ENTRY(1, 3, stride, NULL, NULL)
#endif
ROW_STRIDES(DEFINE_ROW, 1, 3)
ROWS(DEFINE_ROW)

#define PLAIN_ENTRY(width, kernel, stride) ROW_ENTRY(width, kernel, stride, NULL, NULL)

static const rf_row_kind kinds[] = {SQUARE_ENTRY(1) SQUARE_ENTRY(2) ROWS(PLAIN_ENTRY)};

const rf_row_kind *RF_ISA_NAME(rf_row_of)(int64_t width, int64_t kernel, int64_t stride)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].width == width && kinds[i].kernel == kernel && kinds[i].stride == stride)
            return &kinds[i];
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The row tiles of all kinds, each a function of its own: together they would spill registers. */
#include "kernels/vector/row_tile.h"

/* Widths of groups, kernels and strides. */
#define ROW_STRIDES(ROW, width, kernel) ROW(width, kernel, 1) ROW(width, kernel, 2)
#define ROWS_DEPTHWISE(ROW) ROW_STRIDES(ROW, 1, 3) ROW_STRIDES(ROW, 1, 5) ROW_STRIDES(ROW, 1, 7)

#if RF_VECTOR_BYTES == 64
#define ROWS(ROW)                                                                                  \
    ROWS_DEPTHWISE(ROW) ROW_STRIDES(ROW, 2, 3) ROW_STRIDES(ROW, 4, 3) ROW_STRIDES(ROW, 8, 3)
#elif RF_VECTOR_BYTES == 32
#define ROWS(ROW) ROWS_DEPTHWISE(ROW) ROW_STRIDES(ROW, 2, 3) ROW_STRIDES(ROW, 4, 3)
#else
#define ROWS(ROW) ROWS_DEPTHWISE(ROW) ROW_STRIDES(ROW, 2, 3)
#endif

#define DEFINE_ROW(width, kernel, stride)                                                          \
    static void inside_##width##_##kernel##_##stride(const rf_row_tile *tile)                      \
    {                                                                                              \
        rf_row_run(tile, width, kernel, stride, true);                                             \
    }                                                                                              \
    static void border_##width##_##kernel##_##stride(const rf_row_tile *tile)                      \
    {                                                                                              \
        rf_row_run(tile, width, kernel, stride, false);                                            \
    }
ROWS(DEFINE_ROW)

#define ROW_ENTRY(width, kernel, stride)                                                           \
    {width, kernel, stride, inside_##width##_##kernel##_##stride, border_##width##_##kernel##_##stride},

static const struct row_entry {
    int64_t width, kernel, stride;
    rf_row_function *inside, *border;
} entries[] = {ROWS(ROW_ENTRY)};

rf_row_function *RF_ISA_NAME(rf_row_of)(int64_t width, int64_t kernel, int64_t stride, bool inside)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const struct row_entry *entry = &entries[i];
        if (entry->width == width && entry->kernel == kernel && entry->stride == stride)
            return inside ? entry->inside : entry->border;
    }
    return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The tiles of weight gradients, one function for each size. */
#include "kernels/vector/weight_gradient.h"

#include "kernels/vector/gemm_tile.h"

/* Sums start anew for each chunk and are then added to those before: a tree of two levels. */
RF_INLINE void add_tile(const rf_weight_tile *tile, const int rows, const int vectors)
{
    rf_vec sums[RF_TILE_MAX_SUMS];
    RF_UNROLL
    for (int k = 0; k < rows * vectors; k++)
        sums[k] = rf_set(0);
    for (int64_t n = 0; n < tile->images; n++)
        for (int64_t y = 0; y < tile->lines; y++) {
            const float *x = tile->x + n * tile->x_image + y * tile->x_line;
            const float *dy = tile->dy + n * tile->dy_image + y * tile->dy_line;
            const int64_t x_step = tile->x_column, dy_step = tile->dy_column;
            for (int64_t i = tile->columns; i > 0; i--) {
                rf_tile_step(sums, x, 1, dy, rows, vectors);
                x += x_step;
                dy += dy_step;
            }
        }
    RF_UNROLL
    for (int k = 0; k < rows * vectors; k++)
        rf_store(tile->sums + k * RF_LANES, rf_load(tile->sums + k * RF_LANES) + sums[k]);
}

#define DEFINE_TILE(rows_, vectors_)                                              \
    static void tile_##rows_##x##vectors_(const rf_weight_tile *tile)             \
    {                                                                             \
        add_tile(tile, rows_, vectors_);                                          \
    }
#define TILE_ENTRY(rows_, vectors_) [(vectors_) - 1][(rows_) - 1] = tile_##rows_##x##vectors_,

RF_TILES(DEFINE_TILE)

static rf_weight_tile_function *const tiles[RF_TILE_MAX_VECTORS][RF_TILE_MAX_ROWS] = {RF_TILES(TILE_ENTRY)};

rf_weight_tile_function *RF_ISA_NAME(rf_weight_tile_of)(int64_t rows, int64_t vectors)
{
    return tiles[vectors - 1][rows - 1];
}

/* ---- Depthwise -------------------------------------------------------------------------- */

RF_INLINE rf_vec load_vector(const float *from, int v, const int vectors, int64_t last, const bool whole)
{
    return whole || v < vectors - 1 ? rf_load(from + v * RF_LANES) : rf_load_some(from + v * RF_LANES, last);
}

RF_INLINE void add_channels(const rf_weight_tile *tile, const int vectors, const bool whole)
{
    rf_vec sums[RF_TILE_MAX_VECTORS];
    const int64_t last = tile->last;
    RF_UNROLL
    for (int v = 0; v < vectors; v++)
        sums[v] = rf_set(0);
    for (int64_t n = 0; n < tile->images; n++)
        for (int64_t y = 0; y < tile->lines; y++) {
            const float *x = tile->x + n * tile->x_image + y * tile->x_line;
            const float *dy = tile->dy + n * tile->dy_image + y * tile->dy_line;
            for (int64_t i = 0; i < tile->columns; i++) {
                RF_UNROLL
                for (int v = 0; v < vectors; v++)
                    sums[v] += load_vector(x, v, vectors, last, whole) * load_vector(dy, v, vectors, last, whole);
                x += tile->x_column;
                dy += tile->dy_column;
            }
        }
    RF_UNROLL
    for (int v = 0; v < vectors; v++)
        rf_store(tile->sums + v * RF_LANES, rf_load(tile->sums + v * RF_LANES) + sums[v]);
}

#define DEFINE_CHANNELS(vectors_)                                                 \
    static void whole_##vectors_(const rf_weight_tile *tile)                      \
    {                                                                             \
        add_channels(tile, vectors_, true);                                       \
    }                                                                             \
    static void part_##vectors_(const rf_weight_tile *tile)                       \
    {                                                                             \
        add_channels(tile, vectors_, false);                                      \
    }
DEFINE_CHANNELS(1)
DEFINE_CHANNELS(2)
DEFINE_CHANNELS(3)
DEFINE_CHANNELS(4)

rf_weight_tile_function *RF_ISA_NAME(rf_weight_depthwise_of)(int64_t vectors, bool whole)
{
    static rf_weight_tile_function *const all[][2] = {
        {part_1, whole_1}, {part_2, whole_2}, {part_3, whole_3}, {part_4, whole_4},
    };
    return all[vectors - 1][whole];
}

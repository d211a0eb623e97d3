/* SPDX-License-Identifier: MIT */
#include "kernels/vector/point_sums.h"

void RF_ISA_NAME(rf_sum_points)(const rf_point_sums *of)
{
    const int64_t lanes = of->vectors * RF_LANES, weights = of->depth * lanes;
    rf_tile tile = {.step = RF_LANES, .length = RF_LANES, .start = of->zeros, .weights = of->weights,
                    .output_step = lanes};
    tile.levels[0].count = tile.levels[1].count = tile.levels[2].count = 1;
    tile.levels[3].count = of->depth / RF_LANES;
    tile.levels[3].weights = RF_LANES * lanes;
    for (int64_t point = 0; point < of->points; point++, tile.weights += weights) {
        const float *next = of->last && point + 1 == of->points ? NULL : tile.weights + weights;
        rf_tile_fetching fetching = rf_tile_fetching_of(next, of->depth, of->vectors, of->chunks, false);
        for (int64_t chunk = 0; chunk < of->chunks; chunk++) {
            int64_t begin = rf_point_chunk_begin(of, chunk), rows = rf_point_chunk_begin(of, chunk + 1) - begin;
            tile.input = of->inputs + point * of->input_step + begin * of->depth;
            tile.levels[3].input = rows * RF_LANES;
            tile.output = of->sums + point * of->sums_step + begin * lanes;
            rf_tile_fetch(&tile, &fetching);
            RF_ISA_NAME(rf_tile_of)(rows, of->vectors)(&tile);
        }
    }
}

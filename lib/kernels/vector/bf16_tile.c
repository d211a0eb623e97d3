/* SPDX-License-Identifier: MIT */
/* The tiles of gemm_tile.h with another product, of pairs of bfloat16, and tiles of two short lines. */
#include "kernels/vector/bf16_vector.h"

#define RF_TILE_SPREAD(from) rf_bf16_set(from)
#define RF_TILE_ADD(sum, x, w) rf_bf16_add(sum, x, w)

#include "kernels/vector/bf16_plan.h"

RF_TILES(RF_DEFINE_TILE)

static rf_tile_function *const tiles[RF_TILE_MAX_VECTORS][RF_TILE_MAX_ROWS] = {RF_TILES(RF_TILE_ENTRY)};

rf_tile_function *RF_ISA_NAME(rf_bf16_tile_of)(int64_t rows, int64_t vectors)
{
    return tiles[vectors - 1][rows - 1];
}

/* ---- Two lines ---------------------------------------------------------------------------- */

RF_INLINE void twin_segment(rf_vec *sums, const rf_tile *tile, int64_t jump, const float *input,
                            const float *weights, const float **ahead, const int rows)
{
    enum { VECTORS = RF_BF16_TWIN_VECTORS };
    const int64_t step = tile->step, length = tile->length, ahead_step = tile->ahead_step;
    const float *fetched = *ahead;
    for (int64_t c = 0; c < length; c++, weights += VECTORS * RF_LANES) {
        if (ahead_step) {
            __builtin_prefetch(fetched, 0, 2);
            __builtin_prefetch(fetched + ahead_step / 2, 0, 2);
            fetched += ahead_step;
        }
        rf_tile_step(sums, input + c, step, weights, rows, VECTORS);
        rf_tile_step(sums + rows * VECTORS, input + jump + c, step, weights, rows, VECTORS);
    }
    *ahead = fetched;
}

RF_INLINE void twin_run(const rf_tile *tile, int64_t jump, const int rows)
{
    enum { VECTORS = RF_BF16_TWIN_VECTORS };
    rf_vec sums[RF_TILE_MAX_SUMS];
    const rf_tile_level *levels = tile->levels;
    const float *ahead = tile->ahead;
    rf_tile_fetch_residual(tile, tile->residual, 2 * rows, VECTORS);
    RF_UNROLL
    for (int k = 0; k < 2 * rows * VECTORS; k++)
        sums[k] = rf_load(tile->start + k % VECTORS * RF_LANES);
    for (int64_t i = 0; i < levels[0].count; i++)
        for (int64_t j = 0; j < levels[1].count; j++)
            for (int64_t k = 0; k < levels[2].count; k++)
                for (int64_t t = 0; t < levels[3].count; t++) {
                    int64_t from = i * levels[0].input + j * levels[1].input + k * levels[2].input
                                   + t * levels[3].input;
                    int64_t by = i * levels[0].weights + j * levels[1].weights + k * levels[2].weights
                                 + t * levels[3].weights;
                    twin_segment(sums, tile, jump, tile->input + from, tile->weights + by, &ahead, rows);
                }
    rf_tile_store(tile, tile->output, tile->residual, sums, 2 * rows, VECTORS);
}

#define TWINS(TWIN) TWIN(1) TWIN(2) TWIN(3) TWIN(4) TWIN(5) TWIN(6) TWIN(7)

#define DEFINE_TWIN(rows_)                                                                         \
    static void twin_##rows_(const rf_tile *tile, int64_t jump)                                    \
    {                                                                                              \
        twin_run(tile, jump, rows_);                                                               \
    }
TWINS(DEFINE_TWIN)

#define TWIN_ENTRY(rows_) [(rows_) - 1] = twin_##rows_,

static rf_bf16_twin_function *const twins[RF_BF16_TWIN_ROWS] = {TWINS(TWIN_ENTRY)};

rf_bf16_twin_function *RF_ISA_NAME(rf_bf16_twin_of)(int64_t rows)
{
    return twins[rows - 1];
}

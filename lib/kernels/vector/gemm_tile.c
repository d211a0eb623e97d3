/* SPDX-License-Identifier: MIT */
/* The tiles of all sizes, one function each, so that a loop bound is never looked at in a tile. */
#include "kernels/vector/gemm_tile.h"

#include "base/checked.h"

RF_TILES(RF_DEFINE_TILE)

static rf_tile_function *const tiles[RF_TILE_MAX_VECTORS][RF_TILE_MAX_ROWS] = {RF_TILES(RF_TILE_ENTRY)};

rf_tile_function *RF_ISA_NAME(rf_tile_of)(int64_t rows, int64_t vectors)
{
    return tiles[vectors - 1][rows - 1];
}

int64_t RF_ISA_NAME(rf_tile_rows)(int64_t vectors)
{
    int64_t rows = RF_TILE_MAX_ROWS;
    while (!tiles[vectors - 1][rows - 1])
        rows--;
    return rows;
}

/* About how many cycles a tile takes for one product of each sum, of `depth`; what it takes to begin
 * and to store the sums is shared out over them. */
static double tile_cycles(double rows, double vectors, double depth)
{
    double products = rows * vectors, loads = vectors + 1.4 * rows, latency = 4;
    if (RF_VECTOR_BYTES < 64) {
        products /= 2;
        loads = (vectors + rows) / 2;
    }
    double most = products > loads ? products : loads;
    return (most > latency ? most : latency) + 0.6 + (50 + 2 * rows * vectors) / depth;
}

/* The same for all tiles of a line, with all output channels. */
static double line_cycles(int64_t extent, int64_t outputs, int64_t vectors, double depth)
{
    int64_t columns = rf_div_ceil(outputs, RF_LANES);
    int64_t chunks = rf_div_ceil(extent, RF_ISA_NAME(rf_tile_rows)(vectors));
    double rows = (double)extent / (double)chunks;
    double cycles = (double)(columns / vectors) * tile_cycles(rows, (double)vectors, depth);
    if (columns % vectors)
        cycles += tile_cycles(rows, (double)(columns % vectors), depth);
    return cycles * (double)chunks;
}

int32_t RF_ISA_NAME(rf_tile_choose)(int64_t extent, int64_t outputs, int64_t depth, double *cycles)
{
    const double products = depth > 0 ? (double)depth : 1;
    int32_t best = 1;
    *cycles = line_cycles(extent, outputs, 1, products);
    for (int32_t vectors = 2; vectors <= RF_TILE_MAX_VECTORS; vectors++) {
        double now = line_cycles(extent, outputs, vectors, products);
        if (now > 0.98 * *cycles)
            continue; /* as good: narrower panels share out better and take less of the cache */
        *cycles = now;
        best = vectors;
    }
    return best;
}

/* ---- Epilogues out of tiles --------------------------------------------------------------- */

/* `map.function` is a constant to the compiler, or any. */
RF_INLINE void finish_row(const rf_tile_rows_out *to, float *output, const float *residual, const float *sums,
                          const rf_map map)
{
    int64_t c = 0;
    for (; to->outputs - c >= RF_LANES; c += RF_LANES) {
        rf_vec x = rf_load(sums + c);
        rf_store(output + c, rf_vmap(residual ? x + rf_load(residual + c) : x, map));
    }
    int64_t rest = to->outputs - c;
    if (!rest)
        return;
    rf_vec x = rf_load(sums + c);
    rf_store_some(output + c, rf_vmap(residual ? x + rf_load_some(residual + c, rest) : x, map), rest);
}

RF_INLINE void finish_rows(const rf_tile_rows_out *to, const float *sums, const rf_map map)
{
    float *output = to->output;
    const float *residual = to->residual;
    for (int64_t r = 0; r < to->rows; r++) {
        finish_row(to, output, residual, sums, map);
        output += to->output_step;
        residual = residual ? residual + to->residual_step : NULL;
        sums += to->lanes;
    }
}

void RF_ISA_NAME(rf_tile_finish)(const rf_tile_rows_out *to, const float *sums)
{
    const rf_map map = to->map;
    switch (map.function) {
    case RF_MAP_NONE: finish_rows(to, sums, (rf_map){RF_MAP_NONE, 0, 0}); break;
    case RF_MAP_RELU: finish_rows(to, sums, (rf_map){RF_MAP_RELU, 0, 0}); break;
    case RF_MAP_CLIP: finish_rows(to, sums, (rf_map){RF_MAP_CLIP, map.a, map.b}); break;
    case RF_MAP_HARD_SWISH: finish_rows(to, sums, (rf_map){RF_MAP_HARD_SWISH, 0, 0}); break;
    case RF_MAP_SILU: finish_rows(to, sums, (rf_map){RF_MAP_SILU, 0, 0}); break;
    case RF_MAP_SIGMOID: finish_rows(to, sums, (rf_map){RF_MAP_SIGMOID, 0, 0}); break;
    case RF_MAP_HARD_SIGMOID: finish_rows(to, sums, (rf_map){RF_MAP_HARD_SIGMOID, map.a, map.b}); break;
    case RF_MAP_LEAKY_RELU: finish_rows(to, sums, (rf_map){RF_MAP_LEAKY_RELU, map.a, 0}); break;
    default: finish_rows(to, sums, map);
    }
}

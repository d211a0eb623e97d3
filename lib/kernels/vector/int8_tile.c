/* SPDX-License-Identifier: MIT */
/* Tiles of sums of 8-bit products: a few outputs along a line by a panel of output channels. */
#include "kernels/vector/int8_plan.h"

/* What a tile reads, and the sums that it starts with. */
typedef struct tile {
    const uint8_t *input;
    int64_t step;             /* bytes from an output's input to the next one's */
    const int64_t *offsets;
    int64_t runs, fours, passes;
    const char *weights;
    const uint32_t *start;    /* of a panel's lanes */
    uint32_t *sums;           /* rows of RF_INT8_PANEL */
} tile;

/* A panel's weights always have all vectors; one that none of its outputs is in is left out. */
RF_INLINE void run_tile(const tile *t, const int rows, const int vectors)
{
    rf_uvec sums[RF_INT8_ROWS][RF_INT8_VECTORS];
    const char *w = t->weights;
    RF_UNROLL
    for (int v = 0; v < vectors; v++)
        RF_UNROLL
        for (int r = 0; r < rows; r++)
            sums[r][v] = rf_uload(t->start + v * RF_LANES);
    for (int64_t run = 0; run < t->runs * t->passes; run++) {
        const uint8_t *x = t->input + t->offsets[run];
        for (int64_t four = 0; four < t->fours; four++, x += 4, w += RF_INT8_PANEL * 4) {
            rf_fours weights[RF_INT8_VECTORS];
            RF_UNROLL
            for (int v = 0; v < vectors; v++)
                weights[v] = rf_signed_fours(rf_uload(w + v * RF_VECTOR_BYTES));
            RF_UNROLL
            for (int r = 0; r < rows; r++) {
                rf_fours spread = rf_unsigned_fours(rf_spread_four(x + r * t->step));
                RF_UNROLL
                for (int v = 0; v < vectors; v++)
                    sums[r][v] = rf_add_fours(sums[r][v], spread, weights[v]);
            }
        }
    }
    RF_UNROLL
    for (int r = 0; r < rows; r++)
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            rf_ustore(t->sums + r * RF_INT8_PANEL + v * RF_LANES, sums[r][v]);
}

#define EACH_ROWS_OF_FOUR(X) X(1) X(2) X(3) X(4)
#define EACH_ROWS_OF_TWELVE(X) EACH_ROWS_OF_FOUR(X) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define EACH_ROWS_OF_FOURTEEN(X) EACH_ROWS_OF_TWELVE(X) X(13) X(14)
#if RF_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)
#define EACH_ROWS EACH_ROWS_OF_FOURTEEN
#elif RF_VECTOR_BYTES == 64
#define EACH_ROWS EACH_ROWS_OF_TWELVE
#else
#define EACH_ROWS EACH_ROWS_OF_FOUR
#endif

#define DEFINE_TILES(rows_)                        \
    static void tile_##rows_##_1(const tile *t)    \
    {                                              \
        run_tile(t, rows_, 1);                     \
    }                                              \
    static void tile_##rows_##_2(const tile *t)    \
    {                                              \
        run_tile(t, rows_, 2);                     \
    }
EACH_ROWS(DEFINE_TILES)

typedef void tile_function(const tile *t);

#define TILE_ENTRY(rows_) [(rows_) - 1] = {tile_##rows_##_1, tile_##rows_##_2},
static tile_function *const tiles[RF_INT8_ROWS][RF_INT8_VECTORS] = {EACH_ROWS(TILE_ENTRY)};

/* ---- Storing ---------------------------------------------------------------------------- */

/* Rows of sums to outputs: `count` of the panel's lanes. */
typedef struct storing {
    int64_t rows, count;
    int64_t step; /* elements from a row's outputs to the next one's */
} storing;

static void store_sums(const storing *it, const uint32_t *sums, uint32_t *to)
{
    for (int64_t r = 0; r < it->rows; r++)
        memcpy(to + r * it->step, sums + r * RF_INT8_PANEL, (size_t)it->count * sizeof *sums);
}

static void store_bytes(const storing *it, const uint32_t *sums, const rf_int8_scaling *by, uint8_t *to)
{
    const rf_int8_scaling own = *by; /* what is stored cannot change it */
    for (int64_t r = 0; r < it->rows; r++, to += it->step, sums += RF_INT8_PANEL) {
        int64_t at = 0;
        for (; at + RF_LANES <= it->count; at += RF_LANES) {
            rf_some_bytes bytes = __builtin_convertvector(rf_scale_back(rf_uload(sums + at), &own, at), rf_some_bytes);
            memcpy(to + at, &bytes, sizeof bytes);
        }
        if (at < it->count)
            RF_STORE_LOW_BYTES(to + at, rf_scale_back(rf_uload(sums + at), &own, at), it->count - at);
    }
}

/* ---- Panels ----------------------------------------------------------------------------- */

static void start_sums(const rf_int8_plan *plan, const int32_t *bias, const int32_t *weight_sums, int32_t zero,
                       uint32_t *start)
{
    for (int64_t i = 0; i < rf_int8_lanes(plan); i++)
        start[i] = (uint32_t)bias[i] - (uint32_t)zero * (uint32_t)weight_sums[i];
}

void RF_ISA_NAME(rf_int8_tiles)(const rf_int8_plan *plan, const rf_int8_block *block, int64_t panel,
                                const char *packed, void *output)
{
    uint32_t start[RF_INT8_PANEL], sums[RF_INT8_ROWS * RF_INT8_PANEL];
    const int64_t lane = (block->group * plan->panels + panel) * RF_INT8_PANEL;
    const int64_t tiles_count = rf_div_ceil(block->columns, RF_INT8_ROWS);
    const rf_int8_scaling scaling = {plan->scale + lane, plan->shift + lane, plan->low, plan->high, plan->output_zero};
    storing stored = {.count = rf_min(plan->outputs - panel * RF_INT8_PANEL, RF_INT8_PANEL), .step = plan->out_column};
    const int vectors = (int)rf_div_ceil(stored.count, RF_LANES);
    tile t = {.step = plan->column_step, .offsets = plan->offsets, .runs = plan->runs, .fours = plan->fours,
              .passes = plan->passes, .weights = packed, .start = start, .sums = sums};
    start_sums(plan, plan->bias + lane, (const int32_t *)(const void *)(packed + rf_int8_weight_bytes(plan)),
               block->zero, start);
    for (int64_t row = 0; row < block->rows; row++)
        for (int64_t i = 0, column = 0; i < tiles_count; i++, column += stored.rows) {
            stored.rows = block->columns / tiles_count + (i < block->columns % tiles_count);
            int64_t to = block->image * plan->out_batch + (block->row + row) * plan->out_row
                         + (block->column + column) * plan->out_column + block->group * plan->outputs
                         + panel * RF_INT8_PANEL;
            t.input = block->input + row * block->row_step + column * plan->column_step;
            tiles[stored.rows - 1][vectors - 1](&t);
            if (plan->sums)
                store_sums(&stored, sums, (uint32_t *)output + to);
            else
                store_bytes(&stored, sums, &scaling, (uint8_t *)output + to);
        }
}

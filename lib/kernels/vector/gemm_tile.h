/* SPDX-License-Identifier: MIT */
/*
 * The tile that convolutions and matrix products are made of: a few rows
 * (pixels) by a few vectors of output channels, its sums in registers.
 *
 * A tile accumulates over segments: runs of input floats, one for each row at a
 * fixed step from the row before, against as many rows of a weight panel. Four
 * nested levels of taps say where the segments lie, so no list of them is kept.
 */
#ifndef RF_KERNELS_VECTOR_GEMM_TILE_H
#define RF_KERNELS_VECTOR_GEMM_TILE_H

#include "kernels/vector/epilogue.h"
#include "kernels/vector/vector.h"

enum { RF_TILE_LEVELS = 4 };

typedef struct rf_tile_level {
    int64_t count;
    int64_t input, weights; /* floats from one tap to the next */
} rf_tile_level;

typedef struct rf_tile {
    const float *input, *weights; /* of the first segment */
    int64_t step;                 /* floats from a row to the next */
    int64_t length;               /* floats of a segment in each row */
    rf_tile_level levels[RF_TILE_LEVELS];
    const float *ahead;           /* lines of this are prefetched at each product, or NULL */
    int64_t ahead_step;           /* floats from those of a product to the next one's */
    const float *start;           /* what the sums start from */
    int64_t start_step;           /* 0: the same for all rows */
    float *output;
    const float *residual;        /* or NULL */
    int64_t output_step, residual_step;
    int64_t more;                 /* tiles after it, which fetch nothing ahead */
    int64_t input_apart, output_apart, residual_apart; /* floats from each to the next one */
    int64_t absent;               /* lanes of each row's last vector that are not stored; 0 without RF_HAS_MASKS */
    rf_map map;
} rf_tile;

typedef void rf_tile_function(const rf_tile *tile);

/* The most rows of a tile for each number of vectors, so that all sums stay in registers. */
#if RF_VECTOR_BYTES == 64
#define RF_TILES(ROW)                                                                              \
    ROW(1, 1) ROW(2, 1) ROW(3, 1) ROW(4, 1) ROW(5, 1) ROW(6, 1) ROW(7, 1) ROW(8, 1) ROW(9, 1)       \
    ROW(10, 1) ROW(11, 1) ROW(12, 1) ROW(13, 1) ROW(14, 1)                                         \
    ROW(1, 2) ROW(2, 2) ROW(3, 2) ROW(4, 2) ROW(5, 2) ROW(6, 2) ROW(7, 2) ROW(8, 2) ROW(9, 2)       \
    ROW(10, 2) ROW(11, 2) ROW(12, 2) ROW(13, 2) ROW(14, 2)                                         \
    ROW(1, 3) ROW(2, 3) ROW(3, 3) ROW(4, 3) ROW(5, 3) ROW(6, 3) ROW(7, 3) ROW(8, 3) ROW(9, 3)       \
    ROW(1, 4) ROW(2, 4) ROW(3, 4) ROW(4, 4) ROW(5, 4) ROW(6, 4) ROW(7, 4)
#elif RF_VECTOR_BYTES == 32
#define RF_TILES(ROW)                                                                              \
    ROW(1, 1) ROW(2, 1) ROW(3, 1) ROW(4, 1) ROW(5, 1) ROW(6, 1) ROW(7, 1) ROW(8, 1)                 \
    ROW(1, 2) ROW(2, 2) ROW(3, 2) ROW(4, 2) ROW(5, 2) ROW(6, 2)                                     \
    ROW(1, 3) ROW(2, 3) ROW(3, 3) ROW(4, 3)                                                        \
    ROW(1, 4) ROW(2, 4)
#else
#define RF_TILES(ROW)                                                                              \
    ROW(1, 1) ROW(2, 1) ROW(3, 1) ROW(4, 1) ROW(5, 1) ROW(6, 1) ROW(7, 1) ROW(8, 1)                 \
    ROW(1, 2) ROW(2, 2) ROW(3, 2) ROW(4, 2) ROW(5, 2)                                               \
    ROW(1, 3) ROW(2, 3) ROW(3, 3)                                                                  \
    ROW(1, 4) ROW(2, 4)
#endif

enum { RF_TILE_LINE = 16, RF_TILE_AHEAD = 4096 }; /* floats of a cache line, and of how far ahead a tile reads */
enum { RF_TILE_MAX_ROWS = 14, RF_TILE_MAX_VECTORS = 4, RF_TILE_MAX_SUMS = 28 };

/* Another kind of number brings its own product, and what spreads one of the input over all lanes. */
#ifndef RF_TILE_ADD
#define RF_TILE_SPREAD(from) rf_set(*(from))
#define RF_TILE_ADD(sum, x, w) ((sum) + (x) * (w))
#endif

/* One row of weights against one input float of each row of the tile. */
RF_INLINE void rf_tile_step(rf_vec *sums, const float *input, int64_t step, const float *weights,
                            const int rows, const int vectors)
{
    rf_vec w[RF_TILE_MAX_VECTORS];
    RF_UNROLL
    for (int v = 0; v < vectors; v++)
        w[v] = rf_load(weights + v * RF_LANES);
    RF_UNROLL
    for (int r = 0; r < rows; r++) {
        rf_vec x = RF_TILE_SPREAD(input + r * step);
        RF_UNROLL
        for (int v = 0; v < vectors; v++)
            sums[r * vectors + v] = RF_TILE_ADD(sums[r * vectors + v], x, w[v]);
    }
}

/* Rows of finished sums on their way out. */
typedef struct rf_tile_rows_out {
    int64_t rows, outputs, lanes; /* lanes: floats of a row of sums, at least `outputs` */
    float *output;
    const float *residual;        /* or NULL */
    int64_t output_step, residual_step;
    rf_map map;
} rf_tile_rows_out;

/* Stores map(sum + residual) of each: of any function, also those that would take the registers of a tile's sums. */
void RF_ISA_NAME(rf_tile_finish)(const rf_tile_rows_out *to, const float *sums);

/* Applies a function of few instructions to all sums; false where it isn't one. */
RF_INLINE bool rf_tile_apply(const rf_map map, rf_vec *sums, const int count)
{
    switch (map.function) {
    case RF_MAP_NONE: return true;
    case RF_MAP_RELU:
        RF_UNROLL
        for (int k = 0; k < count; k++)
            sums[k] = rf_at_least(sums[k], rf_set(0.0f));
        return true;
    case RF_MAP_CLIP:
        RF_UNROLL
        for (int k = 0; k < count; k++)
            sums[k] = rf_vbetween(sums[k], map.a, map.b);
        return true;
    case RF_MAP_HARD_SWISH:
        RF_UNROLL
        for (int k = 0; k < count; k++)
            sums[k] *= rf_vbetween(sums[k] * (1.0f / 6) + 0.5f, 0.0f, 1.0f);
        return true;
    default: return false;
    }
}

/* Sums of vector `v` of a row. */
RF_INLINE rf_vec rf_tile_load(const rf_tile *tile, const float *from, const int v, const int vectors)
{
    if (RF_HAS_MASKS && v == vectors - 1)
        return rf_load_some(from, RF_LANES - tile->absent);
    return rf_load(from);
}

RF_INLINE void rf_tile_store(const rf_tile *tile, float *output, const float *residual, rf_vec *sums, const int rows,
                             const int vectors)
{
    if (residual) {
        RF_UNROLL
        for (int k = 0; k < rows * vectors; k++)
            sums[k] += rf_tile_load(tile, residual + k / vectors * tile->residual_step + k % vectors * RF_LANES,
                                    k % vectors, vectors);
    }
    if (!rf_tile_apply(tile->map, sums, rows * vectors)) {
        float near[RF_TILE_MAX_SUMS * RF_LANES];
        RF_UNROLL
        for (int k = 0; k < rows * vectors; k++)
            rf_store(near + k * RF_LANES, sums[k]);
        const rf_tile_rows_out to = {
            .rows = rows,
            .outputs = vectors * RF_LANES - tile->absent,
            .lanes = vectors * RF_LANES,
            .output = output,
            .output_step = tile->output_step,
            .map = tile->map,
        };
        RF_ISA_NAME(rf_tile_finish)(&to, near);
        return;
    }
    const bool some = RF_HAS_MASKS && tile->absent;
    RF_UNROLL
    for (int k = 0; k < rows * vectors; k++) {
        float *to = output + k / vectors * tile->output_step + k % vectors * RF_LANES;
        if (some && k % vectors == vectors - 1)
            rf_store_some(to, sums[k], RF_LANES - tile->absent);
        else
            rf_store(to, sums[k]);
    }
}

/* What is added at the end has time to come while products are made. */
RF_INLINE void rf_tile_fetch_residual(const rf_tile *tile, const float *residual, const int rows, const int vectors)
{
    if (!residual)
        return;
    RF_UNROLL
    for (int r = 0; r < rows; r++) {
        __builtin_prefetch(residual + r * tile->residual_step);
        if (vectors * RF_LANES > RF_TILE_LINE)
            __builtin_prefetch(residual + r * tile->residual_step + RF_TILE_LINE);
    }
}

/* One segment's products. */
RF_INLINE void rf_tile_segment(rf_vec *sums, const rf_tile *tile, const float *input, const float *weights,
                               const float **ahead, const int rows, const int vectors)
{
    const int64_t step = tile->step, length = tile->length, ahead_step = tile->ahead_step;
    const float *fetched = *ahead;
    /* Tiles of few rows wait for weights all the time. */
    const int all = vectors * RF_LANES / RF_TILE_LINE, lines = rows <= 4 && all > 2 ? all : 2;
    for (int64_t c = 0; c < length; c++) {
        if (ahead_step) {
            RF_UNROLL
            for (int line = 0; line < lines; line++)
                __builtin_prefetch(fetched + line * (ahead_step / lines), 0, 2);
            fetched += ahead_step;
        }
        rf_tile_step(sums, input + c, step, weights + c * vectors * RF_LANES, rows, vectors);
    }
    *ahead = fetched;
}

/* All products of a tile, from an input on. */
RF_INLINE void rf_tile_add(rf_vec *sums, const rf_tile *tile, const float *first, const int rows, const int vectors)
{
    const rf_tile_level *levels = tile->levels;
    const float *ahead = tile->ahead;
    for (int64_t i = 0; i < levels[0].count; i++) {
        for (int64_t j = 0; j < levels[1].count; j++) {
            for (int64_t k = 0; k < levels[2].count; k++) {
                const float *input = first + i * levels[0].input + j * levels[1].input + k * levels[2].input;
                const float *weights = tile->weights + i * levels[0].weights + j * levels[1].weights
                                       + k * levels[2].weights;
                for (int64_t t = 0; t < levels[3].count; t++) {
                    rf_tile_segment(sums, tile, input, weights, &ahead, rows, vectors);
                    input += levels[3].input;
                    weights += levels[3].weights;
                }
            }
        }
    }
}

RF_INLINE void rf_tile_run(const rf_tile *tile, const int rows, const int vectors)
{
    const float *input = tile->input, *residual = tile->residual;
    float *output = tile->output;
    for (int64_t left = tile->more;; left--) {
        rf_vec sums[RF_TILE_MAX_SUMS];
        rf_tile_fetch_residual(tile, residual, rows, vectors);
        RF_UNROLL
        for (int k = 0; k < rows * vectors; k++)
            sums[k] = rf_load(tile->start + k / vectors * tile->start_step + k % vectors * RF_LANES);
        rf_tile_add(sums, tile, input, rows, vectors);
        rf_tile_store(tile, output, residual, sums, rows, vectors);
        if (left <= 0)
            return;
        input += tile->input_apart;
        output += tile->output_apart;
        residual = residual ? residual + tile->residual_apart : NULL;
    }
}

/* One function for each size, and their places in a table [vectors - 1][rows - 1]. */
#define RF_DEFINE_TILE(rows_, vectors_)                                                            \
    static void tile_##rows_##x##vectors_(const rf_tile *tile)                                     \
    {                                                                                              \
        rf_tile_run(tile, rows_, vectors_);                                                        \
    }
#define RF_TILE_ENTRY(rows_, vectors_) [(vectors_) - 1][(rows_) - 1] = tile_##rows_##x##vectors_,

/*
 * Weights come from memory that a run has last seen a run ago: the first tiles that use a panel fetch,
 * a share each, the panel that is used after it.
 */
typedef struct rf_tile_fetching {
    const float *next;
    int64_t shares, share, step; /* how many there are, floats of one, and of one product */
    int64_t own_step;            /* floats of a product where the first tile fetches what it uses itself; else 0 */
    int64_t number;              /* of the next tile among those that use the panel */
} rf_tile_fetching;

/* `next` may be NULL. The panel has `depth` rows; `tiles` use the present one, the first of which fetches its
 * `own` weights where none did before. */
RF_INLINE rf_tile_fetching rf_tile_fetching_of(const float *next, int64_t depth, int64_t vectors, int64_t tiles,
                                               bool own)
{
    rf_tile_fetching of = {.next = next, .own_step = own ? vectors * RF_LANES : 0};
    if (!next)
        return of;
    of.step = vectors * RF_LANES;
    for (of.shares = 1; 2 * of.shares <= tiles && of.shares < RF_TILE_LINE; of.step /= 2)
        of.shares *= 2;
    of.share = depth * of.step;
    return of;
}

/* Gives the next tile, whose weights are set, its share. */
RF_INLINE void rf_tile_fetch(rf_tile *tile, rf_tile_fetching *fetching)
{
    int64_t number = fetching->number++;
    bool some = number < fetching->shares;
    tile->ahead = some ? fetching->next + number * fetching->share : NULL;
    tile->ahead_step = some ? fetching->step : 0;
    if (number > 0 || !fetching->own_step)
        return;
    tile->ahead = tile->weights + RF_TILE_AHEAD;
    tile->ahead_step = fetching->own_step;
}

/* The tile of that size. */
rf_tile_function *RF_ISA_NAME(rf_tile_of)(int64_t rows, int64_t vectors);

/* The most rows of a tile so many vectors wide. */
int64_t RF_ISA_NAME(rf_tile_rows)(int64_t vectors);

/* How many vectors of `outputs` channels to take at once for lines of `extent` rows of `depth` products; about how
 * many cycles a product of each sum of a line then takes. */
int32_t RF_ISA_NAME(rf_tile_choose)(int64_t extent, int64_t outputs, int64_t depth, double *cycles);

#endif

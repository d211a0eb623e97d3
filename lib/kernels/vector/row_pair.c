/* SPDX-License-Identifier: MIT */
#include "kernels/vector/row_pair.h"

#if RF_VECTOR_BYTES == 64

enum { TAPS = 3 };

/* One input pixel, times the weights by which the outputs of both rows see it. */
RF_INLINE void add_pixel(rf_vec *sums, rf_vec x, const rf_vec *w, const int row, const int j, const int stride)
{
    RF_UNROLL
    for (int o = 0; o < 2; o++) {
        const int tap = row - o * stride;
        if (tap < 0 || tap >= TAPS)
            continue;
        RF_UNROLL
        for (int k = 0; k < TAPS; k++)
            if (j >= k && (j - k) % stride == 0 && (j - k) / stride < RF_ROW_PIXELS)
                sums[o * RF_ROW_PIXELS + (j - k) / stride] += x * w[tap * TAPS + k];
    }
}

RF_INLINE void add_row(const rf_row_pair *pair, rf_vec *sums, const rf_vec *w, const int row, const int stride,
                       const bool inside)
{
    const float *from = pair->rows[row] + pair->first * pair->pixel;
    RF_UNROLL
    for (int j = 0; j < (RF_ROW_PIXELS - 1) * stride + TAPS; j++)
        if (inside || (uint64_t)(pair->first + j) < (uint64_t)pair->extent)
            add_pixel(sums, rf_load(from + j * pair->pixel), w, row, j, stride);
}

static void map_stored(const rf_row_pair *pair)
{
    rf_tile stored = {.output = pair->output, .output_step = pair->output_step, .map = pair->map};
    for (int o = 0; o < 2; o++, stored.output += pair->output_row)
        RF_ISA_NAME(rf_tile_map)(&stored, pair->pixels, 1);
}

RF_INLINE void store(const rf_row_pair *pair, rf_vec *sums, const bool inside)
{
    if (pair->residual) {
        RF_UNROLL
        for (int k = 0; k < RF_PAIR_SUMS; k++)
            if (inside || k % RF_ROW_PIXELS < pair->pixels)
                sums[k] += rf_load(pair->residual + k / RF_ROW_PIXELS * pair->residual_row
                                   + k % RF_ROW_PIXELS * pair->residual_step);
    }
    bool done = rf_tile_apply(pair->map, sums, RF_PAIR_SUMS);
    RF_UNROLL
    for (int k = 0; k < RF_PAIR_SUMS; k++)
        if (inside || k % RF_ROW_PIXELS < pair->pixels)
            rf_store(pair->output + k / RF_ROW_PIXELS * pair->output_row + k % RF_ROW_PIXELS * pair->output_step,
                     sums[k]);
    if (!done)
        map_stored(pair);
}

RF_INLINE void run(const rf_row_pair *pair, const int stride, const bool inside)
{
    rf_vec sums[RF_PAIR_SUMS], w[TAPS * TAPS];
    RF_UNROLL
    for (int k = 0; k < TAPS * TAPS; k++)
        w[k] = rf_load(pair->weights + k * RF_LANES);
    RF_UNROLL
    for (int k = 0; k < RF_PAIR_SUMS; k++)
        sums[k] = rf_load(pair->start);
    RF_UNROLL
    for (int row = 0; row < stride + TAPS; row++)
        if (pair->rows[row])
            add_row(pair, sums, w, row, stride, inside);
    if (pair->output) {
        store(pair, sums, inside);
        return;
    }
    RF_UNROLL
    for (int k = 0; k < RF_PAIR_SUMS; k++)
        rf_store(pair->sums + k * RF_LANES, sums[k]);
}

/* Functions of their own: together they would spill registers. */
static void inside_1(const rf_row_pair *pair)
{
    run(pair, 1, true);
}

static void border_1(const rf_row_pair *pair)
{
    run(pair, 1, false);
}

static void inside_2(const rf_row_pair *pair)
{
    run(pair, 2, true);
}

static void border_2(const rf_row_pair *pair)
{
    run(pair, 2, false);
}

rf_row_pair_function *RF_ISA_NAME(rf_row_pair_of)(int64_t stride, bool inside)
{
    if (stride == 1)
        return inside ? inside_1 : border_1;
    if (stride == 2)
        return inside ? inside_2 : border_2;
    return NULL;
}

#else

/* Too few registers. */
rf_row_pair_function *RF_ISA_NAME(rf_row_pair_of)(int64_t stride, bool inside)
{
    (void)stride;
    (void)inside;
    return NULL;
}

#endif

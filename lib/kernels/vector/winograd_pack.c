/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of Winograd's convolution: the bias, padded to whole
 * panels, then zeros, then for each panel of output channels
 * [point][input channel][lane]. They are transformed in double and rounded once.
 *
 * Arithmetic is the smaller part: packed weights are several times as large as the
 * file's, so what is written goes past the cache, and all is done by whole vectors.
 * A point's weights lie far from the next point's: memory takes a few channels' together
 * twice as fast as vector by vector, so that they are put together in a cache first.
 */
#include "kernels/vector/winograd_plan.h"

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/transpose.h"

enum {
    SIDE = RF_WINOGRAD_TAPS, /* taps along an axis, at most */
    MOST_TAPS = SIDE * SIDE,
    CHANNELS = 16,          /* read together for each output channel, at most: whole vectors of taps */
    RUN = CHANNELS * 9,     /* taps of them, at most */
    TOGETHER = 4,           /* channels whose transformed weights are written together, at most */
    POINTS = 128,           /* of those, at most, for each output channel: some systems have small stacks */
    LANES = RF_TILE_MAX_VECTORS * RF_LANES,
    HALF = RF_LANES / 2
};

typedef double doubles __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef float half_vector __attribute__((vector_size(RF_VECTOR_BYTES / 2), may_alias));

typedef struct packing {
    const rf_winograd_plan *plan;
    bool near;                     /* weights that are used at once stay in the caches */
    const char *weights;           /* of the panel's first output channel, at any alignment; reversed: all */
    int64_t first, outputs, lanes; /* output channels of the panel */
    float *to;
    double matrix[2][RF_WINOGRAD_POINTS][SIDE];
    double factors[LANES];
    rf_vec taps[RUN][RF_TILE_MAX_VECTORS]; /* of some input channels, lane by lane */
    rf_vec points[POINTS * RF_TILE_MAX_VECTORS]; /* of fewer, as they are packed */
} packing;

/* ---- Reading ---------------------------------------------------------------------------- */

static const char *weights_at(const packing *at, int64_t lane, int64_t element)
{
    return at->weights + (lane * at->plan->spec.input.dims[1] * at->plan->taps + element) * (int64_t)sizeof(float);
}

/* The same where weights are [C_in, C_out, taps] and taps go from the last to the first. */
static const char *reversed_at(const packing *at, int64_t lane, int64_t element)
{
    const int64_t taps = at->plan->taps;
    int64_t row = element / taps * at->plan->spec.output.dims[1] + at->first + lane;
    return at->weights + (row * taps + taps - 1 - element % taps) * (int64_t)sizeof(float);
}

/* A vector of output channels by a vector of taps. */
static void read_block(packing *at, int64_t element, int64_t row, int64_t v)
{
    int64_t outputs = rf_min(at->outputs - v * RF_LANES, RF_LANES);
    rf_vec rows[RF_LANES];
    for (int64_t r = 0; r < outputs; r++) {
        const char *from = weights_at(at, v * RF_LANES + r, element + row);
        memcpy(&rows[r], from, sizeof rows[r]);
        __builtin_prefetch(from + RUN * sizeof(float));
    }
    for (int64_t r = outputs; r < RF_LANES; r++)
        rows[r] = (rf_vec){0};
    rf_transpose(rows);
    for (int r = 0; r < RF_LANES; r++)
        at->taps[row + r][v] = rows[r];
}

/* One tap of all output channels. */
static void read_row(packing *at, int64_t element, int64_t row)
{
    float lanes[LANES] = {0};
    bool reversed = at->plan->spec.reversed;
    for (int64_t lane = 0; lane < at->outputs; lane++)
        memcpy(lanes + lane, reversed ? reversed_at(at, lane, element + row) : weights_at(at, lane, element + row),
               sizeof *lanes);
    memcpy(at->taps[row], lanes, sizeof lanes);
}

static void read_channels(packing *at, int64_t begin, int64_t end)
{
    const int64_t first = begin * at->plan->taps, rows = (end - begin) * at->plan->taps;
    const int64_t whole = at->plan->spec.reversed ? 0 : rows / RF_LANES * RF_LANES;
    for (int64_t v = 0; v < at->lanes / RF_LANES; v++)
        for (int64_t row = 0; row < whole; row += RF_LANES)
            read_block(at, first, row, v);
    for (int64_t row = whole; row < rows; row++)
        read_row(at, first, row);
}

/* ---- Transforming ----------------------------------------------------------------------- */

#ifndef RF_NARROW
#define RF_NARROW(a, b) narrow(a, b)

static rf_vec narrow(doubles a, doubles b)
{
    float lanes[RF_LANES];
    for (int i = 0; i < HALF; i++) {
        lanes[i] = (float)a[i];
        lanes[i + HALF] = (float)b[i];
    }
    return rf_load(lanes);
}
#endif

/* The sum of taps, each some vectors after the one before it, by their factors. */
RF_INLINE doubles mix(const double *factors, const doubles *taps, const int step, const int count)
{
    doubles sum = factors[0] * taps[0];
    for (int i = 1; i < count; i++)
        sum += factors[i] * taps[i * step];
    return sum;
}

/* The halves of the taps of one input channel and a vector of output channels. */
RF_INLINE void widen(const packing *at, int64_t row, int64_t v, doubles taps[2][MOST_TAPS], const int count)
{
    for (int h = 0; h < 2; h++) {
        doubles factors;
        memcpy(&factors, at->factors + v * RF_LANES + h * HALF, sizeof factors);
        for (int tap = 0; tap < count; tap++) {
            const half_vector *half = (const half_vector *)&at->taps[row + tap][v] + h;
            taps[h][tap] = factors * __builtin_convertvector(*half, doubles);
        }
    }
}

/* `step` floats lie between a point's weights and the next one's. */
RF_INLINE void transform(const packing *at, int64_t row, int64_t v, float *to, int64_t step, const int down,
                         const int across)
{
    const rf_winograd_plan *plan = at->plan;
    doubles taps[2][MOST_TAPS], rows[2][SIDE];
    widen(at, row, v, taps, down * across);
    for (int64_t y = 0; y < plan->points[0]; y++) {
        for (int x = 0; x < across; x++)
            for (int h = 0; h < 2; h++)
                rows[h][x] = mix(at->matrix[0][y], taps[h] + x, across, down);
        for (int64_t x = 0; x < plan->points[1]; x++, to += step) {
            doubles a = mix(at->matrix[1][x], rows[0], 1, across), b = mix(at->matrix[1][x], rows[1], 1, across);
            rf_store(to, RF_NARROW(a, b));
        }
    }
}

/* The most frequent kernel has code of its own. */
static void transform_vector(const packing *at, int64_t row, int64_t v, float *to, int64_t step)
{
    const rf_window *windows = at->plan->spec.windows;
    const int down = (int)windows[0].kernel, across = (int)windows[1].kernel;
    if (down == 3 && across == 3)
        transform(at, row, v, to, step, 3, 3);
    else
        transform(at, row, v, to, step, down, across);
}

/* Some channels, the first of which is number `row` / taps of those that were read. */
static void transform_all(packing *at, int64_t row, int64_t channels, float *to, int64_t step)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t v = 0; v < at->lanes / RF_LANES; v++)
            transform_vector(at, row + c * at->plan->taps, v, to + c * at->lanes + v * RF_LANES, step);
}

/* The same past the caches. */
static void stream_all(packing *at, int64_t row, int64_t channels, float *to, int64_t step)
{
    const int64_t floats = channels * at->lanes;
    const rf_vec *from = at->points;
    transform_all(at, row, channels, (float *)at->points, floats);
    for (int64_t point = 0; point < at->plan->point_count; point++, to += step)
        for (int64_t i = 0; i < floats; i += RF_LANES)
            RF_STREAM(to + i, *from++);
}

static void pack_channels(packing *at)
{
    const rf_winograd_plan *plan = at->plan;
    const int64_t channels = plan->spec.input.dims[1], read = rf_min(CHANNELS, RUN / plan->taps);
    const int64_t together = rf_min(TOGETHER, POINTS / plan->point_count);
    for (int64_t begin = 0; begin < channels; begin += read) {
        int64_t end = rf_min(begin + read, channels);
        read_channels(at, begin, end);
        for (int64_t c = begin; c < end; c += together)
            (at->near ? transform_all : stream_all)(at, (c - begin) * plan->taps, rf_min(end - c, together),
                                                    at->to + c * at->lanes, plan->depth * at->lanes);
    }
}

/* ---- Panels ----------------------------------------------------------------------------- */

/* Channels that only fill up a vector. */
static void clear_channels(const packing *at)
{
    const rf_winograd_plan *plan = at->plan;
    for (int64_t point = 0; point < plan->point_count; point++)
        for (int64_t c = plan->spec.input.dims[1]; c < plan->depth; c++)
            memset(at->to + (point * plan->depth + c) * at->lanes, 0, (size_t)at->lanes * sizeof *at->to);
}

static void set_panel(packing *at, const rf_unpacked *from, int64_t panel, float *packed)
{
    const rf_winograd_plan *plan = at->plan;
    const rf_convolution_spec *spec = &plan->spec;
    at->first = panel * rf_winograd_panel(plan);
    at->outputs = rf_winograd_panel_outputs(plan, panel);
    at->lanes = rf_winograd_panel_vectors(plan, panel) * RF_LANES;
    at->to = packed + rf_winograd_panel_weights(plan, panel);
    at->near = !spec->weights;
    at->weights = from->weights;
    if (!spec->reversed)
        at->weights += at->first * spec->input.dims[1] * plan->taps * (int64_t)sizeof(float) - (int64_t)from->skipped;
    for (int64_t lane = 0; lane < LANES; lane++)
        at->factors[lane] = spec->scale && lane < at->outputs ? (double)spec->scale[at->first + lane] : 1;
}

static void pack_bias(const packing *at, const float *bias, float *packed)
{
    for (int64_t lane = 0; lane < rf_winograd_panel(at->plan); lane++)
        packed[at->first + lane] = bias && lane < at->outputs ? bias[at->first + lane] : 0.0f;
}

void RF_ISA_NAME(rf_winograd_pack_part)(const void *given, const rf_unpacked *from, void *packed, size_t panel)
{
    const rf_winograd_plan *plan = given;
    float *zeros = (float *)packed + plan->panels * rf_winograd_panel(plan);
    packing at;
    at.plan = plan;
    for (int k = 0; k < 2; k++)
        RF_ISA_NAME(rf_winograd_kernel_matrix)(plan->schemes[k], at.matrix[k]);
    if (panel == 0)
        memset(zeros, 0, (size_t)plan->zeros * sizeof *zeros);
    set_panel(&at, from, (int64_t)panel, packed);
    pack_bias(&at, from->bias, packed);
    pack_channels(&at);
    clear_channels(&at);
    RF_STREAM_END();
}

void RF_ISA_NAME(rf_winograd_pack)(const void *given, const rf_unpacked *from, void *packed)
{
    const rf_winograd_plan *plan = given;
    for (int64_t panel = 0; panel < plan->panels; panel++)
        RF_ISA_NAME(rf_winograd_pack_part)(given, from, packed, (size_t)panel);
}

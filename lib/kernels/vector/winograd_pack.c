/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of Winograd's convolution: the bias, padded to whole
 * panels, then zeros, then for each panel of output channels
 * [point][input channel][lane]. They are transformed in double and rounded once.
 *
 * Arithmetic is the smaller part: packed weights are several times as large as the
 * file's, so what is written goes past the cache, and all is done by whole vectors.
 */
#include "kernels/vector/winograd_plan.h"

#include "base/checked.h"
#include "kernels/vector/gemm_tile.h"
#include "kernels/vector/transpose.h"

enum {
    TAPS = 9,
    CHANNELS = 16,          /* read together for each output channel: whole vectors of taps */
    RUN = CHANNELS * TAPS,
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
    double matrix[2][RF_WINOGRAD_POINTS][3];
    double factors[LANES];
    rf_vec taps[RUN][RF_TILE_MAX_VECTORS]; /* of some input channels, lane by lane */
} packing;

/* ---- Reading ---------------------------------------------------------------------------- */

static const char *weights_at(const packing *at, int64_t lane, int64_t element)
{
    return at->weights + (lane * at->plan->spec.input.dims[1] * TAPS + element) * (int64_t)sizeof(float);
}

/* The same where weights are [C_in, C_out, taps] and taps go from the last to the first. */
static const char *reversed_at(const packing *at, int64_t lane, int64_t element)
{
    int64_t row = element / TAPS * at->plan->spec.output.dims[1] + at->first + lane;
    return at->weights + (row * TAPS + TAPS - 1 - element % TAPS) * (int64_t)sizeof(float);
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
    int64_t rows = (end - begin) * TAPS, whole = at->plan->spec.reversed ? 0 : rows / RF_LANES * RF_LANES;
    for (int64_t v = 0; v < at->lanes / RF_LANES; v++)
        for (int64_t row = 0; row < whole; row += RF_LANES)
            read_block(at, begin * TAPS, row, v);
    for (int64_t row = whole; row < rows; row++)
        read_row(at, begin * TAPS, row);
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

RF_INLINE doubles mix(const double factors[3], doubles a, doubles b, doubles c)
{
    return factors[0] * a + factors[1] * b + factors[2] * c;
}

/* The halves of the taps of one input channel and a vector of output channels. */
static void widen(const packing *at, int64_t row, int64_t v, doubles taps[2][TAPS])
{
    for (int h = 0; h < 2; h++) {
        doubles factors;
        memcpy(&factors, at->factors + v * RF_LANES + h * HALF, sizeof factors);
        for (int tap = 0; tap < TAPS; tap++) {
            const half_vector *half = (const half_vector *)&at->taps[row + tap][v] + h;
            taps[h][tap] = factors * __builtin_convertvector(*half, doubles);
        }
    }
}

static void transform(const packing *at, int64_t row, int64_t v, float *to)
{
    const rf_winograd_plan *plan = at->plan;
    doubles taps[2][TAPS];
    widen(at, row, v, taps);
    for (int64_t y = 0; y < plan->points[0]; y++) {
        const double *down = at->matrix[0][y];
        doubles rows[2][3];
        RF_UNROLL
        for (int x = 0; x < 3; x++) {
            rows[0][x] = mix(down, taps[0][x], taps[0][x + 3], taps[0][x + 6]);
            rows[1][x] = mix(down, taps[1][x], taps[1][x + 3], taps[1][x + 6]);
        }
        for (int64_t x = 0; x < plan->points[1]; x++, to += plan->depth * at->lanes) {
            const double *across = at->matrix[1][x];
            doubles a = mix(across, rows[0][0], rows[0][1], rows[0][2]);
            doubles b = mix(across, rows[1][0], rows[1][1], rows[1][2]);
            if (at->near)
                rf_store(to, RF_NARROW(a, b));
            else
                RF_STREAM(to, RF_NARROW(a, b));
        }
    }
}

static void pack_channels(packing *at)
{
    int64_t channels = at->plan->spec.input.dims[1];
    for (int64_t begin = 0; begin < channels; begin += CHANNELS) {
        int64_t end = rf_min(begin + CHANNELS, channels);
        read_channels(at, begin, end);
        for (int64_t c = begin; c < end; c++)
            for (int64_t v = 0; v < at->lanes / RF_LANES; v++)
                transform(at, (c - begin) * TAPS, v, at->to + c * at->lanes + v * RF_LANES);
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
        at->weights = weights_at(at, at->first, 0);
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
        RF_ISA_NAME(rf_winograd_kernel_matrix)(plan->sizes[k], at.matrix[k]);
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

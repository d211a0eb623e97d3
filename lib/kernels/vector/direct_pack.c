/* SPDX-License-Identifier: MIT */
/*
 * Packs the weights of a direct convolution: first the bias, padded to whole
 * panels, then for each panel of output channels [tap][input channel][lane].
 *
 * Weights come from a file that is read here for the first time, so the speed
 * of memory is the bound: every weight is read once, next to the one before, and
 * blocks of a vector of outputs by a vector of weights are transposed in registers.
 */
#include "kernels/vector/direct_plan.h"

#include "base/checked.h"
#include "kernels/vector/transpose.h"

enum {
    RUN = 64,       /* weights of each output that are read together */
    MOST_TAPS = 512,
    BAND = 16,      /* rows of a matrix that are read together */
    LANES = RF_TILE_MAX_VECTORS * RF_LANES
};

typedef struct packing {
    const rf_direct_plan *plan;
    bool near;           /* weights that are used at once stay in the caches */
    const char *weights; /* of the panel's first output channel, at any alignment */
    float *to;
    int64_t outputs, lanes, taps;
    double factors[LANES];
    rf_vec scales[RF_TILE_MAX_VECTORS]; /* the same, where `simple` */
    bool simple;                        /* factors are floats, so that one product rounds as doubles do */
} packing;

static rf_vec load_weights(const char *from)
{
    rf_vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

RF_INLINE void put(const packing *at, float *to, rf_vec v)
{
    if (at->near)
        rf_store(to, v);
    else
        RF_STREAM(to, v);
}

/* ---- Any strides ------------------------------------------------------------------------ */

/* One row of the panel: the weights at `element` of every output. */
static void pack_row(const packing *at, int64_t element, float *to)
{
    int64_t step = at->plan->spec.weight_output;
    for (int64_t lane = 0; lane < at->outputs; lane++) {
        float w;
        memcpy(&w, at->weights + (element + lane * step) * (int64_t)sizeof w, sizeof w);
        to[lane] = (float)((double)w * at->factors[lane]);
    }
    for (int64_t lane = at->outputs; lane < at->lanes; lane++)
        to[lane] = 0.0f;
}

/* Goes on to the next tap in the packed order; `element` is where its weights are. */
static void next_tap(const rf_direct_axis *axis, int64_t t[RF_DIRECT_AXES], int64_t *element)
{
    for (int32_t k = RF_DIRECT_AXES - 1; k >= 0; k--) {
        *element += axis[k].weight;
        if (++t[k] < axis[k].window.kernel)
            return;
        *element -= t[k] * axis[k].weight;
        t[k] = 0;
    }
}

static void pack_any(const packing *at)
{
    const rf_direct_spec *spec = &at->plan->spec;
    int64_t t[RF_DIRECT_AXES] = {0}, element = 0;
    float *to = at->to;
    for (int64_t tap = 0; tap < at->taps; tap++, next_tap(spec->axis, t, &element))
        for (int64_t c = 0; c < spec->channels; c++, to += at->lanes)
            pack_row(at, element + c * spec->weight_channel, to);
}

/* ---- Each output's weights in one piece ------------------------------------------------- */

/* Where the weights at an element of an output go: tap by tap, as the file orders them. */
typedef struct tap_places {
    int64_t row[MOST_TAPS]; /* in the panel, of the first channel */
} tap_places;

/* False where the taps of a channel don't lie together with the next channel's after them. */
static bool find_places(const packing *at, tap_places *to)
{
    const rf_direct_spec *spec = &at->plan->spec;
    int64_t t[RF_DIRECT_AXES] = {0}, element = 0;
    if (spec->weight_channel != at->taps || at->taps > MOST_TAPS || !at->simple)
        return false;
    for (int64_t tap = 0; tap < at->taps; tap++, next_tap(spec->axis, t, &element)) {
        if (element < 0 || element >= at->taps)
            return false;
        to->row[element] = tap * spec->channels;
    }
    return true;
}

/* A vector of outputs by a vector of weights; `tap` and `channel` are those of the first. */
static void pack_block(const packing *at, const tap_places *places, int64_t element, int64_t v)
{
    const int64_t step = at->plan->spec.weight_output * (int64_t)sizeof(float);
    const char *from = at->weights + element * (int64_t)sizeof(float) + v * RF_LANES * step;
    int64_t outputs = rf_min(at->outputs - v * RF_LANES, RF_LANES);
    int64_t channel = element / at->taps, tap = element % at->taps;
    rf_vec rows[RF_LANES];
    for (int64_t r = 0; r < outputs; r++) {
        rows[r] = load_weights(from + r * step);
        __builtin_prefetch(from + r * step + RUN * sizeof(float));
    }
    for (int64_t r = outputs; r < RF_LANES; r++)
        rows[r] = (rf_vec){0};
    rf_transpose(rows);
    float *to = at->to + v * RF_LANES;
    for (int r = 0; r < RF_LANES; r++) {
        put(at, to + (places->row[tap] + channel) * at->lanes, rows[r] * at->scales[v]);
        if (++tap == at->taps) {
            tap = 0;
            channel++;
        }
    }
}

static void pack_pieces(const packing *at, const tap_places *places)
{
    int64_t depth = at->plan->depth, whole = depth / RF_LANES * RF_LANES;
    for (int64_t run = 0; run < whole; run += RUN)
        for (int64_t v = 0; v < at->lanes / RF_LANES; v++)
            for (int64_t element = run; element < rf_min(run + RUN, whole); element += RF_LANES)
                pack_block(at, places, element, v);
    for (int64_t element = whole; element < depth; element++)
        pack_row(at, element, at->to + (places->row[element % at->taps] + element / at->taps) * at->lanes);
}

/* ---- Panels ----------------------------------------------------------------------------- */

/* `element` is the first that is read of the panel's first output. */
static packing packing_of(const rf_direct_plan *plan, const rf_unpacked *from, int64_t panel, int64_t element,
                          float *packed)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t lanes = rf_direct_panel(plan), first = panel * lanes;
    packing at = {.plan = plan, .taps = plan->depth / spec->channels, .simple = true,
                  .near = !spec->unpacked.weights};
    float scales[LANES] = {0};
    at.to = packed + (plan->panels + panel * plan->depth) * lanes;
    element += spec->weight_first + first * spec->weight_output;
    at.weights = (const char *)from->weights + (element * (int64_t)sizeof(float) - (int64_t)from->skipped);
    at.outputs = rf_direct_panel_outputs(plan, panel);
    at.lanes = rf_direct_panel_vectors(plan, panel) * RF_LANES;
    for (int64_t lane = 0; lane < at.outputs; lane++) {
        at.factors[lane] = spec->scale ? spec->alpha * (double)spec->scale[first + lane] : spec->alpha;
        scales[lane] = (float)at.factors[lane];
        at.simple &= (double)scales[lane] == at.factors[lane];
    }
    for (int v = 0; v < RF_TILE_MAX_VECTORS; v++)
        at.scales[v] = rf_load(scales + v * RF_LANES);
    return at;
}

static void pack_bias(const rf_direct_plan *plan, const float *bias, float *packed)
{
    for (int64_t k = 0; k < plan->panels * rf_direct_panel(plan); k++)
        packed[k] = bias && k < plan->spec.outputs ? bias[k] : 0.0f;
}

/* Like are_weights_finite() of the maker. */
static bool is_panel_finite(const packing *at)
{
    rf_ivec large = {0};
    for (int64_t i = 0; i < at->plan->depth * at->lanes; i += RF_LANES) {
        rf_ivec size = (rf_ivec)rf_load(at->to + i) & 0x7fffffff;
        large |= size > 0x7e967699; /* 1e38 */
    }
    int32_t any = 0;
    for (int lane = 0; lane < RF_LANES; lane++)
        any |= large[lane];
    return !any;
}

static void pack_panel(const rf_direct_plan *plan, const rf_unpacked *from, int64_t panel, float *packed)
{
    const packing at = packing_of(plan, from, panel, 0, packed);
    tap_places places;
    if (find_places(&at, &places))
        pack_pieces(&at, &places);
    else
        pack_any(&at);
    if (plan->checked)
        packed[rf_direct_finite(plan) + panel] = is_panel_finite(&at) ? 1.0f : 0.0f;
}

/* ---- A matrix whose outputs lie together -------------------------------------------------- */

static bool is_matrix(const rf_direct_plan *plan)
{
    return plan->depth == plan->spec.channels && plan->spec.weight_output == 1 && plan->spec.outputs > 1;
}

static void pack_matrix_row(const packing *at, int64_t row)
{
    const char *from = at->weights + row * at->plan->spec.weight_channel * (int64_t)sizeof(float);
    float *to = at->to + row * at->lanes;
    if (!at->simple || at->outputs < at->lanes) {
        pack_row(at, row * at->plan->spec.weight_channel, to);
        return;
    }
    for (int64_t v = 0; v < at->lanes / RF_LANES; v++, from += sizeof(rf_vec))
        put(at, to + v * RF_LANES, load_weights(from) * at->scales[v]);
}

/* A band of rows for all panels before the next, so that the file is read from begin to end. */
static void pack_band(const rf_direct_plan *plan, const rf_unpacked *from, float *packed, int64_t band)
{
    int64_t begin = band * BAND, end = rf_min(begin + BAND, plan->depth);
    for (int64_t panel = 0; panel < plan->panels; panel++) {
        packing at = packing_of(plan, from, panel, begin * plan->spec.weight_channel, packed);
        at.to += begin * at.lanes;
        for (int64_t row = 0; row < end - begin; row++)
            pack_matrix_row(&at, row);
    }
}

/* ---- Parts ------------------------------------------------------------------------------ */

int64_t RF_ISA_NAME(rf_direct_part_bytes)(const rf_direct_plan *plan)
{
    const rf_direct_spec *spec = &plan->spec;
    if (!is_matrix(plan))
        return rf_direct_panel_bytes(plan);
    bool whole = spec->weight_first == 0 && spec->weight_channel == spec->outputs;
    return whole ? BAND * spec->outputs * (int64_t)sizeof(float) : 0;
}

size_t RF_ISA_NAME(rf_direct_packing_parts)(const rf_direct_plan *plan)
{
    return (size_t)(is_matrix(plan) ? rf_div_ceil(plan->depth, BAND) : plan->panels);
}

void RF_ISA_NAME(rf_direct_pack_part)(const void *given, const rf_unpacked *from, void *packed, size_t part)
{
    const rf_direct_plan *plan = given;
    if (part == 0)
        pack_bias(plan, from->bias, packed);
    if (is_matrix(plan))
        pack_band(plan, from, packed, (int64_t)part);
    else
        pack_panel(plan, from, (int64_t)part, packed);
    RF_STREAM_END();
}

void RF_ISA_NAME(rf_direct_pack)(const void *given, const rf_unpacked *from, void *packed)
{
    size_t parts = RF_ISA_NAME(rf_direct_packing_parts)(given);
    for (size_t part = 0; part < parts; part++)
        RF_ISA_NAME(rf_direct_pack_part)(given, from, packed, part);
}

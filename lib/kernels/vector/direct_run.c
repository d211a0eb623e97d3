/* SPDX-License-Identifier: MIT */
/* Runs a direct convolution: blocks of the output by panels of its channels. */
#include "kernels/vector/direct_plan.h"

#include "base/checked.h"

enum { LAST = RF_DIRECT_AXES - 1 };

/* Where input positions lie: in the tensor, or in the copy that was staged for a block. */
typedef struct source {
    const float *data;
    int64_t origin[RF_DIRECT_AXES], strides[RF_DIRECT_AXES];
    bool padded; /* zeros lie where the last axis is on padding */
} source;

typedef struct taps {
    int64_t begin, end;
} taps;

/* Where a line begins. */
typedef struct place {
    const float *input;   /* at the first valid taps of the outer axes, position `origin` of the last */
    const float *weights; /* the same in the panel */
    float *output;
    const float *residual;
} place;

/* Lines of tiles by one panel. */
typedef struct line {
    const rf_direct_plan *plan;
    const source *from;
    place at;
    int64_t vectors, lanes; /* of the panel's row */
    int64_t outputs;
    bool whole;             /* tiles can store the panel's outputs, and no more */
    rf_tile_fetching fetching;
    rf_tile tile;           /* copied only at borders: what has just been written in parts is slow to copy whole */
} line;

/* Taps on the input at output position i; divisions only where some are not. */
static taps taps_at(const rf_window *window, int64_t i)
{
    int64_t begin = window->stride * i - window->pad_begin;
    taps valid = {0, window->kernel};
    if (begin < 0 || begin + (window->kernel - 1) * window->dilation >= window->input)
        rf_window_clip(window, i, &valid.begin, &valid.end);
    return valid;
}

static int64_t position(const rf_window *window, int64_t i, int64_t tap)
{
    return window->stride * i - window->pad_begin + tap * window->dilation;
}

/* A step between valid taps or pixels; where there are none it may not even be representable. */
static int64_t step_of(int64_t count, int64_t stride)
{
    int64_t step;
    return rf_checked_mul(count, stride, &step) ? step : 0;
}

static void store_rows(const line *at, const float *sums, int64_t x0, int64_t x1)
{
    const rf_direct_axis *axis = &at->plan->spec.axis[LAST];
    const rf_tile_rows_out to = {
        .rows = x1 - x0, .outputs = at->outputs, .lanes = at->lanes,
        .output = at->at.output + x0 * axis->output, .output_step = axis->output,
        .residual = at->at.residual ? at->at.residual + x0 * axis->residual : NULL,
        .residual_step = axis->residual, .map = at->plan->spec.epilogue.map,
    };
    RF_ISA_NAME(rf_tile_finish)(&to, sums);
}

/* Points the tile at taps [some.begin, some.end) of the last axis, the first row at pixel x. */
static void point(const line *at, rf_tile *tile, int64_t x, taps some)
{
    const rf_direct_plan *plan = at->plan;
    int64_t first = position(&plan->spec.axis[LAST].window, x, some.begin);
    int64_t count = some.end - some.begin;
    tile->input = at->at.input + (first - at->from->origin[LAST]) * at->from->strides[LAST];
    tile->weights = at->at.weights + some.begin * plan->taps_weight[LAST] * at->lanes;
    tile->levels[LAST].count = plan->joined ? 1 : count;
    tile->length = plan->spec.channels * (plan->joined ? count : 1);
}

/* Adds one tap of the last axis to the sums of those pixels of x0 .. x1-1 for which it is valid. */
static void add_tap(const line *at, rf_tile *tile, float *sums, int64_t x0, int64_t x1, int64_t tap)
{
    const rf_window *window = &at->plan->spec.axis[LAST].window;
    int64_t a = x0, b = x1;
    while (a < b && position(window, a, tap) < 0)
        a++;
    while (a < b && position(window, b - 1, tap) >= window->input)
        b--;
    if (a == b)
        return;
    point(at, tile, a, (taps){tap, tap + 1});
    tile->output = sums + (a - x0) * at->lanes;
    tile->start = tile->output;
    tile->start_step = at->lanes;
    RF_ISA_NAME(rf_tile_of)(b - a, at->vectors)(tile);
}

/* A chunk at a border: what all pixels share first, then tap by tap. */
static void border_chunk(const line *at, int64_t x0, int64_t x1, taps first, taps last)
{
    rf_tile copy = at->tile, *tile = &copy;
    float sums[RF_TILE_MAX_SUMS * RF_LANES];
    taps shared = {first.begin, last.end};
    bool none = shared.begin >= shared.end;
    tile->output = sums;
    tile->output_step = at->lanes;
    tile->residual = NULL;
    tile->absent = 0;
    tile->map.function = RF_MAP_NONE;
    tile->ahead_step = tile->more = 0;
    if (none)
        tile->levels[LAST].count = tile->length = 0;
    else
        point(at, tile, x0, shared);
    RF_ISA_NAME(rf_tile_of)(x1 - x0, at->vectors)(tile);
    for (int64_t tap = last.begin; tap < first.end; tap++)
        if (none || tap < shared.begin || tap >= shared.end)
            add_tap(at, tile, sums, x0, x1, tap);
    store_rows(at, sums, x0, x1);
}

/* Tiles after `chunk`, before `end`, as large as it is and with all the same taps. */
static int64_t count_alike(const line *at, int64_t chunk, int64_t end, taps all)
{
    const rf_direct_plan *plan = at->plan;
    const rf_window *window = &plan->spec.axis[LAST].window;
    int64_t last = chunk + 1;
    if (chunk < plan->longer_chunks)
        end = rf_min(end, plan->longer_chunks);
    if (at->from->padded)
        return end - last;
    for (; last < end; last++) {
        taps some = taps_at(window, rf_direct_chunk_begin(plan, last + 1) - 1);
        if (some.begin != all.begin || some.end != all.end)
            break;
    }
    return last - chunk - 1;
}

/* A chunk, or several of those before `end`; returns how many. */
static int64_t run_chunks(line *at, int64_t chunk, int64_t end)
{
    const rf_direct_plan *plan = at->plan;
    const rf_direct_axis *axis = &plan->spec.axis[LAST];
    int64_t x0 = rf_direct_chunk_begin(plan, chunk), x1 = rf_direct_chunk_begin(plan, chunk + 1);
    taps first = {0, axis->window.kernel}, last = first;
    if (!at->from->padded) {
        first = taps_at(&axis->window, x0);
        last = taps_at(&axis->window, x1 - 1);
    }
    bool inside = first.begin == last.begin && first.end == last.end && first.begin < first.end;
    rf_tile *tile = &at->tile;
    if (!at->whole || !inside) {
        border_chunk(at, x0, x1, first, last);
        return 1;
    }
    point(at, tile, x0, first);
    rf_tile_fetch(tile, &at->fetching);
    tile->output = at->at.output + x0 * axis->output;
    tile->residual = at->at.residual ? at->at.residual + x0 * axis->residual : NULL;
    tile->more = tile->ahead_step ? 0 : count_alike(at, chunk, end, first);
    if (tile->more) {
        tile->input_apart = (x1 - x0) * tile->step;
        tile->output_apart = (x1 - x0) * axis->output;
        tile->residual_apart = (x1 - x0) * axis->residual;
    }
    RF_ISA_NAME(rf_tile_of)(x1 - x0, at->vectors)(tile);
    return 1 + tile->more;
}

/* Puts the valid taps of an outer axis into a level and moves the line to the first of them. */
static void enter_axis(line *at, int32_t k, int64_t i)
{
    const rf_direct_axis *axis = &at->plan->spec.axis[k];
    taps valid = taps_at(&axis->window, i);
    rf_tile_level *level = &at->tile.levels[k];
    level->count = valid.end - valid.begin;
    level->input = step_of(axis->window.dilation, at->from->strides[k]);
    level->weights = at->plan->taps_weight[k] * at->lanes;
    at->at.output += i * axis->output;
    if (at->at.residual)
        at->at.residual += i * axis->residual;
    if (level->count == 0)
        return;
    at->at.input += (position(&axis->window, i, valid.begin) - at->from->origin[k]) * at->from->strides[k];
    at->at.weights += valid.begin * level->weights;
}

static void run_line(line *at, const int64_t index[LAST], const rf_direct_block *box)
{
    const place begin = at->at;
    for (int32_t k = 0; k < LAST; k++)
        enter_axis(at, k, index[k]);
    for (int64_t chunk = box->begin[LAST]; chunk < box->end[LAST];)
        chunk += run_chunks(at, chunk, box->end[LAST]);
    at->at = begin;
}

static int64_t tiles_of(const rf_direct_block *box)
{
    int64_t tiles = 1;
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        tiles *= box->end[k] - box->begin[k];
    return tiles;
}

static void run_panel(const rf_direct_plan *plan, const rf_kernel_call *call, const source *from,
                      const rf_direct_block *box, size_t unit)
{
    const float *packed = call->packed;
    const int64_t panel = (int64_t)(unit % (size_t)plan->panels);
    int64_t lanes = rf_direct_panel(plan), padded = plan->panels * lanes;
    const rf_direct_axis *last = &plan->spec.axis[LAST];
    line at = {.plan = plan, .from = from, .at.input = from->data};
    at.at.weights = packed + padded + panel * lanes * plan->depth;
    at.at.output = (float *)call->data[1] + panel * lanes;
    at.at.residual = plan->spec.epilogue.residual ? (const float *)call->data[2] + panel * lanes : NULL;
    at.outputs = rf_direct_panel_outputs(plan, panel);
    at.vectors = rf_direct_panel_vectors(plan, panel);
    at.lanes = at.vectors * RF_LANES;
    at.whole = RF_HAS_MASKS || at.outputs == at.lanes;
    at.tile = (rf_tile){
        .start = packed + panel * lanes, .map = plan->spec.epilogue.map, .absent = at.lanes - at.outputs,
        .output_step = last->output, .residual_step = last->residual,
        .step = step_of(last->window.stride, from->strides[LAST]),
    };
    at.tile.levels[LAST].input = step_of(last->window.dilation, from->strides[LAST]);
    at.tile.levels[LAST].weights = plan->taps_weight[LAST] * at.lanes;
    const int64_t tiles = tiles_of(box);
    at.fetching = rf_direct_fetching(plan, call, unit, at.at.weights, tiles, unit == call->begin || tiles == 1);
    int64_t index[LAST];
    for (index[0] = box->begin[0]; index[0] < box->end[0]; index[0]++)
        for (index[1] = box->begin[1]; index[1] < box->end[1]; index[1]++)
            for (index[2] = box->begin[2]; index[2] < box->end[2]; index[2]++)
                run_line(&at, index, box);
}

/* ---- Staging ---------------------------------------------------------------------------- */

/* Input positions that a block reads along one axis. */
static taps span_of(const rf_direct_plan *plan, const rf_direct_block *box, int32_t k, bool padded)
{
    const rf_window *window = &plan->spec.axis[k].window;
    int64_t begin = box->begin[k], end = box->end[k];
    if (k == LAST) {
        begin = rf_direct_chunk_begin(plan, begin);
        end = rf_direct_chunk_begin(plan, end);
    }
    int64_t first = window->stride * begin - window->pad_begin;
    int64_t last = position(window, end - 1, window->kernel - 1);
    taps span = {rf_max(first, 0), rf_min(last + 1, window->input)};
    if (k == LAST && padded)
        return (taps){first, last + 1};
    span.end = rf_max(span.end, span.begin);
    return span;
}

/* Few channels: a pixel at a time, so that what is written follows itself. */
RF_INLINE void stage_lanes(const float *from, int64_t stride, int64_t channel, float *to, int64_t step, int64_t count,
                           const int channels)
{
    for (int64_t x = 0; x < count; x++, from += stride, to += step)
        for (int c = 0; c < channels; c++)
            to[c] = from[c * channel];
}

static void stage_pixels(const rf_direct_plan *plan, const float *from, float *to, int64_t count)
{
    const rf_direct_spec *spec = &plan->spec;
    int64_t stride = spec->axis[LAST].input, channel = spec->input_channel, step = plan->staged_step;
    if (channel == 1 && stride == step) {
        memcpy(to, from, (size_t)(count * step) * sizeof *to);
        return;
    }
    if (channel == 1) {
        for (int64_t x = 0; x < count; x++, to += step, from += stride)
            memcpy(to, from, (size_t)spec->channels * sizeof *to);
        return;
    }
    if (spec->channels == 3) {
        stage_lanes(from, stride, channel, to, step, count, 3);
        return;
    }
    for (int64_t c = 0; c < spec->channels; c++)
        for (int64_t x = 0; x < count; x++)
            to[x * step + c] = from[x * stride + c * channel];
}

/* Multiplies pixels by their channels' factors, which follow each other. */
static void multiply_pixels(const rf_direct_plan *plan, float *pixels, int64_t count, const float *factors)
{
    const int64_t channels = plan->spec.channels, whole = channels / RF_LANES * RF_LANES;
    for (int64_t x = 0; x < count; x++, pixels += plan->staged_step) {
        for (int64_t c = 0; c < whole; c += RF_LANES)
            rf_store(pixels + c, rf_load(pixels + c) * rf_load(factors + c));
        for (int64_t c = whole; c < channels; c++)
            pixels[c] *= factors[c];
    }
}

/* Positions of one line, zeros where they are on padding; `from` is position 0. */
static void stage_line(const rf_direct_plan *plan, const float *from, float *to, taps span, const float *factors)
{
    const rf_direct_axis *last = &plan->spec.axis[LAST];
    int64_t step = plan->staged_step;
    taps inside = {rf_min(rf_max(span.begin, 0), span.end), rf_max(rf_min(span.end, last->window.input), span.begin)};
    float *first = to + (inside.begin - span.begin) * step;
    memset(to, 0, (size_t)((inside.begin - span.begin) * step) * sizeof *to);
    stage_pixels(plan, from + inside.begin * last->input, first, inside.end - inside.begin);
    if (factors)
        multiply_pixels(plan, first, inside.end - inside.begin, factors);
    memset(to + (inside.end - span.begin) * step, 0, (size_t)((span.end - inside.end) * step) * sizeof *to);
}

static void stage(const rf_direct_plan *plan, const float *input, const float *factors, float *to, const rf_direct_block *box,
                  source *from)
{
    const rf_direct_axis *axis = plan->spec.axis;
    taps span[RF_DIRECT_AXES];
    int64_t stride = plan->staged_step;
    from->data = to;
    for (int32_t k = LAST; k >= 0; k--) {
        span[k] = span_of(plan, box, k, from->padded);
        from->origin[k] = span[k].begin;
        from->strides[k] = stride;
        stride *= span[k].end - span[k].begin;
    }
    int64_t count = span[LAST].end - span[LAST].begin;
    if (stride == 0)
        return;
    for (int64_t i = span[0].begin; i < span[0].end; i++)
        for (int64_t j = span[1].begin; j < span[1].end; j++)
            for (int64_t k = span[2].begin; k < span[2].end; k++) {
                stage_line(plan, input + i * axis[0].input + j * axis[1].input + k * axis[2].input, to, span[LAST],
                           factors);
                to += count * plan->staged_step;
            }
}

/* The factors, copied to scratch where they don't follow each other; NULL for none. */
static const float *factors_of(const rf_direct_plan *plan, const rf_kernel_call *call, float *copy)
{
    const rf_direct_spec *spec = &plan->spec;
    if (!spec->factors)
        return NULL;
    const float *factors = call->data[spec->epilogue.residual ? 3 : 2];
    if (spec->factor_stride == 1)
        return factors;
    for (int64_t c = 0; c < spec->channels; c++)
        copy[c] = factors[c * spec->factor_stride];
    return copy;
}

/* Whether padding may be multiplied by the packed weights. */
static bool is_padded(const rf_direct_plan *plan, const float *packed)
{
    bool padded = plan->padded;
    for (int64_t panel = 0; plan->checked && padded && panel < plan->panels; panel++)
        padded = packed[rf_direct_finite(plan) + panel] != 0.0f;
    return padded;
}

static source source_of(const rf_direct_plan *plan, const rf_kernel_call *call, const rf_direct_block *box)
{
    source from = {.data = call->data[0], .padded = is_padded(plan, call->packed)};
    for (int32_t k = 0; k < RF_DIRECT_AXES; k++)
        from.strides[k] = plan->spec.axis[k].input;
    if (plan->staged) {
        float *scratch = call->scratch, *data = scratch + plan->factor_floats;
        stage(plan, call->data[0], factors_of(plan, call, scratch), data, box, &from);
    }
    return from;
}

void RF_ISA_NAME(rf_direct_run)(const void *given, const rf_kernel_call *call)
{
    const rf_direct_plan *plan = given;
    size_t panels = (size_t)plan->panels;
    source from;
    rf_direct_block box;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        if (unit == call->begin || unit % panels == 0) {
            box = rf_direct_block_of(plan, (int64_t)(unit / panels));
            from = source_of(plan, call, &box);
        }
        run_panel(plan, call, &from, &box, unit);
    }
}

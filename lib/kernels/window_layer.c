/* SPDX-License-Identifier: MIT */
#include "kernels/window_layer.h"

#include <string.h>

#include "base/checked.h"

/* Packed weights up to so many bytes stay in the second cache beside a few rows of input. */
static const uint64_t near_bytes = 256 * 1024;
/* Units that keep every thread of a large machine busy, and the outputs that are worth one. */
static const int64_t enough_units = 64, short_segment = 64;

static bool channels_together(const rf_strided *tensor)
{
    return tensor->strides[1] == 1 || tensor->dims[1] <= 1;
}

/* Floats of so many positions; 0 where they leave 64 bits and so any tensor too. */
static int64_t floats_of(int64_t count, int64_t stride)
{
    int64_t step;
    return rf_checked_mul(count, stride, &step) ? step : 0;
}

static bool make_axes(rf_window_layer *layer, rf_arena *arena)
{
    const rf_convolution_spec *spec = &layer->spec;
    const int32_t first = RF_LAYER_AXES - spec->axes;
    if (!rf_reach_make_all(spec->windows, spec->axes, spec->transposed, arena, layer->axes, RF_LAYER_AXES))
        return false;
    layer->taps = 1;
    for (int32_t k = first; k < RF_LAYER_AXES; k++) {
        layer->taps *= layer->axes[k].window.kernel;
        layer->input[k] = spec->input.strides[2 + k - first];
        layer->output[k] = spec->output.strides[2 + k - first];
        layer->residual[k] = spec->epilogue.residual ? spec->residual.strides[2 + k - first] : 0;
        layer->tap_step[k] = floats_of(layer->axes[k].index_step, layer->input[k]);
        layer->period_step[k] = floats_of(layer->axes[k].period_step, layer->input[k]);
    }
    return true;
}

bool rf_layer_make(const rf_convolution_spec *spec, rf_arena *arena, rf_window_layer *layer)
{
    bool together = channels_together(&spec->input) && channels_together(&spec->output)
        && (!spec->epilogue.residual || channels_together(&spec->residual));
    if (!together || spec->groups < 1 || spec->axes < 1 || spec->axes > RF_LAYER_AXES)
        return false;
    *layer = (rf_window_layer){
        .batch = spec->output.dims[0], .input_batch = spec->input.strides[0],
        .output_batch = spec->output.strides[0], .groups = spec->groups,
        .residual_batch = spec->epilogue.residual ? spec->residual.strides[0] : 0,
        .inputs = spec->input.dims[1] / spec->groups, .outputs = spec->output.dims[1] / spec->groups,
        .spec = *spec,
    };
    return make_axes(layer, arena);
}

/* A number for reports and choices, so that the largest stands for all that are larger. */
static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t result;
    return rf_checked_mul(a, b, &result) ? result : UINT64_MAX;
}

static int64_t bands_of(const rf_window_layer *layer)
{
    return rf_div_ceil(layer->axes[1].window.output, layer->band);
}

void rf_layer_cut(rf_window_layer *layer, int64_t blocks, int64_t band, uint64_t packed_bytes, rf_work *work)
{
    const rf_reach_axis *last = &layer->axes[RF_LAYER_AXES - 1];
    int64_t periods = rf_div_ceil(last->window.output, last->period);
    /* Where there is nothing along one axis, the others may be of any size. */
    int64_t planes = periods ? layer->batch * layer->axes[0].window.output : 0;
    int64_t rows = planes * layer->axes[1].window.output;
    layer->blocks = blocks;
    layer->band = band;
    int64_t bands = planes * bands_of(layer);
    layer->blocks_last = packed_bytes <= near_bytes;
    layer->segments = 1;
    if (bands * blocks < enough_units)
        layer->segments = rf_max(rf_min(periods / short_segment, enough_units), 1);
    work->units = (size_t)(bands * blocks * layer->segments);
    uint64_t each = product((uint64_t)layer->inputs, (uint64_t)layer->taps);
    uint64_t places = (uint64_t)rows * (uint64_t)last->window.output;
    work->operations = product(product(places, (uint64_t)(layer->groups * layer->outputs)), each);
    uint64_t unit = work->operations / (work->units ? work->units : 1);
    work->grain = (size_t)rf_max((int64_t)(200000 / (unit + 1)), 1);
}

static void set_band(const rf_window_layer *layer, int64_t number, rf_layer_spot *spot)
{
    spot->y = number * layer->band;
    spot->rows = rf_min(layer->band, layer->axes[1].window.output - spot->y);
}

static void set_segment(const rf_window_layer *layer, rf_layer_spot *spot)
{
    const rf_reach_axis *last = &layer->axes[RF_LAYER_AXES - 1];
    int64_t periods = rf_div_ceil(last->window.output, last->period);
    spot->begin = spot->segment * periods / layer->segments;
    spot->end = (spot->segment + 1) * periods / layer->segments;
}

rf_layer_spot rf_layer_spot_of(const rf_window_layer *layer, size_t unit)
{
    int64_t left = (int64_t)unit, bands = bands_of(layer), depth = layer->axes[0].window.output;
    rf_layer_spot spot = {0};
    if (layer->blocks_last) {
        spot.block = left % layer->blocks;
        left /= layer->blocks;
    }
    spot.segment = left % layer->segments;
    left /= layer->segments;
    set_band(layer, left % bands, &spot);
    left /= bands;
    spot.z = left % depth;
    left /= depth;
    spot.batch = layer->blocks_last ? left : left % layer->batch;
    if (!layer->blocks_last)
        spot.block = left / layer->batch;
    set_segment(layer, &spot);
    return spot;
}

/* Counts up to `extent`; true where it starts again. */
static bool wraps(int64_t *index, int64_t extent)
{
    if (++*index < extent)
        return false;
    *index = 0;
    return true;
}

void rf_layer_next(const rf_window_layer *layer, rf_layer_spot *spot)
{
    if (layer->blocks_last && !wraps(&spot->block, layer->blocks))
        return;
    bool row = wraps(&spot->segment, layer->segments);
    if (layer->segments > 1)
        set_segment(layer, spot);
    if (!row)
        return;
    int64_t number = spot->y / layer->band;
    bool plane = wraps(&number, bands_of(layer));
    set_band(layer, number, spot);
    if (plane && wraps(&spot->z, layer->axes[0].window.output) && wraps(&spot->batch, layer->batch))
        spot->block++;
}

static float read_float(const void *from, int64_t i)
{
    float value;
    memcpy(&value, (const char *)from + (size_t)i * sizeof value, sizeof value);
    return value;
}

float rf_layer_weight(const rf_window_layer *layer, const void *weights, int64_t group, int64_t output, int64_t input,
                      int64_t tap)
{
    int64_t channel = group * layer->outputs + output, row = channel * layer->inputs + input;
    if (layer->spec.transposed || layer->spec.reversed)
        row = (group * layer->inputs + input) * layer->outputs + output;
    float weight = read_float(weights, row * layer->taps + (layer->spec.reversed ? layer->taps - 1 - tap : tap));
    return layer->spec.scale ? (float)((double)weight * (double)layer->spec.scale[channel]) : weight;
}

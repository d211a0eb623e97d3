/* SPDX-License-Identifier: MIT */
/*
 * Pools over regions of interest: RoiAlign samples between pixels, MaxRoiPool
 * takes whole ones.
 *
 * Counting. RoiAlign takes 4 multiplications and 3 additions for a sample, then
 * for an output element an addition fewer than samples and a division, or with
 * `max` 4 multiplications and 3 comparisons for a sample and a comparison fewer
 * than samples. MaxRoiPool takes a comparison fewer than pixels. How many
 * samples or pixels depends on the regions: where the layer does not fix it,
 * regions that cover the whole plane are counted. Finding the places is left out.
 */
#include <math.h>

#include "ops/checks.h"
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/table.h"

/* The most samples along an axis of a bin that a layer may ask for. */
enum { MOST_SAMPLES = 1024 };

typedef struct region_params {
    const char *mode, *coordinates;
    int64_t height, width, sampling_ratio;
    float scale;
    rf_ints pooled_shape;
} region_params;

/* In node->state: bins along the axes, and the choices made by name. */
typedef struct region_state {
    int64_t height, width;
    bool largest, half_pixel;
} region_state;

static const region_params defaults = {.height = 1, .width = 1, .scale = 1};

static const rf_attribute_spec align_attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(region_params, mode), false},
    {"coordinate_transformation_mode", RF_ATTRIBUTE_STRING, offsetof(region_params, coordinates), false},
    {"output_height", RF_ATTRIBUTE_INT, offsetof(region_params, height), false},
    {"output_width", RF_ATTRIBUTE_INT, offsetof(region_params, width), false},
    {"sampling_ratio", RF_ATTRIBUTE_INT, offsetof(region_params, sampling_ratio), false},
    {"spatial_scale", RF_ATTRIBUTE_FLOAT, offsetof(region_params, scale), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec pool_attributes[] = {
    {"pooled_shape", RF_ATTRIBUTE_INTS, offsetof(region_params, pooled_shape), true},
    {"spatial_scale", RF_ATTRIBUTE_FLOAT, offsetof(region_params, scale), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const char *const mode_names[] = {"avg", "max", NULL};
static const char *const coordinate_names[] = {"half_pixel", "output_half_pixel", NULL};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_inputs(const rf_node *node, int64_t roi_length)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_check_same_dtype(node, 1, 0));
    const rf_shape *rois = &node->inputs[1]->shape;
    if (x->shape.rank != 4)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,H,W] is needed",
                            rf_shape_print(&x->shape).text);
    if (rois->rank == 2 && rois->dims[1] == roi_length)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its regions have shape %s, but [regions,%lld] is needed",
                        rf_shape_print(rois).text, (long long)roi_length);
}

static rf_status finish(rf_node *node, const region_state *state)
{
    const rf_value *x = node->inputs[0];
    if (state->height < 1 || state->width < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "it puts out %lld x %lld bins, but needs at least 1 x 1",
                            (long long)state->height, (long long)state->width);
    region_state *kept = RF_TAKE(node->arena, region_state, 1);
    if (!kept)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its bins");
    *kept = *state;
    node->state = kept;
    rf_shape output = RF_SHAPE(node->inputs[1]->shape.dims[0], x->shape.dims[1], state->height, state->width);
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

static rf_status infer_align(rf_node *node)
{
    const region_params *params = node->params;
    int mode, coordinates;
    RF_TRY(check_inputs(node, 4));
    RF_TRY(rf_node_choice(node, "mode", params->mode, mode_names, &mode));
    RF_TRY(rf_node_choice(node, "coordinate_transformation_mode", params->coordinates, coordinate_names,
                          &coordinates));
    RF_TRY(rf_check_dtype(node, 2, RF_INT64));
    RF_TRY(rf_node_vector(node, 2, "batch_indices", node->inputs[1]->shape.dims[0]));
    if (params->sampling_ratio < 0 || params->sampling_ratio > MOST_SAMPLES)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "sampling_ratio is %lld, outside 0..%d",
                            (long long)params->sampling_ratio, MOST_SAMPLES);
    const region_state state = {params->height, params->width, mode == 1, node->opset >= 16 && coordinates == 0};
    return finish(node, &state);
}

static rf_status infer_pool(rf_node *node)
{
    const region_params *params = node->params;
    RF_TRY(check_inputs(node, 5));
    if (params->pooled_shape.count != 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "pooled_shape has %zu entries, but 2 are needed",
                            params->pooled_shape.count);
    const region_state state = {params->pooled_shape.at[0], params->pooled_shape.at[1], true, false};
    return finish(node, &state);
}

/* Where a region lies, and in which image, is known only when running. */
static void link_regions(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    rf_link_everything(node, output, input, links);
    if (input == 0)
        rf_link_same(&links[1], 1);
    else
        rf_link_same(&links[0], 0);
}

/* ---- Costs ------------------------------------------------------------------------------ */

/* Pixels of a bin where the region is the whole plane. */
static bool whole_bin(const rf_node *node, uint64_t *pixels)
{
    const region_state *state = node->state;
    const rf_shape *x = &node->inputs[0]->shape;
    return rf_checked_mul((uint64_t)rf_div_ceil(x->dims[2], state->height),
                          (uint64_t)rf_div_ceil(x->dims[3], state->width), pixels);
}

static bool cost_align(const rf_node *node, rf_cost *cost)
{
    const region_params *params = node->params;
    const region_state *state = node->state;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape), samples, parts;
    samples = (uint64_t)params->sampling_ratio * (uint64_t)params->sampling_ratio;
    if (samples == 0 && !whole_bin(node, &samples))
        return false;
    if (outputs == 0 || samples == 0)
        return true;
    if (!rf_checked_mul(outputs, samples, &samples) || !rf_checked_mul(samples, 4, &parts))
        return false;
    rf_counts *dense = &cost->dense;
    dense->multiplications = parts;
    *(state->largest ? &dense->comparisons : &dense->additions) = parts - outputs;
    dense->divisions = state->largest ? 0 : outputs;
    cost->valid = *dense;
    return true;
}

static bool cost_pool(const rf_node *node, rf_cost *cost)
{
    uint64_t outputs = rf_elements(&node->outputs[0]->shape), pixels;
    if (!whole_bin(node, &pixels) || !rf_checked_mul(outputs, pixels, &pixels))
        return false;
    cost->dense.comparisons = pixels ? pixels - outputs : 0;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* One region of one channel. */
typedef struct channel {
    const rf_node *node;
    uint64_t first; /* element of the input */
    int64_t height, width;
} channel;

/* A run of samples along an axis: first + step * i for begin <= i < end, of `count` in all. */
typedef struct samples {
    double first, step, count;
    int64_t begin, end;
} samples;

static double element(const channel *plane, int64_t y, int64_t x)
{
    return rf_value_float(plane->node->inputs[0], plane->first + (uint64_t)(y * plane->width + x));
}

/* Leaves out the samples that lie more than a pixel outside: a region may claim any number of them. */
static void cut_samples(samples *run, int64_t extent)
{
    double begin = floor((-1 - run->first) / run->step), end = ceil(((double)extent - run->first) / run->step) + 1;
    if (!(run->step > 0)) { /* then they are no more than sampling_ratio asks for */
        begin = 0;
        end = run->count;
    }
    begin = fmax(begin, 0);
    end = fmax(fmin(end, run->count), begin);
    run->begin = begin < 0x1p62 ? (int64_t)begin : 0;
    run->end = begin < 0x1p62 && end < 0x1p62 ? (int64_t)end : run->begin;
}

/* A position between two pixels, and how near the second it is. */
typedef struct between {
    int64_t low, high;
    double weight;
} between;

static between locate(double at, int64_t extent)
{
    at = fmin(fmax(at, 0), (double)(extent - 1));
    int64_t low = (int64_t)at;
    return (between){low, rf_min(low + 1, extent - 1), at - (double)low};
}

static bool is_within(double at, int64_t extent)
{
    return at >= -1 && at <= (double)extent;
}

/* The four products of a sample. */
static void weigh_corners(const channel *plane, double y, double x, double parts[4])
{
    between rows = locate(y, plane->height), columns = locate(x, plane->width);
    parts[0] = (1 - rows.weight) * (1 - columns.weight) * element(plane, rows.low, columns.low);
    parts[1] = (1 - rows.weight) * columns.weight * element(plane, rows.low, columns.high);
    parts[2] = rows.weight * (1 - columns.weight) * element(plane, rows.high, columns.low);
    parts[3] = rows.weight * columns.weight * element(plane, rows.high, columns.high);
}

static double larger(double a, double b)
{
    return a != a || a > b ? a : b;
}

/*
 * The mean of the samples, or the largest: of the four products of each sample
 * and not of their sums, as ONNX's own reference has it. A sample outside is 0.
 */
static double align_bin(const channel *plane, const samples *rows, const samples *columns, bool largest)
{
    double sum = 0, most = -(double)INFINITY, parts[4], count = rows->count * columns->count;
    uint64_t met = 0;
    for (int64_t i = rows->begin; i < rows->end; i++)
        for (int64_t j = columns->begin; j < columns->end; j++) {
            double y = rows->first + rows->step * (double)i, x = columns->first + columns->step * (double)j;
            if (!is_within(y, plane->height) || !is_within(x, plane->width))
                continue;
            weigh_corners(plane, y, x, parts);
            sum += parts[0] + parts[1] + parts[2] + parts[3];
            most = larger(larger(larger(larger(most, parts[0]), parts[1]), parts[2]), parts[3]);
            met++;
        }
    rf_counts *tally = plane->node->tally;
    if (tally && met) {
        tally->multiplications += 4 * met;
        *(largest ? &tally->comparisons : &tally->additions) += 4 * met - 1;
        tally->divisions += !largest;
    }
    if (count == 0 || !largest)
        return met ? sum / count : 0;
    return (double)met < count ? larger(most, 0) : most;
}

/* Samples of bin `bin` of a region that begins at `begin` and is `length` long, in `bins` bins. */
static samples bin_samples(const region_params *params, double begin, double length, int64_t bins, int64_t bin)
{
    double size = length / (double)bins;
    double count = params->sampling_ratio ? (double)params->sampling_ratio : fmax(ceil(size), 0);
    double step = size / fmax(count, 1);
    return (samples){.first = begin + (double)bin * size + 0.5 * step, .step = step, .count = count};
}

static void align_region(const channel *plane, const double roi[4], double *bins)
{
    const rf_node *node = plane->node;
    const region_params *params = node->params;
    const region_state *state = node->state;
    double offset = state->half_pixel ? 0.5 : 0, scale = (double)params->scale;
    double left = roi[0] * scale - offset, top = roi[1] * scale - offset;
    double width = roi[2] * scale - offset - left, height = roi[3] * scale - offset - top;
    if (!state->half_pixel) {
        width = fmax(width, 1);
        height = fmax(height, 1);
    }
    for (int64_t i = 0; i < state->height; i++)
        for (int64_t j = 0; j < state->width; j++) {
            samples rows = bin_samples(params, top, height, state->height, i);
            samples columns = bin_samples(params, left, width, state->width, j);
            cut_samples(&rows, plane->height);
            cut_samples(&columns, plane->width);
            bins[i * state->width + j] = align_bin(plane, &rows, &columns, state->largest);
        }
}

/* Pixels first .. end-1 of a bin, cut to the plane. */
static void bin_pixels(double begin, double end, int64_t bins, int64_t bin, int64_t extent, int64_t *first,
                       int64_t *last)
{
    double size = fmax(end - begin + 1, 1) / (double)bins, most = (double)extent;
    *first = (int64_t)fmin(fmax(floor((double)bin * size) + begin, 0), most);
    *last = (int64_t)fmin(fmax(ceil((double)(bin + 1) * size) + begin, 0), most);
}

/* The largest pixel; 0 where the bin holds none. */
static double pool_bin(const channel *plane, int64_t y0, int64_t y1, int64_t x0, int64_t x1)
{
    if (y0 >= y1 || x0 >= x1)
        return 0;
    double most = element(plane, y0, x0);
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++)
            most = larger(most, element(plane, y, x));
    if (plane->node->tally)
        plane->node->tally->comparisons += (uint64_t)(y1 - y0) * (uint64_t)(x1 - x0) - 1;
    return most;
}

static void pool_region(const channel *plane, const double roi[4], double *bins)
{
    const region_params *params = plane->node->params;
    const region_state *state = plane->node->state;
    double scale = (double)params->scale;
    for (int64_t i = 0; i < state->height; i++)
        for (int64_t j = 0; j < state->width; j++) {
            int64_t y0, y1, x0, x1;
            bin_pixels(round(roi[1] * scale), round(roi[3] * scale), state->height, i, plane->height, &y0, &y1);
            bin_pixels(round(roi[0] * scale), round(roi[2] * scale), state->width, j, plane->width, &x0, &x1);
            bins[i * state->width + j] = pool_bin(plane, y0, y1, x0, x1);
        }
}

typedef void region_function(const channel *plane, const double roi[4], double *bins);

static rf_status check_region(const rf_node *node, double image, const double roi[4])
{
    int64_t images = node->inputs[0]->shape.dims[0];
    for (int k = 0; k < 4; k++)
        if (!isfinite(roi[k]))
            return rf_node_fail(node, RF_ERROR_SHAPE, "a region has a corner at %g", roi[k]);
    if (image >= 0 && image < (double)images)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "a region is of image %g, outside 0..%lld", image,
                        (long long)images - 1);
}

static bool scratch(const rf_node *node, uint64_t *bytes)
{
    const region_state *state = node->state;
    uint64_t bins;
    return rf_checked_mul((uint64_t)state->height, (uint64_t)state->width, &bins) && rf_doubles_bytes(bins, 0, bytes);
}

/* The image of a region stands in input 2, or before its corners. */
static rf_status evaluate(rf_node *node, bool image_apart, region_function *reduce)
{
    const rf_shape *x = &node->inputs[0]->shape, *out = &node->outputs[0]->shape;
    const uint64_t length = image_apart ? 4 : 5, bins = (uint64_t)out->dims[2] * (uint64_t)out->dims[3];
    if (rf_elements(x) == 0 && rf_elements(out))
        return rf_node_fail(node, RF_ERROR_SHAPE, "it pools over an input of shape %s", rf_shape_print(x).text);
    for (int64_t r = 0; r < out->dims[0]; r++) {
        double roi[5];
        rf_doubles_read(node->inputs[1], (uint64_t)r * length, length, roi);
        double image = image_apart ? (double)rf_value_int(node->inputs[2], (uint64_t)r) : trunc(roi[0]);
        RF_TRY(check_region(node, image, image_apart ? roi : roi + 1));
        for (int64_t c = 0; c < out->dims[1]; c++) {
            const channel plane = {node, (uint64_t)(((int64_t)image * x->dims[1] + c) * x->dims[2] * x->dims[3]),
                                 x->dims[2], x->dims[3]};
            reduce(&plane, image_apart ? roi : roi + 1, node->scratch);
            rf_doubles_write(node->outputs[0], (uint64_t)(r * out->dims[1] + c) * bins, bins, node->scratch);
        }
    }
    return RF_OK;
}

static rf_status evaluate_align(rf_node *node)
{
    return evaluate(node, true, align_region);
}

static rf_status evaluate_pool(rf_node *node)
{
    return evaluate(node, false, pool_region);
}

#define REGION_ROW(type_, class_, inputs_, attributes_, infer_, cost_, evaluate_) \
    const rf_op rf_op_##type_ = {                                                 \
        .type = #type_,                                                           \
        .class = class_,                                                          \
        .min_inputs = inputs_,                                                    \
        .max_inputs = inputs_,                                                    \
        .min_outputs = 1,                                                         \
        .max_outputs = 1,                                                         \
        .attributes = attributes_,                                                \
        .defaults = &defaults,                                                    \
        .params_size = sizeof(region_params),                                     \
        .infer = infer_,                                                          \
        .link = link_regions,                                                     \
        .cost = cost_,                                                            \
        .evaluate = evaluate_,                                                    \
        .scratch = scratch,                                                       \
    }

REGION_ROW(RoiAlign, RF_CLASS_OTHER, 3, align_attributes, infer_align, cost_align, evaluate_align);
REGION_ROW(MaxRoiPool, RF_CLASS_OTHER, 2, pool_attributes, infer_pool, cost_pool, evaluate_pool);

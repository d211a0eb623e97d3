/* SPDX-License-Identifier: MIT */
/*
 * A NaN spreads to whatever is computed from it. So the outputs that hold one
 * after a NaN was put into an input pixel are those that see the pixel.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trial.h"
#include "verify.h"

enum { MOST_LAYERS = 16, SAMPLES = 24, MOST_SHOWN = 5 };

/* Exact fields of deep layers take long; so much time is spent on them, shared by all pixels and layers. */
static const double most_ms = 60000;

/* A layer whose output is looked at. */
typedef struct watched {
    size_t layer;
    rf_tensor output;
} watched;

typedef struct field_check {
    const open_model *model;
    rf_network network; /* the model's, with other outputs; the trial's model points into it */
    rf_tensor outputs[MOST_LAYERS];
    trial it;
    watched layers[MOST_LAYERS];
    size_t layer_count;
    bool masks; /* NaN may get lost on the way */
    uint64_t random;
    uint64_t compared, differences;
} field_check;

/* A pixel of a network input, and its channel. */
typedef struct pixel {
    size_t input;
    int64_t channel, at[RF_MAX_SPATIAL];
} pixel;

static int64_t choose(field_check *check, int64_t count)
{
    check->random = check->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((check->random >> 33) % (uint64_t)count);
}

static int32_t spatial_axes(const rf_shape *shape)
{
    int32_t axes = shape->rank - 2;
    return axes < 0 || axes > RF_MAX_SPATIAL ? 0 : axes;
}

/* ---- Which layers ------------------------------------------------------------------------- */

static bool is_empty(const rf_shape *shape)
{
    for (int32_t k = 0; k < shape->rank; k++)
        if (shape->dims[k] == 0)
            return true;
    return false;
}

static bool is_watchable(const rf_layer_analysis *layer)
{
    return !layer->folded && layer->field_count && layer->output_count && layer->outputs[0].name
        && *layer->outputs[0].name && layer->outputs[0].dtype == RF_FLOAT32 && layer->outputs[0].shape.rank >= 2
        && layer->outputs[0].shape.rank <= 2 + RF_MAX_SPATIAL && !is_empty(&layer->outputs[0].shape);
}

static void choose_layers(field_check *check)
{
    const rf_analysis *analysis = check->model->analysis;
    size_t candidates = 0, seen = 0;
    for (size_t i = 0; i < analysis->layer_count; i++)
        candidates += is_watchable(&analysis->layers[i]);
    size_t wanted = candidates < MOST_LAYERS ? candidates : MOST_LAYERS;
    for (size_t i = 0; i < analysis->layer_count && check->layer_count < wanted; i++) {
        const rf_layer_analysis *layer = &analysis->layers[i];
        for (size_t o = 0; o < layer->output_count; o++)
            check->masks |= !layer->folded && layer->field_count && layer->outputs[o].dtype != RF_FLOAT32;
        if (!is_watchable(layer))
            continue;
        seen++;
        if (seen * wanted / candidates > check->layer_count)
            check->layers[check->layer_count++] = (watched){i, layer->outputs[0]};
    }
}

/* The same network, but what the chosen layers put out comes out too. */
static int open_trial(field_check *check, rf_precision precision)
{
    check->network = *check->model->network;
    for (size_t i = 0; i < check->layer_count; i++)
        check->outputs[i] = check->layers[i].output;
    check->network.outputs = check->outputs;
    check->network.output_count = check->layer_count;
    open_model deeper = *check->model;
    deeper.network = &check->network;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.exact = true;
    how.precision = precision;
    return trial_open(&check->it, &deeper, &how, 1);
}

/* ---- Where NaN came out ------------------------------------------------------------------- */

static bool is_tainted(const watched *layer, const float *elements, const int64_t *at)
{
    const rf_shape *shape = &layer->output.shape;
    int64_t plane = 1, place = 0;
    for (int32_t k = 0; k < spatial_axes(shape); k++) {
        plane *= shape->dims[2 + k];
        place = place * shape->dims[2 + k] + at[k];
    }
    for (int64_t c = 0; c < shape->dims[1]; c++)
        if (elements[c * plane + place] != elements[c * plane + place])
            return true;
    return false;
}

static bool in_map(const rf_field_map *map, const pixel *poisoned)
{
    int64_t place = 0;
    for (int32_t k = 0; k < map->axis_count; k++) {
        if (poisoned->at[k] < map->axes[k].first || poisoned->at[k] > map->axes[k].last)
            return false;
        place = place * (map->axes[k].last - map->axes[k].first + 1) + poisoned->at[k] - map->axes[k].first;
    }
    return map->paths[place] > 0;
}

/* Whether the analysis says that the output at `at` sees the pixel. */
static int is_seen(const field_check *check, const watched *layer, const pixel *poisoned, const int64_t *at,
                   bool *seen)
{
    rf_error error;
    rf_field_at_result result;
    const rf_field_map *map;
    rf_field_query query = {
        .layer = layer->layer, .input = poisoned->input, .channel = -1, .at = at,
        .at_count = (size_t)spatial_axes(&layer->output.shape),
    };
    *seen = false;
    rf_status status = rf_field_at(check->model->analysis, &query, &result, &error);
    if (status == RF_ERROR_NOT_FOUND)
        return DONE;
    if (status == RF_OK && (poisoned->channel < result.channels.first || poisoned->channel > result.channels.last))
        return DONE;
    if (status == RF_OK)
        status = rf_field_map_make(check->model->analysis, &query, &map, &error);
    if (status != RF_OK)
        return complain(check->model->path, "%s", error.message);
    *seen = in_map(map, poisoned);
    rf_field_map_free(map);
    return DONE;
}

static void tell(field_check *check, const watched *layer, const pixel *poisoned, const int64_t *at, bool seen)
{
    if (check->differences++ >= MOST_SHOWN)
        return;
    printf("fields: layer '");
    print_name(check->model->analysis->layers[layer->layer].name);
    printf("' at");
    for (int32_t k = 0; k < spatial_axes(&layer->output.shape); k++)
        printf(" %lld", (long long)at[k]);
    printf(": input pixel (channel %lld;", (long long)poisoned->channel);
    for (int32_t k = 0; k < RF_MAX_SPATIAL; k++)
        printf(" %lld", (long long)poisoned->at[k]);
    printf(") is %s by the analysis, but its NaN %s\n", seen ? "seen" : "not seen", seen ? "did not come" : "came");
}

/* A position: the first ones at the rim of what is tainted, then any. */
static void choose_position(field_check *check, const watched *layer, const int64_t *low, const int64_t *high,
                            int64_t *at)
{
    for (int32_t k = 0; k < spatial_axes(&layer->output.shape); k++) {
        int64_t extent = layer->output.shape.dims[2 + k];
        if (low[k] > high[k] || choose(check, 4) == 0) {
            at[k] = choose(check, extent);
            continue;
        }
        const int64_t near[] = {low[k] - 1, low[k], high[k], high[k] + 1, low[k] + choose(check, high[k] - low[k] + 1)};
        at[k] = near[choose(check, 5)];
        at[k] = at[k] < 0 ? 0 : at[k] >= extent ? extent - 1 : at[k];
    }
}

/* The box of tainted positions; empty where there are none. */
static void find_box(const watched *layer, const float *elements, int64_t *low, int64_t *high)
{
    int32_t axes = spatial_axes(&layer->output.shape);
    int64_t positions = 1;
    for (int32_t k = 0; k < axes; k++) {
        positions *= layer->output.shape.dims[2 + k];
        low[k] = INT64_MAX;
        high[k] = -1;
    }
    for (int64_t p = 0; p < positions; p++) {
        int64_t at[RF_MAX_SPATIAL] = {0}, rest = p;
        for (int32_t k = axes - 1; k >= 0; k--) {
            at[k] = rest % layer->output.shape.dims[2 + k];
            rest /= layer->output.shape.dims[2 + k];
        }
        if (!is_tainted(layer, elements, at))
            continue;
        for (int32_t k = 0; k < axes; k++) {
            low[k] = at[k] < low[k] ? at[k] : low[k];
            high[k] = at[k] > high[k] ? at[k] : high[k];
        }
    }
}

static int check_layer(field_check *check, const watched *layer, const pixel *poisoned, double share)
{
    rf_tensor output;
    rf_error error;
    int64_t low[RF_MAX_SPATIAL], high[RF_MAX_SPATIAL], at[RF_MAX_SPATIAL];
    if (rf_session_output(check->it.session, layer->output.name, &output, &error) != RF_OK)
        return complain(check->model->path, "%s", error.message);
    find_box(layer, output.data, low, high);
    int samples = spatial_axes(&layer->output.shape) ? SAMPLES : 1;
    double until = trial_clock() + share;
    for (int i = 0; i < samples && (i == 0 || trial_clock() < until); i++) {
        bool seen;
        choose_position(check, layer, low, high, at);
        int code = is_seen(check, layer, poisoned, at, &seen);
        if (code != DONE)
            return code;
        bool tainted = is_tainted(layer, output.data, at);
        check->compared++;
        if (tainted != seen && (tainted || !check->masks))
            tell(check, layer, poisoned, at, seen);
    }
    return DONE;
}

/* ---- Pixels ------------------------------------------------------------------------------- */

static bool is_image(const rf_tensor *input)
{
    bool full = input->shape.rank >= 3 && spatial_axes(&input->shape);
    for (int32_t k = 0; k < input->shape.rank; k++)
        full = full && input->shape.dims[k] > 0;
    return full && input->dtype == RF_FLOAT32;
}

static float *element_of(const field_check *check, const pixel *at)
{
    const rf_shape *shape = &check->model->analysis->inputs[at->input].shape;
    int64_t place = at->channel;
    for (int32_t k = 0; k < spatial_axes(shape); k++)
        place = place * shape->dims[2 + k] + at->at[k];
    return (float *)check->it.inputs[at->input] + place;
}

static pixel choose_pixel(field_check *check, size_t input, int64_t number)
{
    const rf_shape *shape = &check->model->analysis->inputs[input].shape;
    pixel chosen = {.input = input, .channel = choose(check, shape->dims[1])};
    for (int32_t k = 0; k < spatial_axes(shape); k++)
        chosen.at[k] = number == 0 ? shape->dims[2 + k] / 2 : choose(check, shape->dims[2 + k]);
    return chosen;
}

static int check_pixel(field_check *check, size_t input, int64_t number, double share)
{
    rf_error error;
    pixel poisoned = choose_pixel(check, input, number);
    float *element = element_of(check, &poisoned), kept = *element;
    uint32_t bits = UINT32_C(0x7fc00000);
    memcpy(element, &bits, sizeof bits);
    rf_status status = rf_run(check->it.session, &error);
    *element = kept;
    if (status != RF_OK)
        return complain(check->model->path, "%s", error.message);
    int code = DONE;
    for (size_t i = 0; i < check->layer_count && code == DONE; i++)
        code = check_layer(check, &check->layers[i], &poisoned, share / (double)check->layer_count);
    return code;
}

static int check_pixels(field_check *check, int64_t points)
{
    const rf_analysis *analysis = check->model->analysis;
    int code = DONE;
    size_t images = 0;
    for (size_t i = 0; i < analysis->input_count && code == DONE; i++) {
        if (!is_image(&analysis->inputs[i]))
            continue;
        images++;
        for (int64_t p = 0; p < points && code == DONE; p++) {
            show_progress("following pixel", (size_t)p + 1, (size_t)points);
            code = check_pixel(check, i, p, most_ms / (double)points);
        }
    }
    show_progress("", 0, 0);
    if (code == DONE)
        printf("fields: %llu outputs of %zu layers against NaN in %lld pixels of %zu inputs%s\n",
               (unsigned long long)check->compared, check->layer_count, (long long)points, images,
               check->masks ? "; some layers hide NaN, so only its presence was judged" : "");
    return code;
}

int verify_fields(const open_model *model, const verify_request *request, uint64_t *differences)
{
    field_check check = {.model = model, .random = (uint64_t)request->seed};
    choose_layers(&check);
    if (!check.layer_count) {
        printf("fields: no layer to look at\n");
        return DONE;
    }
    int code = open_trial(&check, request->precision);
    if (code == DONE)
        code = check_pixels(&check, request->points);
    trial_close(&check.it);
    *differences += check.differences;
    return code;
}

/* SPDX-License-Identifier: MIT */
/*
 * The effective receptive field: a unit gradient at one output, carried back to an input by the network
 * that rf_gradient_describe() makes.
 *
 * The model is compiled as exact: algorithms that transform tiles, as Winograd's, would leave rounding errors
 * outside of the field, where the derivative is 0.
 */
#include <rfield/effective_field.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <rfield/gradient.h>
#include <rfield/random.h>
#include <rfield/readers.h>

#include "analysis/field_query.h"
#include "base/arena.h"
#include "base/failure.h"
#include "base/options.h"
#include "ops/op.h"
#include "training/effective_measure.h"

typedef struct field_owner {
    rf_effective_field field; /* must stay first */
    rf_arena arena;
} field_owner;

/* What is needed until the field is known. */
typedef struct measurement {
    const rf_network *network;
    const rf_effective_options *options;
    rf_effective_field *field;
    rf_arena *lasting, working; /* the field's memory, and this struct's */
    rf_error *error;
    const rf_analysis *analysis;
    rf_field_query query;
    const rf_tensor *output, *input;
    const rf_input_axes *axes;  /* of the input */
    const rf_network *gradient;
    rf_model *model;
    rf_session *session;
    float **buffers;            /* of the model's inputs */
    rf_random *streams;
    const char *result;         /* the gradient's name */
    double *weights;
} measurement;

static rf_status no_memory(const measurement *it, const rf_arena *arena)
{
    return rf_arena_fail(arena, it->error, "an effective field");
}

/* ---- What is asked ------------------------------------------------------------------------ */

static rf_status analyze(measurement *it)
{
    rf_analyze_options how = RF_ANALYZE_OPTIONS_DEFAULT;
    how.bindings = it->options->bindings;
    how.binding_count = it->options->binding_count;
    how.allocator = it->options->allocator;
    how.limits = it->options->limits;
    return rf_analyze(it->network, &how, &it->analysis, it->error);
}

static rf_status find_output(measurement *it)
{
    const rf_analysis *analysis = it->analysis;
    const char *name = it->options->tensor;
    if (!name)
        name = analysis->output_count ? analysis->outputs[0].name : "";
    it->query.layer = rf_analysis_find_layer(analysis, name);
    if (it->query.layer == analysis->layer_count)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, name, "no layer or tensor is called '%.100s'", name);
    const rf_layer_analysis *layer = &analysis->layers[it->query.layer];
    for (size_t i = 0; i < layer->output_count; i++)
        if (strcmp(layer->outputs[i].name, name) == 0)
            it->query.output = i;
    if (it->query.output >= layer->output_count)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, name, "layer '%.100s' puts out nothing", layer->name);
    it->output = &layer->outputs[it->query.output];
    return RF_OK;
}

static rf_status find_input(measurement *it)
{
    const rf_analysis *analysis = it->analysis;
    const rf_layer_analysis *layer = &analysis->layers[it->query.layer];
    const char *name = it->options->input;
    size_t i = 0;
    if (!name && layer->field_count == 0)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, layer->name, "layer '%.100s' sees no input of the network",
                       layer->name);
    if (!name)
        i = layer->fields[0].input;
    else
        while (i < analysis->input_count && strcmp(analysis->inputs[i].name, name) != 0)
            i++;
    if (i == analysis->input_count)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, name, "the network has no input '%.100s'", name);
    it->query.input = i;
    it->input = &analysis->inputs[i];
    return RF_OK;
}

static rf_status find_position(measurement *it, rf_range *elements)
{
    rf_effective_field *field = it->field;
    const rf_effective_options *options = it->options;
    it->query.channel = field->channel = options->channel;
    if (options->at_count > RF_MAX_SPATIAL)
        return rf_fail(it->error, RF_ERROR_ARGUMENT, "at", "%zu indices are given, but an output has at most %d "
                       "spatial axes", options->at_count, RF_MAX_SPATIAL);
    if (!options->at)
        RF_TRY(rf_field_middle(it->analysis, &it->query, field->at, &field->at_count, it->error));
    else
        memcpy(field->at, options->at, (field->at_count = options->at_count) * sizeof *field->at);
    it->query.at = field->at;
    it->query.at_count = field->at_count;
    RF_TRY(rf_field_select(it->analysis, &it->query, elements, &it->axes, it->error));
    return rf_field_at(it->analysis, &it->query, &field->theoretical, it->error);
}

/* The input's extents, and how many samples the caller's elements make. */
static rf_status take_input(measurement *it)
{
    rf_effective_field *field = it->field;
    const rf_effective_options *options = it->options;
    uint64_t elements = rf_elements(&it->input->shape);
    field->axis_count = it->axes->count;
    field->count = 1;
    for (int32_t k = 0; k < field->axis_count; k++) {
        field->extents[k] = it->input->shape.dims[it->axes->at[k]];
        field->count *= (size_t)field->extents[k];
    }
    if (field->axis_count == 0 || elements == 0)
        return rf_fail(it->error, RF_ERROR_SHAPE, it->input->name, "input '%.100s' has shape %s, but a field needs "
                       "elements along spatial axes", it->input->name, rf_shape_print(&it->input->shape).text);
    if (options->elements && (options->element_count % elements || options->element_count / elements != options->samples))
        return rf_fail(it->error, RF_ERROR_ARGUMENT, "elements", "%zu elements are given, but %zu samples of input "
                       "'%.100s' have %llu each", options->element_count, options->samples, it->input->name,
                       (unsigned long long)elements);
    field->layer = it->query.layer;
    field->output = it->query.output;
    field->input = it->query.input;
    it->weights = RF_TAKE(it->lasting, double, field->count);
    field->weights = it->weights;
    return it->weights ? RF_OK : no_memory(it, it->lasting);
}

/* ---- The gradient as a model -------------------------------------------------------------- */

static rf_status compile(measurement *it)
{
    const rf_effective_options *options = it->options;
    const char *const by[] = {it->input->name};
    const rf_gradient_options what = {
        .size = sizeof what, .allocator = options->allocator, .limits = options->limits,
        .bindings = options->bindings, .binding_count = options->binding_count, .output = it->output->name,
        .loss = RF_LOSS_WEIGHTED_SUM, .tensors = by, .tensor_count = 1,
    };
    RF_TRY(rf_gradient_describe(it->network, &what, &it->gradient, it->error));
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.allocator = options->allocator;
    how.limits = options->limits;
    how.executor = options->executor;
    how.exact = true;
    RF_TRY(rf_compile(it->gradient, &how, &it->model, it->error));
    rf_session_options session = RF_SESSION_OPTIONS_DEFAULT;
    session.allocator = options->allocator;
    session.executor = options->executor;
    return rf_session_make(it->model, &session, &it->session, it->error);
}

static rf_status name_result(measurement *it)
{
    size_t bytes = strlen(it->input->name) + sizeof RF_GRADIENT_SUFFIX;
    char *name = rf_arena_take(&it->working, bytes, 1);
    if (!name)
        return no_memory(it, &it->working);
    snprintf(name, bytes, "%s%s", it->input->name, RF_GRADIENT_SUFFIX);
    it->result = name;
    return RF_OK;
}

/* 1 at the elements that are asked about, 0 at all others. */
static void fill_unit(float *target, const rf_shape *shape, const rf_range *elements)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t count = (size_t)rf_elements(shape);
    for (size_t i = 0; i < count; i++) {
        bool asked = true;
        for (int32_t k = 0; k < shape->rank; k++)
            asked &= index[k] >= elements[k].first && index[k] <= elements[k].last;
        target[i] = asked ? 1.0f : 0.0f;
        for (int32_t k = shape->rank; k-- > 0;) {
            if (++index[k] < shape->dims[k])
                break;
            index[k] = 0;
        }
    }
}

static rf_status bind_inputs(measurement *it, const rf_range *elements)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(it->model, &count);
    it->buffers = RF_TAKE(&it->working, float *, count);
    it->streams = RF_TAKE(&it->working, rf_random, count);
    if (!it->buffers || !it->streams)
        return no_memory(it, &it->working);
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes;
        bool fits = rf_tensor_bytes(inputs[i].dtype, &inputs[i].shape, &bytes) && bytes <= SIZE_MAX;
        it->buffers[i] = fits ? rf_arena_take(&it->working, (size_t)bytes, 1) : NULL;
        it->streams[i] = rf_random_named(it->options->seed, inputs[i].name);
        if (!it->buffers[i])
            return no_memory(it, &it->working);
        if (strcmp(inputs[i].name, RF_TARGET) == 0)
            fill_unit(it->buffers[i], &inputs[i].shape, elements);
        RF_TRY(rf_session_bind_input(it->session, inputs[i].name, it->buffers[i], (size_t)bytes, it->error));
    }
    return RF_OK;
}

/* ---- Samples ------------------------------------------------------------------------------ */

static void fill_inputs(measurement *it, size_t sample)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(it->model, &count);
    for (size_t i = 0; i < count; i++) {
        size_t elements = (size_t)rf_elements(&inputs[i].shape);
        if (inputs[i].dtype != RF_FLOAT32 || strcmp(inputs[i].name, RF_TARGET) == 0)
            continue;
        if (it->options->elements && strcmp(inputs[i].name, it->input->name) == 0) {
            memcpy(it->buffers[i], it->options->elements + sample * elements, elements * sizeof(float));
            continue;
        }
        for (size_t k = 0; k < elements; k++)
            it->buffers[i][k] = (float)rf_random_normal(&it->streams[i]);
    }
}

/* How far an element lies from the next along each of the input's axes in `weights`. */
static void find_steps(const measurement *it, size_t *steps)
{
    size_t step = 1;
    memset(steps, 0, RF_MAX_RANK * sizeof *steps);
    for (int32_t k = it->field->axis_count; k-- > 0; step *= (size_t)it->field->extents[k])
        steps[it->axes->at[k]] = step;
}

static rf_status add_gradient(measurement *it, const float *gradient)
{
    const rf_shape *shape = &it->input->shape;
    size_t steps[RF_MAX_RANK], at = 0, count = (size_t)rf_elements(shape);
    int64_t index[RF_MAX_RANK] = {0};
    find_steps(it, steps);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(gradient[i]))
            return rf_fail(it->error, RF_ERROR_NUMBER, it->input->name, "the derivative of '%.80s' by element %zu of "
                           "'%.80s' is %g, no finite number", it->output->name, i, it->input->name,
                           (double)gradient[i]);
        it->weights[at] += fabs((double)gradient[i]);
        for (int32_t k = shape->rank; k-- > 0;) {
            at += steps[k];
            if (++index[k] < shape->dims[k])
                break;
            at -= steps[k] * (size_t)index[k];
            index[k] = 0;
        }
    }
    return RF_OK;
}

static rf_status run_samples(measurement *it)
{
    rf_tensor gradient;
    for (size_t s = 0; s < it->options->samples; s++) {
        fill_inputs(it, s);
        RF_TRY(rf_run(it->session, it->error));
        RF_TRY(rf_session_output(it->session, it->result, &gradient, it->error));
        RF_TRY(add_gradient(it, gradient.data));
    }
    for (size_t i = 0; i < it->field->count; i++)
        it->weights[i] /= (double)it->options->samples;
    return RF_OK;
}

/* ---- Making ------------------------------------------------------------------------------- */

static rf_status measure(measurement *it)
{
    rf_range elements[RF_MAX_RANK];
    RF_TRY(analyze(it));
    RF_TRY(find_output(it));
    RF_TRY(find_input(it));
    RF_TRY(find_position(it, elements));
    RF_TRY(take_input(it));
    RF_TRY(compile(it));
    RF_TRY(name_result(it));
    RF_TRY(bind_inputs(it, elements));
    RF_TRY(run_samples(it));
    rf_effective_measure(it->field);
    return RF_OK;
}

static void release(measurement *it)
{
    rf_session_free(it->session);
    rf_model_free(it->model);
    rf_network_free(it->gradient);
    rf_analysis_free(it->analysis);
    rf_arena_release(&it->working);
}

static rf_status check_options(const rf_effective_options *options, rf_error *error)
{
    if (options->samples == 0)
        return rf_fail(error, RF_ERROR_ARGUMENT, "samples", "samples is 0, but must be 1 or more");
    if (options->at_count && !options->at)
        return rf_fail(error, RF_ERROR_ARGUMENT, "at", "at is NULL, but at_count is %zu", options->at_count);
    return RF_OK;
}

rf_status rf_effective_field_make(const rf_network *network, const rf_effective_options *options,
                                  const rf_effective_field **field, rf_error *error)
{
    rf_effective_options own = RF_EFFECTIVE_OPTIONS_DEFAULT;
    if (field)
        *field = NULL;
    if (!network || !field)
        return rf_fail(error, RF_ERROR_ARGUMENT, network ? "field" : "network", "rf_effective_field_make: %s is NULL",
                       network ? "field" : "network");
    RF_TRY(rf_options_take(&own, sizeof own, options, "rf_effective_options", "RF_EFFECTIVE_OPTIONS_DEFAULT", error));
    RF_TRY(check_options(&own, error));
    rf_arena arena;
    rf_arena_init(&arena, own.allocator, own.limits.memory_bytes);
    field_owner *owner = RF_TAKE(&arena, field_owner, 1);
    if (!owner)
        return rf_arena_fail(&arena, error, "an effective field");
    measurement it = {.network = network, .options = &own, .field = &owner->field, .lasting = &arena, .error = error};
    rf_arena_init(&it.working, own.allocator, own.limits.memory_bytes);
    rf_status status = measure(&it);
    release(&it);
    owner->arena = arena;
    if (status == RF_OK)
        *field = &owner->field;
    else
        rf_effective_field_free(&owner->field);
    return status;
}

void rf_effective_field_free(const rf_effective_field *field)
{
    if (!field)
        return;
    rf_arena arena = ((const field_owner *)(const void *)field)->arena;
    rf_arena_release(&arena);
}

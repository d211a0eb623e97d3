/* SPDX-License-Identifier: MIT */
/* One batch through the gradient of a network, and what is measured of it. */
#include <rfield/gradient_report.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <rfield/random.h>
#include <rfield/readers.h>

#include "base/options.h"
#include "training/gradient_layers.h"
#include "training/gradient_numbers.h"
#include "training/gradient_verdict.h"

/* The public report is the first member, so that freeing finds the rest. */
typedef struct report_owner {
    rf_gradient_report report;
    rf_arena arena;
} report_owner;

/* A report in the making. `arena` holds what goes when it is made, `kept` what stays. */
typedef struct measuring {
    rf_arena arena;
    rf_arena *kept;
    const rf_network *source;
    rf_gradient_report_options options;
    rf_graph *graph;
    rf_weighted_layer *layers;
    size_t layer_count;
    const rf_network *gradient;
    rf_network extended; /* puts out the pre-activations, too */
    rf_model *model;
    rf_session *session;
    rf_layer_gradient *made;
    rf_error *error;
} measuring;

static rf_status no_memory(const measuring *it)
{
    return rf_arena_fail(&it->arena, it->error, "a gradient report");
}

/* ---- The gradient described ----------------------------------------------------------------- */

static bool is_bound(const rf_gradient_report_options *options, const char *name)
{
    for (size_t i = 0; i < options->binding_count; i++)
        if (options->bindings[i].name && strcmp(options->bindings[i].name, name) == 0)
            return true;
    return false;
}

/* The caller's, and the batch where the first extent is open. */
static rf_status take_bindings(measuring *it)
{
    rf_gradient_report_options *options = &it->options;
    rf_binding *all = RF_TAKE(&it->arena, rf_binding, options->binding_count + it->source->input_count);
    size_t count = options->binding_count;
    if (!all)
        return no_memory(it);
    if (count)
        memcpy(all, options->bindings, count * sizeof *all);
    for (size_t i = 0; i < it->source->input_count; i++) {
        const rf_tensor *input = &it->source->inputs[i];
        if (!input->name || input->shape.rank < 1 || input->shape.rank > RF_MAX_RANK
            || input->shape.dims[0] != RF_UNKNOWN_DIM || is_bound(options, input->name))
            continue;
        all[count] = (rf_binding){.name = input->name, .shape = input->shape};
        all[count++].shape.dims[0] = options->batch;
    }
    options->bindings = all;
    options->binding_count = count;
    return RF_OK;
}

/* What the loss is of. A cross entropy is of scores, not of what a Softmax makes of them. */
static rf_status find_output(const measuring *it, const rf_value **output)
{
    const char *name = it->options.output;
    uint32_t number = name ? rf_names_find(&it->graph->names, name) : RF_NO_NUMBER;
    if (name && number == RF_NO_NUMBER)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, name, "no tensor '%.100s' to differentiate", name);
    if (!name && !it->graph->output_count)
        return rf_fail(it->error, RF_ERROR_NOT_FOUND, "output", "the network has no output to differentiate");
    *output = name ? &it->graph->values[number] : it->graph->outputs[0];
    if (name || it->options.loss != RF_LOSS_CROSS_ENTROPY || (*output)->producer < 0)
        return RF_OK;
    const rf_node *last = &it->graph->nodes[(*output)->producer];
    if (last->op && strcmp(last->op->type, "Softmax") == 0 && rf_input(last, 0))
        *output = last->inputs[0];
    return RF_OK;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static rf_status describe(measuring *it, const char *output)
{
    const rf_gradient_report_options *options = &it->options;
    const char **names = RF_TAKE(&it->arena, const char *, it->layer_count);
    size_t count = 0;
    if (!names)
        return no_memory(it);
    for (size_t i = 0; i < it->layer_count; i++)
        if (!is_listed(names, count, it->layers[i].pre_activation->name))
            names[count++] = it->layers[i].pre_activation->name;
    const rf_gradient_options how = {
        .size = sizeof how, .allocator = options->allocator, .limits = options->limits,
        .bindings = options->bindings, .binding_count = options->binding_count, .output = output,
        .loss = options->loss, .parameters = true, .tensors = names, .tensor_count = count,
        .measure_batches = options->measure_batches,
    };
    RF_TRY(rf_gradient_describe(it->source, &how, &it->gradient, it->error));
    rf_tensor *outputs = RF_TAKE(&it->arena, rf_tensor, it->gradient->output_count + count);
    if (!outputs)
        return no_memory(it);
    memcpy(outputs, it->gradient->outputs, it->gradient->output_count * sizeof *outputs);
    it->extended = *it->gradient;
    it->extended.outputs = outputs;
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], outputs[0].name) != 0)
            outputs[it->extended.output_count++] = (rf_tensor){.name = names[i], .shape = {.rank = -1}};
    return RF_OK;
}

static bool is_differentiated(const measuring *it, const rf_value *parameter)
{
    for (size_t i = 0; parameter && i < it->gradient->input_count; i++)
        if (strcmp(it->gradient->inputs[i].name, parameter->name) == 0)
            return true;
    return false;
}

/* Layers whose weights the gradient counts as parameters; the same for biases. */
static void keep_parameters(measuring *it)
{
    size_t kept = 0;
    for (size_t i = 0; i < it->layer_count; i++) {
        rf_weighted_layer layer = it->layers[i];
        if (!is_differentiated(it, layer.bias))
            layer.bias = NULL;
        if (is_differentiated(it, layer.weight))
            it->layers[kept++] = layer;
    }
    it->layer_count = kept;
}

static rf_status compile(measuring *it)
{
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    rf_session_options session = RF_SESSION_OPTIONS_DEFAULT;
    how.allocator = it->options.allocator;
    how.limits = it->options.limits;
    how.executor = it->options.executor;
    session.allocator = it->options.allocator;
    session.executor = it->options.executor;
    RF_TRY(rf_compile(&it->extended, &how, &it->model, it->error));
    return rf_session_make(it->model, &session, &it->session, it->error);
}

/* ---- What goes in ------------------------------------------------------------------------- */

static const rf_tensor *find(const rf_tensor *tensors, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (tensors[i].name && strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

/* Floats are normal, a target's classes all alike likely, anything else 0. */
static void draw(const measuring *it, const rf_tensor *input, void *data, size_t bytes)
{
    rf_random random = rf_random_named(it->options.seed, input->name);
    if (input->dtype == RF_FLOAT32) {
        float *floats = data;
        for (size_t i = 0; i < bytes / sizeof *floats; i++)
            floats[i] = (float)rf_random_normal(&random);
    } else if (input->dtype == RF_INT64 && strcmp(input->name, RF_TARGET) == 0) {
        const rf_value *scores = &it->graph->values[rf_names_find(&it->graph->names, it->gradient->outputs[0].name)];
        int64_t *classes = data;
        for (size_t i = 0; i < bytes / sizeof *classes; i++)
            classes[i] = (int64_t)rf_random_below(&random, (uint64_t)scores->shape.dims[1]);
    }
}

static rf_status check_given(const measuring *it, const rf_tensor *input, const rf_tensor *given, size_t bytes)
{
    if (given->dtype != input->dtype || !given->data || given->data_bytes != bytes)
        return rf_fail(it->error, RF_ERROR_SHAPE, input->name, "the values of '%.80s' are %zu bytes of %s, but %zu bytes "
                       "of %s are needed, shape %s", input->name, given->data ? given->data_bytes : 0,
                       rf_dtype_name(given->dtype), bytes, rf_dtype_name(input->dtype),
                       rf_shape_print(&input->shape).text);
    return RF_OK;
}

/* The elements, or a copy of them where their address doesn't suit; zeros for none. NULL without memory. */
static const void *aligned(measuring *it, const void *data, size_t bytes)
{
    if (data && (uintptr_t)data % sizeof(int64_t) == 0)
        return data;
    void *copy = rf_arena_take(&it->arena, bytes, 1);
    return copy && data ? memcpy(copy, data, bytes) : copy;
}

static rf_status provide(measuring *it, const rf_tensor *input)
{
    uint64_t bytes;
    const rf_tensor *constant = find(it->source->constants, it->source->constant_count, input->name);
    const rf_tensor *given = constant ? constant : find(it->options.values, it->options.value_count, input->name);
    if (!rf_tensor_bytes(input->dtype, &input->shape, &bytes) || bytes > SIZE_MAX)
        return rf_fail(it->error, RF_ERROR_OVERFLOW, input->name, "input '%.100s' is too large", input->name);
    if (constant && (!constant->data || constant->data_bytes != bytes))
        return rf_fail(it->error, RF_ERROR_GRAPH, input->name, "constant '%.100s' has no elements; "
                       "rf_network_initialize() makes them", input->name);
    if (given && !constant)
        RF_TRY(check_given(it, input, given, (size_t)bytes));
    const void *data = aligned(it, given ? given->data : NULL, (size_t)bytes);
    if (!data)
        return no_memory(it);
    if (!given)
        draw(it, input, (void *)(uintptr_t)data, (size_t)bytes);
    return rf_session_bind_input(it->session, input->name, data, (size_t)bytes, it->error);
}

static rf_status provide_all(measuring *it)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(it->model, &count);
    for (size_t i = 0; i < it->options.value_count; i++) {
        const char *name = it->options.values[i].name;
        if (!name || !find(inputs, count, name) || find(it->source->constants, it->source->constant_count, name))
            return rf_fail(it->error, RF_ERROR_NOT_FOUND, name, "values are given for '%.100s', which is no input",
                           name ? name : "(null)");
    }
    for (size_t i = 0; i < count; i++)
        RF_TRY(provide(it, &inputs[i]));
    return RF_OK;
}

/* ---- What comes out ----------------------------------------------------------------------- */

static rf_status output_of(const measuring *it, const char *name, const char *suffix, rf_tensor *output)
{
    char text[512];
    size_t room = strlen(name) + strlen(suffix) + 1;
    char *full = room <= sizeof text ? text : rf_arena_take((rf_arena *)(uintptr_t)&it->arena, room, 1);
    if (!full)
        return no_memory(it);
    snprintf(full, room, "%s%s", name, suffix);
    return rf_session_output(it->session, full, output, it->error);
}

static rf_status measure_gradient(const measuring *it, const char *of, double *norm, double *rms)
{
    rf_tensor gradient;
    RF_TRY(output_of(it, of, RF_GRADIENT_SUFFIX, &gradient));
    uint64_t count = rf_elements(&gradient.shape);
    if (count == 0)
        return rf_fail(it->error, RF_ERROR_SHAPE, of, "tensor '%.100s' has shape %s: no elements to measure", of,
                       rf_shape_print(&gradient.shape).text);
    *norm = rf_norm_of(gradient.data, count);
    *rms = *norm / sqrt((double)count);
    return RF_OK;
}

static rf_status measure_slopes(const measuring *it, const rf_weighted_layer *layer, rf_layer_gradient *made)
{
    rf_tensor z;
    rf_task task;
    made->saturated = (double)NAN;
    made->mean_slope = made->rms_slope = made->most_slope = made->steepest = layer->activation ? (double)NAN : 1;
    if (!layer->activation || !layer->activation->op->lower)
        return RF_OK;
    memset(&task, 0, sizeof task);
    if (!layer->activation->op->lower(layer->activation, &task) || task.kind != RF_TASK_MAP)
        return RF_OK;
    RF_TRY(output_of(it, layer->pre_activation->name, "", &z));
    rf_slope_numbers slopes = rf_measure_slopes(&task.as.map, z.data, rf_elements(&z.shape));
    made->saturated = slopes.saturated;
    made->mean_slope = slopes.mean;
    made->rms_slope = slopes.rms;
    made->most_slope = slopes.most;
    made->steepest = slopes.steepest;
    return RF_OK;
}

/* ---- Weights ------------------------------------------------------------------------------ */

static double alpha_of(const rf_node *node)
{
    for (const rf_attribute *a = node->layer->attributes; a && a->name; a++)
        if (strcmp(node->op->type, "Gemm") == 0 && strcmp(a->name, "alpha") == 0)
            return fabs((double)a->value.f);
    return 1;
}

/* Channels or features that the layer puts out. */
static double outputs_of(const rf_node *node)
{
    const rf_shape *shape = &node->outputs[0]->shape;
    if (shape->rank < 1)
        return 1;
    return (double)(node->op->class == RF_CLASS_MATMUL || shape->rank < 2 ? shape->dims[shape->rank - 1]
                                                                          : shape->dims[1]);
}

static rf_status measure_weights(measuring *it, const rf_weighted_layer *layer, rf_layer_gradient *made)
{
    const rf_value *weight = layer->weight;
    uint64_t elements = rf_elements(&weight->shape), rows = (uint64_t)weight->shape.dims[0];
    uint64_t columns = rows ? elements / rows : 0;
    const float *matrix = aligned(it, weight->declaration->data, (size_t)elements * sizeof *matrix);
    double *work = RF_TAKE(&it->arena, double, 2 * columns);
    if (!matrix || !work)
        return no_memory(it);
    double alpha = alpha_of(layer->node);
    made->spectral = alpha * rf_spectral_norm(matrix, rows, columns, work);
    made->gain = alpha * rf_norm_of(matrix, elements) / sqrt(outputs_of(layer->node));
    return RF_OK;
}

/* ---- Layers ------------------------------------------------------------------------------- */

static rf_status keep_text(const measuring *it, const char *text, const char **kept)
{
    *kept = rf_arena_text(it->kept, text, strlen(text));
    return *kept ? RF_OK : rf_arena_fail(it->kept, it->error, "a gradient report");
}

static rf_status keep_names(const measuring *it, const rf_weighted_layer *layer, rf_layer_gradient *made)
{
    RF_TRY(keep_text(it, layer->node->name, &made->name));
    RF_TRY(keep_text(it, layer->node->op->type, &made->type));
    RF_TRY(keep_text(it, layer->weight->name, &made->weight));
    RF_TRY(keep_text(it, layer->pre_activation->name, &made->pre_activation));
    if (layer->bias)
        RF_TRY(keep_text(it, layer->bias->name, &made->bias));
    return layer->activation ? keep_text(it, layer->activation->op->type, &made->activation) : RF_OK;
}

static rf_status measure_layer(measuring *it, size_t index)
{
    const rf_weighted_layer *layer = &it->layers[index];
    rf_layer_gradient *made = &it->made[index];
    RF_TRY(keep_names(it, layer, made));
    RF_TRY(measure_gradient(it, made->weight, &made->weight_norm, &made->weight_rms));
    RF_TRY(measure_gradient(it, made->pre_activation, &made->delta_norm, &made->delta_rms));
    made->bias_norm = made->bias_rms = (double)NAN;
    if (made->bias)
        RF_TRY(measure_gradient(it, made->bias, &made->bias_norm, &made->bias_rms));
    RF_TRY(measure_slopes(it, layer, made));
    return measure_weights(it, layer, made);
}

static rf_status measure_all(measuring *it, rf_gradient_report *report)
{
    rf_tensor loss;
    float value;
    it->made = RF_TAKE(it->kept, rf_layer_gradient, it->layer_count);
    if (!it->made)
        return rf_arena_fail(it->kept, it->error, "a gradient report");
    for (size_t i = 0; i < it->layer_count; i++)
        RF_TRY(measure_layer(it, i));
    rf_compare_layers(it->made, it->layer_count);
    RF_TRY(output_of(it, RF_LOSS, "", &loss));
    memcpy(&value, loss.data, sizeof value);
    report->loss = (double)value;
    report->layers = it->made;
    report->layer_count = it->layer_count;
    RF_TRY(keep_text(it, it->source->name ? it->source->name : "", &report->name));
    RF_TRY(keep_text(it, it->gradient->outputs[0].name, &report->output));
    return rf_judge_gradients(report, it->kept) ? RF_OK : rf_arena_fail(it->kept, it->error, "a gradient report");
}

/* ---- A report ----------------------------------------------------------------------------- */

static rf_status measure(measuring *it, rf_gradient_report *report)
{
    const rf_value *output = NULL;
    RF_TRY(take_bindings(it));
    const rf_graph_options how = {.bindings = it->options.bindings, .binding_count = it->options.binding_count,
                                  .allocator = it->options.allocator, .limits = it->options.limits};
    RF_TRY(rf_graph_make(it->source, &how, &it->graph, it->error));
    RF_TRY(find_output(it, &output));
    it->layers = rf_weighted_layers(it->graph, output, &it->arena, &it->layer_count);
    if (!it->layers)
        return no_memory(it);
    RF_TRY(describe(it, output->name));
    keep_parameters(it);
    if (it->layer_count == 0)
        return rf_fail(it->error, RF_ERROR_GRAPH, it->source->name, "the network has no convolution or product "
                       "whose weights are constants of float32");
    RF_TRY(compile(it));
    RF_TRY(provide_all(it));
    RF_TRY(rf_run(it->session, it->error));
    return measure_all(it, report);
}

static void end_measuring(measuring *it)
{
    rf_session_free(it->session);
    rf_model_free(it->model);
    rf_network_free(it->gradient);
    rf_graph_free(it->graph);
    rf_arena_release(&it->arena);
}

static rf_status make(const rf_network *network, const rf_gradient_report_options *options, report_owner *owner,
                      rf_error *error)
{
    measuring it = {.kept = &owner->arena, .source = network, .options = *options, .error = error};
    rf_arena_init(&it.arena, options->allocator, options->limits.memory_bytes);
    rf_status status = measure(&it, &owner->report);
    end_measuring(&it);
    return status;
}

static rf_status check(const rf_gradient_report_options *options, rf_error *error)
{
    if (options->batch < 1)
        return rf_fail(error, RF_ERROR_ARGUMENT, "batch", "batch is %lld, but must be 1 or more",
                       (long long)options->batch);
    if ((options->binding_count && !options->bindings) || (options->value_count && !options->values))
        return rf_fail(error, RF_ERROR_ARGUMENT, options->value_count ? "values" : "bindings",
                       "bindings or values is NULL but its count is not 0");
    return RF_OK;
}

rf_status rf_gradient_report_make(const rf_network *network, const rf_gradient_report_options *options,
                                  const rf_gradient_report **report, rf_error *error)
{
    rf_gradient_report_options own = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    if (!network || !report)
        return rf_fail(error, RF_ERROR_ARGUMENT, network ? "report" : "network", "rf_gradient_report_make: %s is NULL",
                       network ? "report" : "network");
    *report = NULL;
    RF_TRY(rf_options_take(&own, sizeof own, options, "rf_gradient_report_options",
                           "RF_GRADIENT_REPORT_OPTIONS_DEFAULT", error));
    RF_TRY(check(&own, error));
    rf_arena arena;
    rf_arena_init(&arena, own.allocator, own.limits.memory_bytes);
    report_owner *owner = RF_TAKE(&arena, report_owner, 1);
    if (!owner)
        return rf_arena_fail(&arena, error, "a gradient report");
    owner->arena = arena;
    rf_status status = make(network, &own, owner, error);
    if (status == RF_OK)
        *report = &owner->report;
    else
        rf_gradient_report_free(&owner->report);
    return status;
}

void rf_gradient_report_free(const rf_gradient_report *report)
{
    if (!report)
        return;
    rf_arena arena = ((const report_owner *)report)->arena;
    rf_arena_release(&arena);
}

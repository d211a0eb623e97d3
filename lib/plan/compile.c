/* SPDX-License-Identifier: MIT */
#include "plan/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "kernels/machine.h"
#include "plan/tuning.h"

static void describe(const rf_value *value, rf_tensor *tensor)
{
    *tensor = (rf_tensor){.name = value->name, .dtype = value->dtype, .shape = value->shape};
}

static rf_status describe_model(rf_model *model)
{
    rf_plan *plan = &model->plan;
    const rf_graph *graph = plan->graph;
    model->inputs = RF_TAKE(plan->arena, rf_tensor, graph->input_count);
    model->outputs = RF_TAKE(plan->arena, rf_tensor, graph->output_count);
    model->input_values = RF_TAKE(plan->arena, uint32_t, graph->input_count);
    if (!model->inputs || !model->outputs || !model->input_values)
        return rf_plan_no_memory(plan);
    for (size_t i = 0; i < graph->input_count; i++) {
        if (graph->values[i].data)
            continue;
        model->input_values[model->input_count] = (uint32_t)i;
        describe(&graph->values[i], &model->inputs[model->input_count++]);
    }
    for (size_t o = 0; o < graph->output_count; o++)
        describe(graph->outputs[o], &model->outputs[model->output_count++]);
    return RF_OK;
}

/* As many bytes could be those of another shape. */
static rf_status check_values(const rf_graph *graph, const rf_compile_options *options, rf_error *error)
{
    for (size_t v = 0; v < options->value_count; v++)
        for (size_t i = 0; i < graph->input_count; i++) {
            const rf_value *input = &graph->values[i];
            const rf_tensor *given = &options->values[v];
            if (strcmp(input->name, given->name) == 0 && !rf_shape_equal(&input->shape, &given->shape))
                return rf_fail(error, RF_ERROR_SHAPE, input->name, "input '%.100s' has shape %s, but %s is given",
                               input->name, rf_shape_print(&input->shape).text, rf_shape_print(&given->shape).text);
        }
    return RF_OK;
}

/* The caller's elements need not outlive the call. */
static rf_status keep_values(rf_plan *plan)
{
    for (size_t i = 0; i < plan->graph->input_count; i++) {
        rf_value *value = &plan->graph->values[i];
        if (!value->data)
            continue;
        void *copy = rf_arena_take(plan->arena, value->data_bytes, 1);
        if (!copy)
            return rf_plan_no_memory(plan);
        memcpy(copy, value->data, value->data_bytes);
        value->data = copy;
    }
    return RF_OK;
}

static void set_errors(rf_graph *graph, rf_error *error)
{
    for (size_t n = 0; n < graph->node_count; n++)
        graph->nodes[n].error = error;
}

/* A session keeps the outputs that the caller doesn't. */
static bool count_outputs(const rf_graph *graph, uint64_t *bytes)
{
    *bytes = 0;
    for (size_t o = 0; o < graph->output_count; o++)
        if (!rf_checked_add(*bytes, graph->outputs[o]->bytes, bytes))
            return false;
    return true;
}

/* Sizes are bounded before anyone asks for memory. */
static rf_status check_memory(rf_plan *plan)
{
    uint64_t outputs = UINT64_MAX, scratch = UINT64_MAX, weights = rf_weights_bytes(plan->weights), total;
    bool fits = count_outputs(plan->graph, &outputs)
        && rf_checked_add(plan->worker_bytes, plan->reference_bytes, &scratch)
        && rf_checked_add(plan->arena_bytes, scratch, &total) && rf_checked_add(total, outputs, &total)
        && rf_checked_add(total, weights, &total) && rf_checked_add(total, plan->arena->bytes_taken, &total);
    if (fits && total <= plan->graph->limits.memory_bytes) {
        plan->spare_bytes = plan->graph->limits.memory_bytes - total;
        return RF_OK;
    }
    return rf_fail(plan->error, RF_ERROR_LIMIT, "memory_bytes",
                   "running takes %llu bytes for tensors between layers, %llu for outputs, %llu for weights and %llu "
                   "to work in: more than limits.memory_bytes (%llu)",
                   (unsigned long long)plan->arena_bytes, (unsigned long long)outputs, (unsigned long long)weights,
                   (unsigned long long)scratch, (unsigned long long)plan->graph->limits.memory_bytes);
}

static rf_status emit_tuned(rf_plan *plan)
{
    RF_TRY(rf_plan_start_tuning(plan));
    return rf_plan_emit(plan);
}

static rf_status make_plan(rf_model *model, bool tune)
{
    rf_plan *plan = &model->plan;
    RF_TRY(keep_values(plan));
    RF_TRY(rf_plan_settle_floats(plan));
    RF_TRY(rf_plan_make_jobs(plan));
    if (!plan->reference)
        RF_TRY(rf_plan_fuse(plan));
    RF_TRY(rf_plan_settle_read(plan));
    rf_plan_choose_hosts(plan);
    rf_status status = tune && !plan->reference ? emit_tuned(plan) : rf_plan_emit(plan);
    rf_plan_end_tuning(plan);
    RF_TRY(status);
    /* A maker that got no memory may have been taken for one that does not fit: another kernel, other bits. */
    if (plan->arena->refused)
        return rf_plan_no_memory(plan);
    RF_TRY(rf_plan_lay_out(plan));
    RF_TRY(check_memory(plan));
    return describe_model(model);
}

enum { MOST_WORKERS = 65536 };

rf_status rf_executor_check(const rf_executor *executor, rf_error *error)
{
    if (executor->workers < 1 || (executor->workers > 1 && !executor->run))
        return rf_fail(error, RF_ERROR_ARGUMENT, "executor", "an executor needs a function and at least one worker");
    if (executor->workers > MOST_WORKERS)
        return rf_fail(error, RF_ERROR_ARGUMENT, "executor", "the executor has %zu workers; at most %d may be used",
                       executor->workers, MOST_WORKERS);
    return RF_OK;
}

static rf_status check_options(const rf_compile_options *options, rf_error *error)
{
    if ((options->binding_count && !options->bindings) || (options->value_count && !options->values))
        return rf_fail(error, RF_ERROR_ARGUMENT, "options", "a list of the options is NULL but its count is not 0");
    if (options->executor)
        RF_TRY(rf_executor_check(options->executor, error));
    if (options->layout != RF_NCHW && options->layout != RF_NHWC)
        return rf_fail(error, RF_ERROR_ARGUMENT, "layout", "layout is %d, but must be RF_NCHW or RF_NHWC",
                       (int)options->layout);
    if (options->precision != RF_PRECISION_FLOAT32 && options->precision != RF_PRECISION_BFLOAT16)
        return rf_fail(error, RF_ERROR_ARGUMENT, "precision",
                       "precision is %d, but must be RF_PRECISION_FLOAT32 or RF_PRECISION_BFLOAT16",
                       (int)options->precision);
    return RF_OK;
}

static rf_status start_model(rf_graph *graph, const rf_compile_options *options, const rf_kernels *kernels,
                             rf_model **model, rf_error *error)
{
    *model = RF_TAKE(&graph->arena, rf_model, 1);
    if (!*model)
        return rf_arena_fail(&graph->arena, error, "a model");
    (*model)->plan = (rf_plan){
        .graph = graph, .arena = &graph->arena, .kernels = kernels, .layout = options->layout,
        .exact = options->exact, .reference = options->reference, .error = error,
        .bfloat16 = options->precision == RF_PRECISION_BFLOAT16 && rf_machine_has_bfloat16(kernels),
    };
    RF_TRY(rf_weights_make(options->allocator, graph->node_count, &(*model)->plan.weights, error));
    if (options->share)
        rf_weights_share((*model)->plan.weights, options->share->plan.weights);
    return RF_OK;
}

static rf_status build(rf_graph *graph, const rf_compile_options *options, const rf_kernels *kernels,
                       rf_model **model, rf_error *error)
{
    RF_TRY(check_values(graph, options, error));
    RF_TRY(start_model(graph, options, kernels, model, error));
    set_errors(graph, error);
    rf_status status = make_plan(*model, options->tune);
    set_errors(graph, NULL);
    (*model)->plan.error = NULL;
    if (status == RF_OK)
        status = rf_weights_finish((*model)->plan.weights, options->executor, graph->network->backing,
                                   (*model)->plan.spare_bytes, error);
    return status;
}

/* What a layer and its steps take in common networks. */
enum { BYTES_PER_LAYER = 4096 };

rf_status rf_compile(const rf_network *network, const rf_compile_options *options, rf_model **model, rf_error *error)
{
    if (!model)
        return rf_fail(error, RF_ERROR_ARGUMENT, "model", "model must not be NULL");
    *model = NULL;
    rf_compile_options given = RF_COMPILE_OPTIONS_DEFAULT;
    const rf_kernels *kernels;
    RF_TRY(rf_options_take(&given, sizeof given, options, "rf_compile_options", "RF_COMPILE_OPTIONS_DEFAULT", error));
    RF_TRY(check_options(&given, error));
    RF_TRY(rf_machine_choose(given.isa, getenv("RFIELD_ISA"), &kernels, error));
    rf_graph_options graph_options = {
        .bindings = given.bindings, .binding_count = given.binding_count, .fixed = given.values,
        .fixed_count = given.value_count, .fold_floats = true, .bytes_per_layer = BYTES_PER_LAYER,
        .allocator = given.allocator, .limits = given.limits,
    };
    rf_graph *graph;
    RF_TRY(rf_graph_make(network, &graph_options, &graph, error));
    rf_model *made = NULL;
    rf_status status = build(graph, &given, kernels, &made, error);
    if (status == RF_OK) {
        *model = made;
        return RF_OK;
    }
    if (made)
        rf_weights_release(made->plan.weights);
    rf_graph_free(graph);
    return status;
}

void rf_model_free(rf_model *model)
{
    if (!model)
        return;
    rf_weights_release(model->plan.weights);
    rf_graph_free(model->plan.graph);
}

const rf_tensor *rf_model_inputs(const rf_model *model, size_t *count)
{
    *count = model->input_count;
    return model->inputs;
}

const rf_tensor *rf_model_outputs(const rf_model *model, size_t *count)
{
    *count = model->output_count;
    return model->outputs;
}

rf_model_memory rf_model_memory_needed(const rf_model *model)
{
    const rf_plan *plan = &model->plan;
    return (rf_model_memory){
        .arena_bytes = plan->arena_bytes + plan->reference_bytes + plan->worker_bytes,
        .activation_bytes = plan->arena_bytes,
        .worker_bytes = plan->worker_bytes,
        .packed_bytes = rf_weights_bytes(plan->weights),
    };
}

uint64_t rf_model_spin(const rf_model *model, uint64_t steps)
{
    return model->plan.kernels->spin(steps);
}

size_t rf_model_step_count(const rf_model *model)
{
    return model->plan.step_count;
}

rf_model_step rf_model_step_at(const rf_model *model, size_t i)
{
    const rf_step *step = &model->plan.steps[i];
    return (rf_model_step){
        .layer = step->node ? step->node->name : "",
        .index = step->node ? (size_t)(step->node - model->plan.graph->nodes) : SIZE_MAX, .type = step->type, .algorithm = step->work.algorithm,
        .fused = step->fused, .shape = step->shape, .operations = step->work.operations,
    };
}

/* SPDX-License-Identifier: MIT */
/*
 * Saving a network as ONNX: names are resolved, what ONNX wants and the description leaves out is
 * found, and the model is written with its length counted first.
 */
#include <rfield/writers.h>

#include <inttypes.h>
#include <stdint.h>

#include "base/options.h"
#include "writers/onnx_check.h"
#include "writers/onnx_messages.h"

/* ---- Outputs ---------------------------------------------------------------------------- */

static bool any_unknown(const rf_network *network)
{
    for (size_t i = 0; i < network->input_count; i++) {
        const rf_shape *shape = &network->inputs[i].shape;
        if (shape->rank < 0)
            return true;
        for (int32_t axis = 0; axis < shape->rank; axis++)
            if (shape->dims[axis] < 0)
                return true;
    }
    return false;
}

static bool outputs_are_declared(const rf_network *network)
{
    for (size_t i = 0; i < network->output_count; i++)
        if (!network->outputs[i].dtype || network->outputs[i].shape.rank < 0)
            return false;
    return network->output_count > 0;
}

/* What a declaration leaves out comes from the value, whose shape may hold for some inputs only. */
static void complete_output(rf_tensor *output, const rf_value *value, bool varies)
{
    if (!output->dtype)
        output->dtype = value->dtype;
    if (output->shape.rank >= 0)
        return;
    output->shape = value->shape;
    for (int32_t i = 0; i < output->shape.rank && (varies || value->ragged); i++)
        output->shape.dims[i] = RF_UNKNOWN_DIM;
}

static rf_status find_outputs(rf_graph *graph, const rf_graph_options *options, rf_onnx_model *model, rf_error *error)
{
    const rf_network *network = graph->network;
    rf_tensor *outputs = RF_TAKE(&graph->arena, rf_tensor, graph->output_count);
    if (!outputs)
        return rf_arena_fail(&graph->arena, error, "outputs");
    for (size_t i = 0; i < graph->output_count; i++)
        outputs[i] = network->output_count ? network->outputs[i]
                                           : (rf_tensor){.name = graph->outputs[i]->name, .shape.rank = -1};
    model->outputs = outputs;
    model->output_count = graph->output_count;
    if (outputs_are_declared(network) || graph->output_count == 0)
        return RF_OK;
    rf_graph_options complete = *options;
    rf_graph *inferred;
    complete.names_only = false;
    RF_TRY(rf_graph_make(network, &complete, &inferred, error));
    for (size_t i = 0; i < graph->output_count; i++)
        complete_output(&outputs[i], inferred->outputs[i], any_unknown(network));
    rf_graph_free(inferred);
    return RF_OK;
}

/* ---- The model -------------------------------------------------------------------------- */

static rf_status find_domains(rf_graph *graph, rf_onnx_model *model, rf_error *error)
{
    rf_names seen;
    const char **domains = RF_TAKE(&graph->arena, const char *, graph->node_count);
    if (!domains || !rf_names_init(&seen, &graph->arena, graph->node_count))
        return rf_arena_fail(&graph->arena, error, "domains");
    for (size_t n = 0; n < graph->node_count; n++) {
        const char *domain = graph->nodes[n].layer->domain;
        uint32_t present = 0;
        if (!rf_onnx_is_foreign(domain))
            continue;
        rf_names_add(&seen, domain, 0, &present);
        if (present == RF_NO_NUMBER)
            domains[model->domain_count++] = domain;
    }
    model->domains = domains;
    return RF_OK;
}

/* Readers of ONNX, Google's protobuf library first of all, take no longer message. */
static rf_status check_size(uint64_t bytes, const char *path, rf_error *error)
{
    if (bytes <= INT32_MAX)
        return RF_OK;
    return rf_fail(error, RF_ERROR_LIMIT, path, "%.160s would have %" PRIu64 " bytes; an ONNX file may have %" PRId32,
                   path, bytes, INT32_MAX);
}

static rf_status write_file(const rf_onnx_model *model, const char *path, rf_error *error)
{
    rf_new_file file;
    RF_TRY(check_size(rf_wire_count(rf_onnx_put_model, model), path, error));
    RF_TRY(rf_new_file_open(&file, path, error));
    rf_wire_sink sink = {.file = &file};
    rf_wire wire = {.sink = &sink};
    rf_onnx_put_model(&wire, model);
    rf_status status = rf_wire_flush(&sink);
    if (status == RF_OK)
        return rf_new_file_finish(&file);
    rf_new_file_discard(&file);
    return status;
}

static rf_status save(rf_graph *graph, const rf_graph_options *options, const char *path, rf_error *error)
{
    rf_onnx_model model = {.graph = graph, .opset = graph->network->opset};
    if (model.opset <= 0)
        model.opset = RF_NEWEST_OPSET;
    RF_TRY(rf_onnx_check(graph, error));
    RF_TRY(find_domains(graph, &model, error));
    RF_TRY(find_outputs(graph, options, &model, error));
    return write_file(&model, path, error);
}

rf_status rf_network_save_onnx(const rf_network *network, const char *path, const rf_save_options *options,
                               rf_error *error)
{
    rf_save_options complete = RF_SAVE_OPTIONS_DEFAULT;
    rf_graph *graph;
    if (!path)
        return rf_fail(error, RF_ERROR_ARGUMENT, "path", "rf_network_save_onnx: path is NULL");
    RF_TRY(rf_options_take(&complete, sizeof complete, options, "rf_save_options", "RF_SAVE_OPTIONS_DEFAULT", error));
    if (complete.binding_count && !complete.bindings)
        return rf_fail(error, RF_ERROR_ARGUMENT, "bindings", "bindings is NULL but binding_count is not 0");
    rf_graph_options resolve = {.bindings = complete.bindings, .binding_count = complete.binding_count,
                                .allow_unknown = true, .names_only = true, .allocator = complete.allocator,
                                .limits = complete.limits};
    RF_TRY(rf_graph_make(network, &resolve, &graph, error));
    rf_status status = save(graph, &resolve, path, error);
    rf_graph_free(graph);
    return status;
}

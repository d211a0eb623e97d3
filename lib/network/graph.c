/* SPDX-License-Identifier: MIT */
#include "network/graph.h"

#include <stdio.h>
#include <string.h>

#include "network/infer.h"
#include "network/order.h"

static size_t list_length(const char *const *names)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    return count;
}

/* Omitted inputs and outputs at the end of a list are as good as absent. */
static size_t trimmed_length(const char *const *names)
{
    size_t count = list_length(names);
    while (count && names[count - 1][0] == '\0')
        count--;
    return count;
}

static size_t outputs_of(const rf_layer *layer)
{
    return layer->outputs ? trimmed_length(layer->outputs) : 1;
}

static size_t inputs_of(const rf_layer *layer)
{
    return layer->inputs ? trimmed_length(layer->inputs) : 1;
}

static rf_status check_network(const rf_network *network, const rf_limits *limits, rf_error *error)
{
    if (!network)
        return rf_fail(error, RF_ERROR_ARGUMENT, "network", "network must not be NULL");
    if ((network->input_count && !network->inputs) || (network->output_count && !network->outputs)
        || (network->constant_count && !network->constants) || (network->layer_count && !network->layers)
        || (network->declared_count && !network->declared))
        return rf_fail(error, RF_ERROR_ARGUMENT, "network", "a list of the network is NULL but its count is not 0");
    if (network->layer_count > limits->layers || network->layer_count > INT32_MAX / 2)
        return rf_fail(error, RF_ERROR_LIMIT, "layers", "%zu layers are more than limits.layers (%llu)",
                       network->layer_count, (unsigned long long)limits->layers);
    for (size_t i = 0; i < network->layer_count; i++)
        if (!network->layers[i].type)
            return rf_fail(error, RF_ERROR_ARGUMENT, network->layers[i].name, "layer %zu has no operator type", i);
    return RF_OK;
}

static rf_status count_values(rf_graph *graph, size_t *values, size_t *slots, rf_error *error)
{
    const rf_network *network = graph->network;
    *values = network->input_count + network->constant_count;
    *slots = 0;
    for (size_t i = 0; i < network->layer_count; i++) {
        *values += outputs_of(&network->layers[i]);
        *slots += outputs_of(&network->layers[i]) + inputs_of(&network->layers[i]);
    }
    if (*values > graph->limits.tensors || *values >= RF_NO_NUMBER)
        return rf_fail(error, RF_ERROR_LIMIT, "tensors", "%zu tensors are more than limits.tensors (%llu)",
                       *values, (unsigned long long)graph->limits.tensors);
    return RF_OK;
}

static rf_status add_value(rf_graph *graph, const char *name, rf_value **value, rf_error *error)
{
    uint32_t present;
    if (!name || !*name)
        return rf_fail(error, RF_ERROR_GRAPH, NULL, "an input, constant or output has no name");
    if (!rf_names_add(&graph->names, name, (uint32_t)graph->value_count, &present))
        return rf_arena_fail(&graph->arena, error, "names");
    if (present != RF_NO_NUMBER)
        return rf_fail(error, RF_ERROR_GRAPH, name, "tensor '%.120s' is defined more than once", name);
    *value = &graph->values[graph->value_count++];
    (*value)->name = name;
    (*value)->producer = -1;
    return RF_OK;
}

/* Only inputs have names yet. */
static rf_status fix_inputs(rf_graph *graph, const rf_graph_options *options, rf_error *error)
{
    for (size_t i = 0; i < options->fixed_count; i++) {
        const rf_tensor *fixed = &options->fixed[i];
        uint32_t number = fixed->name ? rf_names_find(&graph->names, fixed->name) : RF_NO_NUMBER;
        if (number == RF_NO_NUMBER)
            return rf_fail(error, RF_ERROR_NOT_FOUND, fixed->name, "the network has no input '%.100s'",
                           fixed->name ? fixed->name : "");
        RF_TRY(rf_infer_fixed(&graph->values[number], fixed, error));
    }
    return RF_OK;
}

static rf_status add_inputs(rf_graph *graph, const rf_graph_options *options, rf_error *error)
{
    const rf_network *network = graph->network;
    for (size_t i = 0; i < network->input_count; i++) {
        rf_value *value = NULL;
        RF_TRY(add_value(graph, network->inputs[i].name, &value, error));
        value->declaration = &network->inputs[i];
        if (!options->names_only)
            RF_TRY(rf_infer_input(value, options->bindings, options->binding_count, error));
    }
    graph->input_count = network->input_count;
    RF_TRY(fix_inputs(graph, options, error));
    return rf_infer_check_bindings(network, options->bindings, options->binding_count, error);
}

static rf_status add_constants(rf_graph *graph, const rf_graph_options *options, rf_error *error)
{
    const rf_network *network = graph->network;
    for (size_t i = 0; i < network->constant_count; i++) {
        rf_value *value = NULL;
        RF_TRY(add_value(graph, network->constants[i].name, &value, error));
        value->declaration = &network->constants[i];
        if (!options->names_only)
            RF_TRY(rf_infer_constant(value, error));
    }
    return RF_OK;
}

/* The name that a layer goes by; ones that it lacks are made up. */
static const char *layer_name(rf_graph *graph, const rf_layer *layer, size_t position)
{
    if (layer->name && *layer->name)
        return layer->name;
    if (layer->outputs && layer->outputs[0] && *layer->outputs[0])
        return layer->outputs[0];
    char text[96];
    int length = snprintf(text, sizeof text, "%.64s_%zu", layer->type, position);
    return rf_arena_text(&graph->arena, text, (size_t)length);
}

static rf_status add_outputs(rf_graph *graph, rf_node *node, rf_error *error)
{
    const char *const *names = node->layer->outputs;
    for (uint32_t i = 0; i < node->output_count; i++) {
        const char *name = names ? names[i] : node->name;
        if (!*name)
            continue;
        RF_TRY(add_value(graph, name, &node->outputs[i], error));
        node->outputs[i]->producer = (int32_t)(node - graph->nodes);
    }
    return RF_OK;
}

static rf_status add_nodes(rf_graph *graph, size_t slots, rf_error *error)
{
    const rf_network *network = graph->network;
    rf_value **next = RF_TAKE(&graph->arena, rf_value *, slots);
    graph->nodes = RF_TAKE(&graph->arena, rf_node, network->layer_count);
    graph->node_count = network->layer_count;
    if (!next || !graph->nodes)
        return rf_arena_fail(&graph->arena, error, "layers");
    for (size_t i = 0; i < network->layer_count; i++) {
        const rf_layer *layer = &network->layers[i];
        rf_node *node = &graph->nodes[i];
        node->layer = layer;
        node->opset = network->opset > 0 && !rf_is_own_domain(layer->domain) ? network->opset : RF_NEWEST_OPSET;
        node->arena = &graph->arena;
        node->limits = &graph->limits;
        node->error = error;
        node->input_count = (uint32_t)inputs_of(layer);
        node->output_count = (uint32_t)outputs_of(layer);
        node->inputs = next;
        node->outputs = next + node->input_count;
        next += node->input_count + node->output_count;
        node->name = layer_name(graph, layer, i);
        if (!node->name)
            return rf_arena_fail(&graph->arena, error, "layer names");
        RF_TRY(add_outputs(graph, node, error));
    }
    return RF_OK;
}

/* The input of a layer that names none: what the layer before it in the description put out. */
static rf_status connect_to_previous(rf_graph *graph, rf_node *node)
{
    size_t position = (size_t)(node - graph->nodes);
    const rf_op *op = rf_op_find(node->layer->domain, node->layer->type);
    if (op && op->max_inputs == 0) {
        node->input_count = 0;
        return RF_OK;
    }
    node->inputs[0] = position ? rf_output(node - 1, 0) : graph->input_count ? &graph->values[0] : NULL;
    if (!node->inputs[0])
        return rf_node_fail(node, RF_ERROR_GRAPH, "it names no input, and nothing comes before it");
    return RF_OK;
}

static rf_status connect(rf_graph *graph)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        rf_node *node = &graph->nodes[n];
        const char *const *names = node->layer->inputs;
        if (!names) {
            RF_TRY(connect_to_previous(graph, node));
            continue;
        }
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (!*names[i])
                continue;
            uint32_t number = rf_names_find(&graph->names, names[i]);
            if (number == RF_NO_NUMBER)
                return rf_node_fail(node, RF_ERROR_GRAPH,
                                    "input tensor '%.80s' is neither an input, a constant nor put out by a layer",
                                    names[i]);
            node->inputs[i] = &graph->values[number];
        }
    }
    return RF_OK;
}

static rf_status list_declared_outputs(rf_graph *graph, rf_error *error)
{
    const rf_network *network = graph->network;
    for (size_t i = 0; i < network->output_count; i++) {
        const char *name = network->outputs[i].name;
        uint32_t number = name ? rf_names_find(&graph->names, name) : RF_NO_NUMBER;
        if (number == RF_NO_NUMBER)
            return rf_fail(error, RF_ERROR_GRAPH, name, "output '%.120s' is not a tensor of the network",
                           name ? name : "");
        graph->outputs[graph->output_count++] = &graph->values[number];
    }
    return RF_OK;
}

static rf_status list_unread_outputs(rf_graph *graph, rf_error *error)
{
    uint8_t *read = RF_TAKE(&graph->arena, uint8_t, graph->value_count);
    if (!read)
        return rf_arena_fail(&graph->arena, error, "outputs");
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i])
                read[graph->nodes[n].inputs[i] - graph->values] = 1;
    for (size_t v = 0; v < graph->value_count; v++)
        if (!read[v] && graph->values[v].producer >= 0)
            graph->outputs[graph->output_count++] = &graph->values[v];
    return RF_OK;
}

static rf_status list_outputs(rf_graph *graph, rf_error *error)
{
    size_t most = graph->network->output_count ? graph->network->output_count : graph->value_count;
    graph->outputs = RF_TAKE(&graph->arena, rf_value *, most);
    if (!graph->outputs)
        return rf_arena_fail(&graph->arena, error, "outputs");
    return graph->network->output_count ? list_declared_outputs(graph, error) : list_unread_outputs(graph, error);
}

static rf_status build(rf_graph *graph, const rf_graph_options *options, rf_error *error)
{
    size_t values, slots;
    RF_TRY(check_network(graph->network, &graph->limits, error));
    RF_TRY(count_values(graph, &values, &slots, error));
    graph->values = RF_TAKE(&graph->arena, rf_value, values);
    if (!graph->values || !rf_names_init(&graph->names, &graph->arena, values))
        return rf_arena_fail(&graph->arena, error, "tensors");
    RF_TRY(add_inputs(graph, options, error));
    RF_TRY(add_constants(graph, options, error));
    RF_TRY(add_nodes(graph, slots, error));
    RF_TRY(connect(graph));
    RF_TRY(rf_graph_order(graph, error));
    if (!options->names_only)
        RF_TRY(rf_infer_nodes(graph, options));
    RF_TRY(list_outputs(graph, error));
    for (size_t n = 0; n < graph->node_count; n++)
        graph->nodes[n].error = NULL;
    return RF_OK;
}

/* What a layer and its analysis take in common networks. */
enum { BYTES_PER_LAYER = 2048 };

rf_status rf_graph_make(const rf_network *network, const rf_graph_options *options,
                        rf_graph **graph, rf_error *error)
{
    *graph = NULL;
    rf_arena arena;
    rf_arena_init(&arena, options->allocator, options->limits.memory_bytes);
    if (network && network->layer_count <= options->limits.layers)
        rf_arena_expect(&arena, (uint64_t)network->layer_count
                                    * (options->bytes_per_layer ? options->bytes_per_layer : BYTES_PER_LAYER));
    rf_graph *made = RF_TAKE(&arena, rf_graph, 1);
    if (!made) {
        rf_status status = rf_arena_fail(&arena, error, "a network");
        rf_arena_release(&arena);
        return status;
    }
    made->arena = arena;
    made->limits = options->limits;
    made->network = network;
    rf_status status = build(made, options, error);
    if (status == RF_OK)
        *graph = made;
    else
        rf_graph_free(made);
    return status;
}

void rf_graph_free(rf_graph *graph)
{
    if (!graph)
        return;
    rf_arena arena = graph->arena; /* the struct itself lies in the arena */
    rf_arena_release(&arena);
}

/* SPDX-License-Identifier: MIT */
#include <rfield/analysis.h>

#include <string.h>

#include "analysis/analysis_owner.h"
#include "analysis/cost_walk.h"
#include "base/options.h"

static void describe(const rf_value *value, rf_tensor *tensor)
{
    tensor->name = value->name;
    tensor->dtype = value->dtype;
    tensor->shape = value->shape;
}

static rf_status describe_values(rf_analysis_owner *owner, rf_error *error)
{
    rf_graph *graph = owner->graph;
    rf_tensor *inputs = RF_TAKE(&graph->arena, rf_tensor, graph->input_count);
    rf_tensor *outputs = RF_TAKE(&graph->arena, rf_tensor, graph->output_count);
    if (!inputs || !outputs)
        return rf_arena_fail(&graph->arena, error, "an analysis");
    for (size_t i = 0; i < graph->input_count; i++)
        describe(&graph->values[i], &inputs[i]);
    for (size_t i = 0; i < graph->output_count; i++)
        describe(graph->outputs[i], &outputs[i]);
    owner->analysis.inputs = inputs;
    owner->analysis.input_count = graph->input_count;
    owner->analysis.outputs = outputs;
    owner->analysis.output_count = graph->output_count;
    return RF_OK;
}

static bool is_folded(const rf_node *node)
{
    bool constant = node->output_count > 0;
    for (uint32_t o = 0; o < node->output_count; o++)
        constant &= !node->outputs[o] || node->outputs[o]->constant;
    return constant;
}

static bool describe_layer(rf_graph *graph, const rf_node *node, rf_layer_analysis *layer)
{
    const char **names = RF_TAKE(&graph->arena, const char *, node->input_count);
    rf_tensor *outputs = RF_TAKE(&graph->arena, rf_tensor, node->output_count);
    if (!names || !outputs)
        return false;
    for (uint32_t i = 0; i < node->input_count; i++)
        names[i] = node->inputs[i] ? node->inputs[i]->name : "";
    for (uint32_t o = 0; o < node->output_count; o++) {
        if (node->outputs[o])
            describe(node->outputs[o], &outputs[o]);
        else
            outputs[o].name = "";
    }
    layer->name = node->name;
    layer->type = node->layer->type;
    layer->inputs = names;
    layer->input_count = node->input_count;
    layer->outputs = outputs;
    layer->output_count = node->output_count;
    layer->folded = is_folded(node);
    layer->uncounted = !node->op;
    return true;
}

static bool incoming_covers(const rf_analysis_owner *owner, const rf_node *node)
{
    bool any = false;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const rf_value *value = node->inputs[i];
        if (!value || value->constant)
            continue;
        if (!rf_field_walk_covers(owner->graph, &owner->fields, value))
            return false;
        any = true;
    }
    return any;
}

/* The layer before, where this one passes on what it sees as it is. */
static const rf_layer_analysis *same_fields(const rf_analysis_owner *owner, const rf_node *node, const rf_value *output)
{
    const rf_graph *graph = owner->graph;
    const rf_value_fields *fields = &owner->fields.values[output - graph->values];
    for (uint32_t i = 0; i < node->input_count && fields->count; i++) {
        const rf_value *value = node->inputs[i];
        if (value && value->producer >= 0 && value == rf_output(&graph->nodes[value->producer], 0)
            && owner->fields.values[value - graph->values].at == fields->at)
            return &owner->layers[value->producer];
    }
    return NULL;
}

static rf_status report_layer_fields(rf_analysis_owner *owner, const rf_node *node, rf_layer_analysis *layer)
{
    const rf_value *output = rf_output(node, 0);
    const rf_layer_analysis *before = output ? same_fields(owner, node, output) : NULL;
    if (!output)
        return RF_OK;
    if (!before)
        return rf_field_walk_report(owner->graph, &owner->fields, output, &owner->graph->arena, &layer->fields,
                                    &layer->field_count);
    layer->fields = before->fields;
    layer->field_count = before->field_count;
    return RF_OK;
}

static size_t find_border(const rf_analysis_owner *owner)
{
    size_t count = owner->graph->node_count, border = count;
    while (border > 0 && (owner->layers[border - 1].unproductive || owner->layers[border - 1].folded))
        border--;
    while (border < count && !owner->layers[border].unproductive)
        border++;
    return border;
}

static rf_status list_uncounted(rf_analysis_owner *owner, rf_error *error)
{
    rf_graph *graph = owner->graph;
    rf_names seen;
    size_t count = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        count += owner->layers[n].uncounted;
    if (!count)
        return RF_OK;
    const char **types = RF_TAKE(&graph->arena, const char *, count);
    if (!types || !rf_names_init(&seen, &graph->arena, count))
        return rf_arena_fail(&graph->arena, error, "uncounted operators");
    for (size_t n = 0; n < graph->node_count; n++) {
        uint32_t present = 0;
        if (owner->layers[n].uncounted)
            rf_names_add(&seen, owner->layers[n].type, 0, &present);
        if (present == RF_NO_NUMBER)
            types[owner->analysis.uncounted_count++] = owner->layers[n].type;
    }
    owner->analysis.uncounted = types;
    return RF_OK;
}

/* All that is said of one layer, at once, while it is in the cache. */
static rf_status fill_layer(rf_analysis_owner *owner, size_t n, rf_error *error)
{
    rf_graph *graph = owner->graph;
    const rf_node *node = &graph->nodes[n];
    rf_layer_analysis *layer = &owner->layers[n];
    if (!describe_layer(graph, node, layer))
        return rf_arena_fail(&graph->arena, error, "an analysis");
    if (report_layer_fields(owner, node, layer) != RF_OK)
        return rf_arena_fail(&graph->arena, error, "receptive fields");
    layer->unproductive = !layer->folded && incoming_covers(owner, node);
    return rf_cost_layer(owner, n, error);
}

static rf_status fill(rf_analysis_owner *owner, rf_error *error)
{
    rf_graph *graph = owner->graph;
    owner->layers = RF_TAKE(&graph->arena, rf_layer_analysis, graph->node_count);
    if (!owner->layers)
        return rf_arena_fail(&graph->arena, error, "an analysis");
    owner->analysis.name = graph->network->name ? graph->network->name : "";
    owner->analysis.layers = owner->layers;
    owner->analysis.layer_count = graph->node_count;
    owner->analysis.graph = graph;
    RF_TRY(describe_values(owner, error));
    RF_TRY(rf_field_walk_make(graph, &graph->arena, &owner->fields, error));
    for (size_t n = 0; n < graph->node_count; n++)
        RF_TRY(fill_layer(owner, n, error));
    owner->analysis.border_layer = find_border(owner);
    RF_TRY(rf_cost_network(owner, error));
    return list_uncounted(owner, error);
}

rf_status rf_analyze(const rf_network *network, const rf_analyze_options *options,
                     const rf_analysis **analysis, rf_error *error)
{
    rf_analyze_options known = RF_ANALYZE_OPTIONS_DEFAULT;
    rf_graph *graph;
    if (!analysis)
        return rf_fail(error, RF_ERROR_ARGUMENT, "analysis", "analysis must not be NULL");
    *analysis = NULL;
    RF_TRY(rf_options_take(&known, sizeof known, options, "rf_analyze_options", "RF_ANALYZE_OPTIONS_DEFAULT",
                           error));
    if (known.binding_count && !known.bindings)
        return rf_fail(error, RF_ERROR_ARGUMENT, "options", "options.bindings is NULL but binding_count is not 0");
    rf_graph_options graph_options = {
        .bindings = known.bindings, .binding_count = known.binding_count,
        .allow_unknown = known.allow_unknown, .allocator = known.allocator, .limits = known.limits,
    };
    RF_TRY(rf_graph_make(network, &graph_options, &graph, error));
    rf_analysis_owner *owner = RF_TAKE(&graph->arena, rf_analysis_owner, 1);
    rf_status status = owner ? RF_OK : rf_arena_fail(&graph->arena, error, "an analysis");
    if (owner) {
        owner->graph = graph;
        status = fill(owner, error);
    }
    if (status == RF_OK)
        *analysis = &owner->analysis;
    else
        rf_graph_free(graph);
    return status;
}

void rf_analysis_free(const rf_analysis *analysis)
{
    if (analysis)
        rf_graph_free(rf_analysis_owner_of(analysis)->graph);
}

size_t rf_analysis_find_layer(const rf_analysis *analysis, const char *name)
{
    for (size_t n = 0; n < analysis->layer_count; n++)
        if (strcmp(analysis->layers[n].name, name) == 0)
            return n;
    uint32_t number = rf_names_find(&analysis->graph->names, name);
    if (number == RF_NO_NUMBER || analysis->graph->values[number].producer < 0)
        return analysis->layer_count;
    return (size_t)analysis->graph->values[number].producer;
}

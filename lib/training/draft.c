/* SPDX-License-Identifier: MIT */
#include "training/draft.h"

#include <stdio.h>
#include <string.h>

enum { INPUT_ROOM = 1 }; /* for the target */

rf_status rf_draft_no_memory(const rf_draft *draft)
{
    return rf_arena_fail(draft->arena, draft->error, "a gradient");
}

/* ---- Layers ----------------------------------------------------------------------------- */

static const char *const *list_of(rf_draft *draft, const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    const char **made = RF_TAKE(draft->arena, const char *, count + 1);
    for (size_t i = 0; made && i < count; i++)
        made[i] = names[i];
    return made;
}

/* Those of the draft's own have no list or text that is not static. */
static const rf_attribute *attributes_of(rf_draft *draft, const rf_attribute *attributes)
{
    size_t count = 0;
    while (attributes[count].name)
        count++;
    rf_attribute *made = RF_TAKE(draft->arena, rf_attribute, count + 1);
    return made ? memcpy(made, attributes, count * sizeof *made) : NULL;
}

static const char *own_name(rf_draft *draft)
{
    char text[48];
    do
        snprintf(text, sizeof text, "rfield.%zu", draft->named++);
    while (rf_names_find(&draft->graph->names, text) != RF_NO_NUMBER);
    return rf_arena_text(draft->arena, text, strlen(text));
}

const char *rf_draft_layer(rf_draft *draft, const char *type, const char *const *inputs,
                           const rf_attribute *attributes, const char *output)
{
    const char *name = output ? output : own_name(draft);
    rf_layer made = {.name = name, .type = type, .domain = RF_OWN_DOMAIN, .inputs = list_of(draft, inputs),
                     .outputs = name ? list_of(draft, RF_NAMES(name)) : NULL,
                     .attributes = attributes ? attributes_of(draft, attributes) : NULL};
    if (!name || !made.inputs || !made.outputs || (attributes && !made.attributes))
        return NULL;
    draft->layers[draft->network.layer_count++] = made;
    return name;
}

static const char *add_constant(rf_draft *draft, rf_dtype dtype, const rf_shape *shape, const void *data, size_t bytes)
{
    const char *name = own_name(draft);
    void *own = rf_arena_take(draft->arena, bytes, 1);
    if (!name || !own)
        return NULL;
    memcpy(own, data, bytes);
    draft->constants[draft->network.constant_count++] =
        (rf_tensor){.name = name, .dtype = dtype, .shape = *shape, .data = own, .data_bytes = bytes};
    return name;
}

const char *rf_draft_ints(rf_draft *draft, const int64_t *ints, size_t count)
{
    const rf_shape shape = RF_SHAPE((int64_t)count);
    return add_constant(draft, RF_INT64, &shape, ints, count * sizeof *ints);
}

const char *rf_draft_number(rf_draft *draft, double number)
{
    const rf_shape scalar = {.rank = 0};
    float value = (float)number;
    return add_constant(draft, RF_FLOAT32, &scalar, &value, sizeof value);
}

/* ---- Parameters ------------------------------------------------------------------------- */

static bool takes_parameter(const rf_node *node, uint32_t i)
{
    if (i >= 32 || !(node->op->parameter_inputs >> i & 1))
        return false;
    return node->op->class != RF_CLASS_ELEMENTWISE || rf_elements(&node->inputs[i]->shape) > 1;
}

/* Marks what layers take as parameters, through layers that only move elements. */
static void mark_parameters(const rf_graph *graph, bool *marks)
{
    for (size_t n = graph->node_count; n-- > 0;) {
        const rf_node *node = &graph->nodes[n];
        bool moved = node->op->class == RF_CLASS_OTHER && node->output_count && node->outputs[0]
                     && marks[node->outputs[0] - graph->values];
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] && node->inputs[i]->constant && (takes_parameter(node, i) || (moved && i == 0)))
                marks[node->inputs[i] - graph->values] = true;
    }
}

static bool is_parameter(const rf_value *value, bool marked)
{
    return marked && value->in_description && value->dtype == RF_FLOAT32 && value->producer < 0;
}

static rf_status check_weights(const rf_draft *draft)
{
    for (size_t n = 0; n < draft->graph->node_count; n++) {
        const rf_node *node = &draft->graph->nodes[n];
        if (node->implied)
            return rf_fail(draft->error, RF_ERROR_GRAPH, node->name,
                           "layer '%.80s' (%.40s) has no weight tensors; rf_network_initialize() makes them", node->name,
                           node->layer->type);
    }
    return RF_OK;
}

/* ---- Inputs and constants --------------------------------------------------------------- */

static rf_tensor tensor_of(const rf_value *value)
{
    return (rf_tensor){.name = value->name, .dtype = value->dtype, .shape = value->shape};
}

static rf_status take_tensors(rf_draft *draft)
{
    const rf_graph *graph = draft->graph;
    size_t given = draft->graph->network->constant_count, nodes = graph->node_count;
    bool *marks = RF_TAKE(draft->arena, bool, graph->value_count);
    rf_tensor *inputs = RF_TAKE(draft->arena, rf_tensor, graph->input_count + given + INPUT_ROOM);
    draft->parameters.at = RF_TAKE(draft->arena, const char *, given);
    draft->statistics.at = RF_TAKE(draft->arena, const char *, 2 * nodes);
    draft->constants = RF_TAKE(draft->arena, rf_tensor, given + (nodes + 1) * RF_DRAFT_CONSTANTS);
    if (!marks || !inputs || !draft->parameters.at || !draft->statistics.at || !draft->constants)
        return rf_draft_no_memory(draft);
    if (draft->options->parameters)
        mark_parameters(graph, marks);
    rf_network *network = &draft->network;
    for (size_t v = 0; v < graph->input_count + given; v++) {
        const rf_value *value = &graph->values[v];
        if (v < graph->input_count)
            inputs[network->input_count++] = tensor_of(value);
        else if (!is_parameter(value, marks[v]))
            draft->constants[network->constant_count++] = *value->declaration;
        else
            draft->parameters.at[draft->parameters.count++] = value->name;
    }
    for (size_t v = graph->input_count; v < graph->input_count + given; v++)
        if (is_parameter(&graph->values[v], marks[v]))
            inputs[network->input_count++] = tensor_of(&graph->values[v]);
    network->inputs = inputs;
    network->constants = draft->constants;
    network->backing = graph->network->backing;
    return RF_OK;
}

/* ---- Forward layers --------------------------------------------------------------------- */

static const char *const *names_of(rf_draft *draft, rf_value *const *values, uint32_t count)
{
    const char **made = RF_TAKE(draft->arena, const char *, (size_t)count + 1);
    for (uint32_t i = 0; made && i < count; i++)
        made[i] = values[i] ? values[i]->name : "";
    return made;
}

static rf_status copy_layer(rf_draft *draft, const rf_node *node)
{
    if (draft->options->measure_batches && node->op->class == RF_CLASS_BATCH_NORM)
        return rf_draft_measure(draft, node);
    rf_layer made = *node->layer;
    made.name = node->name;
    made.inputs = names_of(draft, node->inputs, node->input_count);
    made.outputs = names_of(draft, node->outputs, node->output_count);
    if (!made.inputs || !made.outputs)
        return rf_draft_no_memory(draft);
    draft->layers[draft->network.layer_count++] = made;
    return RF_OK;
}

/* Names of values live in the graph, which goes before the draft's network does. */
static rf_status keep_names(rf_draft *draft)
{
    for (size_t v = 0; v < draft->graph->value_count; v++) {
        rf_value *value = &draft->graph->values[v];
        value->name = rf_arena_text(draft->arena, value->name, strlen(value->name));
        if (!value->name)
            return rf_draft_no_memory(draft);
    }
    for (size_t n = 0; n < draft->graph->node_count; n++) {
        rf_node *node = &draft->graph->nodes[n];
        node->error = draft->error;
        node->name = rf_arena_text(draft->arena, node->name, strlen(node->name));
        if (!node->name)
            return rf_draft_no_memory(draft);
    }
    return RF_OK;
}

static rf_status find_output(rf_draft *draft, const rf_value **output)
{
    const rf_graph *graph = draft->graph;
    *output = graph->output_count ? graph->outputs[0] : NULL;
    if (draft->options->output) {
        uint32_t number = rf_names_find(&graph->names, draft->options->output);
        *output = number == RF_NO_NUMBER ? NULL : &graph->values[number];
    }
    if (!*output)
        return rf_fail(draft->error, RF_ERROR_NOT_FOUND, draft->options->output ? draft->options->output : "output",
                       "no tensor '%.100s' to differentiate",
                       draft->options->output ? draft->options->output : "(first output)");
    if ((*output)->dtype == RF_FLOAT32)
        return RF_OK;
    return rf_fail(draft->error, RF_ERROR_UNSUPPORTED, (*output)->name,
                   "tensor '%.100s' holds %s, but what is differentiated must hold float32", (*output)->name,
                   rf_dtype_name((*output)->dtype));
}

rf_status rf_draft_make(rf_draft *draft)
{
    const rf_graph *graph = draft->graph;
    const rf_value *output;
    RF_TRY(check_weights(draft));
    RF_TRY(find_output(draft, &output));
    RF_TRY(keep_names(draft));
    draft->output = output->name;
    draft->network.opset = graph->network->opset;
    draft->layers = RF_TAKE(draft->arena, rf_layer, (graph->node_count + 1) * RF_DRAFT_LAYERS);
    if (!draft->layers)
        return rf_draft_no_memory(draft);
    draft->network.layers = draft->layers;
    RF_TRY(take_tensors(draft));
    for (size_t n = 0; n < graph->node_count; n++)
        RF_TRY(copy_layer(draft, &graph->nodes[n]));
    return rf_draft_loss(draft, output);
}

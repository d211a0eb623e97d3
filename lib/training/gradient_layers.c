/* SPDX-License-Identifier: MIT */
#include "training/gradient_layers.h"

#include <string.h>

/* A constant of the description that a layer reads, maybe through layers that only move elements. */
static const rf_value *constant_of(const rf_graph *graph, const rf_value *value)
{
    for (size_t steps = 0; value && value->constant && value->producer >= 0 && steps < graph->node_count; steps++) {
        const rf_node *node = &graph->nodes[value->producer];
        value = node->op && node->op->class == RF_CLASS_OTHER ? rf_input(node, 0) : NULL;
    }
    bool known = value && value->constant && value->producer < 0 && value->in_description && value->declaration;
    return known && value->dtype == RF_FLOAT32 && value->declaration->data ? value : NULL;
}

static bool multiplies(const rf_node *node)
{
    rf_op_class class = node->op ? node->op->class : RF_CLASS_OTHER;
    return class == RF_CLASS_CONVOLUTION || class == RF_CLASS_DENSE || class == RF_CLASS_MATMUL;
}

/* ---- What follows a layer --------------------------------------------------------------- */

/* How often each tensor is read, and by whom last. */
typedef struct readers {
    const rf_node **last;
    uint32_t *count;
} readers;

static bool find_readers(const rf_graph *graph, rf_arena *arena, readers *of)
{
    of->last = RF_TAKE(arena, const rf_node *, graph->value_count);
    of->count = RF_TAKE(arena, uint32_t, graph->value_count);
    if (!of->last || !of->count)
        return false;
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++) {
            const rf_value *value = graph->nodes[n].inputs[i];
            if (!value)
                continue;
            of->last[value - graph->values] = &graph->nodes[n];
            of->count[value - graph->values]++;
        }
    return true;
}

/* A layer that may stand between a product and its activation. */
static bool passes(const rf_node *node)
{
    if (!node->op || node->output_count != 1 || !node->outputs[0] || node->outputs[0]->dtype != RF_FLOAT32)
        return false;
    rf_op_class class = node->op->class;
    return class == RF_CLASS_OTHER || class == RF_CLASS_BATCH_NORM || class == RF_CLASS_NORM
           || strcmp(node->op->type, "Add") == 0;
}

static const rf_value *constant_addend(const rf_graph *graph, const rf_node *node)
{
    if (strcmp(node->op->type, "Add") != 0)
        return NULL;
    const rf_value *second = constant_of(graph, rf_input(node, 1));
    return second ? second : constant_of(graph, rf_input(node, 0));
}

static void follow(const rf_graph *graph, const readers *of, rf_weighted_layer *layer)
{
    const rf_value *value = layer->pre_activation;
    while (of->count[value - graph->values] == 1) {
        const rf_node *reader = of->last[value - graph->values];
        if (reader->op && reader->op->class == RF_CLASS_ACTIVATION && reader->inputs[0] == value) {
            layer->activation = reader;
            layer->pre_activation = value;
            return;
        }
        if (!passes(reader))
            return;
        if (!layer->bias && value == layer->pre_activation) {
            layer->bias = constant_addend(graph, reader);
            layer->pre_activation = layer->bias ? reader->outputs[0] : value;
        }
        value = reader->outputs[0];
    }
}

/* ---- All layers ------------------------------------------------------------------------- */

static bool see_layer(const rf_graph *graph, const readers *of, const rf_node *node, rf_weighted_layer *layer)
{
    const rf_value *output = rf_output(node, 0);
    if (!multiplies(node) || !output || output->dtype != RF_FLOAT32 || output->constant || node->implied)
        return false;
    *layer = (rf_weighted_layer){.node = node, .weight = constant_of(graph, rf_input(node, 1)),
                                 .pre_activation = output};
    if (!layer->weight || layer->weight->shape.rank < 2)
        return false;
    layer->bias = constant_of(graph, rf_input(node, 2));
    follow(graph, of, layer);
    return true;
}

static bool puts_out(const rf_graph *graph, const rf_node *node, const bool *marks)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] && marks[node->outputs[i] - graph->values])
            return true;
    return false;
}

/* Marks the values that `output` depends on. */
static bool mark_sources(const rf_graph *graph, const rf_value *output, bool *marks)
{
    if (!marks)
        return false;
    marks[output - graph->values] = true;
    for (size_t n = graph->node_count; n-- > 0;)
        for (uint32_t i = 0; puts_out(graph, &graph->nodes[n], marks) && i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i])
                marks[graph->nodes[n].inputs[i] - graph->values] = true;
    return true;
}

rf_weighted_layer *rf_weighted_layers(const rf_graph *graph, const rf_value *output, rf_arena *arena, size_t *count)
{
    readers of;
    rf_weighted_layer *layers = RF_TAKE(arena, rf_weighted_layer, graph->node_count);
    bool *marks = RF_TAKE(arena, bool, graph->value_count);
    *count = 0;
    if (!layers || !mark_sources(graph, output, marks) || !find_readers(graph, arena, &of))
        return NULL;
    for (size_t n = 0; n < graph->node_count; n++)
        if (puts_out(graph, &graph->nodes[n], marks))
            *count += see_layer(graph, &of, &graph->nodes[n], &layers[*count]);
    return layers;
}

/* SPDX-License-Identifier: MIT */
#include "analysis/cost_walk.h"

#include <string.h>

static rf_status overflow(const rf_layer_analysis *layer, const char *what, rf_error *error)
{
    return rf_fail(error, RF_ERROR_OVERFLOW, layer->name, "layer '%.100s' (%.40s): %s exceed 64 bits",
                   layer->name, layer->type, what);
}

static bool add_counts(rf_counts *total, const rf_counts *counts)
{
    return rf_checked_add(total->multiplications, counts->multiplications, &total->multiplications)
        && rf_checked_add(total->additions, counts->additions, &total->additions)
        && rf_checked_add(total->activations, counts->activations, &total->activations)
        && rf_checked_add(total->comparisons, counts->comparisons, &total->comparisons)
        && rf_checked_add(total->divisions, counts->divisions, &total->divisions)
        && rf_checked_add(total->exponentials, counts->exponentials, &total->exponentials)
        && rf_checked_add(total->square_roots, counts->square_roots, &total->square_roots)
        && rf_checked_add(total->macs, counts->macs, &total->macs);
}

static bool count_operations(rf_analysis_owner *owner, size_t n)
{
    const rf_node *node = &owner->graph->nodes[n];
    rf_layer_analysis *layer = &owner->layers[n];
    rf_cost cost = {.window_taps = 0};
    if (!node->op || !node->op->cost)
        return true;
    if (!node->op->cost(node, &cost) || !add_counts(&owner->analysis.dense, &cost.dense)
        || !add_counts(&owner->analysis.valid, &cost.valid))
        return false;
    layer->dense = cost.dense;
    layer->valid = cost.valid;
    return true;
}

/* ---- Parameters ---------------------------------------------------------------------------- */

typedef enum weight_kind { NOT_A_WEIGHT, STATISTIC, TRAINABLE } weight_kind;

/* A constant tensor's use as a weight: how, and by which layer first. */
typedef struct weight_use {
    weight_kind kind;
    uint32_t layer;
} weight_use;

static weight_kind kind_of_input(const rf_node *node, uint32_t i)
{
    const rf_op *op = node->op;
    const rf_value *value = node->inputs[i];
    if (!value || !value->constant || !rf_dtype_bits(value->dtype))
        return NOT_A_WEIGHT;
    if (!op)
        return rf_dtype_is_float(value->dtype) ? TRAINABLE : NOT_A_WEIGHT;
    uint32_t bit = i < 32 ? UINT32_C(1) << i : 0;
    if (op->statistic_inputs & bit)
        return STATISTIC;
    if (!(op->parameter_inputs & bit))
        return NOT_A_WEIGHT;
    /* Where any constant may stand, only floats are weights, and a single number that is applied
     * everywhere is part of the formula. */
    bool general = op->class == RF_CLASS_ELEMENTWISE || op->class == RF_CLASS_OTHER;
    if (general && (!rf_dtype_is_float(value->dtype) || rf_elements(&value->shape) <= 1))
        return NOT_A_WEIGHT;
    return TRAINABLE;
}

static void use(weight_use *uses, const rf_graph *graph, const rf_value *value, weight_kind kind, uint32_t layer)
{
    weight_use *known = &uses[value - graph->values];
    if (known->kind == NOT_A_WEIGHT || layer < known->layer)
        known->layer = layer;
    if (kind > known->kind)
        known->kind = kind;
}

static bool add_tensor(rf_layer_analysis *layer, rf_dtype dtype, const rf_shape *shape, bool statistic)
{
    uint64_t bytes, elements = rf_elements(shape);
    uint64_t *count = statistic ? &layer->statistics : &layer->parameters;
    return rf_tensor_bytes(dtype, shape, &bytes) && rf_checked_add(*count, elements, count)
        && rf_checked_add(layer->weight_bytes, bytes, &layer->weight_bytes);
}

/* Passes the use of a folded layer's output on to the weights that it was made from; what was made
 * from none (ConstantOfShape, Constant) or copied is itself the weight. */
static bool pass_on(weight_use *uses, const rf_graph *graph, const rf_node *node, const weight_use *use_of_output)
{
    bool passed = false;
    for (uint32_t i = 0; i < node->input_count && !(node->op && node->op->copies_weights); i++) {
        const rf_value *value = node->inputs[i];
        if (!value || !rf_dtype_is_float(value->dtype) || rf_elements(&value->shape) <= 1)
            continue;
        use(uses, graph, value, use_of_output->kind, use_of_output->layer);
        passed = true;
    }
    return passed;
}

static bool settle_folded(rf_analysis_owner *owner, weight_use *uses, size_t n)
{
    const rf_graph *graph = owner->graph;
    const rf_node *node = &graph->nodes[n];
    for (uint32_t o = 0; o < node->output_count; o++) {
        const rf_value *value = node->outputs[o];
        const weight_use *used = value ? &uses[value - graph->values] : NULL;
        if (!used || used->kind == NOT_A_WEIGHT || pass_on(uses, graph, node, used))
            continue;
        if (!add_tensor(&owner->layers[used->layer], value->dtype, &value->shape, used->kind == STATISTIC))
            return false;
    }
    return true;
}

static bool add_implied(rf_analysis_owner *owner, size_t n)
{
    const rf_node *node = &owner->graph->nodes[n];
    rf_dtype dtype = rf_output(node, 0) ? node->outputs[0]->dtype : RF_FLOAT32;
    for (const rf_implied *weight = node->implied; weight; weight = weight->next)
        if (!add_tensor(&owner->layers[n], dtype, &weight->shape, weight->statistic))
            return false;
    return true;
}

static bool add_declared(rf_analysis_owner *owner, const weight_use *uses)
{
    const rf_graph *graph = owner->graph;
    for (size_t v = 0; v < graph->value_count; v++) {
        const rf_value *value = &graph->values[v];
        if (value->in_description && uses[v].kind != NOT_A_WEIGHT
            && !add_tensor(&owner->layers[uses[v].layer], value->dtype, &value->shape, uses[v].kind == STATISTIC))
            return false;
    }
    return true;
}

static rf_status count_parameters(rf_analysis_owner *owner, rf_error *error)
{
    const rf_graph *graph = owner->graph;
    weight_use *uses = RF_TAKE(&owner->graph->arena, weight_use, graph->value_count);
    if (!uses)
        return rf_arena_fail(&graph->arena, error, "parameters");
    for (uint32_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count && !owner->layers[n].folded; i++) {
            weight_kind kind = kind_of_input(&graph->nodes[n], i);
            if (kind != NOT_A_WEIGHT)
                use(uses, graph, graph->nodes[n].inputs[i], kind, n);
        }
    for (size_t n = graph->node_count; n-- > 0;)
        if (!(owner->layers[n].folded ? settle_folded(owner, uses, n) : add_implied(owner, n)))
            return overflow(&owner->layers[n], "parameters", error);
    if (!add_declared(owner, uses))
        return rf_fail(error, RF_ERROR_OVERFLOW, NULL, "the network's parameters exceed 64 bits");
    rf_analysis *total = &owner->analysis;
    for (size_t n = 0; n < graph->node_count; n++) {
        const rf_layer_analysis *layer = &owner->layers[n];
        if (!rf_checked_add(total->parameters, layer->parameters, &total->parameters)
            || !rf_checked_add(total->statistics, layer->statistics, &total->statistics)
            || !rf_checked_add(total->weight_bytes, layer->weight_bytes, &total->weight_bytes))
            return overflow(layer, "parameters", error);
    }
    return RF_OK;
}

/* ---- Bytes ------------------------------------------------------------------------------------ */

static bool count_bytes(rf_analysis_owner *owner, size_t n)
{
    const rf_node *node = &owner->graph->nodes[n];
    rf_layer_analysis *layer = &owner->layers[n];
    for (uint32_t o = 0; o < node->output_count; o++)
        if (node->outputs[o] && !rf_checked_add(layer->activation_bytes, node->outputs[o]->bytes, &layer->activation_bytes))
            return false;
    layer->moved_bytes = layer->activation_bytes;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] && !rf_checked_add(layer->moved_bytes, node->inputs[i]->bytes, &layer->moved_bytes))
            return false;
    for (const rf_implied *weight = node->implied; weight; weight = weight->next) {
        uint64_t bytes;
        if (!rf_tensor_bytes(RF_FLOAT32, &weight->shape, &bytes)
            || !rf_checked_add(layer->moved_bytes, bytes, &layer->moved_bytes))
            return false;
    }
    return rf_checked_add(owner->analysis.activation_bytes, layer->activation_bytes, &owner->analysis.activation_bytes);
}

static const uint32_t never = UINT32_MAX, to_the_end = UINT32_MAX - 1;

/* The last layer that reads each value. */
static uint32_t *find_last_uses(const rf_graph *graph, rf_arena *arena)
{
    uint32_t *last = RF_TAKE(arena, uint32_t, graph->value_count);
    if (!last)
        return NULL;
    memset(last, 0xff, graph->value_count * sizeof *last);
    for (uint32_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i])
                last[graph->nodes[n].inputs[i] - graph->values] = n;
    for (size_t o = 0; o < graph->output_count; o++)
        last[graph->outputs[o] - graph->values] = to_the_end;
    return last;
}

static void free_dead(const rf_graph *graph, const rf_node *node, uint32_t n, uint32_t *last, uint64_t *live)
{
    for (uint32_t k = 0; k < node->input_count + node->output_count; k++) {
        const rf_value *value = k < node->input_count ? node->inputs[k] : node->outputs[k - node->input_count];
        if (!value || value->constant)
            continue;
        uint32_t *use_of = &last[value - graph->values];
        bool unread = *use_of == never && k >= node->input_count;
        if (*use_of != n && !unread)
            continue;
        *live -= value->bytes;
        *use_of = to_the_end; /* once, however often the layer names it */
    }
}

static rf_status find_peak(rf_analysis_owner *owner, rf_error *error)
{
    const rf_graph *graph = owner->graph;
    uint32_t *last = find_last_uses(graph, &owner->graph->arena);
    if (!last)
        return rf_arena_fail(&graph->arena, error, "the peak of memory");
    uint64_t live = 0;
    for (size_t v = 0; v < graph->input_count; v++)
        if (last[v] != never && !rf_checked_add(live, graph->values[v].bytes, &live))
            return rf_fail(error, RF_ERROR_OVERFLOW, NULL, "the network's inputs exceed 64 bits");
    owner->analysis.peak_activation_bytes = live;
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const rf_node *node = &graph->nodes[n];
        for (uint32_t o = 0; o < node->output_count; o++)
            if (node->outputs[o] && !node->outputs[o]->constant
                && !rf_checked_add(live, node->outputs[o]->bytes, &live))
                return overflow(&owner->layers[n], "live bytes", error);
        if (live > owner->analysis.peak_activation_bytes)
            owner->analysis.peak_activation_bytes = live;
        free_dead(graph, node, n, last, &live);
    }
    return RF_OK;
}

rf_status rf_cost_layer(rf_analysis_owner *owner, size_t n, rf_error *error)
{
    if (owner->layers[n].folded)
        return RF_OK;
    if (!count_operations(owner, n))
        return overflow(&owner->layers[n], "operation counts", error);
    return count_bytes(owner, n) ? RF_OK : overflow(&owner->layers[n], "bytes", error);
}

rf_status rf_cost_network(rf_analysis_owner *owner, rf_error *error)
{
    RF_TRY(count_parameters(owner, error));
    return find_peak(owner, error);
}

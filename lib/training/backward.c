/* SPDX-License-Identifier: MIT */
/* The walk from the loss back: asks each row for the layers of its derivatives. */
#include <rfield/gradient.h>

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "ops/gradient_builder.h"
#include "readers/network_owner.h"
#include "training/draft.h"

/* What is differentiated by what, while the walk goes on. */
typedef struct walk {
    rf_draft *draft;
    rf_graph *graph;     /* of the draft's network */
    rf_gradient gradient;
    const rf_value **results; /* what is differentiated by, each once */
    size_t result_count;
    rf_tensor *outputs;
    size_t output_count;
} walk;

/* ---- What is wanted --------------------------------------------------------------------- */

static rf_status want(walk *it, const char *name)
{
    uint32_t number = rf_names_find(&it->graph->names, name);
    if (number == RF_NO_NUMBER)
        return rf_fail(it->draft->error, RF_ERROR_NOT_FOUND, name, "no tensor '%.100s' to differentiate by", name);
    const rf_value *value = &it->graph->values[number];
    if (value->dtype != RF_FLOAT32)
        return rf_fail(it->draft->error, RF_ERROR_UNSUPPORTED, name,
                       "tensor '%.100s' holds %s, but what is differentiated by must hold float32", name,
                       rf_dtype_name(value->dtype));
    if (!it->gradient.slots[number].wanted)
        it->results[it->result_count++] = value;
    it->gradient.slots[number].wanted = true;
    return RF_OK;
}

static bool leads_to_wanted(const walk *it, const rf_node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (rf_gradient_wanted(&it->gradient, node, i))
            return true;
    return false;
}

static rf_status mark_wanted(walk *it)
{
    const rf_gradient_options *options = it->draft->options;
    for (size_t i = 0; i < it->draft->parameters.count; i++)
        RF_TRY(want(it, it->draft->parameters.at[i]));
    for (size_t i = 0; i < options->tensor_count; i++)
        RF_TRY(want(it, options->tensors[i]));
    for (size_t n = 0; n < it->graph->node_count; n++) {
        const rf_node *node = &it->graph->nodes[n];
        if (!leads_to_wanted(it, node))
            continue;
        for (uint32_t i = 0; i < node->output_count; i++)
            if (node->outputs[i] && rf_dtype_is_float(node->outputs[i]->dtype))
                it->gradient.slots[node->outputs[i] - it->graph->values].wanted = true;
    }
    return RF_OK;
}

/* ---- The walk --------------------------------------------------------------------------- */

/* Of nothing there is nothing to carry back, and rows need not think of it. */
static bool is_reached(const walk *it, const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (rf_gradient_of(&it->gradient, node, i) && rf_elements(&node->outputs[i]->shape) > 0)
            return true;
    return false;
}

static rf_status walk_back(walk *it)
{
    const rf_value *loss = it->graph->outputs[1];
    it->gradient.slots[loss - it->graph->values].sum = rf_gradient_number(&it->gradient, 1);
    for (size_t n = it->graph->node_count; n-- > 0;) {
        rf_node *node = &it->graph->nodes[n];
        if (!is_reached(it, node) || !leads_to_wanted(it, node))
            continue;
        it->gradient.at = node;
        node->error = it->draft->error;
        if (!node->op->gradient)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the operator has no gradient");
        rf_gradient_fail(&it->gradient, node->op->gradient(node, &it->gradient));
        if (it->gradient.status != RF_OK)
            return it->gradient.status;
    }
    return it->gradient.status;
}

/* ---- Outputs ---------------------------------------------------------------------------- */

/* The tensors that gradient layers put out, and what those of them that are results shall be called. */
typedef struct renaming {
    rf_names names;
    const char **wanted; /* by layer; NULL to stay */
} renaming;

static rf_status start_renaming(const walk *it, renaming *made)
{
    const rf_gradient *gradient = &it->gradient;
    uint32_t present;
    made->wanted = RF_TAKE(&it->graph->arena, const char *, gradient->layer_count);
    if (!made->wanted || !rf_names_init(&made->names, &it->graph->arena, gradient->layer_count))
        return rf_arena_fail(&it->graph->arena, it->draft->error, "a gradient");
    for (size_t k = 0; k < gradient->layer_count; k++)
        rf_names_add(&made->names, gradient->layers[k].name, (uint32_t)k, &present);
    return RF_OK;
}

static const char *result_name(walk *it, const char *tensor)
{
    size_t bytes = strlen(tensor) + sizeof RF_GRADIENT_SUFFIX;
    char *name = rf_arena_take(it->draft->arena, bytes, 1);
    if (name)
        snprintf(name, bytes, "%s%s", tensor, RF_GRADIENT_SUFFIX);
    return name;
}

static void add_output(walk *it, const char *name, const rf_shape *shape)
{
    it->outputs[it->output_count++] = (rf_tensor){.name = name, .dtype = RF_FLOAT32, .shape = *shape};
}

/* A sum that has a layer of its own is called by the result's name; another is copied. */
static rf_status add_result(walk *it, renaming *names, const rf_value *value)
{
    rf_gradient *gradient = &it->gradient;
    const char *sum = gradient->slots[value - it->graph->values].sum, *name = result_name(it, value->name);
    if (!name)
        return rf_draft_no_memory(it->draft);
    if (rf_names_find(&it->graph->names, name) != RF_NO_NUMBER)
        return rf_fail(it->draft->error, RF_ERROR_GRAPH, name, "the network has a tensor '%.100s' of its own", name);
    gradient->at = NULL;
    if (!sum)
        sum = rf_gradient_expand(gradient, rf_gradient_number(gradient, 0), &value->shape);
    uint32_t layer = rf_names_find(&names->names, sum);
    if (layer != RF_NO_NUMBER && !names->wanted[layer]) {
        names->wanted[layer] = name;
    } else {
        rf_gradient_one(gradient, "Identity", sum);
        if (gradient->status != RF_OK)
            return gradient->status;
        gradient->layers[gradient->layer_count - 1].outputs = RF_TAKE(it->draft->arena, const char *, 2);
        const char **outputs = (const char **)(uintptr_t)gradient->layers[gradient->layer_count - 1].outputs;
        if (!outputs)
            return rf_draft_no_memory(it->draft);
        outputs[0] = name;
    }
    add_output(it, name, &value->shape);
    return gradient->status;
}

static void rename_all(const walk *it, const renaming *names)
{
    for (size_t k = 0; k < it->gradient.layer_count; k++) {
        const rf_layer *layer = &it->gradient.layers[k];
        const char **lists[] = {(const char **)(uintptr_t)layer->inputs, (const char **)(uintptr_t)layer->outputs};
        for (size_t l = 0; l < 2; l++)
            for (const char **name = lists[l]; *name; name++) {
                uint32_t from = rf_names_find(&names->names, *name);
                if (from != RF_NO_NUMBER && names->wanted[from])
                    *name = names->wanted[from];
            }
    }
}

static rf_status add_results(walk *it)
{
    const rf_draft *draft = it->draft;
    renaming names;
    RF_TRY(start_renaming(it, &names));
    for (size_t i = 0; i < it->result_count; i++)
        RF_TRY(add_result(it, &names, it->results[i]));
    rename_all(it, &names);
    for (size_t i = 0; i < draft->statistics.count; i++) {
        const char *name = draft->statistics.at[i];
        add_output(it, name, &it->graph->values[rf_names_find(&it->graph->names, name)].shape);
    }
    return RF_OK;
}

static void *joined(rf_arena *arena, const void *first, size_t count, const void *second, size_t more, size_t size)
{
    char *all = rf_arena_take(arena, count + more, size);
    if (all && count)
        memcpy(all, first, count * size);
    if (all && more)
        memcpy(all + count * size, second, more * size);
    return all;
}

static rf_status finish(walk *it, rf_network *network)
{
    const rf_draft *draft = it->draft;
    const rf_gradient *gradient = &it->gradient;
    *network = draft->network;
    network->layers = joined(draft->arena, draft->layers, network->layer_count, gradient->layers,
                             gradient->layer_count, sizeof(rf_layer));
    network->constants = joined(draft->arena, draft->constants, network->constant_count, gradient->constants,
                                gradient->constant_count, sizeof(rf_tensor));
    if (!network->layers || !network->constants)
        return rf_draft_no_memory(draft);
    network->layer_count += gradient->layer_count;
    network->constant_count += gradient->constant_count;
    network->outputs = it->outputs;
    network->output_count = it->output_count;
    return RF_OK;
}

/* ---- From a network to its gradient -------------------------------------------------------- */

static rf_status differentiate(walk *it, rf_network *network)
{
    const rf_draft *draft = it->draft;
    const rf_graph *graph = it->graph;
    size_t results = draft->parameters.count + draft->options->tensor_count;
    RF_TRY(rf_gradient_start(&it->gradient, graph->values, graph->value_count, &graph->names, draft->arena,
                             draft->error));
    it->results = RF_TAKE(draft->arena, const rf_value *, results);
    it->outputs = RF_TAKE(draft->arena, rf_tensor, results + draft->statistics.count + 2);
    if (!it->results || !it->outputs)
        return rf_draft_no_memory(draft);
    add_output(it, draft->output, &graph->outputs[0]->shape);
    add_output(it, RF_LOSS, &graph->outputs[1]->shape);
    RF_TRY(mark_wanted(it));
    RF_TRY(walk_back(it));
    RF_TRY(add_results(it));
    return finish(it, network);
}

static rf_status walk_draft(rf_draft *draft, const rf_graph_options *how, rf_network *network)
{
    walk it = {.draft = draft};
    rf_graph_options again = {.allocator = how->allocator, .limits = how->limits};
    const rf_tensor outputs[] = {{.name = draft->output, .shape = {.rank = -1}}, {.name = RF_LOSS}};
    rf_network forward = draft->network;
    forward.outputs = outputs;
    forward.output_count = 2;
    RF_TRY(rf_graph_make(&forward, &again, &it.graph, draft->error));
    rf_status status = differentiate(&it, network);
    rf_graph_free(it.graph);
    return status;
}

static rf_status describe(const rf_network *source, const rf_gradient_options *options, rf_network_owner *owner,
                          rf_error *error)
{
    rf_draft draft = {.arena = &owner->arena, .error = error, .options = options};
    const rf_graph_options how = {.bindings = options->bindings, .binding_count = options->binding_count,
                                  .allocator = options->allocator, .limits = options->limits};
    rf_graph *graph;
    RF_TRY(rf_graph_make(source, &how, &graph, error));
    draft.graph = graph;
    rf_status status = rf_draft_make(&draft);
    if (status == RF_OK)
        status = walk_draft(&draft, &how, &owner->network);
    rf_graph_free(graph);
    return status;
}

rf_status rf_gradient_describe(const rf_network *network, const rf_gradient_options *options,
                               const rf_network **gradient, rf_error *error)
{
    rf_gradient_options own = RF_GRADIENT_OPTIONS_DEFAULT;
    rf_load_options load = RF_LOAD_OPTIONS_DEFAULT;
    rf_network_owner *owner;
    if (!network || !gradient)
        return rf_fail(error, RF_ERROR_ARGUMENT, network ? "gradient" : "network",
                       "rf_gradient_describe: %s is NULL", network ? "gradient" : "network");
    *gradient = NULL;
    RF_TRY(rf_options_take(&own, sizeof own, options, "rf_gradient_options", "RF_GRADIENT_OPTIONS_DEFAULT", error));
    load.allocator = own.allocator;
    load.limits = own.limits;
    RF_TRY(rf_network_owner_make(&load, &owner, error));
    rf_status status = describe(network, &own, owner, error);
    if (status != RF_OK) {
        rf_network_owner_free(owner);
        return status;
    }
    owner->network.name = network->name;
    *gradient = &owner->network;
    return RF_OK;
}

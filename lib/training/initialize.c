/* SPDX-License-Identifier: MIT */
/*
 * A copy of a network with weights: the graph says which are missing and what each is for, `schemes`
 * draws them.
 */
#include <rfield/initialize.h>

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "network/graph.h"
#include "ops/operands.h"
#include "readers/network_owner.h"
#include "training/copy.h"
#include "training/roles.h"

/* The most weights that a layer implies: scale, shift, mean, variance. */
enum { MOST_IMPLIED = 4 };

typedef struct builder {
    const rf_initialization *how;
    const rf_graph *graph;
    rf_network_owner *owner;
    rf_names taken;        /* by the copy's own tensors */
    rf_tensor *constants;
    rf_layer *layers;
    size_t constant_count, layer_count;
    rf_error *error;
} builder;

static rf_status no_memory(const builder *to)
{
    return rf_network_owner_no_memory(to->owner, to->error);
}

/* ---- New tensors ------------------------------------------------------------------------ */

/* "LAYER.what", or "LAYER_N.what" where that is taken. */
static rf_status make_name(builder *to, const rf_node *node, const char *what, const char **name)
{
    size_t room = strlen(node->name) + strlen(what) + 32;
    char *text = RF_TAKE(&to->owner->arena, char, room);
    if (!text)
        return no_memory(to);
    for (int attempt = 0; attempt < 2; attempt++) {
        uint32_t present = RF_NO_NUMBER;
        if (attempt)
            snprintf(text, room, "%s_%zu.%s", node->name, (size_t)(node - to->graph->nodes), what);
        else
            snprintf(text, room, "%s.%s", node->name, what);
        if (rf_names_find(&to->graph->names, text) != RF_NO_NUMBER)
            continue;
        rf_names_add(&to->taken, text, 0, &present);
        *name = text;
        if (present == RF_NO_NUMBER)
            return RF_OK;
    }
    return rf_fail(to->error, RF_ERROR_GRAPH, node->name, "layer '%.100s' needs a tensor '%.100s', but that name is "
                   "taken", node->name, text);
}

static rf_status draw(builder *to, rf_tensor *tensor, const rf_weight_view *view)
{
    uint64_t bytes;
    if (!rf_tensor_bytes(tensor->dtype, &tensor->shape, &bytes) || bytes > SIZE_MAX)
        return rf_fail(to->error, RF_ERROR_OVERFLOW, tensor->name, "tensor '%.100s' of shape %s is too large",
                       tensor->name, rf_shape_print(&tensor->shape).text);
    void *data = rf_arena_take(&to->owner->arena, (size_t)bytes, 1);
    if (!data)
        return no_memory(to);
    tensor->data = data;
    tensor->data_bytes = (size_t)bytes;
    return rf_scheme_fill(to->how, view, tensor->name, tensor->dtype, data, to->error);
}

static rf_status add_implied(builder *to, const rf_node *node, uint32_t input, const rf_implied *implied,
                             const char **name)
{
    static const char *const suffixes[MOST_IMPLIED] = {"weight", "bias", "mean", "variance"};
    rf_tensor *tensor = &to->constants[to->constant_count++];
    RF_TRY(make_name(to, node, suffixes[input - 1], name));
    *tensor = (rf_tensor){.name = *name, .dtype = node->inputs[0]->dtype, .shape = implied->shape};
    rf_weight_view view = rf_weight_view_of(node, input, &implied->shape);
    return draw(to, tensor, &view);
}

/* ---- Constants of the source ------------------------------------------------------------ */

/* What each constant is to the first layer that reads it as a weight. */
static rf_status see_constants(builder *to, rf_weight_view **views)
{
    const rf_graph *graph = to->graph;
    *views = RF_TAKE(&to->owner->arena, rf_weight_view, graph->network->constant_count);
    if (!*views)
        return no_memory(to);
    for (size_t n = 0; n < graph->node_count; n++) {
        const rf_node *node = &graph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++) {
            if (!rf_is_weight_input(node, i))
                continue;
            rf_weight_view *view = &(*views)[node->inputs[i] - graph->values - graph->input_count];
            if (view->role == RF_ROLE_NONE)
                *view = rf_weight_view_of(node, i, &node->inputs[i]->shape);
        }
    }
    return RF_OK;
}

static rf_status copy_constants(builder *to)
{
    const rf_network *network = to->graph->network;
    rf_weight_view *views = NULL;
    RF_TRY(see_constants(to, &views));
    if (!rf_copy_tensors(&to->owner->arena, network->constants, network->constant_count, to->constants))
        return no_memory(to);
    to->constant_count = network->constant_count;
    for (size_t i = 0; i < network->constant_count; i++) {
        rf_tensor *tensor = &to->constants[i];
        tensor->dtype = tensor->dtype ? tensor->dtype : RF_FLOAT32;
        bool weight = views[i].role != RF_ROLE_NONE;
        if (!rf_dtype_is_real(tensor->dtype) || (tensor->data && !(to->how->all && weight)))
            continue;
        if (!weight)
            views[i] = rf_weight_view_alone(&tensor->shape);
        RF_TRY(draw(to, tensor, &views[i]));
    }
    return RF_OK;
}

/* ---- Layers ----------------------------------------------------------------------------- */

static size_t implied_count(const rf_node *node)
{
    size_t count = 0;
    for (const rf_implied *implied = node->implied; implied; implied = implied->next)
        count++;
    return count;
}

/* Only a Gemm without weight tensor takes more than a matrix. */
static bool needs_flatten(const rf_node *node)
{
    return node->implied && node->op->class == RF_CLASS_DENSE && node->inputs[0]->shape.rank > 2;
}

static rf_status add_flatten(builder *to, const rf_node *node, const char **name)
{
    const char **inputs = RF_TAKE(&to->owner->arena, const char *, 2);
    RF_TRY(make_name(to, node, "flatten", name));
    if (!inputs || !rf_copy_text(&to->owner->arena, node->inputs[0]->name, &inputs[0]))
        return no_memory(to);
    to->layers[to->layer_count++] = (rf_layer){.name = *name, .type = "Flatten", .inputs = inputs};
    return RF_OK;
}

/* Omitted ones are "". */
static rf_status copy_values(builder *to, rf_value *const *values, size_t count, size_t more, const char ***names)
{
    *names = RF_TAKE(&to->owner->arena, const char *, count + more + 1);
    if (!*names)
        return no_memory(to);
    for (size_t i = 0; i < count; i++)
        if (!rf_copy_text(&to->owner->arena, values[i] ? values[i]->name : "", &(*names)[i]))
            return no_memory(to);
    return RF_OK;
}

static rf_status copy_layer(builder *to, const rf_node *node)
{
    static const char *const replaced[] = {"filters", "bias", NULL};
    const rf_implied *implied = node->implied;
    const char **inputs, **outputs;
    rf_layer layer = {.type = NULL};
    RF_TRY(copy_values(to, node->inputs, node->input_count, MOST_IMPLIED, &inputs));
    RF_TRY(copy_values(to, node->outputs, node->output_count, 0, &outputs));
    if (needs_flatten(node))
        RF_TRY(add_flatten(to, node, &inputs[0]));
    for (uint32_t i = 1; implied && i <= MOST_IMPLIED; i++, implied = implied->next)
        RF_TRY(add_implied(to, node, i, implied, &inputs[i]));
    rf_arena *arena = &to->owner->arena;
    if (!rf_copy_text(arena, node->name, &layer.name) || !rf_copy_text(arena, node->layer->type, &layer.type)
        || !rf_copy_text(arena, node->layer->domain, &layer.domain)
        || !rf_copy_attributes(arena, node->layer->attributes, node->implied ? replaced : replaced + 2,
                               &layer.attributes))
        return no_memory(to);
    layer.inputs = inputs;
    layer.outputs = outputs;
    to->layers[to->layer_count++] = layer;
    return RF_OK;
}

/* ---- The network ------------------------------------------------------------------------ */

static rf_status take_room(builder *to)
{
    const rf_graph *graph = to->graph;
    size_t layers = graph->node_count, implied = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        implied += implied_count(&graph->nodes[n]);
        layers += needs_flatten(&graph->nodes[n]);
    }
    rf_arena *arena = &to->owner->arena;
    to->constants = RF_TAKE(arena, rf_tensor, graph->network->constant_count + implied);
    to->layers = RF_TAKE(arena, rf_layer, layers);
    if (!to->constants || !to->layers || !rf_names_init(&to->taken, arena, 2 * (implied + layers)))
        return no_memory(to);
    return RF_OK;
}

static rf_status copy_list(builder *to, const rf_tensor *tensors, size_t count, const rf_tensor **copies)
{
    rf_tensor *made = RF_TAKE(&to->owner->arena, rf_tensor, count);
    *copies = made;
    return made && rf_copy_tensors(&to->owner->arena, tensors, count, made) ? RF_OK : no_memory(to);
}

/* Found ones are listed: their order is that of the source's layers. */
static rf_status copy_outputs(builder *to, rf_network *made)
{
    const rf_graph *graph = to->graph;
    if (graph->network->output_count)
        return copy_list(to, graph->network->outputs, graph->network->output_count, &made->outputs);
    rf_tensor *outputs = RF_TAKE(&to->owner->arena, rf_tensor, graph->output_count);
    made->outputs = outputs;
    made->output_count = graph->output_count;
    for (size_t i = 0; outputs && i < graph->output_count; i++) {
        outputs[i] = (rf_tensor){.dtype = graph->outputs[i]->dtype, .shape = {.rank = -1}};
        if (!rf_copy_text(&to->owner->arena, graph->outputs[i]->name, &outputs[i].name))
            return no_memory(to);
    }
    return outputs ? RF_OK : no_memory(to);
}

static rf_status build(builder *to)
{
    const rf_network *from = to->graph->network;
    rf_network *made = &to->owner->network;
    *made = *from;
    if (!rf_copy_text(&to->owner->arena, from->name, &made->name))
        return no_memory(to);
    RF_TRY(take_room(to));
    RF_TRY(copy_list(to, from->inputs, from->input_count, &made->inputs));
    RF_TRY(copy_outputs(to, made));
    RF_TRY(copy_list(to, from->declared, from->declared_count, &made->declared));
    RF_TRY(copy_constants(to));
    for (size_t n = 0; n < to->graph->node_count; n++)
        RF_TRY(copy_layer(to, &to->graph->nodes[n]));
    made->constants = to->constants;
    made->constant_count = to->constant_count;
    made->layers = to->layers;
    made->layer_count = to->layer_count;
    return RF_OK;
}

static rf_status build_owned(const rf_graph *graph, const rf_initialization *how, const rf_network **initialized,
                             rf_error *error)
{
    rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
    builder to = {.how = how, .graph = graph, .error = error};
    options.allocator = how->allocator;
    options.limits = how->limits;
    RF_TRY(rf_network_owner_make(&options, &to.owner, error));
    rf_status status = build(&to);
    if (status == RF_OK)
        *initialized = &to.owner->network;
    else
        rf_network_owner_free(to.owner);
    return status;
}

rf_status rf_network_initialize(const rf_network *network, const rf_initialization *how,
                                const rf_network **initialized, rf_error *error)
{
    rf_initialization complete = RF_INITIALIZATION_DEFAULT;
    rf_graph *graph;
    if (!initialized)
        return rf_fail(error, RF_ERROR_ARGUMENT, "initialized", "rf_network_initialize: initialized is NULL");
    *initialized = NULL;
    RF_TRY(rf_options_take(&complete, sizeof complete, how, "rf_initialization", "RF_INITIALIZATION_DEFAULT", error));
    if (complete.binding_count && !complete.bindings)
        return rf_fail(error, RF_ERROR_ARGUMENT, "bindings", "bindings is NULL but binding_count is not 0");
    RF_TRY(rf_scheme_check(&complete, error));
    rf_graph_options options = {.bindings = complete.bindings, .binding_count = complete.binding_count,
                                .allow_unknown = true, .allocator = complete.allocator, .limits = complete.limits};
    RF_TRY(rf_graph_make(network, &options, &graph, error));
    rf_status status = build_owned(graph, &complete, initialized, error);
    rf_graph_free(graph);
    return status;
}

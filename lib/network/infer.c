/* SPDX-License-Identifier: MIT */
#include "network/infer.h"

#include <string.h>

#include "network/attributes.h"
#include "network/folding.h"
#include "ops/element.h"

static rf_status bind_dims(rf_value *value, const rf_binding *binding, rf_error *error)
{
    const rf_shape *given = &binding->shape;
    if (given->rank < 0 || given->rank > RF_MAX_RANK
        || (value->shape.rank >= 0 && given->rank != value->shape.rank))
        return rf_fail(error, RF_ERROR_SHAPE, value->name, "input '%.100s' has shape %s, but a shape of rank %d is given",
                       value->name, rf_shape_print(&value->shape).text, (int)given->rank);
    bool unknown_rank = value->shape.rank < 0;
    value->shape.rank = given->rank;
    for (int32_t i = 0; i < given->rank; i++)
        if (given->dims[i] != RF_UNKNOWN_DIM || unknown_rank)
            value->shape.dims[i] = given->dims[i];
    return RF_OK;
}

/* Sets value->bytes too. */
static rf_status check_shape(rf_value *value, const char *what, rf_error *error)
{
    if (value->shape.rank > RF_MAX_RANK)
        return rf_fail(error, RF_ERROR_LIMIT, value->name, "%s '%.100s' has rank %d, more than %d", what,
                       value->name, (int)value->shape.rank, RF_MAX_RANK);
    if (value->shape.rank < 0)
        return rf_fail(error, RF_ERROR_UNBOUND, value->name, "%s '%.100s' has no shape; give it one", what,
                       value->name);
    for (int32_t i = 0; i < value->shape.rank; i++)
        if (value->shape.dims[i] < 0)
            return rf_fail(error, value->shape.dims[i] == RF_UNKNOWN_DIM ? RF_ERROR_UNBOUND : RF_ERROR_SHAPE,
                           value->name, "%s '%.100s' has shape %s; give its unknown dimensions", what,
                           value->name, rf_shape_print(&value->shape).text);
    if (!rf_tensor_bytes(value->dtype, &value->shape, &value->bytes))
        return rf_fail(error, RF_ERROR_OVERFLOW, value->name, "%s '%.100s' of shape %s is too large", what,
                       value->name, rf_shape_print(&value->shape).text);
    return RF_OK;
}

rf_status rf_infer_input(rf_value *value, const rf_binding *bindings, size_t count, rf_error *error)
{
    value->dtype = value->declaration->dtype ? value->declaration->dtype : RF_FLOAT32;
    value->shape = value->declaration->shape;
    if (value->shape.rank > RF_MAX_RANK)
        return check_shape(value, "input", error);
    for (size_t i = 0; i < count; i++)
        if (bindings[i].name && strcmp(bindings[i].name, value->name) == 0)
            RF_TRY(bind_dims(value, &bindings[i], error));
    if (value->shape.rank > 0 && value->shape.dims[0] == RF_UNKNOWN_DIM)
        value->shape.dims[0] = 1;
    return check_shape(value, "input", error);
}

rf_status rf_infer_fixed(rf_value *value, const rf_tensor *fixed, rf_error *error)
{
    if (value->dtype != fixed->dtype)
        return rf_fail(error, RF_ERROR_SHAPE, value->name, "input '%.100s' holds %s, but %s is given", value->name,
                       rf_dtype_name(value->dtype), rf_dtype_name(fixed->dtype));
    if (!fixed->data || fixed->data_bytes != value->bytes)
        return rf_fail(error, RF_ERROR_SHAPE, value->name, "input '%.100s' of shape %s is given %zu bytes instead of %llu",
                       value->name, rf_shape_print(&value->shape).text, fixed->data ? fixed->data_bytes : 0,
                       (unsigned long long)value->bytes);
    value->data = fixed->data;
    value->data_bytes = fixed->data_bytes;
    value->constant = true;
    return RF_OK;
}

rf_status rf_infer_constant(rf_value *value, rf_error *error)
{
    const rf_tensor *declaration = value->declaration;
    value->dtype = declaration->dtype ? declaration->dtype : RF_FLOAT32;
    value->shape = declaration->shape;
    value->constant = true;
    value->in_description = true;
    RF_TRY(check_shape(value, "constant", error));
    if (!declaration->data)
        return RF_OK;
    if (value->bytes != declaration->data_bytes)
        return rf_fail(error, RF_ERROR_SHAPE, value->name,
                       "constant '%.100s' of shape %s holds %zu bytes instead of %llu", value->name,
                       rf_shape_print(&value->shape).text, declaration->data_bytes, (unsigned long long)value->bytes);
    value->data = declaration->data;
    value->data_bytes = declaration->data_bytes;
    return RF_OK;
}

rf_status rf_infer_check_bindings(const rf_network *network, const rf_binding *bindings, size_t count,
                                  rf_error *error)
{
    for (size_t b = 0; b < count; b++) {
        const char *name = bindings[b].name ? bindings[b].name : "";
        size_t i = 0;
        while (i < network->input_count && strcmp(network->inputs[i].name, name) != 0)
            i++;
        if (i == network->input_count)
            return rf_fail(error, RF_ERROR_NOT_FOUND, name, "the network has no input '%.100s'; its %s '%.100s'",
                           name, network->input_count > 1 ? "inputs begin with" : "only input is",
                           network->input_count ? network->inputs[0].name : "");
    }
    return RF_OK;
}

static rf_status check_arity(const rf_node *node)
{
    const rf_op *op = node->op;
    if (node->input_count < op->min_inputs || node->input_count > op->max_inputs)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has %u inputs, but takes %s%u", node->input_count,
                            node->input_count < op->min_inputs ? "at least " : "at most ",
                            node->input_count < op->min_inputs ? op->min_inputs : op->max_inputs);
    if (node->output_count < op->min_outputs || node->output_count > op->max_outputs)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has %u outputs, but gives %s%u", node->output_count,
                            node->output_count < op->min_outputs ? "at least " : "at most ",
                            node->output_count < op->min_outputs ? op->min_outputs : op->max_outputs);
    for (uint32_t i = 0; i < op->min_inputs; i++)
        if (!node->inputs[i])
            return rf_node_fail(node, RF_ERROR_GRAPH, "input %u is required but omitted", i);
    return RF_OK;
}

/* Sets their bytes too. */
static rf_status check_outputs(const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++) {
        rf_value *value = node->outputs[i];
        if (value && !rf_tensor_bytes(value->dtype, &value->shape, &value->bytes))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "its output of shape %s is too large",
                                rf_shape_print(&value->shape).text);
    }
    return RF_OK;
}

static void mark_constants(const rf_node *node)
{
    bool constant = true;
    for (uint32_t i = 0; i < node->input_count; i++)
        constant &= !node->inputs[i] || node->inputs[i]->constant;
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->constant = constant || node->outputs[i]->data;
}

/* Stated shapes, by name, for operators without a row. Made when the first is met. */
typedef struct declarations {
    rf_names names;
    bool made;
} declarations;

static const rf_tensor *declared_tensor(const rf_network *network, uint32_t number)
{
    return number < network->declared_count ? &network->declared[number]
                                            : &network->outputs[number - network->declared_count];
}

static rf_status make_declarations(rf_graph *graph, declarations *stated, rf_error *error)
{
    const rf_network *network = graph->network;
    uint32_t present, count = (uint32_t)(network->declared_count + network->output_count);
    if (!rf_names_init(&stated->names, &graph->arena, count))
        return rf_arena_fail(&graph->arena, error, "stated shapes");
    for (uint32_t i = 0; i < count; i++)
        if (declared_tensor(network, i)->name)
            rf_names_add(&stated->names, declared_tensor(network, i)->name, i, &present);
    stated->made = true;
    return RF_OK;
}

static rf_status infer_unknown(rf_graph *graph, rf_node *node, bool allowed, declarations *stated)
{
    const char *domain = node->layer->domain;
    if (!allowed)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the operator %.60s%s%.60s is not supported",
                            domain ? domain : "", domain && *domain ? "." : "", node->layer->type);
    if (!stated->made)
        RF_TRY(make_declarations(graph, stated, node->error));
    for (uint32_t i = 0; i < node->output_count; i++) {
        rf_value *value = node->outputs[i];
        if (!value)
            continue;
        uint32_t number = rf_names_find(&stated->names, value->name);
        if (number == RF_NO_NUMBER)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                                "the operator is not supported and the network does not state the shape of '%.80s'",
                                value->name);
        value->declaration = declared_tensor(graph->network, number);
        value->dtype = value->declaration->dtype ? value->declaration->dtype : RF_FLOAT32;
        value->shape = value->declaration->shape;
        if (value->shape.rank > 0 && value->shape.dims[0] == RF_UNKNOWN_DIM)
            value->shape.dims[0] = 1;
        RF_TRY(check_shape(value, "tensor", node->error));
    }
    return RF_OK;
}

/* Shapes are fixed before running, so nothing can follow a tensor whose shape is not. */
static rf_status check_settled(const rf_node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] && node->inputs[i]->ragged)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                                "the shape of its input '%.80s' depends on elements known only when running",
                                node->inputs[i]->name);
    return RF_OK;
}

static rf_status infer_node(rf_node *node, rf_folding *folding)
{
    RF_TRY(check_arity(node));
    RF_TRY(check_settled(node));
    RF_TRY(rf_attributes_apply(node));
    RF_TRY(node->op->infer(node));
    RF_TRY(check_outputs(node));
    return rf_folding_node(folding, node);
}

rf_status rf_infer_nodes(rf_graph *graph, const rf_graph_options *options)
{
    declarations stated = {.made = false};
    rf_folding folding = rf_folding_start(options->fold_floats);
    for (size_t n = 0; n < graph->node_count; n++) {
        rf_node *node = &graph->nodes[n];
        node->op = rf_op_find(node->layer->domain, node->layer->type);
        RF_TRY(node->op ? infer_node(node, &folding) : infer_unknown(graph, node, options->allow_unknown, &stated));
        mark_constants(node);
    }
    return RF_OK;
}

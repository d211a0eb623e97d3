/* SPDX-License-Identifier: MIT */
#include "writers/onnx_check.h"

#include <inttypes.h>
#include <string.h>

#include "report/text_writer.h"

static bool is_utf8(const char *text)
{
    while (*text) {
        uint32_t character;
        size_t step = rf_utf8_decode(text, &character);
        if (character == 0xfffd && step == 1)
            return false;
        text += step;
    }
    return true;
}

/* `what` the text is, for the error. */
static rf_status check_text(const char *what, const char *text, bool may_be_empty, rf_error *error)
{
    if (!text || (!*text && !may_be_empty))
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL, "%s is %s; it cannot be saved", what, text ? "empty" : "NULL");
    if (!is_utf8(text))
        return rf_fail(error, RF_ERROR_FORMAT, text, "%s '%.80s' is not UTF-8, as ONNX wants it", what, text);
    return RF_OK;
}

/* ---- Tensors ---------------------------------------------------------------------------- */

static rf_status check_declaration(const char *what, const rf_tensor *tensor, rf_error *error)
{
    RF_TRY(check_text(what, tensor->name, false, error));
    if (tensor->shape.rank < -1 || tensor->shape.rank > RF_MAX_RANK)
        return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name, "tensor '%.80s' has the rank %d; -1 to %d can be "
                       "saved", tensor->name, (int)tensor->shape.rank, RF_MAX_RANK);
    if ((int)tensor->dtype < 0 || tensor->dtype > RF_INT4)
        return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name, "tensor '%.80s' has the element type %d; 0 to %d can "
                       "be saved", tensor->name, (int)tensor->dtype, RF_INT4);
    for (int32_t i = 0; i < tensor->shape.rank; i++) {
        if (tensor->shape.dims[i] < RF_UNKNOWN_DIM)
            return rf_fail(error, RF_ERROR_ARGUMENT, tensor->name, "tensor '%.80s' has the extent %" PRId64
                           " along axis %d", tensor->name, tensor->shape.dims[i], (int)i);
        if (tensor->dim_names && tensor->dim_names[i])
            RF_TRY(check_text("name of a dimension", tensor->dim_names[i], true, error));
    }
    return RF_OK;
}

/* `name` is what errors call the tensor. */
static rf_status check_elements(const char *name, const rf_tensor *tensor, rf_error *error)
{
    uint64_t bytes;
    rf_dtype dtype = tensor->dtype ? tensor->dtype : RF_FLOAT32;
    if (tensor->shape.rank < 0 || tensor->shape.rank > RF_MAX_RANK)
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' has the rank %d; 0 to %d can be saved", name,
                       (int)tensor->shape.rank, RF_MAX_RANK);
    if (rf_dtype_bits(dtype) == 0)
        return rf_fail(error, RF_ERROR_UNSUPPORTED, name, "tensor '%.80s' has elements of type %s, which rfield does "
                       "not hold and cannot save", name, rf_dtype_name(dtype));
    if (!rf_tensor_bytes(dtype, &tensor->shape, &bytes))
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' has the shape %s, which is unknown or has too "
                       "many elements to count", name, rf_shape_print(&tensor->shape).text);
    if (!tensor->data && bytes)
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' has no elements to save: weights are missing",
                       name);
    if (tensor->data_bytes != bytes)
        return rf_fail(error, RF_ERROR_ARGUMENT, name, "tensor '%.80s' holds %zu bytes; %s%s needs %" PRIu64, name,
                       tensor->data_bytes, rf_dtype_name(dtype), rf_shape_print(&tensor->shape).text, bytes);
    return RF_OK;
}

static rf_status check_tensors(const rf_network *network, rf_error *error)
{
    for (size_t i = 0; i < network->input_count; i++)
        RF_TRY(check_declaration("name of an input", &network->inputs[i], error));
    for (size_t i = 0; i < network->output_count; i++)
        RF_TRY(check_declaration("name of an output", &network->outputs[i], error));
    for (size_t i = 0; i < network->declared_count; i++)
        RF_TRY(check_declaration("name of a declared tensor", &network->declared[i], error));
    for (size_t i = 0; i < network->constant_count; i++) {
        RF_TRY(check_declaration("name of a constant", &network->constants[i], error));
        RF_TRY(check_elements(network->constants[i].name, &network->constants[i], error));
    }
    return RF_OK;
}

/* ---- Layers ----------------------------------------------------------------------------- */

static bool list_is_missing(const rf_attribute *attribute)
{
    switch (attribute->type) {
    case RF_ATTRIBUTE_STRING:
        return attribute->count && !attribute->value.s;
    case RF_ATTRIBUTE_INTS:
        return attribute->count && !attribute->value.ints;
    case RF_ATTRIBUTE_FLOATS:
        return attribute->count && !attribute->value.floats;
    case RF_ATTRIBUTE_STRINGS:
        return attribute->count && !attribute->value.strings;
    case RF_ATTRIBUTE_TENSOR:
        return !attribute->value.tensor;
    default:
        return false;
    }
}

static rf_status check_value(const rf_node *node, const rf_attribute *attribute, rf_error *error)
{
    if (attribute->type == RF_ATTRIBUTE_OTHER)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "its attribute '%.80s' is a graph or another thing that "
                            "rfield does not hold and cannot save", attribute->name);
    if ((int)attribute->type <= RF_ATTRIBUTE_NONE || attribute->type > RF_ATTRIBUTE_OTHER)
        return rf_node_fail(node, RF_ERROR_ARGUMENT, "its attribute '%.80s' has the type %d", attribute->name,
                            (int)attribute->type);
    if (list_is_missing(attribute))
        return rf_node_fail(node, RF_ERROR_ARGUMENT, "its attribute '%.80s' is NULL", attribute->name);
    if (attribute->type == RF_ATTRIBUTE_TENSOR) {
        const char *name = attribute->value.tensor->name;
        if (name)
            RF_TRY(check_text("name of a tensor", name, true, error));
        return check_elements(name && *name ? name : attribute->name, attribute->value.tensor, error);
    }
    for (size_t i = 0; attribute->type == RF_ATTRIBUTE_STRINGS && i < attribute->count; i++)
        if (!attribute->value.strings[i])
            return rf_node_fail(node, RF_ERROR_ARGUMENT, "text %zu of its attribute '%.80s' is NULL", i,
                                attribute->name);
    return RF_OK;
}

/* The operators that take weights of the second input on, and are known by rfield without them. */
static bool takes_weights(const rf_op *op)
{
    uint32_t weights = op ? op->parameter_inputs | op->statistic_inputs : 0;
    return op && op->max_inputs != RF_MANY && op->min_inputs == 1 && (weights & ~UINT32_C(1)) != 0;
}

static rf_status check_weights(const rf_node *node)
{
    const rf_op *op = rf_op_find(node->layer->domain, node->layer->type);
    const rf_attribute *attribute = node->layer->attributes;
    if (!takes_weights(op))
        return RF_OK;
    if (!rf_input(node, 1))
        return rf_node_fail(node, RF_ERROR_ARGUMENT, "it has no weight tensor to save: weights are missing");
    for (; attribute && attribute->name; attribute++)
        if (strcmp(attribute->name, "filters") == 0 || strcmp(attribute->name, "bias") == 0)
            return rf_node_fail(node, RF_ERROR_FORMAT, "'%s' excludes a weight tensor", attribute->name);
    return RF_OK;
}

static rf_status check_layer(rf_node *node, rf_error *error)
{
    const rf_layer *layer = node->layer;
    RF_TRY(check_text("operator of a layer", layer->type, false, error));
    RF_TRY(check_text("name of a layer", node->name, false, error));
    if (layer->domain)
        RF_TRY(check_text("domain of a layer", layer->domain, true, error));
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            RF_TRY(check_text("output of a layer", node->outputs[i]->name, false, error));
    RF_TRY(check_weights(node));
    for (const rf_attribute *attribute = layer->attributes; attribute && attribute->name; attribute++) {
        RF_TRY(check_text("name of an attribute", attribute->name, false, error));
        RF_TRY(check_value(node, attribute, error));
    }
    return RF_OK;
}

rf_status rf_onnx_check(const rf_graph *graph, rf_error *error)
{
    if (graph->network->name)
        RF_TRY(check_text("name of the network", graph->network->name, true, error));
    RF_TRY(check_tensors(graph->network, error));
    for (size_t n = 0; n < graph->node_count; n++) {
        graph->nodes[n].error = error;
        rf_status status = check_layer(&graph->nodes[n], error);
        graph->nodes[n].error = NULL;
        RF_TRY(status);
    }
    return RF_OK;
}

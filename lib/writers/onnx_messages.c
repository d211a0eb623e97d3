/* SPDX-License-Identifier: MIT */
#include "writers/onnx_messages.h"

#include <string.h>

/* Numbers of fields and types, by ONNX's public description (https://onnx.ai/onnx/repo-docs/IR.html). */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_CONSTANT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, GRAPH_VALUE = 13 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum {
    ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_T = 5, ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8, ATTRIBUTE_STRINGS = 9, ATTRIBUTE_TYPE = 20
};
enum { TYPE_FLOAT = 1, TYPE_INT, TYPE_STRING, TYPE_TENSOR, TYPE_FLOATS = 6, TYPE_INTS, TYPE_STRINGS };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_OF_TENSOR = 1, ELEMENT_TYPE = 1, SHAPE = 2, SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_NAME = 2 };

enum { FOREIGN_VERSION = 1 };

bool rf_onnx_is_foreign(const char *domain)
{
    return domain && *domain && strcmp(domain, "ai.onnx") != 0;
}

static rf_dtype dtype_of(const rf_tensor *tensor)
{
    return tensor->dtype ? tensor->dtype : RF_FLOAT32;
}

static void put_tensor(rf_wire *wire, const void *message)
{
    const rf_tensor *tensor = message;
    for (int32_t i = 0; i < tensor->shape.rank; i++)
        rf_wire_number(wire, TENSOR_DIMS, tensor->shape.dims[i]);
    rf_wire_number(wire, TENSOR_TYPE, dtype_of(tensor));
    if (tensor->name && *tensor->name)
        rf_wire_text(wire, TENSOR_NAME, tensor->name);
    if (tensor->data_bytes)
        rf_wire_bytes(wire, TENSOR_RAW, tensor->data, tensor->data_bytes);
}

/* ---- Attributes ------------------------------------------------------------------------- */

static void put_list(rf_wire *wire, const rf_attribute *attribute)
{
    for (size_t i = 0; i < attribute->count; i++) {
        if (attribute->type == RF_ATTRIBUTE_INTS)
            rf_wire_number(wire, ATTRIBUTE_INTS, attribute->value.ints[i]);
        else if (attribute->type == RF_ATTRIBUTE_FLOATS)
            rf_wire_float(wire, ATTRIBUTE_FLOATS, attribute->value.floats[i]);
        else
            rf_wire_text(wire, ATTRIBUTE_STRINGS, attribute->value.strings[i]);
    }
}

static void put_value(rf_wire *wire, const rf_attribute *attribute)
{
    switch (attribute->type) {
    case RF_ATTRIBUTE_INT:
        rf_wire_number(wire, ATTRIBUTE_I, attribute->value.i);
        break;
    case RF_ATTRIBUTE_FLOAT:
        rf_wire_float(wire, ATTRIBUTE_F, attribute->value.f);
        break;
    case RF_ATTRIBUTE_STRING:
        rf_wire_bytes(wire, ATTRIBUTE_S, attribute->value.s, attribute->count);
        break;
    case RF_ATTRIBUTE_TENSOR:
        rf_wire_message(wire, ATTRIBUTE_T, put_tensor, attribute->value.tensor);
        break;
    default:
        put_list(wire, attribute);
    }
}

static void put_attribute(rf_wire *wire, const void *message)
{
    static const int types[] = {
        [RF_ATTRIBUTE_INT] = TYPE_INT,         [RF_ATTRIBUTE_FLOAT] = TYPE_FLOAT,
        [RF_ATTRIBUTE_STRING] = TYPE_STRING,   [RF_ATTRIBUTE_INTS] = TYPE_INTS,
        [RF_ATTRIBUTE_FLOATS] = TYPE_FLOATS,   [RF_ATTRIBUTE_STRINGS] = TYPE_STRINGS,
        [RF_ATTRIBUTE_TENSOR] = TYPE_TENSOR,
    };
    const rf_attribute *attribute = message;
    rf_wire_text(wire, ATTRIBUTE_NAME, attribute->name);
    put_value(wire, attribute);
    rf_wire_number(wire, ATTRIBUTE_TYPE, types[attribute->type]);
}

/* ---- The graph -------------------------------------------------------------------------- */

static void put_node(rf_wire *wire, const void *message)
{
    const rf_node *node = message;
    for (uint32_t i = 0; i < node->input_count; i++)
        rf_wire_text(wire, NODE_INPUT, node->inputs[i] ? node->inputs[i]->name : "");
    for (uint32_t i = 0; i < node->output_count; i++)
        rf_wire_text(wire, NODE_OUTPUT, node->outputs[i] ? node->outputs[i]->name : "");
    rf_wire_text(wire, NODE_NAME, node->name);
    rf_wire_text(wire, NODE_TYPE, node->layer->type);
    const rf_attribute *attribute = node->layer->attributes;
    for (; attribute && attribute->name; attribute++)
        rf_wire_message(wire, NODE_ATTRIBUTE, put_attribute, attribute);
    if (rf_onnx_is_foreign(node->layer->domain))
        rf_wire_text(wire, NODE_DOMAIN, node->layer->domain);
}

/* An extent that is not known may have a name. */
typedef struct dimension {
    int64_t extent;
    const char *name;
} dimension;

static void put_dimension(rf_wire *wire, const void *message)
{
    const dimension *dim = message;
    if (dim->extent >= 0)
        rf_wire_number(wire, DIM_VALUE, dim->extent);
    else if (dim->name && *dim->name)
        rf_wire_text(wire, DIM_NAME, dim->name);
}

static void put_shape(rf_wire *wire, const void *message)
{
    const rf_tensor *tensor = message;
    for (int32_t i = 0; i < tensor->shape.rank; i++) {
        dimension dim = {tensor->shape.dims[i], tensor->dim_names ? tensor->dim_names[i] : NULL};
        rf_wire_message(wire, SHAPE_DIM, put_dimension, &dim);
    }
}

static void put_tensor_type(rf_wire *wire, const void *message)
{
    const rf_tensor *tensor = message;
    rf_wire_number(wire, ELEMENT_TYPE, dtype_of(tensor));
    if (tensor->shape.rank >= 0)
        rf_wire_message(wire, SHAPE, put_shape, tensor);
}

static void put_type(rf_wire *wire, const void *message)
{
    rf_wire_message(wire, TYPE_OF_TENSOR, put_tensor_type, message);
}

static void put_declaration(rf_wire *wire, const void *message)
{
    const rf_tensor *tensor = message;
    rf_wire_text(wire, VALUE_NAME, tensor->name);
    rf_wire_message(wire, VALUE_TYPE, put_type, tensor);
}

static void put_tensors(rf_wire *wire, unsigned field, rf_wire_fields fields, const rf_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rf_wire_message(wire, field, fields, &tensors[i]);
}

static void put_graph(rf_wire *wire, const void *message)
{
    const rf_onnx_model *model = message;
    const rf_network *network = model->graph->network;
    for (size_t i = 0; i < model->graph->node_count; i++)
        rf_wire_message(wire, GRAPH_NODE, put_node, &model->graph->nodes[i]);
    rf_wire_text(wire, GRAPH_NAME, network->name && *network->name ? network->name : "network");
    put_tensors(wire, GRAPH_CONSTANT, put_tensor, network->constants, network->constant_count);
    put_tensors(wire, GRAPH_INPUT, put_declaration, network->inputs, network->input_count);
    put_tensors(wire, GRAPH_OUTPUT, put_declaration, model->outputs, model->output_count);
    put_tensors(wire, GRAPH_VALUE, put_declaration, network->declared, network->declared_count);
}

/* ---- The model -------------------------------------------------------------------------- */

/* The version of the format that came with an operator set
 * (https://github.com/onnx/onnx/blob/main/docs/Versioning.md); before 4, constants had to be inputs too. */
static int64_t ir_version_of(int32_t opset)
{
    static const int32_t newest_opset[] = {9, 10, 11, 14, 18, 20, 22, 23};
    int64_t version = 4;
    for (size_t i = 0; i < sizeof newest_opset / sizeof *newest_opset && opset > newest_opset[i]; i++)
        version++;
    return version;
}

typedef struct import {
    const char *domain;
    int64_t version;
} import;

static void put_import(rf_wire *wire, const void *message)
{
    const import *set = message;
    rf_wire_text(wire, OPSET_DOMAIN, set->domain);
    rf_wire_number(wire, OPSET_VERSION, set->version);
}

void rf_onnx_put_model(rf_wire *wire, const void *message)
{
    const rf_onnx_model *model = message;
    import own = {"", model->opset};
    rf_wire_number(wire, MODEL_IR_VERSION, ir_version_of(model->opset));
    rf_wire_text(wire, MODEL_PRODUCER, "rfield");
    rf_wire_text(wire, MODEL_PRODUCER_VERSION, rf_version());
    rf_wire_message(wire, MODEL_OPSET, put_import, &own);
    for (size_t i = 0; i < model->domain_count; i++) {
        import foreign = {model->domains[i], FOREIGN_VERSION};
        rf_wire_message(wire, MODEL_OPSET, put_import, &foreign);
    }
    rf_wire_message(wire, MODEL_GRAPH, put_graph, model);
}

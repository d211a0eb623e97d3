/* SPDX-License-Identifier: MIT */
/* Writes protobuf messages byte by byte, so that tests can write wrong ones too. */
#ifndef RF_TESTS_ONNX_WRITER_H
#define RF_TESTS_ONNX_WRITER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

typedef struct message {
    size_t count;
    uint8_t at[4000];
} message;

static inline void put_byte(message *to, unsigned byte)
{
    assert(to->count < sizeof to->at);
    to->at[to->count++] = (uint8_t)byte;
}

static inline void put_varint(message *to, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        put_byte(to, (unsigned)(number & 0x7f) | 0x80);
    put_byte(to, (unsigned)number);
}

static inline void put_tag(message *to, unsigned field, unsigned wire)
{
    put_varint(to, field << 3 | wire);
}

static inline void put_number(message *to, unsigned field, int64_t number)
{
    put_tag(to, field, WIRE_VARINT);
    put_varint(to, (uint64_t)number);
}

static inline void put_bytes(message *to, unsigned field, const void *bytes, size_t count)
{
    put_tag(to, field, WIRE_BYTES);
    put_varint(to, count);
    for (size_t i = 0; i < count; i++)
        put_byte(to, ((const uint8_t *)bytes)[i]);
}

static inline void put_text(message *to, unsigned field, const char *text)
{
    put_bytes(to, field, text, strlen(text));
}

static inline void put_message(message *to, unsigned field, const message *inner)
{
    put_bytes(to, field, inner->at, inner->count);
}

static inline void put_float(message *to, unsigned field, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_tag(to, field, WIRE_FIXED32);
    for (int i = 0; i < 4; i++)
        put_byte(to, bits >> 8 * i & 0xff);
}

/* ---- ONNX's messages, by their public field numbers ------------------------------------- */

enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_FUNCTIONS = 25 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum {
    GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12,
    GRAPH_VALUE = 13, GRAPH_SPARSE = 15
};
enum {
    NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7
};
enum {
    ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6, ATTRIBUTE_FLOATS = 7, ATTRIBUTE_INTS = 8, ATTRIBUTE_STRINGS = 9,
    ATTRIBUTE_TYPE = 20, ATTRIBUTE_REFERENCE = 21
};
enum {
    TYPE_FLOAT = 1, TYPE_INT, TYPE_STRING, TYPE_TENSOR, TYPE_GRAPH, TYPE_FLOATS, TYPE_INTS,
    TYPE_STRINGS
};
enum {
    TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_SEGMENT = 3, TENSOR_FLOATS = 4, TENSOR_INT32S = 5,
    TENSOR_STRINGS = 6, TENSOR_INT64S = 7, TENSOR_NAME = 8, TENSOR_RAW = 9, TENSOR_DOUBLES = 10,
    TENSOR_UINT64S = 11, TENSOR_EXTERNAL = 13, TENSOR_LOCATION = 14
};
enum { VALUE_NAME = 1, VALUE_TYPE = 2 };
enum { TYPE_OF_TENSOR = 1, TYPE_OF_SEQUENCE = 4 };
enum { TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE = 2 };
enum { SHAPE_DIM = 1 };
enum { DIM_VALUE = 1, DIM_NAME = 2 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

/* A float tensor `name` declared with one dimension for each character of `dims`: a digit is its
 * extent, a letter its name, '?' nothing. NULL for no shape. */
static inline message value_message(const char *name, const char *dims)
{
    message shape = {0}, tensor = {0}, type = {0}, value = {0};
    for (const char *c = dims ? dims : ""; *c; c++) {
        message dim = {0};
        if (*c >= '0' && *c <= '9')
            put_number(&dim, DIM_VALUE, *c - '0');
        else if (*c != '?')
            put_bytes(&dim, DIM_NAME, c, 1);
        put_message(&shape, SHAPE_DIM, &dim);
    }
    put_number(&tensor, TENSOR_TYPE_ELEMENT, 1);
    if (dims)
        put_message(&tensor, TENSOR_TYPE_SHAPE, &shape);
    put_message(&type, TYPE_OF_TENSOR, &tensor);
    put_text(&value, VALUE_NAME, name);
    put_message(&value, VALUE_TYPE, &type);
    return value;
}

/* A tensor without elements. */
static inline message tensor_message(const char *name, int64_t type, int64_t extent)
{
    message tensor = {0};
    put_number(&tensor, TENSOR_DIMS, extent);
    put_number(&tensor, TENSOR_TYPE, type);
    put_text(&tensor, TENSOR_NAME, name);
    return tensor;
}

static inline message opset_message(const char *domain, int64_t version)
{
    message opset = {0};
    put_text(&opset, OPSET_DOMAIN, domain);
    put_number(&opset, OPSET_VERSION, version);
    return opset;
}

static inline message model_message(const message *graph)
{
    message model = {0}, opset = opset_message("", 13);
    put_number(&model, MODEL_IR_VERSION, 8);
    put_message(&model, MODEL_GRAPH, graph);
    put_message(&model, MODEL_OPSET, &opset);
    return model;
}

static inline message model_of_tensor(const message *tensor)
{
    message graph = {0};
    put_message(&graph, GRAPH_INITIALIZER, tensor);
    return model_message(&graph);
}

static inline message model_of_attribute(const message *attribute)
{
    message graph = {0}, node = {0};
    put_text(&node, NODE_TYPE, "Any");
    put_message(&node, NODE_ATTRIBUTE, attribute);
    put_message(&graph, GRAPH_NODE, &node);
    return model_message(&graph);
}

#endif

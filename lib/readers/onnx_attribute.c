/* SPDX-License-Identifier: MIT */
#include "readers/onnx_attribute.h"

#include <string.h>

#include "onnx.pb.h"
#include "readers/onnx_tensor.h"

/* ONNX's AttributeProto.AttributeType, in its order. */
enum {
    UNDEFINED, FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS,
    SPARSE_TENSOR, SPARSE_TENSORS, TYPE_PROTO, TYPE_PROTOS, TYPES
};

/* An AttributeProto after its first decoding. */
typedef struct attribute_parts {
    rf_onnx_AttributeProto message;
    rf_onnx_field name, reference;
    rf_onnx_field fields[TYPES]; /* those that are length-delimited */
    rf_onnx_numbers ints, floats;
} attribute_parts;

static void bind(attribute_parts *parts, rf_onnx_reader *reader)
{
    parts->name = parts->reference = (rf_onnx_field){.reader = reader};
    for (int type = 0; type < TYPES; type++)
        parts->fields[type] = parts->name;
    parts->ints = (rf_onnx_numbers){.reader = reader, .kind = RF_ONNX_VARINT};
    parts->floats = (rf_onnx_numbers){.reader = reader, .kind = RF_ONNX_FIXED32};
    parts->message = (rf_onnx_AttributeProto){
        .name = rf_onnx_locate(&parts->name),
        .s = rf_onnx_locate(&parts->fields[STRING]),
        .t = rf_onnx_locate(&parts->fields[TENSOR]),
        .g = rf_onnx_locate(&parts->fields[GRAPH]),
        .floats = rf_onnx_collect(&parts->floats),
        .ints = rf_onnx_collect(&parts->ints),
        .strings = rf_onnx_locate(&parts->fields[STRINGS]),
        .tensors = rf_onnx_locate(&parts->fields[TENSORS]),
        .graphs = rf_onnx_locate(&parts->fields[GRAPHS]),
        .tp = rf_onnx_locate(&parts->fields[TYPE_PROTO]),
        .type_protos = rf_onnx_locate(&parts->fields[TYPE_PROTOS]),
        .ref_attr_name = rf_onnx_locate(&parts->reference),
        .sparse_tensor = rf_onnx_locate(&parts->fields[SPARSE_TENSOR]),
        .sparse_tensors = rf_onnx_locate(&parts->fields[SPARSE_TENSORS]),
    };
}

static bool holds(const attribute_parts *parts, int type)
{
    switch (type) {
    case FLOAT:
        return parts->message.has_f;
    case INT:
        return parts->message.has_i;
    case FLOATS:
        return parts->floats.count != 0;
    case INTS:
        return parts->ints.count != 0;
    default:
        return parts->fields[type].count != 0;
    }
}

/* Some writers state every scalar, so a lone 0 or "" beside the declared type means nothing. */
static bool holds_default(const attribute_parts *parts, int type)
{
    return (type == FLOAT && parts->message.f == 0) || (type == INT && parts->message.i == 0)
           || (type == STRING && parts->fields[STRING].last.count == 0);
}

/* Files from before types were declared have the one field that is filled in. */
static rf_status find_type(const rf_onnx_reader *reader, const attribute_parts *parts,
                           const char *node, const char *name, int *type)
{
    int declared = parts->message.type;
    *type = declared;
    if (declared < UNDEFINED || declared >= TYPES)
        return rf_fail(reader->error, RF_ERROR_FORMAT, node,
                       "attribute '%.80s' of node '%.80s' has type %d; known are 1 to %d", name,
                       node, declared, TYPES - 1);
    for (int other = FLOAT; other < TYPES; other++) {
        if (other == *type || !holds(parts, other))
            continue;
        if (*type != UNDEFINED && !holds_default(parts, other))
            return rf_fail(reader->error, RF_ERROR_FORMAT, node,
                           "attribute '%.80s' of node '%.80s' holds a value of type %d; expected "
                           "one of type %d",
                           name, node, other, *type);
        if (*type == UNDEFINED)
            *type = other;
    }
    return RF_OK;
}

static rf_status take_numbers(rf_onnx_reader *reader, rf_onnx_bytes bytes,
                              const attribute_parts *parts, rf_attribute *attribute)
{
    bool whole = attribute->type == RF_ATTRIBUTE_INTS;
    rf_onnx_numbers numbers = whole ? parts->ints : parts->floats;
    attribute->count = numbers.room = numbers.count;
    numbers.count = numbers.chunks = 0;
    void *memory;
    RF_TRY(rf_onnx_take(reader, numbers.room, whole ? sizeof(int64_t) : sizeof(float), &memory));
    rf_onnx_AttributeProto message = {.name = {.arg = NULL}};
    if (whole) {
        attribute->value.ints = numbers.ints = memory;
        message.ints = rf_onnx_collect(&numbers);
    } else {
        attribute->value.floats = numbers.floats = memory;
        message.floats = rf_onnx_collect(&numbers);
    }
    return rf_onnx_decode(reader, "an attribute", bytes, rf_onnx_AttributeProto_fields, &message);
}

static bool is_binary(rf_onnx_bytes bytes)
{
    return bytes.count && memchr(bytes.at, 0, bytes.count);
}

static rf_status take_text(rf_onnx_reader *reader, rf_onnx_bytes text, rf_attribute *attribute)
{
    attribute->count = text.count;
    if (!is_binary(text))
        return rf_onnx_text(reader, "string of an attribute", text, &attribute->value.s);
    *attribute = (rf_attribute){.name = attribute->name, .type = RF_ATTRIBUTE_OTHER};
    return RF_OK;
}

/* Strings being collected for an attribute. */
typedef struct string_list {
    const char **next;
    bool binary;
} string_list;

static rf_status take_string(rf_onnx_reader *reader, rf_onnx_bytes text, void *context)
{
    string_list *list = context;
    list->binary |= is_binary(text);
    if (list->binary)
        return RF_OK;
    return rf_onnx_text(reader, "string of an attribute", text, list->next++);
}

static rf_status take_strings(rf_onnx_reader *reader, rf_onnx_bytes bytes, size_t count,
                              rf_attribute *attribute)
{
    void *memory;
    RF_TRY(rf_onnx_take(reader, count, sizeof(const char *), &memory));
    string_list list = {.next = memory};
    rf_onnx_field field = {.reader = reader, .take = take_string, .context = &list, .room = count};
    rf_onnx_AttributeProto message = {.strings = rf_onnx_locate(&field)};
    attribute->count = count;
    attribute->value.strings = memory;
    RF_TRY(rf_onnx_decode(reader, "an attribute", bytes, rf_onnx_AttributeProto_fields, &message));
    if (list.binary)
        *attribute = (rf_attribute){.name = attribute->name, .type = RF_ATTRIBUTE_OTHER};
    return RF_OK;
}

static rf_status take_tensor(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_attribute *attribute)
{
    void *memory;
    RF_TRY(rf_onnx_take(reader, 1, sizeof(rf_tensor), &memory));
    attribute->value.tensor = memory;
    return rf_onnx_tensor(reader, bytes, attribute->name, memory);
}

static rf_status take_value(rf_onnx_reader *reader, rf_onnx_bytes bytes,
                            const attribute_parts *parts, int type, rf_attribute *attribute)
{
    static const rf_attribute_type types[TYPES] = {
        [FLOAT] = RF_ATTRIBUTE_FLOAT,     [INT] = RF_ATTRIBUTE_INT,
        [STRING] = RF_ATTRIBUTE_STRING,   [TENSOR] = RF_ATTRIBUTE_TENSOR,
        [FLOATS] = RF_ATTRIBUTE_FLOATS,   [INTS] = RF_ATTRIBUTE_INTS,
        [STRINGS] = RF_ATTRIBUTE_STRINGS,
    };
    attribute->type = types[type] ? types[type] : RF_ATTRIBUTE_OTHER;
    switch (attribute->type) {
    case RF_ATTRIBUTE_FLOAT:
        attribute->value.f = parts->message.f;
        return RF_OK;
    case RF_ATTRIBUTE_INT:
        attribute->value.i = parts->message.i;
        return RF_OK;
    case RF_ATTRIBUTE_STRING:
        return take_text(reader, parts->fields[STRING].last, attribute);
    case RF_ATTRIBUTE_STRINGS:
        return take_strings(reader, bytes, parts->fields[STRINGS].count, attribute);
    case RF_ATTRIBUTE_TENSOR:
        return take_tensor(reader, parts->fields[TENSOR].last, attribute);
    case RF_ATTRIBUTE_INTS:
    case RF_ATTRIBUTE_FLOATS:
        return take_numbers(reader, bytes, parts, attribute);
    default:
        return RF_OK;
    }
}

rf_status rf_onnx_attribute(rf_onnx_reader *reader, rf_onnx_bytes bytes, const char *node,
                            rf_attribute *attribute)
{
    attribute_parts parts;
    bind(&parts, reader);
    RF_TRY(rf_onnx_decode(reader, "an attribute", bytes, rf_onnx_AttributeProto_fields,
                          &parts.message));
    const char *name;
    RF_TRY(rf_onnx_text(reader, "name of an attribute", parts.name.last, &name));
    if (!*name)
        return rf_fail(reader->error, RF_ERROR_FORMAT, node,
                       "an attribute of node '%.80s' has no name", node);
    if (parts.reference.last.count)
        return rf_fail(reader->error, RF_ERROR_FORMAT, node,
                       "attribute '%.80s' of node '%.80s' refers to a function's attribute, but "
                       "the node is in no function",
                       name, node);
    int type;
    RF_TRY(find_type(reader, &parts, node, name, &type));
    attribute->name = name;
    return take_value(reader, bytes, &parts, type, attribute);
}

/* SPDX-License-Identifier: MIT */
#include "readers/onnx_tensor.h"

#include <inttypes.h>

#include "onnx.pb.h"
#include "ops/op.h"
#include "readers/onnx_external.h"

enum { EXTERNAL = 1 }; /* of TensorProto.data_location */

/* The fields that elements may lie in beside raw_data. */
enum { FLOATS, INT32S, INT64S, DOUBLES, UINT64S, FIELDS };

/* A TensorProto after its first decoding. */
typedef struct tensor_parts {
    rf_onnx_TensorProto message;
    rf_onnx_field name, raw, strings, external, segment;
    rf_onnx_numbers dims, fields[FIELDS];
} tensor_parts;

static void bind(tensor_parts *parts, rf_onnx_reader *reader)
{
    rf_onnx_field field = {.reader = reader};
    rf_onnx_numbers varints = {.reader = reader, .kind = RF_ONNX_VARINT};
    parts->name = parts->raw = parts->strings = parts->external = parts->segment = field;
    parts->dims = parts->fields[INT32S] = parts->fields[INT64S] = parts->fields[UINT64S] = varints;
    parts->fields[FLOATS] = (rf_onnx_numbers){.reader = reader, .kind = RF_ONNX_FIXED32};
    parts->fields[DOUBLES] = (rf_onnx_numbers){.reader = reader, .kind = RF_ONNX_FIXED64};
    parts->message = (rf_onnx_TensorProto){
        .dims = rf_onnx_collect(&parts->dims),
        .segment = rf_onnx_locate(&parts->segment),
        .float_data = rf_onnx_collect(&parts->fields[FLOATS]),
        .int32_data = rf_onnx_collect(&parts->fields[INT32S]),
        .string_data = rf_onnx_locate(&parts->strings),
        .int64_data = rf_onnx_collect(&parts->fields[INT64S]),
        .name = rf_onnx_locate(&parts->name),
        .raw_data = rf_onnx_locate(&parts->raw),
        .double_data = rf_onnx_collect(&parts->fields[DOUBLES]),
        .uint64_data = rf_onnx_collect(&parts->fields[UINT64S]),
        .external_data = rf_onnx_locate(&parts->external),
    };
}

/* The field, other than raw_data, that ONNX keeps elements of a type in; FIELDS for none. */
static int field_of(rf_dtype dtype)
{
    switch (dtype) {
    case RF_FLOAT32:
    case RF_COMPLEX64:
        return FLOATS;
    case RF_FLOAT64:
    case RF_COMPLEX128:
        return DOUBLES;
    case RF_INT64:
        return INT64S;
    case RF_UINT32:
    case RF_UINT64:
        return UINT64S;
    case RF_STRING:
        return FIELDS;
    default:
        return INT32S;
    }
}

/* Bytes that one number of the field holds of the tensor. */
static size_t width_in(int field, rf_dtype dtype)
{
    if (field == FLOATS)
        return 4;
    if (field == DOUBLES)
        return 8;
    uint32_t bits = rf_dtype_bits(dtype);
    return bits < 8 ? 1 : bits / 8;
}

static rf_status decode_again(rf_onnx_reader *reader, rf_onnx_bytes bytes,
                              rf_onnx_TensorProto *message)
{
    return rf_onnx_decode(reader, "a tensor", bytes, rf_onnx_TensorProto_fields, message);
}

static rf_status read_shape(rf_onnx_reader *reader, rf_onnx_bytes bytes, const tensor_parts *parts,
                            rf_tensor *tensor)
{
    if (parts->dims.count > RF_MAX_RANK)
        return rf_fail(reader->error, RF_ERROR_LIMIT, tensor->name,
                       "tensor '%.80s' has %zu dimensions; at most %d are supported", tensor->name,
                       parts->dims.count, RF_MAX_RANK);
    rf_onnx_numbers dims = {.reader = reader, .kind = RF_ONNX_VARINT, .ints = tensor->shape.dims,
                            .room = RF_MAX_RANK};
    rf_onnx_TensorProto message = {.dims = rf_onnx_collect(&dims)};
    RF_TRY(decode_again(reader, bytes, &message));
    tensor->shape.rank = (int32_t)dims.count;
    for (size_t i = 0; i < dims.count; i++)
        if (tensor->shape.dims[i] < 0)
            return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                           "tensor '%.80s' has the negative dimension %" PRId64, tensor->name,
                           tensor->shape.dims[i]);
    return RF_OK;
}

static rf_status read_type(const rf_onnx_reader *reader, const tensor_parts *parts, rf_tensor *tensor)
{
    int32_t type = parts->message.data_type;
    if (type <= RF_DTYPE_UNDEFINED)
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "tensor '%.80s' has no element type", tensor->name);
    if (type > RF_INT4)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, tensor->name,
                       "tensor '%.80s' has element type %d, which is not supported", tensor->name,
                       (int)type);
    tensor->dtype = (rf_dtype)type;
    return RF_OK;
}

static rf_status wrong_size(const rf_onnx_reader *reader, const rf_tensor *tensor, size_t count,
                            const char *unit, uint64_t expected)
{
    return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                   "tensor '%.80s' holds %zu %s; %s%s needs %" PRIu64, tensor->name, count, unit,
                   rf_dtype_name(tensor->dtype), rf_shape_print(&tensor->shape).text, expected);
}

static rf_status uncountable(const rf_onnx_reader *reader, const rf_tensor *tensor)
{
    return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                   "tensor '%.80s' with shape %s has too many elements to count", tensor->name,
                   rf_shape_print(&tensor->shape).text);
}

/* Strings are counted, so that the shape is known to be true, and left behind. */
static rf_status check_strings(const rf_onnx_reader *reader, const tensor_parts *parts,
                               const rf_tensor *tensor)
{
    uint64_t expected; /* as many as a tensor of bytes has bytes */
    if (!rf_tensor_bytes(RF_UINT8, &tensor->shape, &expected))
        return uncountable(reader, tensor);
    if (expected != parts->strings.count)
        return wrong_size(reader, tensor, parts->strings.count, "strings", expected);
    return RF_OK;
}

/* Numbers that did not come in one piece, or came as varints, are put together in the arena. */
static rf_status gather(rf_onnx_reader *reader, rf_onnx_bytes bytes, int field, size_t count,
                        rf_tensor *tensor)
{
    size_t width = width_in(field, tensor->dtype);
    void *memory;
    RF_TRY(rf_onnx_take(reader, count, width, &memory));
    rf_onnx_numbers numbers = {.reader = reader, .elements = memory, .width = width, .room = count};
    numbers.kind = field == FLOATS ? RF_ONNX_FIXED32 : field == DOUBLES ? RF_ONNX_FIXED64
                                                                        : RF_ONNX_VARINT;
    pb_callback_t callback = rf_onnx_collect(&numbers), none = {.arg = NULL};
    rf_onnx_TensorProto message = {
        .float_data = field == FLOATS ? callback : none,
        .int32_data = field == INT32S ? callback : none,
        .int64_data = field == INT64S ? callback : none,
        .double_data = field == DOUBLES ? callback : none,
        .uint64_data = field == UINT64S ? callback : none,
    };
    tensor->data = memory;
    return decode_again(reader, bytes, &message);
}

/* Finds the one place that elements lie in: FIELDS for raw_data, -1 for none. */
static rf_status find_elements(const rf_onnx_reader *reader, const tensor_parts *parts,
                               const rf_tensor *tensor, int *place)
{
    *place = parts->raw.last.count ? FIELDS : -1;
    size_t places = parts->raw.last.count != 0;
    for (int i = 0; i < FIELDS; i++) {
        if (parts->fields[i].count == 0)
            continue;
        places++;
        *place = i;
    }
    if (places > 1 || (places && parts->strings.count))
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "tensor '%.80s' holds its elements more than once", tensor->name);
    if (parts->strings.count || (places && *place != FIELDS && *place != field_of(tensor->dtype)))
        return rf_fail(reader->error, RF_ERROR_FORMAT, tensor->name,
                       "tensor '%.80s' of %s holds its elements in a field for another type",
                       tensor->name, rf_dtype_name(tensor->dtype));
    return RF_OK;
}

static rf_status read_inline(rf_onnx_reader *reader, rf_onnx_bytes bytes, const tensor_parts *parts,
                             uint64_t expected, rf_tensor *tensor)
{
    int place;
    RF_TRY(find_elements(reader, parts, tensor, &place));
    const rf_onnx_numbers *numbers = place >= 0 && place < FIELDS ? &parts->fields[place] : NULL;
    /* A number took a byte of the file and fills at most 8, so that the product fits. */
    size_t held = numbers ? numbers->count * width_in(place, tensor->dtype) : parts->raw.last.count;
    if (held != expected)
        return wrong_size(reader, tensor, held, "bytes", expected);
    tensor->data_bytes = held;
    if (!numbers) {
        tensor->data = held ? parts->raw.last.at : (const uint8_t *)"";
        return RF_OK;
    }
    bool in_place = numbers->kind != RF_ONNX_VARINT && numbers->chunks == 1 && numbers->first.at;
    if (!in_place)
        return gather(reader, bytes, place, numbers->count, tensor);
    tensor->data = numbers->first.at;
    return RF_OK;
}

static rf_status read_elements(rf_onnx_reader *reader, rf_onnx_bytes bytes, const tensor_parts *parts,
                               rf_tensor *tensor)
{
    if (parts->segment.count)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, tensor->name,
                       "tensor '%.80s' is a segment of another, which is not supported",
                       tensor->name);
    if (tensor->dtype == RF_STRING)
        return check_strings(reader, parts, tensor);
    uint64_t expected;
    if (!rf_tensor_bytes(tensor->dtype, &tensor->shape, &expected))
        return uncountable(reader, tensor);
    if (parts->message.data_location == EXTERNAL)
        return rf_onnx_external(reader, bytes, parts->external.count, expected, tensor);
    return read_inline(reader, bytes, parts, expected, tensor);
}

rf_status rf_onnx_tensor(rf_onnx_reader *reader, rf_onnx_bytes bytes, const char *fallback_name,
                         rf_tensor *tensor)
{
    tensor_parts parts;
    bind(&parts, reader);
    RF_TRY(rf_onnx_decode(reader, "a tensor", bytes, rf_onnx_TensorProto_fields, &parts.message));
    *tensor = (rf_tensor){.name = fallback_name};
    if (parts.name.last.count || !fallback_name)
        RF_TRY(rf_onnx_text(reader, "name of a tensor", parts.name.last, &tensor->name));
    if (!*tensor->name && (!fallback_name || *fallback_name))
        return rf_fail(reader->error, RF_ERROR_FORMAT, NULL,
                       "not an ONNX model: the initializer at byte %zu has no name",
                       (size_t)(bytes.at - reader->model.at));
    RF_TRY(read_type(reader, &parts, tensor));
    RF_TRY(read_shape(reader, bytes, &parts, tensor));
    return read_elements(reader, bytes, &parts, tensor);
}

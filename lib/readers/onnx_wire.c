/* SPDX-License-Identifier: MIT */
#include "readers/onnx_wire.h"

#include <string.h>

/* A field of the wrong wire type reaches callbacks as a copy on the decoder's stack. */
static bool in_model(const rf_onnx_reader *reader, const uint8_t *at)
{
    uintptr_t first = (uintptr_t)reader->model.at;
    return (uintptr_t)at >= first && (uintptr_t)at - first <= reader->model.count;
}

static rf_status out_of_room(rf_onnx_reader *reader)
{
    return rf_fail(reader->error, RF_ERROR_IO, NULL, "the %s changed while it was read", reader->noun);
}

static bool stop_unless(rf_onnx_reader *reader, rf_status status)
{
    reader->status = status;
    return status == RF_OK;
}

static bool stop_for(rf_onnx_reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

static bool locate(pb_istream_t *stream, const pb_field_t *descriptor, void **argument)
{
    (void)descriptor;
    rf_onnx_field *field = *argument;
    rf_onnx_bytes bytes = {stream->state, stream->bytes_left, field->reader->depth};
    if (!in_model(field->reader, bytes.at))
        return stop_for(field->reader, "wrong wire type");
    if (!pb_read(stream, NULL, bytes.count))
        return false;
    field->last = bytes;
    field->count++;
    if (!field->take)
        return true;
    if (field->count > field->room)
        return stop_unless(field->reader, out_of_room(field->reader));
    return stop_unless(field->reader, field->take(field->reader, bytes, field->context));
}

pb_callback_t rf_onnx_locate(rf_onnx_field *field)
{
    return (pb_callback_t){.funcs.decode = locate, .arg = field};
}

/* The last byte of a varint is the one below 128. */
static size_t varints_in(rf_onnx_bytes bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.count; i++)
        count += bytes.at[i] < 0x80;
    return count;
}

static size_t fixed_width(rf_onnx_number kind)
{
    return kind == RF_ONNX_FIXED32 ? 4 : 8;
}

static bool count_numbers(rf_onnx_number kind, rf_onnx_bytes bytes, size_t *count)
{
    if (kind == RF_ONNX_VARINT) {
        *count = varints_in(bytes);
        return bytes.count == 0 || bytes.at[bytes.count - 1] < 0x80;
    }
    *count = bytes.count / fixed_width(kind);
    return bytes.count % fixed_width(kind) == 0;
}

static bool store_varint(pb_istream_t *stream, rf_onnx_numbers *numbers)
{
    uint64_t number;
    if (!pb_decode_varint(stream, &number))
        return false;
    if (numbers->ints)
        *numbers->ints++ = (int64_t)number;
    if (numbers->elements)
        for (size_t i = 0; i < numbers->width; i++)
            *numbers->elements++ = (uint8_t)(number >> 8 * i);
    return true;
}

/* Fixed numbers are little-endian in the file as they are in a tensor. */
static bool store_fixed(pb_istream_t *stream, rf_onnx_numbers *numbers)
{
    if (numbers->floats)
        return pb_decode_fixed32(stream, numbers->floats++);
    if (!pb_read(stream, numbers->elements, numbers->width))
        return false;
    numbers->elements += numbers->width;
    return true;
}

static bool store_all(pb_istream_t *stream, rf_onnx_numbers *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(numbers->kind == RF_ONNX_VARINT ? store_varint : store_fixed)(stream, numbers))
            return false;
    return true;
}

static bool collect(pb_istream_t *stream, const pb_field_t *descriptor, void **argument)
{
    (void)descriptor;
    rf_onnx_numbers *numbers = *argument;
    rf_onnx_bytes bytes = {stream->state, stream->bytes_left, numbers->reader->depth};
    size_t count;
    if (!count_numbers(numbers->kind, bytes, &count))
        return stop_for(numbers->reader, "packed numbers end within a number");
    if (numbers->chunks++ == 0)
        numbers->first = in_model(numbers->reader, bytes.at) ? bytes : (rf_onnx_bytes){.at = NULL};
    numbers->count += count;
    if (!numbers->ints && !numbers->floats && !numbers->elements)
        return pb_read(stream, NULL, bytes.count);
    if (numbers->count > numbers->room)
        return stop_unless(numbers->reader, out_of_room(numbers->reader));
    return store_all(stream, numbers, count);
}

pb_callback_t rf_onnx_collect(rf_onnx_numbers *numbers)
{
    return (pb_callback_t){.funcs.decode = collect, .arg = numbers};
}

static rf_status decode_failure(const rf_onnx_reader *reader, const char *what,
                                const pb_istream_t *stream)
{
    const uint8_t *at = stream->state;
    return rf_fail(reader->error, RF_ERROR_FORMAT, NULL,
                   "not an %s: %s cannot be decoded at byte %zu: %s", reader->noun, what,
                   (size_t)(at - reader->model.at),
                   reader->fault ? reader->fault : PB_GET_ERROR(stream));
}

rf_status rf_onnx_decode(rf_onnx_reader *reader, const char *what, rf_onnx_bytes bytes,
                         const pb_msgdesc_t *descriptor, void *message)
{
    uint32_t limit = reader->owner->limits.nesting, outer = reader->depth;
    if (bytes.depth >= limit)
        return rf_fail(reader->error, RF_ERROR_LIMIT, "nesting",
                       "messages of the %s nest deeper than the limit nesting = %u",
                       reader->noun, (unsigned)limit);
    reader->depth = bytes.depth + 1;
    pb_istream_t stream = pb_istream_from_buffer(bytes.at, bytes.count);
    bool decoded = pb_decode(&stream, descriptor, message);
    reader->depth = outer;
    if (decoded)
        return RF_OK;
    return reader->status != RF_OK ? reader->status : decode_failure(reader, what, &stream);
}

rf_status rf_onnx_text(rf_onnx_reader *reader, const char *what, rf_onnx_bytes bytes,
                       const char **text)
{
    *text = "";
    if (bytes.count == 0)
        return RF_OK;
    if (memchr(bytes.at, 0, bytes.count))
        return rf_fail(reader->error, RF_ERROR_FORMAT, what,
                       "not an %s: the %s at byte %zu contains a NUL", reader->noun, what,
                       (size_t)(bytes.at - reader->model.at));
    *text = rf_arena_text(&reader->owner->arena, (const char *)bytes.at, bytes.count);
    return *text ? RF_OK : rf_network_owner_no_memory(reader->owner, reader->error);
}

bool rf_onnx_equal(rf_onnx_bytes bytes, const char *text)
{
    return bytes.count == strlen(text)
           && (bytes.count == 0 || memcmp(bytes.at, text, bytes.count) == 0);
}

rf_status rf_onnx_take(rf_onnx_reader *reader, size_t count, size_t size, void **memory)
{
    *memory = rf_arena_take(&reader->owner->arena, count, size);
    return *memory ? RF_OK : rf_network_owner_no_memory(reader->owner, reader->error);
}

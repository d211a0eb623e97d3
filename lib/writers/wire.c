/* SPDX-License-Identifier: MIT */
#include "writers/wire.h"

#include <string.h>

#include "base/checked.h"

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

rf_status rf_wire_flush(rf_wire_sink *sink)
{
    if (sink->status == RF_OK && sink->waiting)
        sink->status = rf_new_file_write(sink->file, sink->buffer, sink->waiting);
    sink->waiting = 0;
    return sink->status;
}

static void pass_on(rf_wire_sink *sink, const void *bytes, size_t count)
{
    if (count > sizeof sink->buffer - sink->waiting)
        rf_wire_flush(sink);
    if (count <= sizeof sink->buffer) {
        memcpy(sink->buffer + sink->waiting, bytes, count);
        sink->waiting += count;
    } else if (sink->status == RF_OK) {
        sink->status = rf_new_file_write(sink->file, bytes, count);
    }
}

static void put(rf_wire *wire, const void *bytes, size_t count)
{
    if (!rf_checked_add(wire->count, count, &wire->count))
        wire->count = UINT64_MAX;
    if (wire->sink && count)
        pass_on(wire->sink, bytes, count);
}

static void put_varint(rf_wire *wire, uint64_t number)
{
    unsigned char bytes[10];
    size_t count = 0;
    for (; number >= 0x80; number >>= 7)
        bytes[count++] = (unsigned char)(number | 0x80);
    bytes[count++] = (unsigned char)number;
    put(wire, bytes, count);
}

static void put_tag(rf_wire *wire, unsigned field, unsigned type)
{
    put_varint(wire, field << 3 | type);
}

void rf_wire_number(rf_wire *wire, unsigned field, int64_t number)
{
    put_tag(wire, field, VARINT);
    put_varint(wire, (uint64_t)number);
}

void rf_wire_float(rf_wire *wire, unsigned field, float number)
{
    uint32_t bits;
    unsigned char bytes[4];
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    put_tag(wire, field, FIXED32);
    put(wire, bytes, sizeof bytes);
}

void rf_wire_bytes(rf_wire *wire, unsigned field, const void *bytes, size_t count)
{
    put_tag(wire, field, LENGTH);
    put_varint(wire, count);
    put(wire, bytes, count);
}

void rf_wire_text(rf_wire *wire, unsigned field, const char *text)
{
    rf_wire_bytes(wire, field, text, strlen(text));
}

uint64_t rf_wire_count(rf_wire_fields fields, const void *message)
{
    rf_wire counting = {.sink = NULL};
    fields(&counting, message);
    return counting.count;
}

void rf_wire_message(rf_wire *wire, unsigned field, rf_wire_fields fields, const void *message)
{
    uint64_t before = wire->count;
    if (wire->sink) {
        put_tag(wire, field, LENGTH);
        put_varint(wire, rf_wire_count(fields, message));
        fields(wire, message);
        return;
    }
    fields(wire, message);
    uint64_t bytes = wire->count - before;
    put_tag(wire, field, LENGTH);
    put_varint(wire, bytes);
}

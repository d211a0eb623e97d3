/* SPDX-License-Identifier: MIT */
/*
 * Protobuf's wire format, written field by field.
 *
 * A message's length stands before it, so that each is written twice: once on a wire that only
 * counts, then in earnest. Both must write the same.
 */
#ifndef RF_WRITERS_WIRE_H
#define RF_WRITERS_WIRE_H

#include <stdint.h>

#include "tensors/new_file.h"

/* Bytes on their way to a file. */
typedef struct rf_wire_sink {
    rf_new_file *file;
    rf_status status; /* of the first write that failed; nothing is written after it */
    size_t waiting;
    unsigned char buffer[4096];
} rf_wire_sink;

typedef struct rf_wire {
    rf_wire_sink *sink; /* NULL: counts only */
    uint64_t count;     /* bytes so far, up to UINT64_MAX */
} rf_wire;

/* What writes the fields of a message. */
typedef void (*rf_wire_fields)(rf_wire *wire, const void *message);

void rf_wire_number(rf_wire *wire, unsigned field, int64_t number);
void rf_wire_float(rf_wire *wire, unsigned field, float number);
void rf_wire_bytes(rf_wire *wire, unsigned field, const void *bytes, size_t count);
void rf_wire_text(rf_wire *wire, unsigned field, const char *text);
void rf_wire_message(rf_wire *wire, unsigned field, rf_wire_fields fields, const void *message);

/* Bytes that `fields` writes of a message. */
uint64_t rf_wire_count(rf_wire_fields fields, const void *message);

/* Writes what waits in the buffer. Returns the sink's status. */
rf_status rf_wire_flush(rf_wire_sink *sink);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ONNX's wire format over memory: what the parts of the ONNX reader share.
 *
 * A message is decoded by binding a callback to each field and calling
 * rf_onnx_decode(). Length-delimited fields are only located, never copied or
 * looked into, so that weights stay untouched. A message with repeated fields
 * is decoded twice: first to count them, then into arrays of that size.
 */
#ifndef RF_READERS_ONNX_WIRE_H
#define RF_READERS_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pb_decode.h>

#include "base/failure.h"
#include "base/names.h"
#include "readers/network_owner.h"

/* A stretch of the model's memory. */
typedef struct rf_onnx_bytes {
    const uint8_t *at;
    size_t count;
    uint32_t depth; /* messages that it lies in */
} rf_onnx_bytes;

typedef struct rf_onnx_reader {
    rf_onnx_bytes model;     /* all that is read: a model, or a tensor by itself */
    const char *noun;        /* what it is called in errors: "ONNX model" */
    const char *folder;      /* where external data lies, ending in '/' or empty; NULL for nowhere */
    rf_network_owner *owner;
    rf_error *error;
    rf_status status;        /* why a callback stopped the decoder, which passes on only "false" */
    const char *fault;       /* or what a callback found wrong: nanopb drops some of their messages */
    uint32_t depth;          /* messages around what is being decoded, its own included */
    rf_names files;          /* external files by location: numbers in `mapped` */
    const rf_mapped_file **mapped;
    size_t mapped_room;
} rf_onnx_reader;

/* What became of a length-delimited field. */
typedef struct rf_onnx_field {
    rf_onnx_reader *reader;
    size_t count;       /* occurrences so far */
    rf_onnx_bytes last; /* the newest occurrence, which counts for a field that is not repeated */
    rf_status (*take)(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context); /* or NULL */
    void *context;
    size_t room;        /* occurrences that `take` can be given */
} rf_onnx_field;

typedef enum rf_onnx_number {
    RF_ONNX_VARINT,
    RF_ONNX_FIXED32,
    RF_ONNX_FIXED64
} rf_onnx_number;

/* What became of a repeated field of numbers, packed or not. */
typedef struct rf_onnx_numbers {
    rf_onnx_reader *reader;
    rf_onnx_number kind;
    size_t count;        /* numbers so far */
    size_t chunks;       /* pieces that they came in */
    rf_onnx_bytes first; /* the first piece; `at` is NULL where it was a lone number */
    /* At most one of these is set, with room for `room` numbers. */
    int64_t *ints;       /* for varints */
    float *floats;       /* for fixed32 */
    uint8_t *elements;   /* for any: `width` bytes of each number, little-endian */
    size_t width;        /* of an element: what a fixed number has, the lowest ones of a varint */
    size_t room;
} rf_onnx_numbers;

/* The callbacks to put into a message's fields. */
pb_callback_t rf_onnx_locate(rf_onnx_field *field);
pb_callback_t rf_onnx_collect(rf_onnx_numbers *numbers);

/* Decodes `bytes` as one message. `what` names the message in errors. */
rf_status rf_onnx_decode(rf_onnx_reader *reader, const char *what, rf_onnx_bytes bytes,
                         const pb_msgdesc_t *descriptor, void *message);

/* A NUL-terminated copy of a string without NULs; `what` names the field in errors. */
rf_status rf_onnx_text(rf_onnx_reader *reader, const char *what, rf_onnx_bytes bytes,
                       const char **text);

/* Whether the bytes are those of `text`. */
bool rf_onnx_equal(rf_onnx_bytes bytes, const char *text);

/* `count` zeroed elements of `size` bytes in the network's arena. */
rf_status rf_onnx_take(rf_onnx_reader *reader, size_t count, size_t size, void **memory);

#endif

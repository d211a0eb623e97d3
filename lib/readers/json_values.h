/* SPDX-License-Identifier: MIT */
/*
 * JSON values turned into the pieces of a description: names, numbers, shapes,
 * tensors. What is made lives in the network's arena, nothing points into JSON.
 */
#ifndef RF_READERS_JSON_VALUES_H
#define RF_READERS_JSON_VALUES_H

#include <jansson.h>
#include <stdbool.h>

#include <rfield/network.h>

#include "base/failure.h"
#include "readers/network_owner.h"

/* Where things go, and what is being read, for messages. */
typedef struct rf_json_reader {
    rf_network_owner *owner;
    rf_error *error;
    const char *kind; /* "layer", "input", ...; NULL for the network itself */
    const char *name; /* of that thing; NULL before it is known */
    size_t index;     /* of that thing in its list */
} rf_json_reader;

/* Reports RF_ERROR_FORMAT: "layer 'conv1': key 'pad' ...". `key` may be NULL. */
__attribute__((format(printf, 3, 4)))
rf_status rf_json_fail(const rf_json_reader *reader, const char *key, const char *format, ...);

rf_status rf_json_no_memory(const rf_json_reader *reader);

/* Reports that `value` is not what was expected: "... is a string; expected an integer". */
rf_status rf_json_expected(const rf_json_reader *reader, const char *key, const json_t *value,
                           const char *expected);

/* Bytes of `name` that a message shows, for "%.*s". */
int rf_json_shown(const char *name);

/* The spelling among those considered that is nearest to a key nobody knows. */
typedef struct rf_json_nearest {
    const char *key;
    const char *best;   /* NULL where none is near */
    size_t distance;
} rf_json_nearest;

void rf_json_consider(rf_json_nearest *nearest, const char *candidate);
void rf_json_consider_all(rf_json_nearest *nearest, const char *const *candidates);
rf_status rf_json_unknown_key(const rf_json_reader *reader, const rf_json_nearest *nearest);

/* Is `key` in the list, which NULL ends? */
bool rf_json_listed(const char *const *keys, const char *key);

/* Fails for a value that is no object, or has a key outside `keys`. */
rf_status rf_json_check_object(const rf_json_reader *reader, json_t *value,
                               const char *const *keys);

/* The member `key`; fails where absent. */
rf_status rf_json_require(const rf_json_reader *reader, json_t *object, const char *key,
                          json_t **value);

/* The elements of the member `key`, a list; *count is 0 where it is absent. */
rf_status rf_json_list(const rf_json_reader *reader, json_t *object, const char *key,
                       json_t **list, size_t *count);

/* A copy of a string that must not be empty. */
rf_status rf_json_text(const rf_json_reader *reader, const char *key, const json_t *value,
                       const char **text);

rf_status rf_json_integer(const rf_json_reader *reader, const char *key, const json_t *value,
                          int64_t least, int64_t most, int64_t *integer);

/* A number that fits a float. */
rf_status rf_json_float(const rf_json_reader *reader, const char *key, const json_t *value,
                        float *number);

/* Reads "type" (default float32) and "shape", whose dimensions may be unknown, into `tensor`. */
rf_status rf_json_declaration(const rf_json_reader *reader, json_t *object, rf_tensor *tensor);

/* Reads "type" (default float32), "shape" and "values" into `tensor`. One of the latter may be
 * absent: the shape of values alone is their number, and a shape alone has no values. */
rf_status rf_json_constant(const rf_json_reader *reader, json_t *object, rf_tensor *tensor);

/* Reads `values`, a number or a list, into the data of `tensor`, whose type and shape are set. */
rf_status rf_json_elements(const rf_json_reader *reader, const char *key, const json_t *values,
                           rf_tensor *tensor);

#endif

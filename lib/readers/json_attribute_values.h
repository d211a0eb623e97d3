/* SPDX-License-Identifier: MIT */
/* A JSON value as an attribute of the type that an operator wants. */
#ifndef RF_READERS_JSON_ATTRIBUTE_VALUES_H
#define RF_READERS_JSON_ATTRIBUTE_VALUES_H

#include "readers/json_values.h"

/*
 * Sets the type, count and value of `attribute`. Integers become floats where floats are wanted,
 * true and false become 1 and 0, and one value a list of one where a list is wanted.
 */
rf_status rf_json_attribute_value(const rf_json_reader *reader, const char *key, json_t *value,
                                  rf_attribute_type type, rf_attribute *attribute);

/* The type that a value suggests by itself. */
rf_attribute_type rf_json_attribute_type(const json_t *value);

#endif

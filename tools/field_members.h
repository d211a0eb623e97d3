/* SPDX-License-Identifier: MIT */
/* Members of the JSON objects that answers about fields are. */
#ifndef RFIELD_TOOLS_FIELD_MEMBERS_H
#define RFIELD_TOOLS_FIELD_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>

#include "field_answer.h"

/* Takes `value` over; false where it or the object lacks memory. */
bool member_set(json_t *object, const char *key, json_t *value);

/* `value`, or NULL, giving it back, where it is not complete. */
json_t *member_if_complete(json_t *value, bool complete);

/* [first, last] */
json_t *member_range(const rf_range *range);

/* A member for each axis, by its name. */
bool member_set_ranges(json_t *object, const rf_range *ranges, int32_t count);

/* The position that was asked about. */
json_t *member_indices(const rf_field_query *query);

/* Writes an object, gives it back and returns an exit code; complains about `path` where it is NULL. */
int member_print(json_t *object, const char *path, output_file *output);

#endif

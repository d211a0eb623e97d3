/* SPDX-License-Identifier: MIT */
/* JSON text turned into Jansson's values, within limits. */
#ifndef RF_READERS_JSON_TEXT_H
#define RF_READERS_JSON_TEXT_H

#include <jansson.h>

#include <rfield/memory.h>
#include <rfield/status.h>

/*
 * *root receives the value, which the caller gives back with json_decref(); NULL after a failure.
 * Refuses what is not JSON, duplicate keys and NUL in strings with RF_ERROR_FORMAT, and nesting or
 * a tree of values beyond `limits` with RF_ERROR_LIMIT, before anything is allocated for it.
 */
rf_status rf_json_parse(const char *text, size_t bytes, const rf_limits *limits, json_t **root,
                        rf_error *error);

#endif

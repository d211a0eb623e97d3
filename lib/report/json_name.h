/* SPDX-License-Identifier: MIT */
/* Names from files as JSON strings. The command compiles this file too. */
#ifndef RF_ANALYSIS_JSON_NAME_H
#define RF_ANALYSIS_JSON_NAME_H

#include <jansson.h>

/* A new string, ill-formed bytes replaced by U+FFFD and NULL by ""; NULL without memory. */
json_t *rf_json_name(const char *name);

#endif

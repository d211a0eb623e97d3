/* SPDX-License-Identifier: MIT */
#include "readers/json_text.h"

#include "base/failure.h"

/* Index of the quote that ends the string which begins at `at`; `bytes` or more without one. */
static size_t end_of_string(const char *text, size_t bytes, size_t at)
{
    for (at++; at < bytes && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at;
}

/* Most heap that Jansson takes for what one punctuation mark announces: an object or list with its
 * first slots, a pair, or another value. */
static uint64_t heap_of(char c)
{
    switch (c) {
    case '{':
        return 256;
    case '[':
        return 224;
    case ':':
    case ',':
        return 112;
    default:
        return 0;
    }
}

/* Jansson allocates with malloc, beyond the reach of the caller's limits; so they are applied to
 * what the text announces. */
static rf_status check_limits(const char *text, size_t bytes, const rf_limits *limits,
                              rf_error *error)
{
    uint64_t heap = 2 * (uint64_t)bytes;
    uint32_t depth = 0;
    size_t line = 1;
    for (size_t at = 0; at < bytes; at++) {
        char c = text[at];
        if (c == '"')
            at = end_of_string(text, bytes, at);
        heap += heap_of(c);
        line += c == '\n';
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        if (depth > limits->nesting)
            return rf_fail(error, RF_ERROR_LIMIT, "nesting",
                           "line %zu: values are nested deeper than the limit of %u", line,
                           (unsigned)limits->nesting);
    }
    if (heap > limits->memory_bytes)
        return rf_fail(error, RF_ERROR_LIMIT, "memory_bytes",
                       "reading this JSON may take %llu bytes of memory; the limit is %llu",
                       (unsigned long long)heap, (unsigned long long)limits->memory_bytes);
    return RF_OK;
}

static rf_status parse_failure(const json_error_t *failure, rf_error *error)
{
    switch (json_error_code(failure)) {
    case json_error_out_of_memory:
        return rf_fail(error, RF_ERROR_MEMORY, NULL, "no memory for the values of a JSON text");
    case json_error_stack_overflow:
        return rf_fail(error, RF_ERROR_LIMIT, "nesting",
                       "line %d, column %d: values are nested deeper than the JSON parser allows",
                       failure->line, failure->column);
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return rf_fail(error, RF_ERROR_FORMAT, NULL,
                       "line %d, column %d: a string holds a NUL character; expected none",
                       failure->line, failure->column);
    default:
        return rf_fail(error, RF_ERROR_FORMAT, NULL, "line %d, column %d: %s", failure->line,
                       failure->column, failure->text);
    }
}

rf_status rf_json_parse(const char *text, size_t bytes, const rf_limits *limits, json_t **root,
                        rf_error *error)
{
    *root = NULL;
    RF_TRY(check_limits(text, bytes, limits, error));
    json_error_t failure;
    *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &failure);
    return *root ? RF_OK : parse_failure(&failure, error);
}

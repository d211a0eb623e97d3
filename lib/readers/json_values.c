/* SPDX-License-Identifier: MIT */
#include "readers/json_values.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

enum { SHOWN_BYTES = 64, LONGEST_WORD = 32 };

int rf_json_shown(const char *name)
{
    if (memchr(name, '\0', SHOWN_BYTES + 1))
        return SHOWN_BYTES;
    int bytes = SHOWN_BYTES;
    while (bytes > 0 && ((unsigned char)name[bytes] & 0xc0) == 0x80)
        bytes--; /* a character of UTF-8 is shown whole or not at all */
    return bytes;
}

rf_status rf_json_fail(const rf_json_reader *reader, const char *key, const char *format, ...)
{
    char place[SHOWN_BYTES + 32] = "network";
    if (reader->kind && reader->name)
        snprintf(place, sizeof place, "%s '%.*s'", reader->kind, rf_json_shown(reader->name),
                 reader->name);
    else if (reader->kind)
        snprintf(place, sizeof place, "%s %zu", reader->kind, reader->index);
    char what[192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *subject = reader->kind ? reader->name : NULL;
    if (!key)
        return rf_fail(reader->error, RF_ERROR_FORMAT, subject, "%s: %s", place, what);
    return rf_fail(reader->error, RF_ERROR_FORMAT, subject, "%s: key '%.*s' %s", place,
                   rf_json_shown(key), key, what);
}

rf_status rf_json_no_memory(const rf_json_reader *reader)
{
    return rf_network_owner_no_memory(reader->owner, reader->error);
}

static const char *kind_of(const json_t *value)
{
    static const char *const kinds[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false", [JSON_NULL] = "null",
    };
    return kinds[json_typeof(value)];
}

rf_status rf_json_expected(const rf_json_reader *reader, const char *key, const json_t *value,
                           const char *expected)
{
    return rf_json_fail(reader, key, "is or holds %s; expected %s", kind_of(value), expected);
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters inserted, dropped, replaced or swapped with their neighbour that make one word the
 * other. Row i % 3 holds the distances of a's first i letters from each beginning of b. */
static size_t edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t rows[3][LONGEST_WORD + 1];
    for (size_t j = 0; j <= b_bytes; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        const size_t *before = rows[(i - 1) % 3], *earlier = rows[(i + 1) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            row[j] = least_of(before[j], row[j - 1]) + 1;
            row[j] = least_of(row[j], before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], earlier[j - 2] + 1);
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

void rf_json_consider(rf_json_nearest *nearest, const char *candidate)
{
    size_t key_bytes = strlen(nearest->key), bytes = strlen(candidate);
    if (key_bytes > LONGEST_WORD || bytes > LONGEST_WORD)
        return;
    size_t distance = edit_distance(nearest->key, key_bytes, candidate, bytes);
    bool near = distance <= 1 || distance <= key_bytes / 3;
    if (near && distance < bytes && (!nearest->best || distance < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

void rf_json_consider_all(rf_json_nearest *nearest, const char *const *candidates)
{
    for (; *candidates; candidates++)
        rf_json_consider(nearest, *candidates);
}

rf_status rf_json_unknown_key(const rf_json_reader *reader, const rf_json_nearest *nearest)
{
    if (nearest->best)
        return rf_json_fail(reader, nearest->key, "is unknown; did you mean '%s'?", nearest->best);
    return rf_json_fail(reader, nearest->key, "is unknown");
}

bool rf_json_listed(const char *const *keys, const char *key)
{
    while (*keys && strcmp(*keys, key) != 0)
        keys++;
    return *keys != NULL;
}

rf_status rf_json_check_object(const rf_json_reader *reader, json_t *value,
                               const char *const *keys)
{
    if (!json_is_object(value))
        return rf_json_fail(reader, NULL, "is %s; expected an object", kind_of(value));
    const char *key;
    json_t *member;
    json_object_foreach(value, key, member) {
        if (rf_json_listed(keys, key))
            continue;
        rf_json_nearest nearest = {.key = key};
        rf_json_consider_all(&nearest, keys);
        return rf_json_unknown_key(reader, &nearest);
    }
    return RF_OK;
}

rf_status rf_json_require(const rf_json_reader *reader, json_t *object, const char *key,
                          json_t **value)
{
    *value = json_object_get(object, key);
    return *value ? RF_OK : rf_json_fail(reader, NULL, "has no '%s'; expected that key", key);
}

rf_status rf_json_list(const rf_json_reader *reader, json_t *object, const char *key,
                       json_t **list, size_t *count)
{
    *list = json_object_get(object, key);
    *count = json_array_size(*list);
    if (*list && !json_is_array(*list))
        return rf_json_expected(reader, key, *list, "a list");
    return RF_OK;
}

rf_status rf_json_text(const rf_json_reader *reader, const char *key, const json_t *value,
                       const char **text)
{
    if (!json_is_string(value))
        return rf_json_expected(reader, key, value, "a string");
    if (json_string_length(value) == 0)
        return rf_json_fail(reader, key, "is or holds an empty string; expected a name");
    *text = rf_arena_text(&reader->owner->arena, json_string_value(value),
                          json_string_length(value));
    return *text ? RF_OK : rf_json_no_memory(reader);
}

rf_status rf_json_integer(const rf_json_reader *reader, const char *key, const json_t *value,
                          int64_t least, int64_t most, int64_t *integer)
{
    if (json_is_boolean(value))
        *integer = json_is_true(value);
    else if (json_is_integer(value))
        *integer = json_integer_value(value);
    else
        return rf_json_expected(reader, key, value, "an integer");
    if (*integer < least || *integer > most)
        return rf_json_fail(reader, key, "is or holds %lld; expected %lld to %lld",
                            (long long)*integer, (long long)least, (long long)most);
    return RF_OK;
}

rf_status rf_json_float(const rf_json_reader *reader, const char *key, const json_t *value,
                        float *number)
{
    if (!json_is_number(value))
        return rf_json_expected(reader, key, value, "a number");
    double wide = json_number_value(value);
    if (wide > FLT_MAX || wide < -FLT_MAX)
        return rf_json_fail(reader, key, "is or holds %g; expected a number that fits float32",
                            wide);
    *number = (float)wide;
    return RF_OK;
}

/* SPDX-License-Identifier: MIT */
#include "readers/json_attribute_values.h"

/* Elements of a value where a list is wanted. */
static size_t element_count(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value) : 1;
}

static const json_t *element(const json_t *value, size_t i)
{
    return json_is_array(value) ? json_array_get(value, i) : value;
}

static rf_status read_int(const rf_json_reader *reader, const char *key, json_t *value,
                          rf_attribute *attribute)
{
    return rf_json_integer(reader, key, value, INT64_MIN, INT64_MAX, &attribute->value.i);
}

static rf_status read_float(const rf_json_reader *reader, const char *key, json_t *value,
                            rf_attribute *attribute)
{
    return rf_json_float(reader, key, value, &attribute->value.f);
}

static rf_status copy_string(const rf_json_reader *reader, const char *key, const json_t *value,
                             const char **text)
{
    if (!json_is_string(value))
        return rf_json_expected(reader, key, value, "a string");
    *text = rf_arena_text(&reader->owner->arena, json_string_value(value),
                          json_string_length(value));
    return *text ? RF_OK : rf_json_no_memory(reader);
}

static rf_status read_string(const rf_json_reader *reader, const char *key, json_t *value,
                             rf_attribute *attribute)
{
    RF_TRY(copy_string(reader, key, value, &attribute->value.s));
    attribute->count = json_string_length(value);
    return RF_OK;
}

static rf_status read_ints(const rf_json_reader *reader, const char *key, json_t *value,
                           rf_attribute *attribute)
{
    size_t count = element_count(value);
    int64_t *ints = RF_TAKE(&reader->owner->arena, int64_t, count);
    if (!ints)
        return rf_json_no_memory(reader);
    for (size_t i = 0; i < count; i++)
        RF_TRY(rf_json_integer(reader, key, element(value, i), INT64_MIN, INT64_MAX, &ints[i]));
    attribute->count = count;
    attribute->value.ints = ints;
    return RF_OK;
}

static rf_status read_floats(const rf_json_reader *reader, const char *key, json_t *value,
                             rf_attribute *attribute)
{
    size_t count = element_count(value);
    float *floats = RF_TAKE(&reader->owner->arena, float, count);
    if (!floats)
        return rf_json_no_memory(reader);
    for (size_t i = 0; i < count; i++)
        RF_TRY(rf_json_float(reader, key, element(value, i), &floats[i]));
    attribute->count = count;
    attribute->value.floats = floats;
    return RF_OK;
}

static rf_status read_strings(const rf_json_reader *reader, const char *key, json_t *value,
                              rf_attribute *attribute)
{
    size_t count = element_count(value);
    const char **strings = RF_TAKE(&reader->owner->arena, const char *, count);
    if (!strings)
        return rf_json_no_memory(reader);
    for (size_t i = 0; i < count; i++)
        RF_TRY(copy_string(reader, key, element(value, i), &strings[i]));
    attribute->count = count;
    attribute->value.strings = strings;
    return RF_OK;
}

static rf_status read_tensor(const rf_json_reader *reader, const char *key, json_t *value,
                             rf_attribute *attribute)
{
    static const char *const keys[] = {"type", "shape", "values", NULL};
    if (!json_is_object(value))
        return rf_json_expected(reader, key, value, "an object with 'type', 'shape' and 'values'");
    RF_TRY(rf_json_check_object(reader, value, keys));
    rf_tensor *tensor = RF_TAKE(&reader->owner->arena, rf_tensor, 1);
    if (!tensor)
        return rf_json_no_memory(reader);
    tensor->name = "";
    RF_TRY(rf_json_constant(reader, value, tensor));
    attribute->value.tensor = tensor;
    return RF_OK;
}

rf_status rf_json_attribute_value(const rf_json_reader *reader, const char *key, json_t *value,
                                  rf_attribute_type type, rf_attribute *attribute)
{
    typedef rf_status read_function(const rf_json_reader *, const char *, json_t *, rf_attribute *);
    static read_function *const readers[] = {
        [RF_ATTRIBUTE_INT] = read_int,         [RF_ATTRIBUTE_FLOAT] = read_float,
        [RF_ATTRIBUTE_STRING] = read_string,   [RF_ATTRIBUTE_INTS] = read_ints,
        [RF_ATTRIBUTE_FLOATS] = read_floats,   [RF_ATTRIBUTE_STRINGS] = read_strings,
        [RF_ATTRIBUTE_TENSOR] = read_tensor,   [RF_ATTRIBUTE_OTHER] = NULL,
    };
    if (!readers[type])
        return rf_json_expected(reader, key, value, "a number, a string, or a list of either");
    attribute->type = type;
    attribute->count = 1;
    return readers[type](reader, key, value, attribute);
}

static rf_attribute_type list_type(const json_t *list)
{
    bool reals = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        reals = reals || json_is_real(json_array_get(list, i));
    if (json_is_string(json_array_get(list, 0)))
        return RF_ATTRIBUTE_STRINGS;
    return reals ? RF_ATTRIBUTE_FLOATS : RF_ATTRIBUTE_INTS;
}

rf_attribute_type rf_json_attribute_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_INTEGER:
    case JSON_TRUE:
    case JSON_FALSE:
        return RF_ATTRIBUTE_INT;
    case JSON_REAL:
        return RF_ATTRIBUTE_FLOAT;
    case JSON_STRING:
        return RF_ATTRIBUTE_STRING;
    case JSON_ARRAY:
        return list_type(value);
    case JSON_OBJECT:
    case JSON_NULL:
        break;
    }
    return RF_ATTRIBUTE_OTHER;
}

/* SPDX-License-Identifier: MIT */
#include "readers/json_attributes.h"

#include <string.h>

#include "readers/json_attribute_values.h"

const char *const rf_json_layer_keys[] = {"name", "type", "from", "outputs", "domain", "comment",
                                          NULL};

/* Short spellings, each for the operators that have the attribute. */
static const struct {
    const char *key, *name;
} aliases[] = {
    {"kernel", "kernel_shape"}, {"stride", "strides"}, {"dilation", "dilations"},
    {"pad", "pads"},            {"groups", "group"},
};

/* A key that becomes a constant at an input of the operator. */
typedef struct carried_key {
    const char *type, *key;
    uint8_t input;
    uint8_t since;  /* first operator set in which it is an input; an attribute before */
    rf_dtype dtype;
    bool scalar;    /* of rank 0; a list otherwise, of which a number is the only element */
} carried_key;

static const carried_key carried_keys[] = {
    {"Clip", "min", 1, 11, RF_FLOAT32, true},
    {"Clip", "max", 2, 11, RF_FLOAT32, true},
    {"ConstantOfShape", "shape", 0, 9, RF_INT64, false},
    {"Expand", "shape", 1, 8, RF_INT64, false},
    {"Pad", "pads", 1, 11, RF_INT64, false},
    {"Pad", "value", 2, 11, RF_FLOAT32, true},
    {"Pad", "axes", 3, 18, RF_INT64, false},
    {"ReduceL1", "axes", 1, 18, RF_INT64, false},
    {"ReduceL2", "axes", 1, 18, RF_INT64, false},
    {"ReduceLogSum", "axes", 1, 18, RF_INT64, false},
    {"ReduceLogSumExp", "axes", 1, 18, RF_INT64, false},
    {"ReduceMax", "axes", 1, 18, RF_INT64, false},
    {"ReduceMean", "axes", 1, 18, RF_INT64, false},
    {"ReduceMin", "axes", 1, 18, RF_INT64, false},
    {"ReduceProd", "axes", 1, 18, RF_INT64, false},
    {"ReduceSum", "axes", 1, 13, RF_INT64, false},
    {"ReduceSumSquare", "axes", 1, 18, RF_INT64, false},
    {"Reshape", "shape", 1, 5, RF_INT64, false},
    {"Resize", "scales", 2, 11, RF_FLOAT32, false},
    {"Resize", "sizes", 3, 11, RF_INT64, false},
    {"Slice", "starts", 1, 10, RF_INT64, false},
    {"Slice", "ends", 2, 10, RF_INT64, false},
    {"Slice", "axes", 3, 10, RF_INT64, false},
    {"Slice", "steps", 4, 10, RF_INT64, false},
    {"Split", "split", 1, 13, RF_INT64, false},
    {"Squeeze", "axes", 1, 13, RF_INT64, false},
    {"Tile", "repeats", 1, 6, RF_INT64, false},
    {"Unsqueeze", "axes", 1, 13, RF_INT64, false},
    {"Upsample", "scales", 1, 9, RF_FLOAT32, false},
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const rf_attribute_spec *find_spec(const rf_op *op, const char *name)
{
    const rf_attribute_spec *spec = op ? op->attributes : NULL;
    while (spec && spec->name && strcmp(spec->name, name) != 0)
        spec++;
    return spec && spec->name ? spec : NULL;
}

static const carried_key *find_carried(const rf_json_layer *layer, const char *key)
{
    for (size_t i = 0; layer->op && i < COUNT_OF(carried_keys); i++) {
        const carried_key *row = &carried_keys[i];
        if (strcmp(row->key, key) == 0 && strcmp(row->type, layer->op->type) == 0)
            return layer->opset >= row->since ? row : NULL;
    }
    return NULL;
}

static bool is_known(const rf_json_layer *layer, const char *name)
{
    return find_spec(layer->op, name) || find_carried(layer, name);
}

static const char *full_name(const rf_json_layer *layer, const char *key)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (strcmp(aliases[i].key, key) == 0 && is_known(layer, aliases[i].name))
            return aliases[i].name;
    return key;
}

/* The key under which a layer gives `name`; NULL where it does not. */
static const char *spelling_of(const rf_json_layer *layer, const char *name)
{
    if (json_object_get(layer->object, name))
        return name;
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (strcmp(aliases[i].name, name) == 0 && json_object_get(layer->object, aliases[i].key))
            return aliases[i].key;
    return NULL;
}

static rf_status fail_unknown(const rf_json_reader *reader, const rf_json_layer *layer,
                              const char *key)
{
    rf_json_nearest nearest = {.key = key};
    const rf_attribute_spec *spec = layer->op->attributes;
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (is_known(layer, aliases[i].name))
            rf_json_consider(&nearest, aliases[i].key);
    for (; spec && spec->name; spec++)
        rf_json_consider(&nearest, spec->name);
    for (size_t i = 0; i < COUNT_OF(carried_keys); i++)
        if (find_carried(layer, carried_keys[i].key) == &carried_keys[i])
            rf_json_consider(&nearest, carried_keys[i].key);
    rf_json_consider_all(&nearest, rf_json_layer_keys);
    if (nearest.best)
        return rf_json_unknown_key(reader, &nearest);
    return rf_json_fail(reader, key, "is unknown to the operator %s", layer->op->type);
}

static rf_status read_carried(const rf_json_reader *reader, const carried_key *row,
                              const char *key, json_t *value, rf_tensor *constant)
{
    if (row->scalar && json_is_array(value))
        return rf_json_expected(reader, key, value, "one number");
    constant->name = row->key;
    constant->dtype = row->dtype;
    constant->shape.rank = row->scalar ? 0 : 1;
    constant->shape.dims[0] = json_is_array(value) ? (int64_t)json_array_size(value) : 1;
    return rf_json_elements(reader, key, value, constant);
}

/* "pad": "same" names an automatic padding. */
static rf_status read_automatic_pad(const rf_json_reader *reader, const rf_json_layer *layer,
                                    const char *key, const json_t *value, rf_attribute *attribute)
{
    bool same = strcmp(json_string_value(value), "same") == 0;
    if (!same && strcmp(json_string_value(value), "valid") != 0)
        return rf_json_fail(reader, key, "is '%.*s'; expected 'same', 'valid' or integers",
                            rf_json_shown(json_string_value(value)), json_string_value(value));
    if (json_object_get(layer->object, "auto_pad"))
        return rf_json_fail(reader, key, "is given beside 'auto_pad'; expected one of them");
    *attribute = same ? (rf_attribute)RF_TEXT("auto_pad", "SAME_UPPER")
                      : (rf_attribute)RF_TEXT("auto_pad", "VALID");
    return RF_OK;
}

static size_t axes_of(const rf_json_layer *layer)
{
    const char *kernel = spelling_of(layer, "kernel_shape");
    const json_t *list = kernel ? json_object_get(layer->object, kernel) : NULL;
    return json_is_array(list) && json_array_size(list) > 0 ? json_array_size(list)
                                                            : layer->spatial_axes;
}

static bool is_per_axis(const rf_json_layer *layer, const char *name)
{
    static const char *const per_axis[] = {"kernel_shape", "strides", "dilations",
                                           "pads",         "output_padding", NULL};
    return rf_json_listed(per_axis, name) && find_spec(layer->op, "kernel_shape");
}

/* One number is meant for every spatial axis, and pads for one end of each axis are meant for the
 * other end too. */
static rf_status spread(const rf_json_reader *reader, const rf_json_layer *layer,
                        const json_t *value, rf_attribute *attribute)
{
    size_t axes = axes_of(layer), given = attribute->count;
    bool pads = strcmp(attribute->name, "pads") == 0;
    if (json_is_array(value) && !(pads && given == axes))
        return RF_OK;
    size_t count = pads ? 2 * axes : axes;
    int64_t *ints = RF_TAKE(&reader->owner->arena, int64_t, count);
    if (!ints)
        return rf_json_no_memory(reader);
    for (size_t i = 0; i < count; i++)
        ints[i] = attribute->value.ints[i % given];
    attribute->count = count;
    attribute->value.ints = ints;
    return RF_OK;
}

static rf_status read_known(const rf_json_reader *reader, const rf_json_layer *layer,
                            const rf_attribute_spec *spec, const char *key, json_t *value,
                            rf_attribute *attribute)
{
    if (spec->type == RF_ATTRIBUTE_OTHER)
        return rf_json_fail(reader, key, "cannot be given in JSON");
    attribute->name = spec->name;
    RF_TRY(rf_json_attribute_value(reader, key, value, spec->type, attribute));
    if (spec->type == RF_ATTRIBUTE_INTS && is_per_axis(layer, spec->name))
        return spread(reader, layer, value, attribute);
    return RF_OK;
}

static rf_status read_untyped(const rf_json_reader *reader, const char *key, json_t *value,
                              rf_attribute *attribute)
{
    attribute->name = rf_arena_text(&reader->owner->arena, key, strlen(key));
    if (!attribute->name)
        return rf_json_no_memory(reader);
    return rf_json_attribute_value(reader, key, value, rf_json_attribute_type(value), attribute);
}

static rf_status read_key(const rf_json_reader *reader, const rf_json_layer *layer,
                          const char *key, json_t *value, rf_attribute *attribute,
                          rf_tensor carried[RF_JSON_CARRIED])
{
    if (!layer->op)
        return read_untyped(reader, key, value, attribute);
    const char *name = full_name(layer, key);
    if (name != key && json_object_get(layer->object, name))
        return rf_json_fail(reader, key, "means '%s', which is given too; expected one of them",
                            name);
    const carried_key *row = find_carried(layer, name);
    if (row)
        return read_carried(reader, row, key, value, &carried[row->input]);
    if (json_is_string(value) && strcmp(name, "pads") == 0 && find_spec(layer->op, "auto_pad"))
        return read_automatic_pad(reader, layer, key, value, attribute);
    const rf_attribute_spec *spec = find_spec(layer->op, name);
    return spec ? read_known(reader, layer, spec, key, value, attribute)
                : fail_unknown(reader, layer, key);
}

rf_status rf_json_attributes(const rf_json_reader *reader, const rf_json_layer *layer,
                             const rf_attribute **attributes, rf_tensor carried[RF_JSON_CARRIED])
{
    size_t count = 0;
    rf_attribute *list =
        RF_TAKE(&reader->owner->arena, rf_attribute, json_object_size(layer->object) + 1);
    if (!list)
        return rf_json_no_memory(reader);
    const char *key;
    json_t *value;
    json_object_foreach(layer->object, key, value) {
        if (rf_json_listed(rf_json_layer_keys, key))
            continue;
        RF_TRY(read_key(reader, layer, key, value, &list[count], carried));
        count += list[count].name != NULL;
    }
    *attributes = list;
    return RF_OK;
}

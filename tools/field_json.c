/* SPDX-License-Identifier: MIT */
#include "field_members.h"

#include <float.h>

#include "report/json_name.h"

bool member_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

json_t *member_if_complete(json_t *value, bool complete)
{
    if (complete)
        return value;
    json_decref(value);
    return NULL;
}

json_t *member_range(const rf_range *range)
{
    return json_pack("[I, I]", (json_int_t)range->first, (json_int_t)range->last);
}

bool member_set_ranges(json_t *object, const rf_range *ranges, int32_t count)
{
    bool ok = object != NULL;
    for (int32_t i = 0; i < count && ok; i++)
        ok = member_set(object, field_axis_name(i, count), member_range(&ranges[i]));
    return ok;
}

static json_t *ranges_of(const rf_range *ranges, int32_t count)
{
    json_t *object = json_object();
    return member_if_complete(object, member_set_ranges(object, ranges, count));
}

json_t *member_indices(const rf_field_query *query)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < query->at_count && ok; i++)
        ok = json_array_append_new(array, json_integer(query->at[i])) == 0;
    return member_if_complete(array, ok);
}

/* Counts are whole; above 2^53 they are no longer exact, may pass 64 bits and in the end a double,
 * for which JSON has null. */
static json_t *number_of(double paths)
{
    if (paths <= 0x1p53)
        return json_integer((json_int_t)paths);
    return paths <= DBL_MAX ? json_real(paths) : json_null();
}

static json_t *paths_of(const rf_field_map *map)
{
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < map->count && ok; i++)
        ok = json_array_append_new(array, number_of(map->paths[i])) == 0;
    return member_if_complete(array, ok);
}

static json_t *map_of(const rf_field_map *map)
{
    json_t *object = ranges_of(map->axes, map->axis_count);
    return member_if_complete(object, object && member_set(object, "paths", paths_of(map)));
}

static json_t *answer_of(const field_answer *answer)
{
    const rf_analysis *analysis = answer->model->analysis;
    const rf_field_query *query = &answer->query;
    const rf_field_at_result *result = &answer->result;
    int32_t axes = result->axis_count;
    json_t *object = json_object();
    bool ok = member_set(object, "layer", rf_json_name(analysis->layers[query->layer].name))
              && member_set(object, "at", member_indices(query))
              && member_set(object, "input", rf_json_name(analysis->inputs[query->input].name))
              && member_set(object, "channels", member_range(&result->channels))
              && member_set_ranges(object, result->axes, axes)
              && member_set(object, "clipped", ranges_of(result->clipped, axes))
              && member_set(object, "support", json_integer((json_int_t)result->support))
              && member_set(object, "exact", ranges_of(result->exact, axes));
    if (query->channel >= 0)
        ok = ok && member_set(object, "channel", json_integer(query->channel));
    if (answer->map)
        ok = ok && member_set(object, "map", map_of(answer->map));
    return member_if_complete(object, ok);
}

static int take_dump(const char *bytes, size_t count, void *output)
{
    return output_write(output, bytes, count) ? 0 : -1;
}

int member_print(json_t *object, const char *path, output_file *output)
{
    if (!object)
        return complain(path, "no memory for the answer");
    json_dump_callback(object, take_dump, output, JSON_ENSURE_ASCII);
    output_write(output, "\n", 1);
    json_decref(object);
    return DONE;
}

int print_field_json(const field_answer *answer, output_file *output)
{
    return member_print(answer_of(answer), answer->model->path, output);
}

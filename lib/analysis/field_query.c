/* SPDX-License-Identifier: MIT */
/* Questions about what a single output element sees. */
#include "analysis/field_query.h"

#include <string.h>

#include "analysis/analysis_owner.h"
#include "analysis/backtrack.h"
#include "analysis/path_walk.h"

static const uint64_t most_steps = UINT64_C(1) << 32;

/* What the indices of an output's axes mean. */
typedef struct output_axes {
    int32_t spatial[RF_MAX_SPATIAL];
    int32_t spatial_count;
    int32_t channel; /* -1 for none */
} output_axes;

static const rf_value_field *find_field(const rf_analysis_owner *owner, const rf_value *value, size_t input)
{
    const rf_value_fields *fields = &owner->fields.values[value - owner->graph->values];
    for (uint32_t f = 0; f < fields->count; f++)
        if (fields->at[f].input == input)
            return &fields->at[f];
    return NULL;
}

static void sort_axes(int32_t *axes, int32_t count)
{
    for (int32_t i = 1; i < count; i++)
        for (int32_t k = i; k > 0 && axes[k] < axes[k - 1]; k--) {
            int32_t swapped = axes[k];
            axes[k] = axes[k - 1];
            axes[k - 1] = swapped;
        }
}

/* Spatial axes are those that follow the input's where each follows one of its own; else, as in
 * every layer with channels first, all after the second. */
static output_axes find_output_axes(const rf_analysis_owner *owner, const rf_value *value,
                                    const rf_value_field *field)
{
    const rf_input_axes *input = &owner->fields.inputs[field->input];
    int32_t rank = value->shape.rank;
    output_axes axes = {.spatial_count = 0, .channel = rank > 1 ? 1 : -1};
    uint32_t used = 0;
    bool own = rank > 2 && input->count == rank - 2;
    for (int32_t k = 0; k < input->count && own; k++) {
        int32_t axis = field->axes[k].axis;
        own = axis > 0 && !(used >> axis & 1);
        if (own) {
            used |= 1u << axis;
            axes.spatial[axes.spatial_count++] = axis;
        }
    }
    if (own) {
        sort_axes(axes.spatial, axes.spatial_count);
        for (axes.channel = 1; used >> axes.channel & 1;)
            axes.channel++;
        return axes;
    }
    axes.spatial_count = 0;
    for (int32_t axis = 2; axis < rank && axes.spatial_count < RF_MAX_SPATIAL; axis++)
        axes.spatial[axes.spatial_count++] = axis;
    return axes;
}

static rf_status check_index(int64_t index, int64_t extent, const char *what, rf_error *error)
{
    if (index >= 0 && index < extent)
        return RF_OK;
    return rf_fail(error, RF_ERROR_ARGUMENT, what, "%s %lld is outside 0..%lld", what, (long long)index,
                   (long long)extent - 1);
}

/* Which elements of the output are asked about: one range an axis. */
static rf_status select_elements(const rf_field_query *query, const rf_value *value, const output_axes *axes,
                                 rf_range *at, rf_error *error)
{
    for (int32_t axis = 0; axis < value->shape.rank; axis++)
        at[axis] = (rf_range){0, axis == 0 ? 0 : value->shape.dims[axis] - 1};
    if (value->shape.rank > 0 && value->shape.dims[0] == 0)
        at[0].last = -1;
    if (query->at_count != (size_t)axes->spatial_count || (query->at_count && !query->at))
        return rf_fail(error, RF_ERROR_ARGUMENT, "at", "%zu indices are given for %d spatial axes of output %s",
                       query->at_count, (int)axes->spatial_count, rf_shape_print(&value->shape).text);
    for (int32_t k = 0; k < axes->spatial_count; k++) {
        RF_TRY(check_index(query->at[k], value->shape.dims[axes->spatial[k]], "position", error));
        at[axes->spatial[k]] = (rf_range){query->at[k], query->at[k]};
    }
    if (query->channel == -1)
        return RF_OK;
    if (axes->channel < 0)
        return rf_fail(error, RF_ERROR_ARGUMENT, "channel", "the output %s has no channel axis",
                       rf_shape_print(&value->shape).text);
    RF_TRY(check_index(query->channel, value->shape.dims[axes->channel], "channel", error));
    at[axes->channel] = (rf_range){query->channel, query->channel};
    return RF_OK;
}

/* A query with its names resolved. */
typedef struct question {
    const rf_analysis_owner *owner;
    const rf_value *input;
    const rf_input_axes *input_axes;
    uint32_t output;
    output_axes axes;
    rf_range at[RF_MAX_RANK];
} question;

static rf_status find(const rf_analysis *analysis, const rf_field_query *query, question *q, const rf_value **output,
                      rf_error *error)
{
    if (!analysis || !query)
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL, "analysis and query must not be NULL");
    const rf_analysis_owner *owner = rf_analysis_owner_of(analysis);
    if (query->layer >= analysis->layer_count)
        return rf_fail(error, RF_ERROR_ARGUMENT, "layer", "layer %zu does not exist: there are %zu",
                       query->layer, analysis->layer_count);
    const rf_node *node = &owner->graph->nodes[query->layer];
    const rf_value *value = query->output < node->output_count ? node->outputs[query->output] : NULL;
    if (!value)
        return rf_fail(error, RF_ERROR_ARGUMENT, node->name, "layer '%.100s' has no output %zu", node->name,
                       query->output);
    if (query->input >= analysis->input_count)
        return rf_fail(error, RF_ERROR_ARGUMENT, "input", "input %zu does not exist: there are %zu",
                       query->input, analysis->input_count);
    const rf_value_field *field = find_field(owner, value, query->input);
    if (!field)
        return rf_fail(error, RF_ERROR_NOT_FOUND, node->name, "layer '%.100s' does not depend on input '%.100s'",
                       node->name, analysis->inputs[query->input].name);
    q->owner = owner;
    q->input = &owner->graph->values[query->input];
    q->input_axes = &owner->fields.inputs[query->input];
    q->output = (uint32_t)query->output;
    q->axes = find_output_axes(owner, value, field);
    *output = value;
    return RF_OK;
}

static rf_status resolve(const rf_analysis *analysis, const rf_field_query *query, question *q, rf_error *error)
{
    const rf_value *output;
    RF_TRY(find(analysis, query, q, &output, error));
    return select_elements(query, output, &q->axes, q->at, error);
}

rf_status rf_field_middle(const rf_analysis *analysis, const rf_field_query *query, int64_t at[RF_MAX_SPATIAL],
                          size_t *at_count, rf_error *error)
{
    question q;
    const rf_value *output;
    RF_TRY(find(analysis, query, &q, &output, error));
    *at_count = (size_t)q.axes.spatial_count;
    for (size_t k = 0; k < *at_count; k++)
        at[k] = output->shape.dims[q.axes.spatial[k]] / 2;
    return RF_OK;
}

rf_status rf_field_select(const rf_analysis *analysis, const rf_field_query *query, rf_range at[RF_MAX_RANK],
                          const rf_input_axes **input, rf_error *error)
{
    question q;
    RF_TRY(resolve(analysis, query, &q, error));
    memcpy(at, q.at, sizeof q.at);
    *input = q.input_axes;
    return RF_OK;
}

static rf_status explain(rf_status status, rf_error *error)
{
    if (status == RF_ERROR_MEMORY)
        return rf_fail(error, status, NULL, "no memory for the receptive field, or limits.memory_bytes reached");
    if (status == RF_ERROR_LIMIT)
        return rf_fail(error, status, NULL, "the receptive field has too many separate parts, or limits.memory_bytes is reached");
    if (status == RF_ERROR_OVERFLOW)
        return rf_fail(error, status, NULL, "the receptive field reaches further than 2^31 positions");
    return status;
}

static rf_range hull_of(const rf_index_set *set)
{
    return set->count ? (rf_range){set->at[0].first, set->at[set->count - 1].last} : (rf_range){0, -1};
}

static rf_status ask_unclipped(const question *q, size_t layer, rf_field_at_result *result)
{
    rf_arena memory;
    rf_backtrack backtrack;
    rf_arena_init(&memory, &q->owner->graph->arena.allocator, q->owner->graph->limits.memory_bytes);
    rf_status status = rf_backtrack_init(&backtrack, q->owner->graph, &memory, most_steps);
    if (status == RF_OK)
        status = rf_backtrack_from(&backtrack, layer, q->output, q->at);
    const rf_index_set *sets = status == RF_OK ? backtrack.sets[q->input - q->owner->graph->values] : NULL;
    for (int32_t k = 0; k < q->input_axes->count; k++) {
        int64_t extent = q->input->shape.dims[q->input_axes->at[k]];
        result->axes[k] = sets ? hull_of(&sets[q->input_axes->at[k]]) : (rf_range){0, -1};
        result->clipped[k] = (rf_range){rf_max(result->axes[k].first, 0), rf_min(result->axes[k].last, extent - 1)};
        if (result->clipped[k].first > result->clipped[k].last)
            result->clipped[k] = (rf_range){0, -1};
    }
    rf_backtrack_release(&backtrack);
    rf_arena_release(&memory);
    return status;
}

/* The box without the rows, columns ... at its sides in which nothing counts. */
static void shrink(const double *paths, const rf_range *box, int32_t count, rf_range *exact, uint64_t *support)
{
    int64_t index[RF_MAX_SPATIAL + 1];
    size_t total = 1;
    for (int32_t k = 0; k < count; k++) {
        total *= (size_t)(box[k].last - box[k].first + 1);
        index[k] = box[k].first;
        exact[k] = (rf_range){box[k].last, box[k].first - 1};
    }
    *support = 0;
    for (size_t at = 0; at < total; at++) {
        if (paths[at] != 0) {
            ++*support;
            for (int32_t k = 0; k < count; k++)
                exact[k] = (rf_range){rf_min(exact[k].first, index[k]), rf_max(exact[k].last, index[k])};
        }
        for (int32_t k = count; k-- > 0;) {
            if (++index[k] <= box[k].last)
                break;
            index[k] = box[k].first;
        }
    }
    for (int32_t k = 0; k < count; k++)
        if (!*support)
            exact[k] = (rf_range){0, -1};
}

static rf_status project_channels(const question *q, const rf_path_map *map, rf_arena *arena, rf_range *channels)
{
    double *paths;
    uint64_t support;
    int32_t axis = q->input_axes->channel;
    *channels = (rf_range){0, 0};
    if (axis < 0)
        return RF_OK;
    RF_TRY(rf_path_map_project(map, &axis, 1, arena, &paths));
    shrink(paths, &map->box[axis], 1, channels, &support);
    return RF_OK;
}

/* Path counts over the input's spatial axes; *box is left empty where nothing is read. */
static rf_status count_paths(const question *q, size_t layer, rf_arena *arena, const rf_path_map **map,
                             rf_range *box, double **paths)
{
    rf_path_map **maps;
    RF_TRY(rf_paths_make(q->owner->graph, layer, q->output, q->at, arena, &maps));
    *map = maps[q->input - q->owner->graph->values];
    if (!*map)
        return RF_OK;
    for (int32_t k = 0; k < q->input_axes->count; k++)
        box[k] = (*map)->box[q->input_axes->at[k]];
    return rf_path_map_project(*map, q->input_axes->at, q->input_axes->count, arena, paths);
}

static rf_status ask_exact(const question *q, size_t layer, rf_field_at_result *result)
{
    rf_arena arena;
    rf_range box[RF_MAX_SPATIAL];
    const rf_path_map *map = NULL;
    double *paths;
    rf_arena_init(&arena, &q->owner->graph->arena.allocator, q->owner->graph->limits.memory_bytes);
    result->channels = (rf_range){0, -1};
    for (int32_t k = 0; k < q->input_axes->count; k++)
        result->exact[k] = (rf_range){0, -1};
    rf_status status = count_paths(q, layer, &arena, &map, box, &paths);
    if (status == RF_OK && map) {
        shrink(paths, box, q->input_axes->count, result->exact, &result->support);
        status = project_channels(q, map, &arena, &result->channels);
    }
    rf_arena_release(&arena);
    return status;
}

rf_status rf_field_at(const rf_analysis *analysis, const rf_field_query *query, rf_field_at_result *result,
                      rf_error *error)
{
    question q;
    if (!result)
        return rf_fail(error, RF_ERROR_ARGUMENT, "result", "result must not be NULL");
    RF_TRY(resolve(analysis, query, &q, error));
    *result = (rf_field_at_result){.axis_count = q.input_axes->count};
    rf_status status = ask_unclipped(&q, query->layer, result);
    if (status == RF_OK)
        status = ask_exact(&q, query->layer, result);
    return explain(status, error);
}

/* ---- Maps -------------------------------------------------------------------------------------- */

typedef struct map_owner {
    rf_field_map map; /* must stay first */
    rf_arena arena;
} map_owner;

static rf_status fill_map(const question *q, size_t layer, map_owner *owner)
{
    const rf_path_map *map = NULL;
    double *paths;
    RF_TRY(count_paths(q, layer, &owner->arena, &map, owner->map.axes, &paths));
    owner->map.axis_count = q->input_axes->count;
    for (int32_t k = 0; k < q->input_axes->count && !map; k++)
        owner->map.axes[k] = (rf_range){0, -1};
    if (!map)
        return RF_OK;
    rf_range exact[RF_MAX_SPATIAL];
    uint64_t support;
    shrink(paths, owner->map.axes, q->input_axes->count, exact, &support);
    size_t rows = 1, from[RF_MAX_SPATIAL + 1] = {0}, to = 0;
    for (int32_t k = 0; k < q->input_axes->count; k++)
        rows *= (size_t)(exact[k].last - exact[k].first + 1);
    double *kept = RF_TAKE(&owner->arena, double, rows);
    if (!kept)
        return RF_ERROR_MEMORY;
    for (to = 0; to < rows; to++) {
        size_t at = 0;
        for (int32_t k = 0; k < q->input_axes->count; k++)
            at = at * (size_t)(owner->map.axes[k].last - owner->map.axes[k].first + 1)
                + (size_t)(exact[k].first - owner->map.axes[k].first) + from[k];
        kept[to] = paths[at];
        for (int32_t k = q->input_axes->count; k-- > 0;) {
            if (++from[k] <= (size_t)(exact[k].last - exact[k].first))
                break;
            from[k] = 0;
        }
    }
    for (int32_t k = 0; k < q->input_axes->count; k++)
        owner->map.axes[k] = exact[k];
    owner->map.count = rows;
    owner->map.paths = kept;
    return RF_OK;
}

void rf_field_map_free(const rf_field_map *map)
{
    if (!map)
        return;
    rf_arena arena = ((const map_owner *)(const void *)map)->arena;
    rf_arena_release(&arena);
}

rf_status rf_field_map_make(const rf_analysis *analysis, const rf_field_query *query,
                            const rf_field_map **map, rf_error *error)
{
    question q;
    if (!map)
        return rf_fail(error, RF_ERROR_ARGUMENT, "map", "map must not be NULL");
    *map = NULL;
    RF_TRY(resolve(analysis, query, &q, error));
    rf_arena arena;
    rf_arena_init(&arena, &q.owner->graph->arena.allocator, q.owner->graph->limits.memory_bytes);
    map_owner *owner = RF_TAKE(&arena, map_owner, 1);
    if (!owner)
        return rf_arena_fail(&arena, error, "a map of paths");
    owner->arena = arena;
    rf_status status = fill_map(&q, query->layer, owner);
    if (status == RF_OK)
        *map = &owner->map;
    else
        rf_field_map_free(&owner->map);
    return explain(status, error);
}

/* SPDX-License-Identifier: MIT */
#include "field_lines.h"

#include <inttypes.h>
#include <string.h>

#include "report/number_text.h"
#include "report/report_parts.h"

const char *field_axis_name(int32_t axis, int32_t axis_count)
{
    static const char *const names[] = {"depth", "rows", "columns"};
    return names[RF_MAX_SPATIAL - axis_count + axis];
}

void field_put_label(rf_text *text, const char *label)
{
    rf_text_cell(text, label, 10, false);
}

static void put_indices(rf_text *text, const rf_field_query *query)
{
    for (size_t i = 0; i < query->at_count; i++)
        rf_text_format(text, "%s%" PRId64, i ? "," : " at ", query->at[i]);
    if (query->channel >= 0)
        rf_text_format(text, ", channel %" PRId64, query->channel);
}

void field_put_question(rf_text *text, const field_answer *answer)
{
    const rf_analysis *analysis = answer->model->analysis;
    const rf_layer_analysis *layer = &analysis->layers[answer->query.layer];
    const rf_tensor *output = &layer->outputs[answer->query.output];
    const rf_tensor *input = &analysis->inputs[answer->query.input];
    field_put_label(text, "layer");
    rf_text_name(text, layer->name, NULL);
    rf_text_str(text, " (");
    rf_text_name(text, layer->type, NULL);
    rf_text_format(text, "), output %s", rf_extents_of(&output->shape).text);
    put_indices(text, &answer->query);
    rf_text_str(text, "\n");
    field_put_label(text, "input");
    rf_text_name(text, input->name, NULL);
    rf_text_format(text, " %s\n", rf_extents_of(&input->shape).text);
}

void field_put_range(rf_text *text, const rf_range *range)
{
    if (range->last < range->first)
        rf_text_str(text, "nothing");
    else
        rf_text_format(text, "%" PRId64 " .. %" PRId64, range->first, range->last);
}

static bool same_range(const rf_range *a, const rf_range *b)
{
    return a->first == b->first && a->last == b->last;
}

static void put_axis(rf_text *text, const rf_field_at_result *result, int32_t axis)
{
    const rf_range *whole = &result->axes[axis], *clipped = &result->clipped[axis];
    const rf_range *exact = &result->exact[axis];
    field_put_label(text, field_axis_name(axis, result->axis_count));
    field_put_range(text, whole);
    if (!same_range(whole, clipped)) {
        rf_text_str(text, ", within the input ");
        field_put_range(text, clipped);
    }
    if (!same_range(clipped, exact)) {
        rf_text_str(text, ", seen ");
        field_put_range(text, exact);
    }
    rf_text_str(text, "\n");
}

static size_t widest_count(const rf_field_map *map)
{
    size_t widest = 1;
    for (size_t i = 0; i < map->count; i++) {
        int bytes = snprintf(NULL, 0, "%.0f", map->paths[i]);
        if (bytes > 0 && (size_t)bytes > widest)
            widest = (size_t)bytes;
    }
    return widest;
}

/* One line a row of the map, a blank line between planes. */
static void put_map(rf_text *text, const rf_field_map *map)
{
    const rf_range *columns = &map->axes[map->axis_count ? map->axis_count - 1 : 0];
    size_t row = map->axis_count && map->count ? (size_t)(columns->last - columns->first + 1) : 1;
    size_t plane = row;
    if (map->axis_count == 3 && map->count)
        plane = row * (size_t)(map->axes[1].last - map->axes[1].first + 1);
    int width = (int)widest_count(map);
    rf_text_str(text, "paths from each position seen\n");
    for (size_t i = 0; i < map->count; i++) {
        if (map->axis_count == 3 && i && i % plane == 0)
            rf_text_str(text, "\n");
        rf_text_format(text, "%s%*.0f", i % row ? " " : "", width, map->paths[i]);
        if ((i + 1) % row == 0)
            rf_text_str(text, "\n");
    }
}

int print_field_text(const field_answer *answer, output_file *output)
{
    const rf_field_at_result *result = &answer->result;
    rf_text text;
    rf_text_init(&text, output_write, output);
    field_put_question(&text, answer);
    field_put_label(&text, "channels");
    field_put_range(&text, &result->channels);
    rf_text_str(&text, "\n");
    for (int32_t i = 0; i < result->axis_count; i++)
        put_axis(&text, result, i);
    field_put_label(&text, "support");
    rf_text_format(&text, "%s positions\n", rf_number_grouped(result->support).text);
    if (answer->map)
        put_map(&text, answer->map);
    rf_text_finish(&text);
    return DONE;
}

/* SPDX-License-Identifier: MIT */
#include "report/report_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIND(key_, label_, rare_) {#key_, label_, offsetof(rf_counts, key_), rare_}
const rf_count_kind rf_count_kinds[RF_COUNT_KINDS] = {
    KIND(multiplications, "Multiplications", false),
    KIND(additions, "Additions", false),
    KIND(activations, "Activations", false),
    KIND(comparisons, "Comparisons", false),
    KIND(divisions, "Divisions", false),
    KIND(macs, "Multiply-accumulates", false),
    KIND(exponentials, "Exponentials", true),
    KIND(square_roots, "Square roots", true),
};
#undef KIND

uint64_t rf_count_of(const rf_counts *counts, const rf_count_kind *kind)
{
    uint64_t count;
    memcpy(&count, (const char *)counts + kind->offset, sizeof count);
    return count;
}

double rf_layer_intensity(const rf_layer_analysis *layer)
{
    const rf_counts *c = &layer->dense;
    if (layer->moved_bytes == 0)
        return 0;
    double operations = (double)c->multiplications + (double)c->additions + (double)c->activations
                        + (double)c->comparisons + (double)c->divisions + (double)c->exponentials
                        + (double)c->square_roots;
    return operations / (double)layer->moved_bytes;
}

rf_extents rf_extents_of(const rf_shape *shape)
{
    rf_extents out = {"scalar"};
    size_t at = 0;
    for (int32_t i = 0; i < shape->rank && i < RF_MAX_RANK; i++)
        at += (size_t)snprintf(out.text + at, sizeof out.text - at, "%s%" PRId64, i ? "x" : "",
                               shape->dims[i]);
    return out;
}

rf_extents rf_output_extents(const rf_layer_analysis *layer)
{
    if (layer->output_count == 0)
        return (rf_extents){"-"};
    return rf_extents_of(&layer->outputs[0].shape);
}

/* One axis in short. */
typedef struct axis_text {
    char text[48];
} axis_text;

static axis_text size_text(const rf_field_axis *axis)
{
    axis_text out = {"all"};
    if (axis->kind == RF_AXIS_AFFINE)
        snprintf(out.text, sizeof out.text, "%" PRId64, axis->size);
    else if (axis->kind == RF_AXIS_INTERVAL && axis->size_min == axis->size_max)
        snprintf(out.text, sizeof out.text, "%" PRId64, axis->size_max);
    else if (axis->kind == RF_AXIS_INTERVAL)
        snprintf(out.text, sizeof out.text, "%" PRId64 "-%" PRId64, axis->size_min, axis->size_max);
    return out;
}

static axis_text stride_text(const rf_field_axis *axis)
{
    axis_text out = {"-"};
    if (axis->kind == RF_AXIS_AFFINE)
        snprintf(out.text, sizeof out.text, "%" PRId64, axis->stride);
    return out;
}

/* Appends the axes' texts, once where they are all the same, else with an x between. */
static void append_axes(rf_field_text *out, const rf_field *field,
                        axis_text (*text_of)(const rf_field_axis *))
{
    axis_text first = text_of(&field->axes[0]);
    bool same = true;
    for (int32_t i = 1; i < field->axis_count; i++)
        same = same && strcmp(first.text, text_of(&field->axes[i]).text) == 0;
    for (int32_t i = 0; i < (same ? 1 : field->axis_count); i++) {
        size_t used = strlen(out->text);
        snprintf(out->text + used, sizeof out->text - used, "%s%s", i ? "x" : "",
                 text_of(&field->axes[i]).text);
    }
}

static int32_t axes_of_kind(const rf_field *field, rf_axis_kind kind)
{
    int32_t count = 0;
    for (int32_t i = 0; i < field->axis_count; i++)
        count += field->axes[i].kind == kind;
    return count;
}

rf_field_text rf_field_text_of(const rf_layer_analysis *layer)
{
    rf_field_text out = {"-"};
    if (layer->field_count == 0)
        return out;
    const rf_field *field = layer->fields;
    if (axes_of_kind(field, RF_AXIS_WHOLE) == field->axis_count) {
        strcpy(out.text, "whole");
    } else {
        out.text[0] = 0;
        append_axes(&out, field, size_text);
    }
    if (axes_of_kind(field, RF_AXIS_AFFINE)) {
        strcat(out.text, " /");
        append_axes(&out, field, stride_text);
    }
    size_t used = strlen(out.text);
    if (layer->field_count > 1)
        snprintf(out.text + used, sizeof out.text - used, "%s +%zu", field->aligned ? "" : " *",
                 layer->field_count - 1);
    else if (!field->aligned)
        strcat(out.text, " *");
    return out;
}

const char *rf_name_or_empty(const char *name)
{
    return name ? name : "";
}

rf_status rf_report_convention(const rf_report_job *job, size_t layer, uint64_t *count)
{
    return rf_convention_count(job->analysis, job->convention->name, layer, count, job->error);
}

size_t rf_folded_layers(const rf_analysis *analysis)
{
    size_t folded = 0;
    for (size_t i = 0; i < analysis->layer_count; i++)
        folded += analysis->layers[i].folded;
    return folded;
}

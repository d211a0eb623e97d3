/* SPDX-License-Identifier: MIT */
/*
 * RFC 4180: CRLF after every line, the header included, and every text quoted.
 *
 * Texts from the network that a spreadsheet would take for a formula (they
 * begin with = + - or @) get an apostrophe in front; docs/cli.md says so.
 */
#include "report/report_parts.h"

#include <inttypes.h>
#include <string.h>

static const char *const axis_names[RF_MAX_SPATIAL] = {"depth", "rows", "columns"};

static void escape_quote(rf_text *text, char c, char before)
{
    (void)before;
    rf_text_put(text, "\"\"", c == '"' ? 2 : 0);
    if (c != '"')
        rf_text_put(text, &c, 1);
}

static void put_quoted(rf_text *text, const char *name)
{
    name = rf_name_or_empty(name);
    rf_text_str(text, *name && strchr("=+-@", *name) ? "\"'" : "\"");
    rf_text_name(text, name, escape_quote);
    rf_text_str(text, "\"");
}

/* Names in one cell, a space between: tensor names seldom hold spaces, and JSON has them apart. */
static void put_inputs(rf_text *text, const rf_layer_analysis *layer)
{
    const char *first = layer->input_count ? rf_name_or_empty(layer->inputs[0]) : "";
    rf_text_str(text, *first && strchr("=+-@", *first) ? "\"'" : "\"");
    for (size_t i = 0; i < layer->input_count; i++) {
        rf_text_str(text, i ? " " : "");
        rf_text_name(text, rf_name_or_empty(layer->inputs[i]), escape_quote);
    }
    rf_text_str(text, "\"");
}

static void put_header(rf_report_job *job)
{
    rf_text *text = &job->text;
    rf_text_str(text, "name,operator,inputs,output,shape,parameters,statistics");
    for (size_t i = 0; i < RF_COUNT_KINDS; i++)
        rf_text_format(text, ",%s", rf_count_kinds[i].key);
    for (size_t i = 0; i < RF_COUNT_KINDS; i++)
        rf_text_format(text, ",valid_%s", rf_count_kinds[i].key);
    rf_text_str(text, ",weight_bytes,activation_bytes,moved_bytes,folded,uncounted,unproductive"
                      ",field_input,field_aligned");
    for (size_t i = 0; i < RF_MAX_SPATIAL; i++)
        rf_text_format(text, ",%s_kind,%s_stride,%s_u0,%s_v0,%s_size", axis_names[i], axis_names[i],
                       axis_names[i], axis_names[i], axis_names[i]);
    if (job->convention) {
        rf_text_str(text, ",");
        put_quoted(text, job->convention->name);
    }
    rf_text_str(text, "\r\n");
}

static void put_counts(rf_text *text, const rf_counts *counts)
{
    for (size_t i = 0; i < RF_COUNT_KINDS; i++)
        rf_text_format(text, ",%" PRIu64, rf_count_of(counts, &rf_count_kinds[i]));
}

static void put_axis(rf_text *text, const rf_field_axis *axis)
{
    switch (axis->kind) {
    case RF_AXIS_AFFINE:
        rf_text_format(text, ",affine,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, axis->stride,
                       axis->u0, axis->v0, axis->size);
        break;
    case RF_AXIS_INTERVAL:
        rf_text_format(text, ",interval,,%" PRId64 ",%" PRId64 ",%" PRId64, axis->u0, axis->v0,
                       axis->size_max);
        break;
    case RF_AXIS_WHOLE:
        rf_text_format(text, ",whole,,%" PRId64 ",%" PRId64 ",%" PRId64, axis->u0, axis->v0,
                       axis->size);
        break;
    }
}

/* The first field; JSON has them all. One axis is columns, two are rows and columns. */
static void put_field(rf_text *text, const rf_analysis *analysis, const rf_layer_analysis *layer)
{
    const rf_field *field = layer->field_count ? layer->fields : NULL;
    int32_t axes = field ? field->axis_count : 0;
    rf_text_str(text, ",");
    if (field)
        put_quoted(text, analysis->inputs[field->input].name);
    rf_text_str(text, !field ? "," : field->aligned ? ",true" : ",false");
    for (int32_t i = 0; i < RF_MAX_SPATIAL - axes; i++)
        rf_text_str(text, ",,,,,");
    for (int32_t i = 0; i < axes; i++)
        put_axis(text, &field->axes[i]);
}

static void put_flag(rf_text *text, bool flag)
{
    rf_text_str(text, flag ? ",true" : ",false");
}

static void put_identity(rf_text *text, const rf_layer_analysis *layer)
{
    put_quoted(text, layer->name);
    rf_text_str(text, ",");
    put_quoted(text, layer->type);
    rf_text_str(text, ",");
    put_inputs(text, layer);
    rf_text_str(text, ",");
    put_quoted(text, layer->output_count ? layer->outputs[0].name : "");
    rf_text_format(text, ",%s", layer->output_count ? rf_output_extents(layer).text : "");
}

static rf_status put_layer(rf_report_job *job, size_t i)
{
    const rf_layer_analysis *layer = &job->analysis->layers[i];
    rf_text *text = &job->text;
    put_identity(text, layer);
    rf_text_format(text, ",%" PRIu64 ",%" PRIu64, layer->parameters, layer->statistics);
    put_counts(text, &layer->dense);
    put_counts(text, &layer->valid);
    rf_text_format(text, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, layer->weight_bytes,
                   layer->activation_bytes, layer->moved_bytes);
    put_flag(text, layer->folded);
    put_flag(text, layer->uncounted);
    put_flag(text, layer->unproductive);
    put_field(text, job->analysis, layer);
    if (job->convention) {
        uint64_t count = 0;
        RF_TRY(rf_report_convention(job, i, &count));
        rf_text_format(text, ",%" PRIu64, count);
    }
    rf_text_str(text, "\r\n");
    return RF_OK;
}

rf_status rf_report_csv(rf_report_job *job)
{
    put_header(job);
    for (size_t i = 0; i < job->analysis->layer_count; i++)
        RF_TRY(put_layer(job, i));
    return RF_OK;
}

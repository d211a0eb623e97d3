/* SPDX-License-Identifier: MIT */
/* The report for a terminal of 100 columns. */
#include "report/report_parts.h"

#include <inttypes.h>
#include <string.h>

#include "report/number_text.h"

enum { PAGE = 100, GAP = 2, NUMBER = 7, LABEL = 22, GROUPED = 26 };

/* Widths of the columns. */
typedef struct layout {
    size_t layer, operator_, output, field, number, last;
} layout;

static void widen(size_t *width, size_t wanted, size_t limit)
{
    if (wanted > limit)
        wanted = limit;
    if (wanted > *width)
        *width = wanted;
}

/* Operators, shapes and fields take what they need up to a limit; names take the rest. */
static layout lay_out(const rf_report_job *job)
{
    layout widths = {.layer = 5, .operator_ = 8, .output = 6, .field = 5, .number = NUMBER,
                     .last = NUMBER};
    size_t names = 0;
    if (job->convention)
        widen(&widths.last, strlen(job->convention->name), 12);
    for (size_t i = 0; i < job->analysis->layer_count; i++) {
        const rf_layer_analysis *layer = &job->analysis->layers[i];
        widen(&names, rf_visible_columns(rf_name_or_empty(layer->name)), PAGE);
        widen(&widths.operator_, rf_visible_columns(rf_name_or_empty(layer->type)), 18);
        widen(&widths.output, strlen(rf_output_extents(layer).text), 18);
        widen(&widths.field, strlen(rf_field_text_of(layer).text), 14);
    }
    size_t others = widths.operator_ + widths.output + widths.field + 2 * widths.number
                    + widths.last + 6 * GAP;
    widen(&widths.layer, names, PAGE - others);
    return widths;
}

static void put_row(rf_text *text, const layout *widths, const char *const cells[7])
{
    const size_t width[] = {widths->layer, widths->operator_, widths->output, widths->field,
                            widths->number, widths->number, widths->last};
    for (size_t i = 0; i < 7; i++) {
        rf_text_repeat(text, ' ', i ? GAP : 0);
        rf_text_cell(text, cells[i], width[i], i >= 4);
    }
    rf_text_str(text, "\n");
}

static rf_status put_layer(rf_report_job *job, const layout *widths, size_t i)
{
    const rf_layer_analysis *layer = &job->analysis->layers[i];
    uint64_t last = layer->dense.additions;
    if (job->convention)
        RF_TRY(rf_report_convention(job, i, &last));
    rf_extents output = rf_output_extents(layer);
    rf_field_text field = rf_field_text_of(layer);
    rf_number parameters = rf_number_si(layer->parameters);
    rf_number macs = rf_number_si(layer->dense.macs);
    rf_number additions = rf_number_si(last);
    bool unknown = layer->uncounted;
    const char *cells[7] = {rf_name_or_empty(layer->name), rf_name_or_empty(layer->type),
                            output.text, layer->folded ? "constant" : field.text,
                            parameters.text, unknown ? "?" : macs.text,
                            unknown ? "?" : additions.text};
    put_row(&job->text, widths, cells);
    return RF_OK;
}

static rf_status put_layers(rf_report_job *job)
{
    layout widths = lay_out(job);
    const char *titles[7] = {"Layer", "Operator", "Output", "Field", "Params", "MACs", "Adds"};
    size_t total = widths.layer + widths.operator_ + widths.output + widths.field
                   + 2 * widths.number + widths.last + 6 * GAP;
    if (job->convention)
        titles[6] = job->convention->name;
    put_row(&job->text, &widths, titles);
    rf_text_repeat(&job->text, '-', total);
    rf_text_str(&job->text, "\n");
    for (size_t i = 0; i < job->analysis->layer_count; i++)
        RF_TRY(put_layer(job, &widths, i));
    rf_text_str(&job->text, "\n");
    return RF_OK;
}

static void put_label(rf_text *text, const char *label)
{
    rf_text_cell(text, label, LABEL, false);
}

static void put_tensors(rf_text *text, const char *label, const rf_tensor *tensors, size_t count)
{
    put_label(text, label);
    for (size_t i = 0; i < count; i++) {
        const char *name = rf_name_or_empty(tensors[i].name);
        size_t columns = rf_visible_columns(name);
        rf_text_str(text, i ? ", " : "");
        rf_text_cell(text, name, columns < 40 ? columns : 40, false);
        rf_text_format(text, " %s", rf_extents_of(&tensors[i].shape).text);
    }
    rf_text_str(text, "\n");
}

static void put_heading(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    const char *name = rf_name_or_empty(a->name);
    rf_text *text = &job->text;
    if (*name) {
        size_t columns = rf_visible_columns(name);
        put_label(text, "Network");
        rf_text_cell(text, name, columns < PAGE - LABEL ? columns : PAGE - LABEL, false);
        rf_text_str(text, "\n");
    }
    put_tensors(text, "Inputs", a->inputs, a->input_count);
    put_tensors(text, "Outputs", a->outputs, a->output_count);
    put_label(text, "Layers");
    rf_text_format(text, "%zu", a->layer_count);
    if (rf_folded_layers(a))
        rf_text_format(text, ", of them %zu computed from constants", rf_folded_layers(a));
    rf_text_str(text, "\n\n");
}

/* A number exactly and in short. */
static void put_both(rf_text *text, uint64_t count)
{
    rf_text_cell(text, rf_number_grouped(count).text, GROUPED, true);
    if (count < 1000)
        return;
    rf_text_repeat(text, ' ', GAP);
    rf_text_cell(text, rf_number_si(count).text, NUMBER, true);
}

static void put_count(rf_text *text, const char *label, uint64_t count)
{
    put_label(text, label);
    put_both(text, count);
    rf_text_str(text, "\n");
}

/* Dense and, where it differs, valid. */
static void put_operations(rf_report_job *job, const rf_count_kind *kind)
{
    uint64_t dense = rf_count_of(&job->analysis->dense, kind);
    uint64_t valid = rf_count_of(&job->analysis->valid, kind);
    if (kind->rare && dense == 0)
        return;
    put_label(&job->text, kind->label);
    put_both(&job->text, dense);
    if (valid < dense)
        rf_text_format(&job->text, "  %s on padding", rf_number_percent(dense - valid, dense).text);
    rf_text_str(&job->text, "\n");
}

static void put_bytes(rf_text *text, const char *label, uint64_t bytes)
{
    put_label(text, label);
    rf_text_cell(text, rf_number_bytes(bytes).text, GROUPED, true);
    rf_text_str(text, "\n");
}

static void put_convention(rf_report_job *job)
{
    if (!job->convention)
        return;
    rf_text_format(&job->text, "%s, as %s counts: %s\n", job->convention->quantity,
                   job->convention->name, rf_number_grouped(job->convention_total).text);
    rf_text_format(&job->text, "  (%s)\n", job->convention->rule);
}

static bool any_unaligned(const rf_analysis *analysis)
{
    for (size_t i = 0; i < analysis->layer_count; i++)
        if (analysis->layers[i].field_count && !analysis->layers[i].fields->aligned)
            return true;
    return false;
}

static void put_notes(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    rf_text *text = &job->text;
    if (a->border_layer < a->layer_count) {
        const char *name = rf_name_or_empty(a->layers[a->border_layer].name);
        size_t columns = rf_visible_columns(name);
        rf_text_str(text, "From ");
        rf_text_cell(text, name, columns < 40 ? columns : 40, false);
        rf_text_format(text, " on (%zu of %zu), layers already see the whole input.\n",
                       a->layer_count - a->border_layer, a->layer_count);
    }
    if (any_unaligned(a))
        rf_text_str(text, "* paths differ in stride or centre; the field is their union.\n");
    if (a->uncounted_count)
        rf_text_str(text, "Not counted, for want of a rule: ");
    for (size_t i = 0; i < a->uncounted_count; i++) {
        rf_text_str(text, i ? ", " : "");
        rf_text_name(text, rf_name_or_empty(a->uncounted[i]), NULL);
    }
    rf_text_str(text, a->uncounted_count ? "\n" : "");
}

static void put_totals(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    put_count(&job->text, "Parameters", a->parameters);
    if (a->statistics)
        put_count(&job->text, "  and statistics", a->statistics);
    for (size_t i = 0; i < RF_COUNT_KINDS; i++)
        put_operations(job, &rf_count_kinds[i]);
    put_bytes(&job->text, "Weights", a->weight_bytes);
    put_bytes(&job->text, "Activations, sum", a->activation_bytes);
    put_bytes(&job->text, "Activations, peak", a->peak_activation_bytes);
    put_convention(job);
    put_notes(job);
}

rf_status rf_report_table(rf_report_job *job)
{
    put_heading(job);
    RF_TRY(put_layers(job));
    put_totals(job);
    return RF_OK;
}

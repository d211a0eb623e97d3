/* SPDX-License-Identifier: MIT */
/* A page in GitHub's dialect of Markdown. */
#include "report/report_parts.h"

#include <string.h>

#include "report/number_text.h"

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (unsigned char)c >= 0x80;
}

/* An underscore within a word opens nothing and stays readable. */
static void escape_markdown(rf_text *text, char c, char before)
{
    if (c == '<')
        rf_text_str(text, "&lt;");
    else if (c == '>')
        rf_text_str(text, "&gt;");
    else if (c == '&')
        rf_text_str(text, "&amp;");
    else if (strchr("\\`*[]{}#!~$|", c) || (c == '_' && !is_word(before)))
        rf_text_format(text, "\\%c", c);
    else
        rf_text_put(text, &c, 1);
}

static void put_name(rf_text *text, const char *name)
{
    rf_text_name(text, rf_name_or_empty(name), escape_markdown);
}

static void put_tensors(rf_text *text, const char *label, const rf_tensor *tensors, size_t count)
{
    rf_text_format(text, "| %s | ", label);
    for (size_t i = 0; i < count; i++) {
        rf_text_str(text, i ? ", " : "");
        put_name(text, tensors[i].name);
        rf_text_format(text, " %s", rf_extents_of(&tensors[i].shape).text);
    }
    rf_text_str(text, " | |\n");
}

static void put_total(rf_text *text, const char *label, rf_number dense, rf_number valid)
{
    rf_text_format(text, "| %s | %s | %s |\n", label, dense.text, valid.text);
}

static void put_totals(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    const rf_number none = {""};
    rf_text *text = &job->text;
    rf_text_str(text, "| Total | | off padding |\n|:--|--:|--:|\n");
    put_tensors(text, "Inputs", a->inputs, a->input_count);
    put_tensors(text, "Outputs", a->outputs, a->output_count);
    put_total(text, "Parameters", rf_number_grouped(a->parameters), none);
    put_total(text, "Statistics", rf_number_grouped(a->statistics), none);
    for (size_t i = 0; i < RF_COUNT_KINDS; i++) {
        uint64_t dense = rf_count_of(&a->dense, &rf_count_kinds[i]);
        if (!rf_count_kinds[i].rare || dense)
            put_total(text, rf_count_kinds[i].label, rf_number_grouped(dense),
                      rf_number_grouped(rf_count_of(&a->valid, &rf_count_kinds[i])));
    }
    put_total(text, "Weights", rf_number_bytes(a->weight_bytes), none);
    put_total(text, "Activations, sum of bytes", rf_number_bytes(a->activation_bytes), none);
    put_total(text, "Activations, peak of bytes", rf_number_bytes(a->peak_activation_bytes), none);
    if (job->convention)
        rf_text_format(text, "| %s as %s counts | %s | |\n", job->convention->quantity,
                       job->convention->name, rf_number_grouped(job->convention_total).text);
}

static rf_status put_layer(rf_report_job *job, size_t i)
{
    const rf_layer_analysis *layer = &job->analysis->layers[i];
    rf_text *text = &job->text;
    rf_text_str(text, "| ");
    put_name(text, layer->name);
    rf_text_str(text, " | ");
    put_name(text, layer->type);
    rf_text_format(text, " | %s | ", rf_output_extents(layer).text);
    rf_text_name(text, layer->folded ? "constant" : rf_field_text_of(layer).text, escape_markdown);
    rf_text_format(text, " | %s | %s | %s |", rf_number_grouped(layer->parameters).text,
                   layer->uncounted ? "?" : rf_number_grouped(layer->dense.macs).text,
                   layer->uncounted ? "?" : rf_number_grouped(layer->dense.additions).text);
    if (job->convention) {
        uint64_t count = 0;
        RF_TRY(rf_report_convention(job, i, &count));
        rf_text_format(text, " %s |", rf_number_grouped(count).text);
    }
    rf_text_str(text, "\n");
    return RF_OK;
}

static void put_notes(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    rf_text *text = &job->text;
    if (a->border_layer < a->layer_count) {
        rf_text_str(text, "\nFrom ");
        put_name(text, a->layers[a->border_layer].name);
        rf_text_format(text, " on (%zu of %zu), layers already see the whole input.\n",
                       a->layer_count - a->border_layer, a->layer_count);
    }
    for (size_t i = 0; i < a->uncounted_count; i++) {
        rf_text_str(text, i ? ", " : "\nNot counted, for want of a rule: ");
        put_name(text, a->uncounted[i]);
    }
    rf_text_str(text, a->uncounted_count ? "\n" : "");
}

rf_status rf_report_markdown(rf_report_job *job)
{
    const char *name = rf_name_or_empty(job->analysis->name);
    rf_text *text = &job->text;
    rf_text_str(text, "# ");
    put_name(text, *name ? name : "Network");
    rf_text_str(text, "\n\n");
    put_totals(job);
    rf_text_str(text, "\n| Layer | Operator | Output | Field | Parameters | MACs | Additions |");
    if (job->convention)
        rf_text_format(text, " %s |", job->convention->name);
    rf_text_format(text, "\n|:--|:--|:--|:--|--:|--:|--:|%s\n", job->convention ? "--:|" : "");
    for (size_t i = 0; i < job->analysis->layer_count; i++)
        RF_TRY(put_layer(job, i));
    put_notes(job);
    return RF_OK;
}

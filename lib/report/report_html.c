/* SPDX-License-Identifier: MIT */
/* One page that links to nothing, in the reader's choice of light or dark. */
#include "report/report_parts.h"

#include "report/number_text.h"

static const char style[] =
    ":root{color-scheme:light dark;--line:#d0d4da;--soft:#5a6472;--bar:#cfe3ff;--head:#f4f6f8}\n"
    "@media(prefers-color-scheme:dark)"
    "{:root{--line:#3a414b;--soft:#a5afbc;--bar:#1f3f66;--head:#1d2127}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.1rem;margin-top:2rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}\n"
    "thead th{background:var(--head);white-space:nowrap}\n"
    ".n{text-align:right;white-space:nowrap}\n"
    ".name{overflow-wrap:anywhere;min-width:9rem}\n"
    ".share{background:linear-gradient(to left,var(--bar) var(--share),transparent 0)}\n"
    "p,.off{color:var(--soft)}\n";

static void escape_html(rf_text *text, char c, char before)
{
    (void)before;
    switch (c) {
    case '<': rf_text_str(text, "&lt;"); break;
    case '>': rf_text_str(text, "&gt;"); break;
    case '&': rf_text_str(text, "&amp;"); break;
    case '"': rf_text_str(text, "&quot;"); break;
    case '\'': rf_text_str(text, "&#39;"); break;
    default: rf_text_put(text, &c, 1); break;
    }
}

static void put_name(rf_text *text, const char *name)
{
    rf_text_name(text, rf_name_or_empty(name), escape_html);
}

static void put_head(rf_report_job *job)
{
    const char *name = rf_name_or_empty(job->analysis->name);
    rf_text *text = &job->text;
    name = *name ? name : "Network";
    rf_text_str(text, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    put_name(text, name);
    rf_text_str(text, " - rfield</title>\n<style>\n");
    rf_text_str(text, style);
    rf_text_str(text, "</style>\n</head>\n<body>\n<h1>");
    put_name(text, name);
    rf_text_str(text, "</h1>\n");
}

static void put_tensors(rf_text *text, const char *label, const rf_tensor *tensors, size_t count)
{
    rf_text_format(text, "<tr><th scope=\"row\">%s</th><td colspan=\"2\" class=\"name\">", label);
    for (size_t i = 0; i < count; i++) {
        rf_text_str(text, i ? "<br>" : "");
        put_name(text, tensors[i].name);
        rf_text_format(text, " %s", rf_extents_of(&tensors[i].shape).text);
    }
    rf_text_str(text, "</td></tr>\n");
}

static void put_total(rf_text *text, const char *label, rf_number total, const char *note)
{
    rf_text_format(text,
                   "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"off\">%s</td>"
                   "</tr>\n",
                   label, total.text, note);
}

static void put_operations(rf_report_job *job, const rf_count_kind *kind)
{
    uint64_t dense = rf_count_of(&job->analysis->dense, kind);
    uint64_t valid = rf_count_of(&job->analysis->valid, kind);
    if (kind->rare && dense == 0)
        return;
    rf_text_format(&job->text, "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td>"
                               "<td class=\"off\">",
                   kind->label, rf_number_grouped(dense).text);
    if (valid < dense)
        rf_text_format(&job->text, "%s on padding", rf_number_percent(dense - valid, dense).text);
    rf_text_str(&job->text, "</td></tr>\n");
}

static void put_convention(rf_report_job *job)
{
    if (!job->convention)
        return;
    rf_text_str(&job->text, "<tr><th scope=\"row\">");
    put_name(&job->text, job->convention->quantity);
    rf_text_str(&job->text, " as ");
    put_name(&job->text, job->convention->name);
    rf_text_format(&job->text, " counts</th><td class=\"n\">%s</td><td class=\"off\">",
                   rf_number_grouped(job->convention_total).text);
    put_name(&job->text, job->convention->rule);
    rf_text_str(&job->text, "</td></tr>\n");
}

static void put_totals(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    rf_text *text = &job->text;
    rf_text_str(text, "<div class=\"wide\"><table>\n<tbody>\n");
    put_tensors(text, "Inputs", a->inputs, a->input_count);
    put_tensors(text, "Outputs", a->outputs, a->output_count);
    put_total(text, "Parameters", rf_number_grouped(a->parameters), "");
    if (a->statistics)
        put_total(text, "Statistics", rf_number_grouped(a->statistics), "of batch normalisation");
    for (size_t i = 0; i < RF_COUNT_KINDS; i++)
        put_operations(job, &rf_count_kinds[i]);
    put_total(text, "Weights", rf_number_bytes(a->weight_bytes), "");
    put_total(text, "Activations", rf_number_bytes(a->peak_activation_bytes), "at the peak");
    put_total(text, "", rf_number_bytes(a->activation_bytes), "all layers together");
    put_convention(job);
    rf_text_str(text, "</tbody>\n</table></div>\n");
}

static void put_notes(rf_report_job *job)
{
    const rf_analysis *a = job->analysis;
    rf_text *text = &job->text;
    if (a->border_layer < a->layer_count) {
        rf_text_str(text, "<p>From <b>");
        put_name(text, a->layers[a->border_layer].name);
        rf_text_format(text, "</b> on (%zu of %zu), layers already see the whole input.</p>\n",
                       a->layer_count - a->border_layer, a->layer_count);
    }
    for (size_t i = 0; i < a->uncounted_count; i++) {
        rf_text_str(text, i ? ", " : "<p>Not counted, for want of a rule: ");
        put_name(text, a->uncounted[i]);
    }
    rf_text_str(text, a->uncounted_count ? "</p>\n" : "");
}

static void put_cell(rf_text *text, uint64_t number, bool known)
{
    rf_text_format(text, "<td class=\"n\">%s</td>", known ? rf_number_grouped(number).text : "?");
}

/* The bar behind the number is the layer's share of the network. */
static void put_macs(rf_report_job *job, const rf_layer_analysis *layer)
{
    uint64_t total = job->analysis->dense.macs;
    if (layer->uncounted || layer->dense.macs == 0) {
        put_cell(&job->text, 0, !layer->uncounted);
        return;
    }
    uint64_t percent = total < 100 ? 100 : layer->dense.macs / (total / 100);
    rf_text_format(&job->text, "<td class=\"n share\" style=\"--share:%u%%\">%s</td>",
                   percent < 100 ? (unsigned)percent : 100u,
                   rf_number_grouped(layer->dense.macs).text);
}

static rf_status put_layer(rf_report_job *job, size_t i)
{
    const rf_layer_analysis *layer = &job->analysis->layers[i];
    rf_text *text = &job->text;
    rf_text_str(text, "<tr><td class=\"name\">");
    put_name(text, layer->name);
    rf_text_str(text, "</td><td class=\"name\">");
    put_name(text, layer->type);
    rf_text_format(text, "</td><td class=\"n\">%s</td><td>%s</td>", rf_output_extents(layer).text,
                   layer->folded ? "constant" : rf_field_text_of(layer).text);
    put_cell(text, layer->parameters, true);
    put_macs(job, layer);
    put_cell(text, layer->dense.additions, !layer->uncounted);
    if (job->convention) {
        uint64_t count = 0;
        RF_TRY(rf_report_convention(job, i, &count));
        put_cell(text, count, true);
    }
    rf_text_str(text, "</tr>\n");
    return RF_OK;
}

static rf_status put_layers(rf_report_job *job)
{
    rf_text *text = &job->text;
    rf_text_str(text, "<h2>Layers</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Layer</th>"
                      "<th>Operator</th><th class=\"n\">Output</th><th>Field</th>"
                      "<th class=\"n\">Parameters</th><th class=\"n\">MACs</th>"
                      "<th class=\"n\">Additions</th>");
    if (job->convention)
        rf_text_format(text, "<th class=\"n\">%s</th>", job->convention->name);
    rf_text_str(text, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < job->analysis->layer_count; i++)
        RF_TRY(put_layer(job, i));
    rf_text_str(text, "</tbody>\n</table></div>\n"
                      "<p>Field: inputs seen along each axis, then the stride with which the field "
                      "moves. * after it: paths differ in stride or centre, and the field is their "
                      "union.</p>\n");
    return RF_OK;
}

rf_status rf_report_html(rf_report_job *job)
{
    put_head(job);
    put_totals(job);
    put_notes(job);
    RF_TRY(put_layers(job));
    rf_text_format(&job->text, "<p>rfield %s</p>\n</body>\n</html>\n", rf_version());
    return RF_OK;
}

/* SPDX-License-Identifier: MIT */
/* A table, and a bar for each layer on a logarithmic scale. */
#include "gradients_answer.h"

#include <math.h>
#include <stdio.h>

#include "report/text_writer.h"

/* The table has 100 columns. */
enum { NAME = 12, KIND = 14, NUMBER = 9, NUMBERS = 7, SHARE = 10, BAR = 60 };

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void see_norm(double norm, double *least, double *most)
{
    if (!(norm > 0) || !isfinite(norm))
        return;
    *least = *least > 0 && *least < norm ? *least : norm;
    *most = larger(*most, norm);
}

void gradients_decades(const rf_gradient_report *report, int *lowest, int *highest)
{
    double least = 0, most = 0;
    for (size_t i = 0; i < report->layer_count; i++) {
        see_norm(report->layers[i].weight_norm, &least, &most);
        see_norm(report->layers[i].bias_norm, &least, &most);
    }
    *lowest = least > 0 ? (int)floor(log10(least)) : 0;
    *highest = most > 0 ? (int)ceil(log10(most)) : 1;
    if (*highest <= *lowest)
        *highest = *lowest + 1;
}

static void put_number(rf_text *text, double number)
{
    if (isnan(number))
        rf_text_format(text, "%*s", NUMBER, "-");
    else
        rf_text_format(text, "%*.3g", NUMBER, number);
}

static void put_head(rf_text *text, const gradients_answer *answer)
{
    const rf_gradient_report *report = answer->report;
    rf_text_name(text, answer->path, NULL);
    rf_text_format(text, ": %zu layer%s with weights, %s loss %.4g of ", report->layer_count,
                   report->layer_count == 1 ? "" : "s", answer->loss, report->loss);
    rf_text_name(text, report->output, NULL);
    rf_text_format(text, ", seed %llu\n\n", (unsigned long long)answer->seed);
}

/* "Gemm, Sigmoid" */
static void put_kind(rf_text *text, const rf_layer_gradient *layer)
{
    char kind[64];
    snprintf(kind, sizeof kind, "%.30s%s%.30s", layer->type, layer->activation ? ", " : "",
             layer->activation ? layer->activation : "");
    rf_text_cell(text, kind, KIND, false);
}

static void put_layer(rf_text *text, const rf_layer_gradient *layer)
{
    const double numbers[NUMBERS] = {layer->weight_norm, layer->bias_norm, layer->delta_norm, layer->ratio,
                                     layer->factor, layer->spectral, layer->mean_slope};
    rf_text_cell(text, layer->name, NAME, false);
    rf_text_str(text, " ");
    put_kind(text, layer);
    for (size_t i = 0; i < NUMBERS; i++)
        put_number(text, numbers[i]);
    if (isnan(layer->saturated))
        rf_text_format(text, "%*s\n", SHARE, "-");
    else
        rf_text_format(text, "%*.1f %%\n", SHARE - 2, 100 * layer->saturated);
}

static void put_table(rf_text *text, const rf_gradient_report *report)
{
    static const char *const heads[NUMBERS] = {"|dL/dA|", "|dL/db|", "|dL/dz|", "Ratio", "Factor", "Spectral", "Slope"};
    rf_text_cell(text, "Layer", NAME, false);
    rf_text_str(text, " ");
    rf_text_cell(text, "Operator", KIND, false);
    for (size_t i = 0; i < NUMBERS; i++)
        rf_text_format(text, "%*s", NUMBER, heads[i]);
    rf_text_format(text, "%*s\n", SHARE, "Saturated");
    rf_text_repeat(text, '-', NAME + 1 + KIND + NUMBERS * NUMBER + SHARE);
    rf_text_str(text, "\n");
    for (size_t i = 0; i < report->layer_count; i++)
        put_layer(text, &report->layers[i]);
}

/* Marks up to a norm; none for 0, at least one for others; what is not finite fills the line. */
static size_t marks_of(double norm, int lowest, int highest)
{
    if (norm == 0)
        return 0;
    if (!isfinite(norm))
        return BAR;
    double share = (log10(norm) - lowest) / (highest - lowest);
    return 1 + (size_t)(larger(share, 0) * (BAR - 1) + 0.5);
}

/* A bar as long as |dL/dA| is large, and an o where |dL/db| is. */
static void put_bar(rf_text *text, const rf_layer_gradient *layer, int lowest, int highest)
{
    size_t bar = marks_of(layer->weight_norm, lowest, highest);
    size_t mark = layer->bias ? marks_of(layer->bias_norm, lowest, highest) : 0;
    char line[BAR + 1];
    size_t length = bar > mark ? bar : mark;
    for (size_t i = 0; i < length; i++)
        line[i] = i + 1 == mark ? 'o' : i < bar ? '#' : ' ';
    rf_text_cell(text, layer->name, NAME, false);
    put_number(text, layer->weight_norm);
    rf_text_str(text, length ? "  " : "");
    rf_text_put(text, line, length);
    rf_text_str(text, "\n");
}

static void put_bars(rf_text *text, const rf_gradient_report *report)
{
    int lowest, highest;
    gradients_decades(report, &lowest, &highest);
    rf_text_format(text, "\n# |dL/dA|, o |dL/db|, from 1e%d to 1e%d\n", lowest, highest);
    for (size_t i = 0; i < report->layer_count; i++)
        put_bar(text, &report->layers[i], lowest, highest);
}

int print_gradients_text(const gradients_answer *answer, output_file *output)
{
    const rf_gradient_report *report = answer->report;
    rf_text text;
    rf_text_init(&text, output_write, output);
    put_head(&text, answer);
    put_table(&text, report);
    put_bars(&text, report);
    rf_text_format(&text, "\n%s: %s\n", rf_gradient_verdict_name(report->verdict), report->reason);
    rf_text_finish(&text);
    return DONE;
}

/* SPDX-License-Identifier: MIT */
/* Two networks side by side: totals, then the layers of one name that differ. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/number_text.h"
#include "report/report_parts.h"
#include "open_model.h"
#include "output_file.h"

static const char help[] =
    "usage: rfield compare A B [options]\n"
    "\n"
    "Puts two networks side by side: their totals, and the layers of the same name that differ\n"
    "in what they see or cost.\n"
    "\n"
    "  -i, --input NAME=SHAPE   as for rfield analyze, for both networks\n"
    "  -u, --allow-unknown      as for rfield analyze\n"
    "  -o, --output FILE        write there, whole or not at all; - is standard output\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0, whether or not they differ; 1 for a bad model or input; 2 for a wrong\n"
    "command line\n";

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'},  {"allow-unknown", no_argument, NULL, 'u'},
    {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
    {0},
};

typedef struct compare_request {
    const char *models[2], *output;
    input_options inputs;
    bool allow_unknown, help;
} compare_request;

static int take_option(const subcommand *command, compare_request *request, int answer,
                       char **argv)
{
    switch (answer) {
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'u': request->allow_unknown = true; return DONE;
    case 'o': request->output = optarg; return DONE;
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, compare_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:uo:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    if (argc - optind != 2)
        return misuse(command, "two model files are needed, not %d", argc - optind);
    request->models[0] = argv[optind];
    request->models[1] = argv[optind + 1];
    return DONE;
}

static void put_gap(rf_text *text)
{
    rf_text_str(text, "  ");
}

/* `b` in per cent of `a`. */
static void put_ratio(rf_text *text, uint64_t a, uint64_t b)
{
    put_gap(text);
    if (a == 0 || a == b) {
        rf_text_cell(text, a == b ? "same" : "-", 10, true);
        return;
    }
    rf_number percent = rf_number_percent(b, a);
    rf_text_cell(text, percent.text, 10, true);
}

static void put_row(rf_text *text, const char *label, uint64_t a, uint64_t b)
{
    rf_text_cell(text, label, 26, false);
    rf_text_cell(text, rf_number_grouped(a).text, 28, true);
    put_gap(text);
    rf_text_cell(text, rf_number_grouped(b).text, 28, true);
    put_ratio(text, a, b);
    rf_text_str(text, "\n");
}

static void put_totals(rf_text *text, const open_model models[2])
{
    const rf_analysis *a = models[0].analysis, *b = models[1].analysis;
    rf_text_cell(text, "", 26, false);
    rf_text_cell(text, models[0].path, 28, true);
    put_gap(text);
    rf_text_cell(text, models[1].path, 28, true);
    rf_text_str(text, "   B in % A\n");
    put_row(text, "Layers", a->layer_count, b->layer_count);
    put_row(text, "Parameters", a->parameters, b->parameters);
    put_row(text, "Statistics", a->statistics, b->statistics);
    for (size_t i = 0; i < RF_COUNT_KINDS; i++) {
        uint64_t in_a = rf_count_of(&a->dense, &rf_count_kinds[i]);
        uint64_t in_b = rf_count_of(&b->dense, &rf_count_kinds[i]);
        if (!rf_count_kinds[i].rare || in_a || in_b)
            put_row(text, rf_count_kinds[i].label, in_a, in_b);
    }
    put_row(text, "Weights, bytes", a->weight_bytes, b->weight_bytes);
    put_row(text, "Activations, bytes", a->activation_bytes, b->activation_bytes);
    put_row(text, "  at the peak", a->peak_activation_bytes, b->peak_activation_bytes);
}

static int by_name(const void *a, const void *b)
{
    const rf_layer_analysis *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* The layers sorted by name; the caller frees. NULL without memory. */
static const rf_layer_analysis **sorted_layers(const rf_analysis *analysis)
{
    const rf_layer_analysis **sorted = calloc(analysis->layer_count + 1, sizeof *sorted);
    for (size_t i = 0; sorted && i < analysis->layer_count; i++)
        sorted[i] = &analysis->layers[i];
    if (sorted)
        qsort(sorted, analysis->layer_count, sizeof *sorted, by_name);
    return sorted;
}

static const rf_layer_analysis *find_layer(const rf_layer_analysis **sorted, size_t count,
                                           const rf_layer_analysis *like)
{
    const rf_layer_analysis **found = bsearch(&like, sorted, count, sizeof *sorted, by_name);
    return found ? *found : NULL;
}

static bool differ(const rf_layer_analysis *a, const rf_layer_analysis *b)
{
    return a->parameters != b->parameters || a->dense.macs != b->dense.macs
           || strcmp(a->type, b->type) != 0
           || strcmp(rf_output_extents(a).text, rf_output_extents(b).text) != 0
           || strcmp(rf_field_text_of(a).text, rf_field_text_of(b).text) != 0;
}

/* One side of a pair; the name stands before the first only. */
static void put_side(rf_text *text, const char *name, const rf_layer_analysis *layer)
{
    rf_text_cell(text, name, 24, false);
    put_gap(text);
    rf_text_cell(text, layer->type, 18, false);
    put_gap(text);
    rf_text_cell(text, rf_output_extents(layer).text, 18, false);
    put_gap(text);
    rf_text_cell(text, rf_field_text_of(layer).text, 14, false);
    put_gap(text);
    rf_text_cell(text, rf_number_si(layer->parameters).text, 7, true);
    put_gap(text);
    rf_text_cell(text, rf_number_si(layer->dense.macs).text, 7, true);
    rf_text_str(text, "\n");
}

static void put_titles(rf_text *text)
{
    rf_text_format(text, "\n%-24s  %-18s  %-18s  %-14s  %7s  %7s\n", "Layer, in both", "Operator",
                   "Output", "Field", "Params", "MACs");
    rf_text_repeat(text, '-', 98);
    rf_text_str(text, "\n");
}

/* Prints the pairs that differ; returns how many layers of `a` have a namesake. */
static size_t put_pairs(rf_text *text, const rf_analysis *a, const rf_layer_analysis **sorted,
                        size_t count, size_t *differing)
{
    size_t pairs = 0;
    for (size_t i = 0; i < a->layer_count; i++) {
        const rf_layer_analysis *other = find_layer(sorted, count, &a->layers[i]);
        pairs += other != NULL;
        if (!other || !differ(&a->layers[i], other))
            continue;
        if ((*differing)++ == 0)
            put_titles(text);
        put_side(text, a->layers[i].name, &a->layers[i]);
        put_side(text, "", other);
    }
    return pairs;
}

static int put_layers(rf_text *text, const open_model models[2])
{
    const rf_analysis *a = models[0].analysis, *b = models[1].analysis;
    size_t differing = 0;
    const rf_layer_analysis **sorted = sorted_layers(b);
    if (!sorted)
        return complain(models[1].path, "no memory to sort its layers");
    size_t pairs = put_pairs(text, a, sorted, b->layer_count, &differing);
    free(sorted);
    rf_text_format(text, "\n%zu of %zu and %zu layers have the same name; %zu of those differ.\n",
                   pairs, a->layer_count, b->layer_count, differing);
    return DONE;
}

static int write_comparison(const open_model models[2], const char *path)
{
    output_file output;
    rf_text text;
    int code = output_open(&output, path);
    if (code != DONE)
        return code;
    rf_text_init(&text, output_write, &output);
    put_totals(&text, models);
    code = put_layers(&text, models);
    rf_text_finish(&text);
    if (code == DONE)
        return output_finish(&output);
    output_discard(&output);
    return code;
}

static int compare(const compare_request *request)
{
    open_model models[2] = {{.path = request->models[0]}, {.path = request->models[1]}};
    int code = model_open(&models[0], request->models[0], &request->inputs,
                          request->allow_unknown);
    if (code == DONE)
        code = model_open(&models[1], request->models[1], &request->inputs,
                          request->allow_unknown);
    if (code == DONE)
        code = write_comparison(models, request->output);
    model_close(&models[0]);
    model_close(&models[1]);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    compare_request request = {.output = NULL};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE)
        code = request.help ? print_help(command) : compare(&request);
    free_inputs(&request.inputs);
    return code;
}

const subcommand compare_command = {
    "compare", "puts two networks side by side", help, run};

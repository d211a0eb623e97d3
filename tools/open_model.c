/* SPDX-License-Identifier: MIT */
#include "open_model.h"

#include <rfield/readers.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bindings with the name of the only input where none was given. */
static int name_bindings(const open_model *model, const input_options *inputs,
                         rf_binding *bindings)
{
    const rf_network *network = model->network;
    for (size_t i = 0; i < inputs->count; i++) {
        bindings[i] = inputs->bindings[i];
        if (bindings[i].name)
            continue;
        if (network->input_count != 1)
            return complain(model->path, "the network has %zu inputs, so that --input must name one: "
                            "NAME=SHAPE", network->input_count);
        bindings[i].name = network->inputs[0].name;
    }
    return DONE;
}

static int analyze(open_model *model, const rf_binding *bindings, size_t count, bool allow_unknown)
{
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    rf_error error;
    options.bindings = bindings;
    options.binding_count = count;
    options.allow_unknown = allow_unknown;
    if (rf_analyze(model->network, &options, &model->analysis, &error) != RF_OK)
        return complain(model->path, "%s", error.message);
    return DONE;
}

int model_open(open_model *model, const char *path, const input_options *inputs, bool allow_unknown)
{
    rf_error error;
    *model = (open_model){.path = path};
    if (rf_network_load(path, NULL, &model->network, &error) != RF_OK)
        return complain(path, "%s", error.message);
    rf_binding *bindings = calloc(inputs->count + 1, sizeof *bindings);
    if (!bindings)
        return complain(path, "no memory for the options");
    int code = name_bindings(model, inputs, bindings);
    if (code == DONE)
        code = analyze(model, bindings, inputs->count, allow_unknown);
    free(bindings);
    return code;
}

size_t model_find_input(const open_model *model, const char *name)
{
    const rf_analysis *analysis = model->analysis;
    size_t i = 0;
    while (i < analysis->input_count && strcmp(analysis->inputs[i].name, name) != 0)
        i++;
    return i;
}

void model_close(open_model *model)
{
    rf_analysis_free(model->analysis);
    rf_network_free(model->network);
    *model = (open_model){.path = model->path};
}

enum { NEAREST = 3, COMPARED = 48, SEARCHED = 20000 };

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Bytes to insert, drop or replace to make one name the other; both at most COMPARED long. */
static unsigned edits(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    unsigned row[COMPARED + 1];
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_bytes; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_bytes; j++) {
            unsigned above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_bytes];
}

/* How far a name is from what was asked for: a part of it is near, UINT_MAX-like 1000 is not. */
static unsigned distance(const char *asked, const char *name)
{
    size_t a = strlen(asked), b = strlen(name);
    if (a > COMPARED || b > 256)
        return 1000;
    if (a && strstr(name, asked))
        return 1;
    if (b > COMPARED)
        return 1000;
    unsigned count = edits(asked, a, name, b);
    return count <= 2 + a / 4 ? count : 1000;
}

/* Keeps the list of the nearest sorted, best first. */
static void consider(const char *names[NEAREST], unsigned distances[NEAREST], const char *name,
                     unsigned its_distance)
{
    for (int i = 0; i < NEAREST; i++) {
        if (its_distance >= distances[i])
            continue;
        memmove(names + i + 1, names + i, (size_t)(NEAREST - 1 - i) * sizeof *names);
        memmove(distances + i + 1, distances + i, (size_t)(NEAREST - 1 - i) * sizeof *distances);
        names[i] = name;
        distances[i] = its_distance;
        return;
    }
}

int complain_of_layer(const open_model *model, const char *name)
{
    const rf_analysis *analysis = model->analysis;
    const char *names[NEAREST] = {NULL, NULL, NULL};
    unsigned distances[NEAREST] = {1000, 1000, 1000};
    for (size_t i = 0; i < analysis->layer_count && i < SEARCHED; i++)
        consider(names, distances, analysis->layers[i].name,
                 distance(name, analysis->layers[i].name));
    char list[320] = "";
    for (int i = 0; i < NEAREST && names[i]; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s'%.80s'", i ? ", " : "; near it: ", names[i]);
    }
    return complain(model->path, "no layer or tensor is called '%.80s'%s", name, list);
}

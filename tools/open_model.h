/* SPDX-License-Identifier: MIT */
/* A network from a file, analysed. */
#ifndef RFIELD_TOOLS_OPEN_MODEL_H
#define RFIELD_TOOLS_OPEN_MODEL_H

#include <rfield/analysis.h>

#include "arguments.h"

typedef struct open_model {
    const char *path;
    const rf_network *network;
    const rf_analysis *analysis;
} open_model;

/* Loads and analyses; complains and returns BAD_INPUT where it fails. Close it in either case. */
int model_open(open_model *model, const char *path, const input_options *inputs,
               bool allow_unknown);

/* Index of the network input called `name`, or input_count. */
size_t model_find_input(const open_model *model, const char *name);

void model_close(open_model *model);

/* Complains that no layer is called `name`, and names up to three that are nearly so called. */
int complain_of_layer(const open_model *model, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* What `rfield gradients` is asked, the network that it asks about, and the forms of its answer. */
#ifndef RFIELD_TOOLS_GRADIENTS_ANSWER_H
#define RFIELD_TOOLS_GRADIENTS_ANSWER_H

#include <rfield/gradient_report.h>
#include <rfield/initialize.h>

#include "arguments.h"
#include "output_file.h"

/* A perceptron to be made instead of a model read. */
typedef struct perceptron_request {
    int64_t depth, width; /* depth 0: none */
    int activation;       /* by gradients_activations */
} perceptron_request;

/* The words of --activation. */
extern const char *const gradients_activations[];

/* A network with weights. */
typedef struct gradients_network {
    const char *path;          /* the model's file, or "perceptron" */
    const rf_network *read;    /* from a file; NULL */
    struct made_perceptron *made; /* or NULL */
    const rf_network *network; /* with weights */
} gradients_network;

/* Each complains and returns an exit code; close the network in any case. */
int gradients_network_open(gradients_network *it, const char *path, const perceptron_request *perceptron,
                           const input_options *inputs, const rf_initialization *how);
void gradients_network_close(gradients_network *it);

/* --init's word: SCHEME[:A[,B]]. An exit code. */
int take_scheme(const subcommand *command, char *word, rf_initialization *how);

typedef struct gradients_answer {
    const char *path;
    const rf_gradient_report *report;
    const char *loss; /* its word */
    uint64_t seed;
} gradients_answer;

/* Each writes to output->file, whose failures output_finish tells. An exit code. */
int print_gradients_text(const gradients_answer *answer, output_file *output);
int print_gradients_json(const gradients_answer *answer, output_file *output);

/* Draws the norms as bars into a PNG file. An exit code. */
int draw_gradients(const gradients_answer *answer, const char *png);

/* Powers of ten that all finite norms above 0 of dL/dA and dL/db lie between; 0 and 1 without any. */
void gradients_decades(const rf_gradient_report *report, int *lowest, int *highest);

#endif
